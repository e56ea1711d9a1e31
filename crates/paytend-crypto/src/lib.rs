#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! # Modules
//!
//! | module | contents |
//! |---|---|
//! | [`keys`] | RSA keys in all supported encodings, key files, fingerprints |
//! | [`rsa`] | the traits that a backend implements: [`rsa::RsaPrivate`], [`rsa::RsaPublic`] |
//! | [`rustcrypto`] | the default backend |
//! | [`keyring`] | the keys that sign, decrypt, verify and encrypt |
//! | `seal`, `open` | [`Keyring::seal`] and [`Keyring::open`] |
//! | `canonical` | the signed text, and the rules that make it unambiguous |
//! | [`detached`] | the `sign` header of PayBy and PayerMax |
//! | `testing` | a conformance suite for backends (feature `testing`) |
//! | [`hazmat`] | low-level functions without safety checks; not for applications |

mod aes_text;
mod base64_wire;
mod canonical;
mod encoding;
mod error;
mod fingerprint;
mod incoming;
mod key_error;
mod key_file;
mod message;
mod open;
mod passphrase;
mod pkcs1v15;
mod random;
mod request_id;
mod seal;
mod wire;

pub mod detached;
pub mod hazmat;
mod keyring;
pub mod keys;
pub mod rsa;
#[cfg(feature = "rustcrypto")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustcrypto")))]
pub mod rustcrypto;

#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

pub use aes_text::SessionKeyLength;
pub use error::{BackendError, Error, FieldProblem, JsonProblem, Malformed, PayloadProblem, UnsignedFailure};
pub use fingerprint::{Fingerprint, ParseFingerprintError};
pub use incoming::danger_peek;
pub use key_error::KeyError;
pub use keyring::{Keyring, KeyringBuilder};
pub use keys::{PrivateKey, PublicKey, Strength};
pub use message::{Expected, Fields, Kind};
pub use open::Opened;
pub use passphrase::Passphrase;
pub use random::{OsRandom, RandomSource};
pub use request_id::{ParseRequestIdError, RequestId};
pub use seal::{Outgoing, Sealed};
