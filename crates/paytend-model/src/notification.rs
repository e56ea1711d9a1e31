//! What Paytend tells a partner without being asked.

use std::fmt;

use serde::Serialize;

use crate::Product;
use crate::iban::{IbanAccount, IbanTransaction, PaymentFailure, TransferOrder, UserStatusChange, UserUpgrade};
use crate::issuing::{CardApplyResponse, CardHolderResult, TransactionNotification};
use crate::payload::Description;
use crate::problem::Problem;
use crate::value::FieldType;

/// A notification of one of Paytend's products.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notification {
    /// Of BaaS Core, Funding or Payout.
    Baas(BaasNotification),
    /// Of Issuing Cards.
    Issuing(IssuingNotification),
}

/// Declares the notifications of a product: an enum, its numbers, reading and writing.
macro_rules! notifications {
    (
        $(#[$about:meta])*
        pub enum $name:ident of $product:ident {
            $($(#[$vabout:meta])* $variant:ident($content:ty) = $notify_type:literal, $title:literal, $object:expr;)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $(
                #[doc = concat!("`notifyType` ", $notify_type, ", ", $title, ":")]
                $(#[$vabout])*
                $variant(Box<$content>),
            )+
            /// A type that this crate does not know, or a content of another shape than its type's. Nothing of it is lost.
            Unknown(RawNotification),
        }

        impl $name {
            /// The kinds that are documented.
            pub const KINDS: &'static [NotificationInfo] = &[$(NotificationInfo {
                product: Product::$product,
                notify_type: $notify_type,
                title: $title,
                object: $object,
                content: Description::of::<$content>(),
                #[cfg(feature = "schema")]
                schema: |generator| (<$content>::schema(generator), <$content>::example()),
            }),+];

            /// Reads a content by its `notifyType`, as [`Notification::read`] does.
            pub fn read(notify_type: &str, content: &str) -> Self {
                match notify_type {
                    $($notify_type => match <$content>::read(content) {
                        Ok(typed) => Self::$variant(Box::new(typed)),
                        Err(problem) => Self::Unknown(RawNotification::with_problem(notify_type, content, Some(problem))),
                    },)+
                    _ => Self::Unknown(RawNotification::new(notify_type, content)),
                }
            }

            /// The `notifyType`.
            pub fn notify_type(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $notify_type,)+
                    Self::Unknown(raw) => &raw.notify_type,
                }
            }

            /// The content's JSON text: that of an unknown one as it came; of the others an equal one.
            ///
            /// # Errors
            /// When it cannot be written as JSON, which no content of this crate is known to do.
            pub fn content(&self) -> Result<String, serde_json::Error> {
                match self {
                    $(Self::$variant(typed) => text(typed),)+
                    Self::Unknown(raw) => Ok(raw.content.clone()),
                }
            }
        }
    };
}

impl From<BaasNotification> for Notification {
    fn from(notification: BaasNotification) -> Self {
        Self::Baas(notification)
    }
}

impl From<IssuingNotification> for Notification {
    fn from(notification: IssuingNotification) -> Self {
        Self::Issuing(notification)
    }
}

fn text(content: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(content)
}

notifications! {
    /// A notification of BaaS Core, Funding or Payout, which share a callback URL.
    pub enum BaasNotification of Baas {
        /// an account is open.
        AccountOpening(IbanAccount) = "1", "Account opening notification", Some("IBANAccount");
        /// money has arrived on an account.
        FundDeposit(IbanTransaction) = "2", "Fund deposit notification", Some("IBANTransaction");
        /// the audit's state or the user's has changed.
        UserStatusChange(UserStatusChange) = "3", "User status change notification", Some("AccountStatusChangeNotification_Context");
        /// a payment of the Payout API has failed; the content is not documented.
        PaymentFailure(PaymentFailure) = "4", "Payment failure notification", None;
        /// a junior user has paid to become a standard user.
        UserUpgrade(UserUpgrade) = "6", "User upgrade notification", Some("AccountUpgradeNotification_Content");
        /// a transaction has triggered a transfer order.
        TransferOrder(TransferOrder) = "8", "Transfer order notification", Some("TransferOrderNotification_Context");
    }
}

notifications! {
    /// A notification of Issuing Cards.
    pub enum IssuingNotification of Issuing {
        /// a settlement or an authorization has happened on a card.
        CardTransaction(TransactionNotification) = "1", "Card transaction notification", Some("TransactionNotification");
        /// the review of a cardholder is completed.
        CardholderAudit(CardHolderResult) = "2", "Cardholder audit result notification", Some("CardHolderResult");
        /// cards that were applied for are approved.
        ApplyCardResult(CardApplyResponse) = "3", "Apply card result notification", Some("CardApplyResponse");
    }
}

/// The description of a kind of notification.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NotificationInfo {
    /// The product.
    pub product: Product,
    /// The `notifyType`, which means something else in the other product.
    pub notify_type: &'static str,
    /// The documentation's name.
    pub title: &'static str,
    /// The documentation's name of the content's object.
    pub object: Option<&'static str>,
    /// The content's fields.
    pub content: Description,
    #[cfg(feature = "schema")]
    pub(crate) schema: fn(&mut schemars::SchemaGenerator) -> (schemars::Schema, Option<serde_json::Value>),
}

/// A notification as it came.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawNotification {
    /// The `notifyType`, as received.
    pub notify_type: String,
    /// The content's JSON text, as received; empty if there was none.
    pub content: String,
    /// Why the content could not be read as the type that its `notifyType` documents; `None` for an unknown `notifyType`.
    pub problem: Option<Problem>,
}

impl RawNotification {
    /// A notification of a type that this crate does not know.
    pub fn new(notify_type: &str, content: &str) -> Self {
        Self::with_problem(notify_type, content, None)
    }

    fn with_problem(notify_type: &str, content: &str, problem: Option<Problem>) -> Self {
        Self { notify_type: notify_type.to_owned(), content: content.to_owned(), problem }
    }
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
        match product {
            Product::Baas => Self::Baas(BaasNotification::read(notify_type, content)),
            Product::Issuing => Self::Issuing(IssuingNotification::read(notify_type, content)),
        }
    }

    /// The kinds that are documented, of both products.
    pub fn kinds() -> impl Iterator<Item = &'static NotificationInfo> {
        BaasNotification::KINDS.iter().chain(IssuingNotification::KINDS)
    }

    /// The product.
    pub fn product(&self) -> Product {
        match self {
            Self::Baas(_) => Product::Baas,
            Self::Issuing(_) => Product::Issuing,
        }
    }

    /// The `notifyType`.
    pub fn notify_type(&self) -> &str {
        match self {
            Self::Baas(notification) => notification.notify_type(),
            Self::Issuing(notification) => notification.notify_type(),
        }
    }

    /// The content's JSON text.
    ///
    /// # Errors
    /// As [`BaasNotification::content`].
    pub fn content(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Baas(notification) => notification.content(),
            Self::Issuing(notification) => notification.content(),
        }
    }

    /// The notification as it came, if it is one that could not be read as a documented type.
    pub fn unknown(&self) -> Option<&RawNotification> {
        match self {
            Self::Baas(BaasNotification::Unknown(raw)) | Self::Issuing(IssuingNotification::Unknown(raw)) => Some(raw),
            _ => None,
        }
    }
}
