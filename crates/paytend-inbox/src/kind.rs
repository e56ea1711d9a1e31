//! Notification kinds, and the conversion of stored content to typed notifications.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use paytend_model::iban::{IbanAccount, IbanTransaction, UserStatusChange as StatusChange, UserUpgrade as Upgrade};
use paytend_model::issuing::{CardApplyResponse, CardHolderResult, TransactionNotification};
use paytend_model::payby::TransferToBankNotification;
use paytend_model::payermax::BalanceChangeNotification;
use paytend_model::{BaasNotification, Content, IssuingNotification, Notification, Product, RawNotification, iban};

use crate::route::Route;

/// The kind of a notification, such as `fund-deposit`. Retry limits, concurrency limits and metrics are per kind.
///
/// A store can contain kinds from a newer version of this crate. Such kinds are kept unchanged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(Cow<'static, str>);

impl Kind {
    /// A notification of an unknown type.
    pub const UNKNOWN: Self = Self::named("unknown");

    /// Creates a kind with a fixed name.
    pub const fn named(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// Creates a kind from a name that was read from a store.
    pub fn from_stored(name: String) -> Self {
        Self(Cow::Owned(name))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The error returned when parsing a name that is not the name of a [`Kind`] in this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseKindError;

impl fmt::Display for ParseKindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = KINDS.iter().map(Kind::to_string).collect();
        write!(f, "invalid kind; the kinds are {}", names.join(", "))
    }
}

impl std::error::Error for ParseKindError {}

impl FromStr for Kind {
    type Err = ParseKindError;

    fn from_str(text: &str) -> Result<Self, ParseKindError> {
        KINDS.iter().find(|kind| kind.as_str() == text).cloned().ok_or(ParseKindError)
    }
}

/// A notification from any provider, read from its stored content.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyNotification {
    /// A notification from Paytend.
    Paytend(Content<Notification>),
    /// A notification from PayBy.
    PayBy(Content<Box<TransferToBankNotification>>),
    /// A notification from PayerMax.
    PayerMax(Content<Box<BalanceChangeNotification>>),
}

impl AnyNotification {
    /// Reads content that arrived on a route. Content that cannot be read as its type is returned as a raw
    /// notification.
    ///
    /// ```
    /// use paytend_inbox::{AnyNotification, Kind, NotificationType, Route, types};
    /// let content = br#"{"orderNo":"F1","amount":25.00,"currency":"EUR"}"#;
    /// let notification = AnyNotification::read(Route::PaytendBaas, "2", content);
    /// assert_eq!(notification.kind(Route::PaytendBaas), types::FundDeposit::KIND);
    /// let unknown = AnyNotification::read(Route::PaytendBaas, "77", content);
    /// assert_eq!(unknown.kind(Route::PaytendBaas), Kind::UNKNOWN);
    /// ```
    pub fn read(route: Route, notify_type: &str, content: &[u8]) -> Self {
        let paytend = |product| Self::Paytend(Notification::read(product, notify_type, content));
        match route {
            Route::PaytendBaas => paytend(Product::Baas),
            Route::PaytendIssuing => paytend(Product::Issuing),
            Route::PayBy => Self::PayBy(TransferToBankNotification::read(content).map(Box::new)),
            Route::PayerMax => Self::PayerMax(BalanceChangeNotification::read(content).map(Box::new)),
        }
    }

    /// Returns the kind of a notification that arrived on a route. A notification of a known type has the kind of this
    /// type, even if its content cannot be read.
    pub fn kind(&self, route: Route) -> Kind {
        match self {
            Self::Paytend(content) => paytend_kind(content, route),
            Self::PayBy(content) => documented_kind(content, types::TransferToBank::KIND),
            Self::PayerMax(content) => documented_kind(content, types::BalanceChange::KIND),
        }
    }

    /// Returns the raw notification if the content could not be read as its type.
    pub fn raw(&self) -> Option<&RawNotification> {
        match self {
            Self::Paytend(content) => content.raw(),
            Self::PayBy(content) => content.raw(),
            Self::PayerMax(content) => content.raw(),
        }
    }
}

/// Returns the kind of a Paytend notification.
pub(crate) fn paytend_kind(content: &Content<Notification>, route: Route) -> Kind {
    match content {
        Content::Typed(typed) => kind_of(typed),
        Content::Unreadable(raw) => kind_of_type(route, &raw.notify_type),
        Content::Unknown(_) => Kind::UNKNOWN,
    }
}

/// Returns the kind of a notification from a provider that sends a single notification type.
pub(crate) fn documented_kind<T>(content: &Content<T>, documented: Kind) -> Kind {
    match content {
        Content::Typed(_) | Content::Unreadable(_) => documented,
        Content::Unknown(_) => Kind::UNKNOWN,
    }
}

/// A notification type for which a [`Worker`](crate::Worker) can have a handler. The [`types`] module contains all
/// implementations.
pub trait NotificationType: Send + 'static {
    /// The notification's content.
    type Content: Send + 'static;
    /// The kind of notifications of this type.
    const KIND: Kind;

    /// Returns the content of a notification of this type.
    ///
    /// # Errors
    /// Returns the notification if it is of a different type.
    fn extract(notification: AnyNotification) -> Result<Self::Content, AnyNotification>;
}

