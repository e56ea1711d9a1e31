//! Traces of what cannot be undone. A trace is a possibility: it proves nothing.

use super::body_kind::BodyKind;

/// What a text shows of a loss that it may have suffered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Trace {
    /// `?` where other characters may have been.
    #[error(
        "it has {0} question marks and no character beyond ASCII: other characters may have been replaced by `?` when it \
         was written in ASCII or another charset"
    )]
    QuestionMarks(usize),
    /// U+FFFD.
    #[error(
        "it has {0} replacement characters (U+FFFD): its bytes may have been decoded in pieces, or in another charset than \
         the sender's"
    )]
    ReplacementCharacters(usize),
    /// Typical pairs of a misread UTF-8.
    #[error("it has character pairs as of UTF-8 that was read in another charset; part of it may be lost")]
    Misread,
    /// The end is missing.
    #[error("it ends in the middle: the end may have been cut off, for instance by a size limit or a log")]
    CutOff,
    /// A number that looks rounded.
    #[error(
        "it has a number with more digits than a floating-point number keeps ({0} digits): its last digits may have been \
         rounded (beyond 2^53 JavaScript and others do)"
    )]
    Rounded(usize),
    /// A number with the digits of an inexact sum.
    #[error("it has a number with {0} decimals, as floating-point arithmetic makes them: it may have been rounded")]
    InexactDecimals(usize),
    /// Asterisks or an ellipsis.
    #[error("it has a run of asterisks: a log may have masked part of it")]
    Masked,
    /// Members may be missing.
    #[error(
        "it may have been parsed and written again: members that are null, unknown to the program or there twice may be \
         missing, and values may be other ones; that cannot be seen"
    )]
    MembersLost,
}

impl Trace {
    /// Returns how to avoid the loss, in one line.
    pub fn fix(&self) -> &'static str {
        match self {
            Self::QuestionMarks(_) | Self::ReplacementCharacters(_) | Self::Misread => {
                "keep the body as bytes until it is verified, and decode it as UTF-8 in one piece"
            }
            Self::CutOff => "read the body to its end, and compare its length with Content-Length",
            Self::Masked => "take the body from the wire, not from a log",
            _ => "verify the raw bytes before JSON is parsed",
        }
    }

    /// Returns the traces that a text shows, and the document that it carries.
    pub(super) fn of(text: &[u8]) -> Vec<Self> {
        let is_json = |text: &[u8]| matches!(BodyKind::of(text), BodyKind::JsonObject | BodyKind::JsonCutOff);
        let whole = String::from_utf8_lossy(text);
        // An object within the text is a part of it and no other document.
        let carried = |inner: &[u8]| {
            inner != text && is_json(inner) && std::str::from_utf8(inner).is_ok_and(|inner| !whole.contains(inner))
        };
        let carried = super::wrapping::carried(text, carried);
        let mut traces = carried.map(|layer| Self::of_one(&layer.bytes)).unwrap_or_default();
        for trace in Self::of_one(text) {
            if !traces.contains(&trace) {
                traces.push(trace);
            }
        }
        traces
    }

    fn of_one(text: &[u8]) -> Vec<Self> {
        let kind = BodyKind::of(text);
        let mut traces = Vec::new();
        let lossy = String::from_utf8_lossy(text);
        if let Ok(text) = std::str::from_utf8(text) {
            let replaced = text.matches(['\u{fffd}']).count() + text.matches("\\ufffd").count();
            let marks = text.matches('?').count();
            if replaced > 0 {
                traces.push(Self::ReplacementCharacters(replaced));
            }
            if marks > 0 && text.is_ascii() && replaced == 0 {
                traces.push(Self::QuestionMarks(marks));
            }
            // The first byte of a character in UTF-8, and another one that is no letter, as windows-1252 shows them.
            let first = |c: char| matches!(c, 'Ã' | 'Â' | 'Å' | 'Ä' | 'â' | 'ð');
            let second = |c: char| !c.is_ascii() && !c.is_alphabetic() && c < '\u{2200}';
            if text.chars().zip(text.chars().skip(1)).any(|(a, b)| first(a) && second(b)) {
                traces.push(Self::Misread);
            }
        }
        if kind == BodyKind::JsonCutOff || lossy.trim_ascii_end().ends_with("...") || lossy.ends_with('…') {
            traces.push(Self::CutOff);
        }
        if lossy.contains("***") {
            traces.push(Self::Masked);
        }
        if matches!(kind, BodyKind::JsonObject | BodyKind::JsonArray | BodyKind::JsonCutOff) {
            traces.extend(Self::of_numbers(&lossy));
        }
        if matches!(kind, BodyKind::JsonObject | BodyKind::JsonArray) {
            traces.push(Self::MembersLost);
        }
        traces
    }

    fn of_numbers(text: &str) -> Vec<Self> {
        let mut traces = Vec::new();
        let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '+' | '"' | '_'));
        for number in parts.filter(|part| part.starts_with(|c: char| c.is_ascii_digit() || c == '-')) {
            let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
            let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
            let digits = whole.trim_start_matches('-').len();
            if !mantissa.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-')) {
                continue;
            }
            let size = exponent.parse::<usize>().map_or(digits, |exponent| digits.saturating_add(exponent));
            if size > 16 {
                traces.push(Self::Rounded(size));
            } else if decimals.len() > 13 {
                traces.push(Self::InexactDecimals(decimals.len()));
            }
        }
        traces.dedup();
        traces.truncate(3);
        traces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_named_by_their_traces() {
        for (text, expected) in [
            (r#"{"memo":"?ali?kas ?"}"#, Trace::QuestionMarks(3)),
            ("{\"memo\":\"\u{fffd}\u{fffd}\"}", Trace::ReplacementCharacters(2)),
            (r#"{"memo":"\ufffd"}"#, Trace::ReplacementCharacters(1)),
            (r#"{"a":{"b":1"#, Trace::CutOff),
            (r#"{"n":9.117e+17}"#, Trace::Rounded(18)),
            (r#"{"n":911700000000000000}"#, Trace::Rounded(18)),
            (r#"{"n":0.30000000000000004}"#, Trace::InexactDecimals(17)),
            (r#"{"iban":"LT12****3"}"#, Trace::Masked),
            ("{\"a\":\"Å½alias\"}", Trace::Misread),
        ] {
            assert!(Trace::of(text.as_bytes()).contains(&expected), "{text}: {:?}", Trace::of(text.as_bytes()));
        }
        assert_eq!(Trace::of(br#"{"orderNo":"911700000000000017","a":1}"#), [Trace::MembersLost]);
        assert_eq!(Trace::of(b"hello"), []);
    }
}
