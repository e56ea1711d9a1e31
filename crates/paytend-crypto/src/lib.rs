#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
//!
//! # Modules
//!
//! | module | contents |
//! |---|---|
//! | [`keys`] | RSA keys in all supported encodings, key files, fingerprints |
//! | [`rsa`] | the traits that a backend implements: [`rsa::Backend`], [`rsa::RsaPrivate`], [`rsa::RsaPublic`] |
//! | [`rustcrypto`] | the default backend |
//! | `envelope` | [`Keyring::seal`] and [`Keyring::open`]; the signed text, and the rules that make it unambiguous |
//! | [`detached`] | the `sign` header of PayBy and PayerMax |
//! | `testing` | a conformance suite for backends (the `testing` feature) |
//! | [`hazmat`] | low-level functions without safety checks; not for applications |

mod envelope;
mod error;
mod primitives;
mod random;

pub mod detached;
pub mod hazmat;
pub mod keys;
pub mod rsa;
#[cfg(feature = "rustcrypto")]
#[cfg_attr(docsrs, doc(cfg(feature = "rustcrypto")))]
pub mod rustcrypto;

#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;

pub use envelope::keyring::{Keyring, KeyringBuilder};
pub use envelope::message::{Expected, Fields, Kind};
pub use envelope::open::Opened;
pub use envelope::parse::danger_peek;
pub use envelope::request_id::{ParseRequestIdError, RequestId};
pub use envelope::seal::{Outgoing, Sealed};
pub use error::{BackendError, Error, FieldProblem, JsonProblem, Malformed, PayloadProblem, UnsignedFailure};
pub use keys::error::KeyError;
pub use keys::fingerprint::{Fingerprint, ParseFingerprintError};
pub use keys::passphrase::Passphrase;
pub use keys::{PrivateKey, PublicKey, Strength};
pub use primitives::aes::SessionKeyLength;
pub use random::{OsRandom, RandomSource};
