//! Conversion of PostgreSQL's errors.

use deadpool_postgres::PoolError;
use paytend_inbox::{FinishError, StoreError, StoreErrorKind};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Converts an error. The message contains the server's error code, and no values or addresses.
pub(crate) fn store_error(doing: &str, error: Error) -> StoreError {
    let kind = match error.code() {
        Some(code)
            if [
                &SqlState::INVALID_PASSWORD,
                &SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                &SqlState::INVALID_CATALOG_NAME,
                &SqlState::INSUFFICIENT_PRIVILEGE,
                &SqlState::UNDEFINED_TABLE,
            ]
            .contains(&code) =>
        {
            StoreErrorKind::Configuration
        }
        _ => StoreErrorKind::Unavailable,
    };
    let what = match error.code() {
        Some(code) => format!("PostgreSQL reports the error {}", code.code()),
        None if error.is_closed() => "the connection was closed".to_owned(),
        None => "the connection failed".to_owned(),
    };
    StoreError::new(kind, format!("cannot {doing}: {what}")).with_source(error)
}

pub(crate) fn pool_error(doing: &str, error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => store_error(doing, error),
        PoolError::Timeout(_) => StoreError::unavailable(format!("cannot {doing}: no connection became free in time")),
        error => StoreError::unavailable(format!("cannot {doing}: there is no connection")).with_source(error),
    }
}

/// The error of an operation in a transaction. The transaction is then rolled back.
pub(crate) enum OpError {
    Sql(Error),
    Finish(FinishError),
}

impl From<Error> for OpError {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<FinishError> for OpError {
    fn from(error: FinishError) -> Self {
        Self::Finish(error)
    }
}

impl From<StoreError> for OpError {
    fn from(error: StoreError) -> Self {
        Self::Finish(error.into())
    }
}

impl OpError {
    pub(crate) fn into_finish(self, doing: &str) -> FinishError {
        match self {
            Self::Sql(error) => store_error(doing, error).into(),
            Self::Finish(error) => error,
        }
    }
}

/// Converts the error of an operation that does not depend on a lease.
pub(crate) fn without_lease(error: FinishError) -> StoreError {
    match error {
        FinishError::Store(error) => error,
        other => StoreError::unavailable(other.to_string()),
    }
}
