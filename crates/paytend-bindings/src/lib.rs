//! The shared layer of the language bindings. It wraps `paytend-crypto` and `paytend-webhook` in an interface with
//! plain types (strings, bytes, numbers, JSON) and one set of error codes.
//!
//! The bindings only convert types and errors. They contain no logic, so results are the same in every language.

mod backend;
mod failure;
mod guard;
mod keys;
mod message;
mod receive;
mod scheduled_key;

pub use failure::{Code, Failure};
pub use guard::guarded;
pub use keys::{
    generate, hazmat_decrypt_blocks, key_info, keyring, request_id, sign, verify, write_private, write_public,
};
pub use message::{Opened, kind, open, seal};
pub use receive::{Notification, ProviderResponse, Receiver, Rejected, Reply};
pub use scheduled_key::ScheduledKey;

pub use paytend_crypto::{Keyring, Kind, PrivateKey, PublicKey};

/// The version of all bindings.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
