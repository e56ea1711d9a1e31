//! Why a sandbox does not start.

use std::net::SocketAddr;

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A key cannot be made or used.
    #[error("a key cannot be made or used")]
    Key(#[from] paytend_crypto::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Others could reach it, and nobody said that this is meant.
    #[error(
        "{0} is not the loopback: others could reach this sandbox, which has test keys and no secrets to keep; say so if it is meant"
    )]
    NotLoopback(SocketAddr),
    /// The client that posts notifications cannot be made.
    #[error("cannot make the client that posts notifications")]
    Http(#[source] reqwest::Error),
    /// The data file cannot be used.
    #[cfg(feature = "persist")]
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The settings or the time make a world that would never come to rest, or cannot be counted on.
    #[error("the sandbox's settings cannot be used: {0}")]
    Settings(&'static str),
    /// The data file is of other partners.
    #[error("the data file is of other partners than {0}")]
    OtherPartners(String),
    /// What is kept could not be written.
    #[error("the data file cannot be written")]
    Write,
}
