//! Errors that prevent a sandbox from starting.

use std::net::SocketAddr;

/// The error returned if a sandbox cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A key cannot be generated or used.
    #[error("cannot generate or use a key")]
    Key(#[from] paytend_crypto::Error),
    /// The sandbox cannot listen on the address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error reported by the operating system.
        source: std::io::Error,
    },
    /// Other machines can reach the address, but remote access was not explicitly allowed.
    #[error(
        "{0} is not a loopback address, and other machines could reach this sandbox; \
         use 127.0.0.1, or allow it with --danger-allow-remote or SandboxBuilder::danger_allow_remote"
    )]
    NotLoopback(SocketAddr),
    /// The HTTP client that posts notifications cannot be created.
    #[error("cannot create the HTTP client that posts notifications")]
    Http(#[source] reqwest::Error),
    /// The data file cannot be used.
    #[cfg(feature = "persist")]
    #[error(transparent)]
    Store(#[from] crate::runtime::store::StoreError),
    /// The settings or the start time are out of range; they could cause an endless loop or a counter overflow.
    #[error("invalid settings or start time: {0}")]
    Settings(&'static str),
    /// A fault is invalid.
    #[error(transparent)]
    Fault(#[from] crate::faults::FaultError),
    /// The data file belongs to different partners.
    #[error("the data file does not belong to {0}; use a different file or the keys it was created with")]
    OtherPartners(String),
    /// The data file cannot be written.
    #[error("cannot write the data file")]
    Write,
}
