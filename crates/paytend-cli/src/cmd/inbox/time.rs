//! Parses times in options, and formats times in output.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// Formats a time in UTC in RFC 3339 format, with milliseconds.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let millis = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).ok(),
        Err(before) => i64::try_from(before.duration().as_millis()).ok().map(|millis| -millis),
    };
    let time = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    time.map(|time| format!("{time:.3}")).unwrap_or_default()
}

/// Parses a time in RFC 3339 format, or a duration such as `15h`, which is subtracted from the current time.
pub(crate) fn parse_since(text: &str) -> Result<SystemTime, String> {
    let ago = || parse_duration(text).and_then(|ago| SystemTime::now().checked_sub(ago));
    parse_time(text)
        .or_else(ago)
        .ok_or_else(|| "invalid time; examples: 2026-11-28T09:00:00Z, or 15h for 15 hours ago".to_owned())
}

/// Parses a time in RFC 3339 format.
pub(crate) fn parse_time(text: &str) -> Option<SystemTime> {
    let millis = text.parse::<Timestamp>().ok()?.as_millisecond();
    let distance = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 { SystemTime::UNIX_EPOCH.checked_sub(distance) } else { SystemTime::UNIX_EPOCH.checked_add(distance) }
}

/// Parses a duration in the syntax of all commands, such as `90s`, `15h`, `1h30m` or `30 days`.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    crate::duration::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_times_are_parsed() {
        for (text, seconds) in [("90s", 90), ("15h", 54_000), ("30 days", 2_592_000), ("2w", 1_209_600), ("5m", 300)] {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "x", "5", "-5s", "99999999999999999999d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        let time = parse_since("2026-11-28T09:00:00Z").unwrap();
        assert_eq!(rfc3339(time), "2026-11-28T09:00:00.000Z");
        assert!(parse_since("1h").unwrap() < SystemTime::now());
        assert!(parse_since("yesterday").unwrap_err().starts_with("invalid time"));
    }
}
