//! Errors of stores and inboxes.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The category of a [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store is busy, full, closed or unreachable. If the operation was a write, it is unknown whether it
    /// succeeded.
    Unavailable,
    /// A setting, the schema version or the version of the database engine is not supported.
    Configuration,
    /// The key file does not belong to the store, or a payload cannot be decrypted.
    Keys,
    /// The store contains an invalid value.
    Corrupt,
}

/// An error from a store. Its message contains no payload, key or URL.
#[derive(Clone)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// Creates an error. Write the message in lower case, without a full stop and without personal data.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Sets the underlying error.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Creates an [`Unavailable`](StoreErrorKind::Unavailable) error.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Unavailable, message)
    }

    /// Returns the category.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError").field("kind", &self.kind).field("message", &self.message).finish_non_exhaustive()
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The reason why a claimed notification could not be extended, completed or released.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FinishError {
    /// The lease expired and the notification was claimed again, or the notification is already completed. Nothing was
    /// changed.
    #[error("the lease is lost")]
    LeaseLost,
    /// The effect failed. It was rolled back, and the notification is still leased.
    #[error("the effect failed")]
    Effect(HandlerError),
    /// The change was not applied, but its effect did not fail. For example, another effect failed in the same
    /// transaction, so all changes in it were rolled back. The notification is still leased. After a completion,
    /// release it with [`GiveBack`](crate::Release::GiveBack) so that it is processed again. If a release was not
    /// applied, repeat it.
    #[error("the change was not applied")]
    NotApplied,
    /// The store failed. It is unknown whether the change was made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FinishError> for StoreError {
    /// Converts the error returned by an operation that does not depend on a lease.
    fn from(error: FinishError) -> Self {
        match error {
            FinishError::Store(error) => error,
            other => Self::unavailable(other.to_string()),
        }
    }
}

/// The next step for a notification whose handler failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureAction {
    /// The notification is attempted again after the backoff, unless the retry limit is reached.
    Retry,
    /// The notification is attempted again after this duration or after the backoff, whichever is longer, unless the
    /// retry limit is reached.
    RetryAfter(std::time::Duration),
    /// The notification becomes a dead letter.
    DeadLetter,
}

/// The error returned by a handler or an effect.
///
/// The `?` operator converts every owned type that implements [`std::error::Error`] into a `HandlerError` that causes a
/// retry. The cause, which is the error's message, is truncated to 500 characters, stored, and shown to operators. It
/// must not contain personal data.
///
/// ```
/// use paytend_inbox::{FailureAction, HandlerError};
/// fn amount(text: &str) -> Result<u64, HandlerError> {
///     let amount = text.parse()?; // retried
///     if amount == 0 {
///         return Err(HandlerError::dead_letter("the amount is zero"));
///     }
///     Ok(amount)
/// }
/// assert_eq!(amount("x").unwrap_err().action(), FailureAction::Retry);
/// assert_eq!(amount("0").unwrap_err().action(), FailureAction::DeadLetter);
/// ```
pub struct HandlerError {
    action: FailureAction,
    cause: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The maximum length of a stored cause, in characters.
const MAX_CAUSE: usize = 500;

impl HandlerError {
    fn new(action: FailureAction, cause: &dyn fmt::Display) -> Self {
        Self { action, cause: cause.to_string().chars().take(MAX_CAUSE).collect(), source: None }
    }

    /// Creates an error that causes a retry after the backoff.
    pub fn retry(cause: impl fmt::Display) -> Self {
        Self::new(FailureAction::Retry, &cause)
    }

    /// Creates an error that causes a retry after `time` or after the backoff, whichever is longer.
    pub fn retry_after(time: std::time::Duration, cause: impl fmt::Display) -> Self {
        Self::new(FailureAction::RetryAfter(time), &cause)
    }

    /// Creates a permanent error. The notification becomes a dead letter.
    pub fn dead_letter(cause: impl fmt::Display) -> Self {
        Self::new(FailureAction::DeadLetter, &cause)
    }

    /// Returns the next step for the notification.
    pub fn action(&self) -> FailureAction {
        self.action
    }

    /// Returns the error that was converted with `?`. A store uses this method to recognize errors from its database
    /// engine.
    pub fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }

    /// Returns the cause, which has at most 500 characters.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// Replaces the cause. A store calls this method if the error message of its database engine is too general.
    #[must_use]
    pub fn with_cause(self, cause: impl fmt::Display) -> Self {
        Self { source: self.source, ..Self::new(self.action, &cause) }
    }
}

impl fmt::Debug for HandlerError {
    /// Formats the error without its cause. The cause comes from the handler and may contain personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError").field("action", &self.action).finish_non_exhaustive()
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for HandlerError {
    fn from(error: E) -> Self {
        let retry = Self::retry(&error);
        Self { source: Some(Box::new(error)), ..retry }
    }
}
