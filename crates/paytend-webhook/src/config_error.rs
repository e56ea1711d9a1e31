//! Configurations that cannot be meant.

use paytend_crypto::{Error, Fingerprint};

/// A configuration that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no key.
    #[error("a receiver needs at least one key")]
    NoKey,
    /// A key that is retired before it is used.
    #[error("the key {0} is retired before it may be used: its `retire_at` must be later than its `not_before`")]
    NeverUsed(Fingerprint),
    /// A source that is neither an address nor a block of them.
    #[error("{0:?} is neither an IP address nor a block of them such as 203.0.113.0/24 or 2001:db8::/32")]
    Source(String),
    /// A block whose address has bits beyond its prefix.
    #[error("{given} has bits beyond its prefix; the block is {block}, the one address {address}")]
    HostBits {
        /// What was given.
        given: String,
        /// The block that it lies in.
        block: String,
        /// The address alone.
        address: String,
    },
    /// A keyring could not be made.
    #[error(transparent)]
    Crypto(#[from] Error),
}
