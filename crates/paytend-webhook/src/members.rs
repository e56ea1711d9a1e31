//! The members of an authentic body. Each member is parsed separately from the raw text, so an error in one member does
//! not affect the others.
//!
//! For PayBy and PayerMax, the dedup keys and the merchant and age checks use these members, not the typed form. An
//! unreadable member must neither change a dedup key nor bypass a check.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use paytend_json::Member;

/// The members of an object. A name can occur several times.
pub(crate) struct Members<'a>(Vec<(Option<String>, &'a [u8])>);

impl<'a> Members<'a> {
    /// Returns the members, or `None` if the text is not an object, or if the end of a member depends on the text
    /// encoding.
    pub(crate) fn of(text: &'a [u8]) -> Option<Self> {
        let members = paytend_json::members(text).ok()?;
        let named = |Member { name, value, .. }| (serde_json::from_slice(name).ok(), value);
        Some(Self(members.into_iter().map(named).collect()))
    }

    /// Returns all values with this name except `null`.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let of_name = self.0.iter().filter(move |(known, _)| known.as_deref() == Some(name));
        of_name.map(|(_, value)| *value).filter(|value| *value != b"null")
    }

    /// Returns the value of the member with this name for dedup keys and business keys. Returns `None` if the member is
    /// absent, `null` or an empty string.
    pub(crate) fn identity(&self, name: &str) -> Option<Identity<'a>> {
        let mut values = self.all(name).filter(|value| *value != b"\"\"");
        let first = values.next()?;
        let rest: Vec<&[u8]> = values.collect();
        if !rest.is_empty() {
            // The name occurs several times. It is unknown which value the sender intended, so the identity contains
            // all of them.
            return Some(Identity::Raw([[first].as_slice(), &rest].concat().join(&b","[..]).into()));
        }
        Some(text(first).map_or(Identity::Raw(first.into()), Identity::Text))
    }

    /// Returns the object with this name, if exactly one member has this name.
    pub(crate) fn object(&self, name: &str) -> Option<Members<'a>> {
        let mut values = self.all(name);
        let (value, None) = (values.next()?, values.next()) else { return None };
        Members::of(value)
    }
}

/// The value of a member that identifies a notification or its subject. Dedup keys and business keys are built from
/// these values.
#[derive(Debug, PartialEq)]
pub(crate) enum Identity<'a> {
    /// The text of a string or a number.
    Text(Cow<'a, str>),
    /// The raw bytes of any other value, or of several values.
    Raw(Cow<'a, [u8]>),
}

impl Identity<'_> {
    /// Returns the value as a part of a dedup key. The results for [`Text`](Self::Text) and [`Raw`](Self::Raw) always
    /// differ.
    pub(crate) fn part(this: Option<&Self>) -> Vec<u8> {
        match this {
            None => Vec::new(),
            Some(Self::Text(text)) => [b"text ".as_slice(), text.as_bytes()].concat(),
            Some(Self::Raw(bytes)) => [b"raw ".as_slice(), bytes].concat(),
        }
    }

    /// Returns the value as text for a business key, or `None` if the value is neither a string nor a number.
    pub(crate) fn text(this: Option<&Self>) -> Option<&str> {
        match this {
            Some(Self::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// Returns the text of a strict JSON string or a number, or `None` for any other value.
pub(crate) fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    match value.first()? {
        b'"' => serde_json::from_slice::<String>(value).ok().map(Cow::Owned),
        b'-' | b'0'..=b'9' => std::str::from_utf8(value).ok().map(Cow::Borrowed),
        _ => None,
    }
}

/// Returns the time `millis` milliseconds after the Unix epoch. Times after the year 9999, which not every system can
/// represent, are clamped to the end of that year.
pub(crate) fn at_millis(millis: u64) -> SystemTime {
    const END: u64 = 253_402_300_799_999;
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis.min(END))
}
