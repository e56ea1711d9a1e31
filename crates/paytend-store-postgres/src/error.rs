//! Converts PostgreSQL errors to store errors.

use std::error::Error as _;
use std::io;

use deadpool_postgres::PoolError;
use paytend_inbox::{FinishError, HandlerError, StoreError, StoreErrorKind};
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::settings::UNSAFE;

/// The SQLSTATE classes of errors whose messages contain table and column names but no values.
const PLAIN_CLASSES: [&str; 11] = ["08", "0A", "23", "25", "26", "40", "42", "53", "54", "55", "57"];

/// Returns a description that contains no values, addresses or user names. PostgreSQL's detail and hint are left out,
/// because they contain values.
pub(crate) fn describe(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return describe_server(error);
    }
    let cause = error.source();
    let cause_as_io = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    match cause_as_io {
        _ if error.is_closed() => "the connection was closed".to_owned(),
        // The driver reports this error, without an operating system code, if none of the servers accepts writes.
        Some(cause) if cause.kind() == io::ErrorKind::PermissionDenied && cause.raw_os_error().is_none() => {
            "the server is a standby or read-only: specify the primary, or all hosts, in the URL".to_owned()
        }
        Some(cause) => match cause.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
            Some(tls) => format!("TLS failed: {tls}"),
            None => format!("the connection failed: {}", cause.kind()),
        },
        // The driver does not expose the kind of this error, so it is recognized by its message.
        None if error.to_string().contains("TLS") => {
            let cause = cause.map(ToString::to_string).unwrap_or_default();
            format!("TLS failed: {cause}")
        }
        None => format!("the connection failed: {error}"),
    }
}

fn describe_server(error: &DbError) -> String {
    let code = error.code();
    let known = match *code {
        SqlState::INVALID_PASSWORD => Some("the password is wrong"),
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Some("the server refuses the user or the connection"),
        SqlState::INVALID_CATALOG_NAME => Some("the database does not exist"),
        // The message of a syntax error contains a part of the statement.
        SqlState::SYNTAX_ERROR => Some("syntax error"),
        _ if code.code() == UNSAFE => Some(error.message()),
        _ => PLAIN_CLASSES.iter().any(|class| code.code().starts_with(class)).then(|| error.message()),
    };
    match known {
        Some(known) => format!("PostgreSQL reports {}: {known}", code.code()),
        None => {
            format!(
                "PostgreSQL reports {}; its message can contain values, so it is only in the server's log",
                code.code()
            )
        }
    }
}

/// Returns the SQLSTATE of an effect's error, or `None` if the error does not come from PostgreSQL.
pub(crate) fn postgres_code(error: &HandlerError) -> Option<&SqlState> {
    error.source()?.downcast_ref::<Error>()?.code()
}

/// Returns whether the server has reported an error and kept the session. Otherwise, the connection may be lost, and it
/// is unknown whether a commit succeeded.
pub(crate) fn is_definite(error: &Error) -> bool {
    error.as_db_error().is_some_and(|error| error.parsed_severity() == Some(Severity::Error))
}

/// Returns whether the server has refused a commit or a constraint check because of a setting.
pub(crate) fn is_unsafe(error: &Error) -> bool {
    error.code().is_some_and(|code| code.code() == UNSAFE)
}

/// Converts an error from a store operation.
pub(crate) fn store_error(doing: &str, error: Error) -> StoreError {
    let described = describe(&error);
    let kind = match error.code() {
        Some(code) if is_schema(code) => {
            let advice = "the schema belongs to a different version: use the version that created or upgraded it";
            return StoreError::new(StoreErrorKind::Configuration, format!("cannot {doing}: {described}; {advice}"));
        }
        Some(
            &SqlState::INVALID_PASSWORD
            | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            | &SqlState::INVALID_CATALOG_NAME
            | &SqlState::INSUFFICIENT_PRIVILEGE,
        ) => StoreErrorKind::Configuration,
        Some(code) if code.code() == UNSAFE => StoreErrorKind::Configuration,
        _ => StoreErrorKind::Unavailable,
    };
    let converted = StoreError::new(kind, format!("cannot {doing}: {described}"));
    // An error from the server is not kept as the source, because its detail can contain values.
    if error.as_db_error().is_some() { converted } else { converted.with_source(error) }
}

/// Returns whether the error reports a missing table, column or function.
fn is_schema(code: &SqlState) -> bool {
    [&SqlState::UNDEFINED_TABLE, &SqlState::UNDEFINED_COLUMN, &SqlState::UNDEFINED_FUNCTION].contains(&code)
}

pub(crate) fn pool_error(doing: &str, error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => store_error(doing, error),
        PoolError::Timeout(_) => StoreError::unavailable(format!("cannot {doing}: no connection became free in time")),
        error => StoreError::unavailable(format!("cannot {doing}: no connection is available")).with_source(error),
    }
}

/// The error of an operation in a transaction. The transaction is then rolled back.
pub(crate) enum OpError {
    Sql(Error),
    Finish(FinishError),
    /// The server has refused the commit.
    Commit(Error),
    /// It is unknown whether the commit succeeded.
    Unknown(Error),
    /// An effect exceeded its time limit. The connection is closed, because a rollback would wait for the effect's
    /// statement.
    Stuck(HandlerError),
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
            Self::Sql(error) | Self::Commit(error) | Self::Unknown(error) => store_error(doing, error).into(),
            Self::Finish(error) => error,
            Self::Stuck(error) => FinishError::Effect(error),
        }
    }

    /// Returns whether the commit was refused because of a setting.
    pub(crate) fn is_unsafe(&self) -> bool {
        matches!(self, Self::Commit(error) if is_unsafe(error))
    }
}
