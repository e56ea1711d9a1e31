//! Times and dates of rows, as spans of time.

use std::collections::HashMap;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::entry::EntryTime;

/// A span of time, from its first to its last millisecond. A time is a span of one millisecond, and a date is a whole
/// day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Span {
    /// Returns the length of the gap between two spans, in milliseconds, or zero if the spans overlap.
    pub(crate) fn gap(self, other: Self) -> i64 {
        let before = other.start.saturating_sub(self.end);
        let after = self.start.saturating_sub(other.end);
        before.max(after).max(0)
    }

    /// Returns whether the span is a whole day.
    pub(crate) fn is_day(self) -> bool {
        self.end > self.start
    }
}

/// Parses times in a time zone. Dates are cached, because the same date occurs in many rows.
pub(crate) struct TimeReader<'a> {
    zone: &'a TimeZone,
    read: HashMap<&'a str, Option<Span>>,
}

impl<'a> TimeReader<'a> {
    pub(crate) fn new(zone: &'a TimeZone) -> Self {
        Self { zone, read: HashMap::new() }
    }

    /// Returns the span of a time, or `None` if its format is not known.
    pub(crate) fn read(&mut self, time: &'a EntryTime) -> Option<Span> {
        match time {
            EntryTime::Millis(millis) => Some(Span { start: *millis, end: *millis }),
            // A text with more than ten characters is a time, and is not cached because the same time rarely occurs
            // twice.
            EntryTime::Text(text) if text.len() > 10 => parse(text, self.zone),
            EntryTime::Text(text) => *self.read.entry(text.as_str()).or_insert_with(|| parse(text, self.zone)),
        }
    }
}

/// Parses a date or a time. The provider's formats are not documented, so several common formats are accepted. They
/// include ISO 8601 with or without an offset, with a space instead of `T`, with slashes, or without separators.
/// Seconds and milliseconds since the Unix epoch are also accepted.
fn parse(text: &str, zone: &TimeZone) -> Option<Span> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.len() {
            8 => day(&format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]), zone),
            10 => instant(text.parse::<i64>().ok()?.checked_mul(1000)?),
            13 => instant(text.parse().ok()?),
            14 => {
                let (date, time) = text.split_at(8);
                let date = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
                local(&format!("{date} {}:{}:{}", &time[..2], &time[2..4], &time[4..]), zone)
            }
            _ => None,
        };
    }
    let text = text.replace('/', "-");
    match text.parse::<Timestamp>() {
        Ok(time) => instant(time.as_millisecond()),
        Err(_) if text.len() == 10 => day(&text, zone),
        Err(_) if text.len() > 10 => local(&text, zone),
        Err(_) => None,
    }
}

fn instant(millis: i64) -> Option<Span> {
    Some(Span { start: millis, end: millis })
}

fn local(text: &str, zone: &TimeZone) -> Option<Span> {
    let time: DateTime = text.parse().ok()?;
    instant(time.to_zoned_datetime(zone.clone()).ok()?.timestamp().as_millisecond())
}

fn day(text: &str, zone: &TimeZone) -> Option<Span> {
    span_of(text.parse().ok()?, zone)
}

/// Returns the span of a whole day.
fn span_of(date: Date, zone: &TimeZone) -> Option<Span> {
    let (start, next) = (midnight(date, zone)?, midnight(date.checked_add(1.day()).ok()?, zone)?);
    Some(Span { start, end: next - 1 })
}

/// Returns the start of a day, in milliseconds since the Unix epoch.
pub(crate) fn midnight(date: Date, zone: &TimeZone) -> Option<i64> {
    Some(date.to_zoned_datetime(zone.clone()).ok()?.timestamp().as_millisecond())
}

/// Converts times to dates in a time zone. The last date is cached, because successive times are often on the same day.
pub(crate) struct DateReader<'a> {
    zone: &'a TimeZone,
    /// The first and the last millisecond of the cached date.
    span: Span,
    text: String,
}

impl<'a> DateReader<'a> {
    pub(crate) fn new(zone: &'a TimeZone) -> Self {
        // This span is empty, so that nothing is found in the cache at first.
        Self { zone, span: Span { start: 1, end: 0 }, text: String::new() }
    }

    /// Returns the date of a time, or `None` if it is out of range.
    pub(crate) fn read(&mut self, millis: i64) -> Option<String> {
        if !(self.span.start..=self.span.end).contains(&millis) {
            let date = Timestamp::from_millisecond(millis).ok()?.to_zoned_datetime(self.zone.clone()).date();
            // `span_of` fails for the first and the last representable date, so these dates are not cached.
            self.span = span_of(date, self.zone).unwrap_or(Span { start: 1, end: 0 });
            self.text = date.to_string();
        }
        Some(self.text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_formats_are_read() {
        let zone = jiff::tz::db().get("Europe/Vilnius").unwrap();
        let at = |text: &str| parse(text, &zone);
        // 10:15:30 in Vilnius in winter is 08:15:30 UTC.
        let time = Span { start: 1_699_258_530_000, end: 1_699_258_530_000 };
        for text in [
            "2023-11-06 10:15:30",
            "2023-11-06T10:15:30",
            "2023/11/06 10:15:30",
            "20231106101530",
            "2023-11-06T08:15:30Z",
            "2023-11-06T10:15:30+02:00",
            "1699258530",
            "1699258530000",
        ] {
            assert_eq!(at(text), Some(time), "{text}");
        }
        let day = at("2023-11-06").unwrap();
        assert_eq!(at("20231106"), Some(day));
        assert_eq!((day.start, day.end - day.start), (1_699_221_600_000, 86_399_999));
        // Summer time begins on this day, so the day has only 23 hours.
        let short = at("2023-03-26").unwrap();
        assert_eq!(short.end - short.start, 23 * 3_600_000 - 1);
        for text in ["", "x", "2023-13-01", "2023-02-30", "06.11.2023", "99999999999999", "2023-11-06 25:00:00"] {
            assert_eq!(at(text), None, "{text}");
        }
        assert_eq!(day.gap(time), 0);
        assert_eq!(day.gap(at("2023-11-07").unwrap()), 1);
        assert_eq!(at("2023-11-08").unwrap().gap(day), 86_400_001);
    }
}
