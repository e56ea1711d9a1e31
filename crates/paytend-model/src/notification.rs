//! What Paytend tells a partner without being asked.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::Product;
use crate::iban::IbanTransaction;

/// A notification of one of Paytend's products.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notification {
    /// Of BaaS Core, Funding or Payout.
    Baas(BaasNotification),
    /// Of Issuing Cards.
    Issuing(IssuingNotification),
}

/// A notification of BaaS Core, Funding or Payout.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BaasNotification {
    /// `notifyType` 2: money has arrived on an account.
    FundDeposit(Box<IbanTransaction>),
    /// A type that this crate has no content for, or a content of another shape than documented. Nothing of it is lost.
    Other(RawNotification),
}

/// A notification of Issuing Cards.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum IssuingNotification {
    /// A type that this crate has no content for, or a content of another shape than documented. Nothing of it is lost.
    Other(RawNotification),
}

/// A notification as it came.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawNotification {
    /// The `notifyType`, as received.
    pub notify_type: String,
    /// The content's JSON text, as received; empty if there was none.
    pub content: String,
    /// Why the content could not be read as the type that its `notifyType` documents; `None` for an unknown `notifyType`. Names
    /// a field at most, never a value.
    pub problem: Option<String>,
}

impl fmt::Debug for RawNotification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawNotification")
            .field("notify_type", &self.notify_type)
            .field("problem", &self.problem)
            .finish_non_exhaustive()
    }
}

impl Notification {
    /// Reads a notification's content by its product and `notifyType`. The product is the receiver's to know: the number alone
    /// is ambiguous. Never fails: what has no type, or not the documented shape, comes back as it is.
    ///
    /// ```
    /// use paytend_model::{BaasNotification, Notification, Product};
    /// let deposit = Notification::read(Product::Baas, "2", r#"{"orderNo":"F1","amount":1250.07,"currency":"EUR"}"#);
    /// let Notification::Baas(BaasNotification::FundDeposit(transaction)) = deposit else { panic!() };
    /// assert_eq!(transaction.amount.unwrap().to_string(), "1250.07");
    /// ```
    pub fn read(product: Product, notify_type: &str, content: &str) -> Self {
        match (product, notify_type) {
            (Product::Baas, "2") => Self::Baas(match typed(notify_type, content) {
                Ok(transaction) => BaasNotification::FundDeposit(Box::new(transaction)),
                Err(raw) => BaasNotification::Other(raw),
            }),
            (Product::Baas, _) => Self::Baas(BaasNotification::Other(RawNotification::unknown(notify_type, content))),
            (Product::Issuing, _) => {
                Self::Issuing(IssuingNotification::Other(RawNotification::unknown(notify_type, content)))
            }
        }
    }
}

impl RawNotification {
    fn unknown(notify_type: &str, content: &str) -> Self {
        Self { notify_type: notify_type.to_owned(), content: content.to_owned(), problem: None }
    }
}

fn typed<T: DeserializeOwned>(notify_type: &str, content: &str) -> Result<T, RawNotification> {
    serde_json::from_str(content).map_err(|error| RawNotification {
        problem: Some(error.to_string()),
        ..RawNotification::unknown(notify_type, content)
    })
}
