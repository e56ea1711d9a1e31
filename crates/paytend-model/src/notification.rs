//! The notifications that Paytend sends to a partner.

use serde::Serialize;

use crate::content::{Content, RawNotification};
use crate::iban::{IbanAccount, IbanTransaction, PaymentFailure, TransferOrder, UserStatusChange, UserUpgrade};
use crate::issuing::{CardApplyResponse, CardHolderResult, TransactionNotification};
use crate::operation::Product;
use crate::payload::Description;
use crate::problem::Problem;
#[cfg(feature = "schema")]
use crate::value::FieldType;

/// A notification from one of Paytend's products.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Notification {
    /// A notification from BaaS Core, Funding or Payout.
    Baas(BaasNotification),
    /// A notification from Issuing Cards.
    Issuing(IssuingNotification),
}

/// Declares a product's notifications: an enum, the `notifyType` values, and methods for reading and writing.
macro_rules! notifications {
    (
        $(#[$about:meta])*
        pub enum $name:ident of $product:ident {
            $(
                $(#[$vabout:meta])*
                $variant:ident($content:ty) = $notify_type:literal, $title:literal, $object:expr, $identifying:expr;
            )+
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
        }

        impl $name {
            /// The documented kinds of notification.
            pub const KINDS: &'static [NotificationInfo] = &[$(NotificationInfo {
                product: Product::$product,
                notify_type: $notify_type,
                title: $title,
                object: $object,
                content: Description::of::<$content>(),
                identifying: &$identifying,
                #[cfg(feature = "schema")]
                schema: |generator| (<$content>::schema(generator), <$content>::example()),
            }),+];

            /// Reads a notification's content according to its `notifyType`, in the same way as [`Notification::read`].
            pub fn read(notify_type: &str, content: &[u8]) -> Content<Self> {
                match notify_type {
                    $($notify_type => Content::<$content>::read(notify_type, content, &$identifying)
                        .map(|typed| Self::$variant(Box::new(typed))),)+
                    _ => Content::Unknown(RawNotification::new(notify_type, content, None)),
                }
            }

            /// Returns the `notifyType`.
            pub fn notify_type(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $notify_type,)+
                }
            }

            /// Returns the problems with the fields that could not be read. These fields are `None`.
            pub fn problems(&self) -> &[Problem] {
                match self {
                    $(Self::$variant(typed) => &typed.problems,)+
                }
            }

            /// Returns the content as JSON text, without the fields that are not strict JSON.
            ///
            /// # Errors
            /// Returns an error if the content cannot be written as JSON. No such content is known.
            pub fn content(&self) -> Result<String, serde_json::Error> {
                match self {
                    $(Self::$variant(typed) => text(typed),)+
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
    /// A notification from BaaS Core, Funding or Payout, which share a callback URL.
    pub enum BaasNotification of Baas {
        /// an account was opened.
        AccountOpening(IbanAccount) = "1", "Account opening notification", Some("IBANAccount"),
            ["userId", "accountNum"];
        /// money has arrived in an account.
        FundDeposit(IbanTransaction) = "2", "Fund deposit notification", Some("IBANTransaction"),
            ["transactionId", "orderNo"];
        /// the audit status or the user status has changed.
        UserStatusChange(UserStatusChange) = "3", "User status change notification",
            Some("AccountStatusChangeNotification_Context"), ["userId"];
        /// a payment of the Payout API has failed; the content is not documented.
        PaymentFailure(PaymentFailure) = "4", "Payment failure notification", None,
            ["orderNo", "transactionId"];
        /// a junior user has paid to become a standard user.
        UserUpgrade(UserUpgrade) = "6", "User upgrade notification", Some("AccountUpgradeNotification_Content"),
            ["userId"];
        /// a transaction has triggered a transfer order.
        TransferOrder(TransferOrder) = "8", "Transfer order notification", Some("TransferOrderNotification_Context"),
            ["orderNo", "transactionId"];
    }
}

notifications! {
    /// A notification from Issuing Cards.
    pub enum IssuingNotification of Issuing {
        /// a card has a new settlement or authorization.
        CardTransaction(TransactionNotification) = "1", "Card transaction notification",
            Some("TransactionNotification"), ["transactionId", "cardId"];
        /// the audit of a cardholder is completed.
        CardholderAudit(CardHolderResult) = "2", "Cardholder audit result notification", Some("CardHolderResult"),
            ["holderId"];
        /// a card application was approved.
        ApplyCardResult(CardApplyResponse) = "3", "Apply card result notification", Some("CardApplyResponse"),
            ["orderNo"];
    }
}

/// The description of a notification kind.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct NotificationInfo {
    /// The product.
    pub product: Product,
    /// The `notifyType`. Each product uses the same numbers with different meanings.
    pub notify_type: &'static str,
    /// The documented name.
    pub title: &'static str,
    /// The documented name of the content object.
    pub object: Option<&'static str>,
    /// The fields of the content.
    pub content: Description,
    /// The fields that identify content of this kind. Content without any of these fields is read as
    /// [`Content::Unknown`].
    pub identifying: &'static [&'static str],
    #[cfg(feature = "schema")]
    pub(crate) schema: fn(&mut schemars::SchemaGenerator) -> (schemars::Schema, Option<serde_json::Value>),
}

impl Notification {
    /// Reads a notification's content according to its product and `notifyType`. The receiver must know the product,
    /// because the `notifyType` alone is ambiguous. Reading never fails or loses data; see [`Content`].
    ///
    /// ```
    /// use paytend_model::{BaasNotification, Content, Notification, Product};
    /// let deposit = Notification::read(Product::Baas, "2", br#"{"orderNo":"F1","amount":1250.07,"currency":"EUR"}"#);
    /// let Content::Typed(Notification::Baas(BaasNotification::FundDeposit(transaction))) = deposit else { panic!() };
    /// assert_eq!(transaction.amount.unwrap().to_string(), "1250.07");
    /// ```
    pub fn read(product: Product, notify_type: &str, content: &[u8]) -> Content<Self> {
        match product {
            Product::Baas => BaasNotification::read(notify_type, content).map(Self::Baas),
            Product::Issuing => IssuingNotification::read(notify_type, content).map(Self::Issuing),
        }
    }

    /// Returns the documented kinds of notification for both products.
    pub fn kinds() -> impl Iterator<Item = &'static NotificationInfo> {
        BaasNotification::KINDS.iter().chain(IssuingNotification::KINDS)
    }

    /// Returns the product that the notification belongs to.
    pub fn product(&self) -> Product {
        match self {
            Self::Baas(_) => Product::Baas,
            Self::Issuing(_) => Product::Issuing,
        }
    }

    /// Returns the `notifyType`.
    pub fn notify_type(&self) -> &'static str {
        match self {
            Self::Baas(notification) => notification.notify_type(),
            Self::Issuing(notification) => notification.notify_type(),
        }
    }

    /// Returns the content as JSON text, without the fields that are not strict JSON.
    ///
    /// # Errors
    /// Returns an error if the content cannot be written as JSON. No such content is known.
    pub fn content(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Baas(notification) => notification.content(),
            Self::Issuing(notification) => notification.content(),
        }
    }

    /// Returns the problems with the fields that could not be read. These fields are `None`.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Baas(notification) => notification.problems(),
            Self::Issuing(notification) => notification.problems(),
        }
    }
}
