//! The result of reading a notification from any of the three providers.

use std::fmt;

use serde_json::from_slice;

use crate::payload::Payload;
use crate::problem::Problem;

const NOT_IDENTIFIED: Problem = Problem::Because(
    "no identifying field of this notification type is present; the notification may belong to a different product",
);

/// The result of reading an authentic notification. Handlers must handle all three variants.
///
/// ```
/// use paytend_model::{BaasNotification, Content, Notification, Product};
/// let content = Notification::read(Product::Baas, "2", br#"{"orderNo":"F1","amount":1250.07,"currency":"EUR"}"#);
/// match &content {
///     Content::Typed(Notification::Baas(BaasNotification::FundDeposit(deposit))) if deposit.problems.is_empty() => {
///         println!("book {:?}", deposit.order_no);
///     }
///     Content::Typed(_) => println!("a different notification, or unreadable fields: query the state"),
///     Content::Unreadable(raw) => println!("store {} bytes and alert an operator", raw.content.len()),
///     Content::Unknown(raw) => println!("store {} bytes and alert an operator", raw.content.len()),
/// }
/// # assert!(content.typed().is_some());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Content<T> {
    /// A notification of a documented type. Optional fields that could not be read are `None` and listed in `problems`.
    Typed(T),
    /// A notification of a documented type, but the content is not an object, or required fields are missing or
    /// unreadable.
    Unreadable(RawNotification),
    /// A notification whose type this crate does not know, or that has none of the fields that identify its type. For
    /// example, the notification may belong to a different Paytend product.
    Unknown(RawNotification),
}

impl<T> Content<T> {
    /// Returns the typed notification, if there is one.
    pub fn typed(&self) -> Option<&T> {
        match self {
            Self::Typed(typed) => Some(typed),
            Self::Unreadable(_) | Self::Unknown(_) => None,
        }
    }

    /// Converts the content into the typed notification.
    ///
    /// # Errors
    /// Returns the raw notification if the content is [`Unreadable`](Self::Unreadable) or [`Unknown`](Self::Unknown).
    pub fn into_typed(self) -> Result<T, RawNotification> {
        match self {
            Self::Typed(typed) => Ok(typed),
            Self::Unreadable(raw) | Self::Unknown(raw) => Err(raw),
        }
    }

    /// Returns the raw notification if the content is [`Unreadable`](Self::Unreadable) or [`Unknown`](Self::Unknown).
    pub fn raw(&self) -> Option<&RawNotification> {
        match self {
            Self::Typed(_) => None,
            Self::Unreadable(raw) | Self::Unknown(raw) => Some(raw),
        }
    }

    /// Applies `convert` to the typed notification, and leaves the other variants unchanged.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Content<U> {
        match self {
            Self::Typed(typed) => Content::Typed(convert(typed)),
            Self::Unreadable(raw) => Content::Unreadable(raw),
            Self::Unknown(raw) => Content::Unknown(raw),
        }
    }
}

impl<T: Payload> Content<T> {
    /// Reads the content as a `T`. Content without any of the `identifying` fields becomes [`Content::Unknown`].
    pub(crate) fn read(notify_type: &str, content: &[u8], identifying: &[&str]) -> Self {
        if lacks_all(content, identifying) {
            return Self::Unknown(RawNotification::new(notify_type, content, Some(NOT_IDENTIFIED)));
        }
        match T::read_lenient(content) {
            Ok(typed) => Self::Typed(typed),
            Err(problem) => Self::Unreadable(RawNotification::new(notify_type, content, Some(problem))),
        }
    }
}

/// Returns whether the content is an object and none of the fields in `names` has a value. `null` and empty strings do
/// not count, because the provider's programs write an empty string for an absent value.
fn lacks_all(content: &[u8], names: &[&str]) -> bool {
    let Ok(members) = paytend_json::members(content) else { return false };
    let named = members.iter().filter(|member| !matches!(member.value, b"null" | b"\"\""));
    // An unreadable field name could be one of `names`, so it makes the result `false`.
    let mut named = named.map(|member| from_slice::<String>(member.name).ok());
    named.all(|name| name.is_some_and(|name| !names.contains(&name.as_str())))
}

/// A notification that could not be converted to a typed value.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawNotification {
    /// The `notifyType`, as received; empty for providers that do not use it.
    pub notify_type: String,
    /// The content, exactly as signed; empty if the notification had no content.
    pub content: Vec<u8>,
    /// The reason why the content could not be read as its type; `None` for an unknown `notifyType`.
    pub problem: Option<Problem>,
}

impl RawNotification {
    pub(crate) fn new(notify_type: &str, content: &[u8], problem: Option<Problem>) -> Self {
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