/// Declares the Paytend notification types.
macro_rules! paytend_types {
    ($($product:ident $group:ident { $($name:ident($content:ty) = $notify_type:literal, $kind:literal;)+ })+) => {
        /// Returns the kind of a typed Paytend notification.
        fn kind_of(notification: &Notification) -> Kind {
            match notification {
                $($(Notification::$product($group::$name(_)) => types::$name::KIND,)+)+
                _ => Kind::UNKNOWN,
            }
        }

        /// All kinds that this version supports.
        const KINDS: &[Kind] = &[
            $($(types::$name::KIND,)+)+
            types::TransferToBank::KIND,
            types::BalanceChange::KIND,
            Kind::UNKNOWN,
        ];

        /// Returns the kind for a `notifyType` that Paytend documents.
        fn kind_of_type(route: Route, notify_type: &str) -> Kind {
            match (route.product(), notify_type) {
                $($((Some(Product::$product), $notify_type) => types::$name::KIND,)+)+
                _ => Kind::UNKNOWN,
            }
        }

        /// The notification types for which a worker can have handlers.
        pub mod types {
            use super::*;

            $($(
                #[doc = concat!("The notification type [`", stringify!($group), "::", stringify!($name), "`].")]
                #[derive(Clone, Copy, Debug)]
                pub struct $name;

                impl NotificationType for $name {
                    type Content = Box<$content>;
                    const KIND: Kind = Kind::named($kind);

                    fn extract(notification: AnyNotification) -> Result<Box<$content>, AnyNotification> {
                        match notification {
                            AnyNotification::Paytend(Content::Typed(Notification::$product($group::$name(typed)))) => {
                                Ok(typed)
                            }
                            other => Err(other),
                        }
                    }
                }
            )+)+

            /// PayBy's [`TransferToBankNotification`].
            #[derive(Clone, Copy, Debug)]
            pub struct TransferToBank;

            impl NotificationType for TransferToBank {
                type Content = Box<TransferToBankNotification>;
                const KIND: Kind = Kind::named("transfer-to-bank");

                fn extract(notification: AnyNotification) -> Result<Self::Content, AnyNotification> {
                    match notification {
                        AnyNotification::PayBy(Content::Typed(typed)) => Ok(typed),
                        other => Err(other),
                    }
                }
            }

            /// PayerMax's [`BalanceChangeNotification`].
            #[derive(Clone, Copy, Debug)]
            pub struct BalanceChange;

            impl NotificationType for BalanceChange {
                type Content = Box<BalanceChangeNotification>;
                const KIND: Kind = Kind::named("balance-change");

                fn extract(notification: AnyNotification) -> Result<Self::Content, AnyNotification> {
                    match notification {
                        AnyNotification::PayerMax(Content::Typed(typed)) => Ok(typed),
                        other => Err(other),
                    }
                }
            }
        }
    };
}

paytend_types! {
    Baas BaasNotification {
        AccountOpening(IbanAccount) = "1", "account-opening";
        FundDeposit(IbanTransaction) = "2", "fund-deposit";
        UserStatusChange(StatusChange) = "3", "user-status-change";
        PaymentFailure(iban::PaymentFailure) = "4", "payment-failure";
        UserUpgrade(Upgrade) = "6", "user-upgrade";
        TransferOrder(iban::TransferOrder) = "8", "transfer-order";
    }
    Issuing IssuingNotification {
        CardTransaction(TransactionNotification) = "1", "card-transaction";
        CardholderAudit(CardHolderResult) = "2", "cardholder-audit";
        ApplyCardResult(CardApplyResponse) = "3", "apply-card-result";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_type_has_a_kind() {
        let mut kinds = std::collections::BTreeSet::new();
        for info in Notification::kinds() {
            let route = Route::of_product(info.product).unwrap();
            let kind = kind_of_type(route, info.notify_type);
            assert_ne!(kind, Kind::UNKNOWN, "{}", info.title);
            assert_eq!(kind.as_str().parse(), Ok(kind.clone()));
            assert!(kinds.insert(kind), "{}", info.title);
            // An array is not an object, so it cannot be read as any type.
            let unreadable = AnyNotification::read(route, info.notify_type, b"[]");
            assert!(unreadable.raw().is_some());
            assert_eq!(unreadable.kind(route), kind_of_type(route, info.notify_type));
        }
        assert_eq!(kind_of_type(Route::PayBy, "1"), Kind::UNKNOWN);
    }

    #[test]
    fn names_without_a_kind_are_refused() {
        assert_eq!("unknown".parse(), Ok(Kind::UNKNOWN));
        assert_eq!("transfer-to-bank".parse(), Ok(types::TransferToBank::KIND));
        for name in ["fund_deposit", "Fund-Deposit", "", " unknown"] {
            let error = name.parse::<Kind>().unwrap_err().to_string();
            assert!(error.starts_with("invalid kind; the kinds are account-opening, fund-deposit, "), "{error}");
            assert!(error.ends_with("balance-change, unknown"), "{error}");
        }
    }
}
