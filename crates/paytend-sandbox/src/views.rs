//! Read-only views for tests: deliveries and cards.

use std::fmt;

use paytend_model::Amount;

use crate::world::entities::CardState;
use crate::world::outbox::DeliveryState;

/// A notification and its delivery attempts.
#[derive(Clone)]
pub struct Delivery {
    pub(crate) id: u64,
    pub(crate) what: String,
    pub(crate) content: String,
    pub(crate) document: String,
    pub(crate) attempts: Vec<(u64, Option<u16>)>,
    pub(crate) reason: Option<String>,
    pub(crate) state: DeliveryState,
}

impl Delivery {
    /// Returns the delivery's ID. IDs are assigned in order, starting with 1.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Returns the notification's name: `baas 2` (the product and `notifyType`), `payby` or `payermax`.
    pub fn notification(&self) -> &str {
        &self.what
    }

    /// Returns the notification's content as JSON.
    pub fn content(&self) -> &str {
        &self.content
    }

    /// Returns the document that was posted last, or an empty string before the first attempt.
    pub fn document(&self) -> &str {
        &self.document
    }

    /// Returns the HTTP status of the last attempt, or `None` if there was no response.
    pub fn status(&self) -> Option<u16> {
        self.attempts.last().and_then(|(_, status)| *status)
    }

    /// Returns why the last attempt was not acknowledged, such as a connection error or an unexpected status or body.
    /// Returns `None` if the attempt was acknowledged or if there was no attempt.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// Returns the number of attempts.
    pub fn attempts(&self) -> usize {
        self.attempts.len()
    }

    /// Returns the time of each attempt on the sandbox's clock, in milliseconds since 1970.
    pub fn times(&self) -> impl Iterator<Item = u64> {
        self.attempts.iter().map(|(at, _)| *at)
    }

    /// Returns whether the receiver acknowledged the notification as documented.
    pub fn is_acknowledged(&self) -> bool {
        self.state == DeliveryState::Acknowledged
    }

    /// Returns whether no more attempts will be made.
    pub fn is_final(&self) -> bool {
        self.state != DeliveryState::Pending
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id)
            .field("what", &self.what)
            .field("attempts", &self.attempts)
            .field("reason", &self.reason)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// The current state of a card.
#[derive(Clone, Debug)]
pub struct CardView {
    pub(crate) balance: Amount,
    pub(crate) state: CardState,
    pub(crate) holder: Option<String>,
}

impl CardView {
    /// Returns the card's balance, in major units of the sandbox's currency.
    pub fn balance(&self) -> &Amount {
        &self.balance
    }

    /// Returns the card's state.
    pub fn state(&self) -> CardState {
        self.state
    }

    /// Returns the cardholder's identifier, if the card has a cardholder.
    pub fn holder(&self) -> Option<&str> {
        self.holder.as_deref()
    }
}
