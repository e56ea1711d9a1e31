//! The error for invalid configurations.

use paytend_crypto::{Error, Fingerprint};

/// An invalid configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No key was given.
    #[error("a receiver needs at least one key")]
    NoKey,
    /// A key is retired before it becomes valid.
    #[error("the key {0} is never valid: its `retire_at` must be later than its `not_before`")]
    NeverUsed(Fingerprint),
    /// The partner identifier is empty or has characters that no identifier has, such as a line break.
    #[error(
        "the partner identifier is empty or contains characters other than letters, digits, hyphens and underscores; \
         remove spaces and line breaks"
    )]
    PartnerId,
    /// A source is neither an IP address nor a CIDR block.
    #[error("{0:?} is neither an IP address nor a CIDR block such as 203.0.113.0/24 or 2001:db8::/32")]
    Source(String),
    /// A CIDR block has address bits set beyond its prefix.
    #[error("{given} has bits set beyond its prefix; use {block} for the block or {address} for the single address")]
    HostBits {
        /// The text that was given.
        given: String,
        /// The block that contains the address.
        block: String,
        /// The single address.
        address: String,
    },
    /// A keyring could not be created.
    #[error(transparent)]
    Crypto(#[from] Error),
}
