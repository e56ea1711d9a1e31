//! The input of a handler.

use std::fmt;

use paytend_client::OrderState;
use paytend_model::Operation;

use crate::terms::Decision;

/// The outcome of an order.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ending<R, F> {
    /// The response arrived. **The state reports whether the order succeeded.**
    #[non_exhaustive]
    Responded {
        /// The response.
        response: R,
        /// The order's state. It is unknown for operations without a query.
        state: OrderState,
    },
    /// The response was lost, and a query found the order. **The state reports whether the order succeeded.**
    #[non_exhaustive]
    Found {
        /// The query's response.
        order: F,
        /// The order's state.
        state: OrderState,
    },
    /// The response was lost and the operation has no query, but a notification shows that the order exists.
    Notified,
    /// The order was rejected and does not exist.
    ///
    /// If the operation has no query, only TLS ensures that the rejection belongs to this order. The same applies to
    /// [`Client::send`](paytend_client::Client::send).
    #[non_exhaustive]
    Rejected {
        /// The `respCode`, or `None` if the rejection arrived before a restart.
        code: Option<String>,
        /// The `respMsg`, which is free text and may repeat the request's content.
        message: Option<String>,
    },
    /// An operator has decided the outcome.
    Decided(Decision),
}

/// The query response type for operations without a query. The type has no values.
#[derive(Clone, Copy, Debug)]
pub enum NotQueried {}

/// An order whose outcome is known.
pub struct EndedOrder<O: Operation, F> {
    pub(super) number: String,
    pub(super) order: O,
    pub(super) ending: Ending<O::Response, F>,
    pub(super) sends: u32,
    pub(super) attempt: u32,
}

impl<O: Operation, F> EndedOrder<O, F> {
    /// Returns the order number.
    pub fn number(&self) -> &str {
        &self.number
    }

    /// Returns the request.
    pub fn order(&self) -> &O {
        &self.order
    }

    /// Returns the outcome.
    pub fn ending(&self) -> &Ending<O::Response, F> {
        &self.ending
    }

    /// Returns the outcome by value.
    pub fn into_ending(self) -> Ending<O::Response, F> {
        self.ending
    }

    /// Returns the number of sends that may have reached the provider.
    pub fn sends(&self) -> u32 {
        self.sends
    }

    /// Returns the number of attempts since the order's state last changed, including the current attempt.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
}

impl<O: Operation, F> fmt::Debug for EndedOrder<O, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndedOrder")
            .field("operation", &O::INFO.name)
            .field("sends", &self.sends)
            .finish_non_exhaustive()
    }
}
