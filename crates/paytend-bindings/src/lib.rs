//! What the bindings to other languages share: `paytend-crypto` and `paytend-webhook` with plain types (texts, bytes,
//! numbers, JSON) and one list of error codes. Each binding translates these into its language's own ways and decides
//! nothing, so all give the same answers.

mod backend;
mod failure;
mod guard;
mod keys;
mod message;
mod receive;

pub use backend::BACKEND;
pub use failure::{Code, Failure};
pub use guard::guarded;
pub use keys::{
    generate, hazmat_decrypt_blocks, key_info, keyring, request_id, sign, verify, write_private, write_public,
};
pub use message::{Opened, kind, open, seal};
pub use receive::{Answer, DatedKey, NotTaken, Notification, Receiver, Reply};

pub use paytend_crypto::{Keyring, Kind, PrivateKey, PublicKey};

/// The version of all bindings.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
