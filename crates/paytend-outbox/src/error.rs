//! Errors that occur when orders are submitted or sent.

use paytend_inbox::{HandlerError, StoreError};

use crate::progress::IllegalTransition;
use crate::terms::State;

/// The reason why an order was not submitted. Nothing was stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The order is invalid or cannot be sealed.
    #[error("invalid order: {0}")]
    Request(#[source] paytend_client::Error),
    /// The operation is a query, which an outbox does not send.
    #[error("{0} is a query: send it with the client")]
    NotAMutation(&'static str),
    /// The order has no order number.
    #[error("the order has no `orderNo` of 1 to 128 characters: set SubmitOptions::number")]
    NoNumber,
    /// The file cannot be stored by reference because it cannot be read, it differs from the order's file, or the order
    /// has no file.
    #[error("the order's file cannot be stored by reference: {0}")]
    File(#[source] std::io::Error),
    /// The order number already belongs to an order with different content.
    #[error(
        "an order with this number already exists and has different content ({} differ); use a new number",
        fields.join(", ")
    )]
    Conflict {
        /// The names of the fields that differ.
        fields: Vec<String>,
    },
    /// The store failed. It is unknown whether the order is stored, unless it was submitted in the caller's
    /// transaction.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SubmitError {
    /// Converts the error for a handler that submits an order. Only store errors cause a retry, because a retry
    /// cannot fix an invalid or conflicting order.
    pub fn into_handler_error(self) -> HandlerError {
        match self {
            // The error is kept as the source, because a store looks there for errors from its database engine.
            Self::Store(error) => HandlerError::from(error),
            other => HandlerError::dead_letter(other),
        }
    }
}

/// The reason why a send must not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeginSendError {
    /// The lease expired and the order was claimed again, or the lease was revoked.
    #[error("the lease is lost")]
    LeaseLost,
    /// Sending is paused for the operation.
    #[error("sending is paused")]
    Paused,
    /// The order's state does not allow a send.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// The store failed. It is unknown whether the send was counted, so it must not begin.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The reason why an operator action was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// The store has no order with this number.
    #[error("the store has no order with this number")]
    Absent,
    /// The order's outcome is already known or decided.
    #[error("the order's outcome is already known or decided")]
    Final,
    /// The order is being sent.
    #[error("the order is being sent: wait until its lease has expired")]
    Sending,
    /// The order was never sent, so it cannot have been executed.
    #[error("the order was never sent, so it cannot be marked as executed")]
    NotSent,
    /// The order cannot be retried because it is not stuck, and its handler has not failed.
    #[error("the order cannot be retried: it is not stuck, and its handler has not failed")]
    NotStuck,
    /// The order's outcome is not known.
    #[error("the order's outcome is not known: decide it first")]
    Undecided,
    /// The order is completed.
    #[error("the order is completed")]
    Completed,
}

/// Converts an illegal transition to a store error. Such a transition means that a different version of the program has
/// changed the row.
pub(crate) fn illegal(error: IllegalTransition) -> StoreError {
    StoreError::new(paytend_inbox::StoreErrorKind::Corrupt, error.to_string())
}

/// Returns the error for a stored state that this version does not support.
pub fn unknown_state(_: crate::terms::ParseStateError) -> StoreError {
    let states = State::ALL.len();
    StoreError::new(
        paytend_inbox::StoreErrorKind::Corrupt,
        format!("an order has a state that is not one of the {states} known states; upgrade the program"),
    )
}
