//! Parses durations, in the same syntax for all commands.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

/// Parses a duration such as `90s`, `15h`, `3d` or `1h30m`. A day has 24 hours.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let invalid = || "invalid duration; examples: 90s, 15h, 3d, 1h30m".to_owned();
    let span: Span = text.parse().map_err(|_| invalid())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| invalid())?;
    Duration::try_from(duration).map_err(|_| "a duration must not be negative".to_owned())
}

/// Parses a positive duration.
pub(crate) fn positive(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err("the duration must be longer than zero".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed() {
        for (text, seconds) in [
            ("90s", 90),
            ("15h", 54_000),
            ("3d", 259_200),
            ("1h30m", 5_400),
            ("1h 30m", 5_400),
            ("0s", 0),
            ("2w", 1_209_600),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
        for text in ["", "90", "soon", "-1s", "1mo", "1y", "99999999999999999999s"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(positive("0s").is_err() && positive("1s").is_ok());
    }
}
