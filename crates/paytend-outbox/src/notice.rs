//! Notifications about orders.

use std::fmt;

use paytend_inbox::{Facts, NotificationType as _, Route, types};
use paytend_model::Operation;
use paytend_model::issuing::ApplyCard;

/// A notice that an order exists, derived from a notification.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderNotice {
    /// The path of the order's operation. A store ignores the notice if the order calls a different operation.
    pub operation: String,
    /// The order number.
    pub number: String,
}

impl OrderNotice {
    /// Creates a notice about the order with this number, which calls operation `O`.
    ///
    /// ```
    /// use paytend_model::issuing::Topup;
    /// use paytend_outbox::OrderNotice;
    /// let notice = OrderNotice::about::<Topup>("T-1");
    /// assert_eq!(notice.operation, "/issuing/card/topup");
    /// ```
    pub fn about<O: Operation>(number: impl Into<String>) -> Self {
        Self::new(O::INFO.path, number)
    }

    /// Creates a notice about the order with this number, which calls the operation with this path.
    pub fn new(operation: impl Into<String>, number: impl Into<String>) -> Self {
        Self { operation: operation.into(), number: number.into() }
    }

    /// Returns the notice for a notification with these facts, or `None` if the notification does not show that an
    /// order exists.
    ///
    /// The result of a card application contains the number of its [`ApplyCard`] order. Other notifications, such as
    /// those about transfer orders, contain no order number or a number that the provider has assigned. If the
    /// provider's documentation describes other notifications about orders, use [`about`](Self::about).
    pub fn of(facts: &Facts) -> Option<Self> {
        let is_application = facts.route == Route::PaytendIssuing && facts.kind == types::ApplyCardResult::KIND;
        let number = facts.business_id.clone().filter(|_| is_application)?;
        Some(Self::about::<ApplyCard>(number))
    }
}

impl fmt::Debug for OrderNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderNotice").finish_non_exhaustive()
    }
}
