//! The members of an authentic body, each read by itself from the raw text, whatever is wrong with the others.
//!
//! Keys for deduplication and the checks of merchant and age are made of these, never of the typed form: one member
//! that cannot be read must neither change a key nor pass a check by.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use paytend_json::Member;

/// The members of an object. A name may be there several times.
pub(crate) struct Members<'a>(Vec<(Option<String>, &'a [u8])>);

impl<'a> Members<'a> {
    /// `None` if the text is not an object, or if it depends on its encoding which members it has.
    pub(crate) fn of(text: &'a [u8]) -> Option<Self> {
        let members = paytend_json::members(text).ok()?;
        let named = |Member { name, value, .. }| (serde_json::from_slice(name).ok(), value);
        Some(Self(members.into_iter().map(named).collect()))
    }

    /// The values of all members of this name, but for `null`.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let of_name = self.0.iter().filter(move |(known, _)| known.as_deref() == Some(name));
        of_name.map(|(_, value)| *value).filter(|value| *value != b"null")
    }

    /// What identifies by this name: `None` if the member is absent or an empty string, which means the same.
    pub(crate) fn identity(&self, name: &str) -> Option<Identity<'a>> {
        let mut values = self.all(name).filter(|value| *value != b"\"\"");
        let first = values.next()?;
        let rest: Vec<&[u8]> = values.collect();
        if !rest.is_empty() {
            // Which one counts is not known: all of them together tell this one from others.
            return Some(Identity::Raw([[first].as_slice(), &rest].concat().join(&b","[..]).into()));
        }
        Some(text(first).map_or(Identity::Raw(first.into()), Identity::Text))
    }

    /// The object in the only member of this name.
    pub(crate) fn object(&self, name: &str) -> Option<Members<'a>> {
        let mut values = self.all(name);
        let (value, None) = (values.next()?, values.next()) else { return None };
        Members::of(value)
    }
}

/// What an identifying member says.
#[derive(Debug, PartialEq)]
pub(crate) enum Identity<'a> {
    /// A text or a number.
    Text(Cow<'a, str>),
    /// Something else, or more than one: its bytes.
    Raw(Cow<'a, [u8]>),
}

impl Identity<'_> {
    /// A part of a dedup key. A text and other bytes are never equal.
    pub(crate) fn part(this: Option<&Self>) -> Vec<u8> {
        match this {
            None => Vec::new(),
            Some(Self::Text(text)) => [b"text ".as_slice(), text.as_bytes()].concat(),
            Some(Self::Raw(bytes)) => [b"raw ".as_slice(), bytes].concat(),
        }
    }

    /// The text, for a business key.
    pub(crate) fn text(this: Option<&Self>) -> Option<&str> {
        match this {
            Some(Self::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// The text of a string that is strict JSON, or of a number.
pub(crate) fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    match value.first()? {
        b'"' => serde_json::from_slice::<String>(value).ok().map(Cow::Owned),
        b'-' | b'0'..=b'9' => std::str::from_utf8(value).ok().map(Cow::Borrowed),
        _ => None,
    }
}

/// The time; what is beyond the year 9999, which not every system can tell, is its end.
pub(crate) fn at_millis(millis: u64) -> SystemTime {
    const END: u64 = 253_402_300_799_999;
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis.min(END))
}
