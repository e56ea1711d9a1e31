//! Sending requests and receiving responses: over HTTP by default, or with a custom implementation of
//! [`Transport`](exchange::Transport).

pub(crate) mod body;
pub(crate) mod connect;
pub(crate) mod error;
pub(crate) mod exchange;
pub(crate) mod handover;
pub(crate) mod http;
pub(crate) mod response;

/// The synchronization primitives of `handover.rs`. The model checker replaces them.
mod sync {
    pub(super) use std::sync::Arc;
    pub(super) use std::sync::atomic::{AtomicU8, Ordering};
}
