//! Converts SQLite errors to store errors.

use std::error::Error;

use paytend_inbox::{FinishError, StoreError, StoreErrorKind};
use rusqlite::ErrorCode;

/// Converts an error. The message describes the error code and contains no values from the file.
pub(crate) fn store_error(doing: &str, error: rusqlite::Error) -> StoreError {
    let (kind, what) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            (StoreErrorKind::Corrupt, "the file is damaged or not an SQLite database")
        }
        Some(ErrorCode::DiskFull) => (StoreErrorKind::Unavailable, "the disk is full"),
        Some(ErrorCode::SystemIoFailure) => (StoreErrorKind::Unavailable, "the disk reports an error"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (StoreErrorKind::Unavailable, "the file is locked by another process")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (StoreErrorKind::Configuration, "the file cannot be written")
        }
        Some(ErrorCode::CannotOpen) => (StoreErrorKind::Configuration, "the file cannot be opened"),
        Some(_) => (StoreErrorKind::Unavailable, "SQLite reports an error"),
        None => (StoreErrorKind::Corrupt, "the file contains an unexpected value"),
    };
    StoreError::new(kind, format!("cannot {doing}: {what}")).with_source(error)
}

/// Returns whether the file must be reopened and checked after this error.
pub(crate) fn is_suspect(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::OutOfMemory
        )
    )
}

/// Searches an error and its sources for an SQLite error after which the file must be reopened and checked.
pub(crate) fn suspect_cause(error: &(dyn Error + 'static)) -> Option<rusqlite::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rusqlite::Error>().filter(|found| is_suspect(found)) {
            return found.sqlite_error().map(|code| rusqlite::Error::SqliteFailure(*code, None));
        }
        next = error.source();
    }
    None
}

/// The error of an operation in the writer's transaction. The operation is then rolled back.
pub(crate) enum OpError {
    Sql(rusqlite::Error),
    Finish(FinishError),
}

impl From<rusqlite::Error> for OpError {
    fn from(error: rusqlite::Error) -> Self {
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
