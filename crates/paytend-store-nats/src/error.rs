//! The errors that this store returns.

use std::error::Error;

use paytend_inbox::{StoreError, StoreErrorKind};

/// Returns the error for an operation that the servers did not confirm.
pub(crate) fn unavailable(doing: &str, error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::unavailable(format!("cannot {doing}: JetStream did not confirm it")).with_source(error)
}

/// Returns the error for an operation that exceeded its time limit.
pub(crate) fn too_slow(doing: &str) -> StoreError {
    StoreError::unavailable(format!("cannot {doing}: JetStream did not respond in time"))
}

pub(crate) fn configuration(message: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Configuration, message)
}
