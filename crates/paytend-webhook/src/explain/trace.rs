//! Traces: signs of changes that cannot be undone, found in the received text. A trace is a possible cause of a
//! failure, not a proof.

use super::body_kind::BodyKind;

/// A sign of a change that cannot be undone, such as data loss, found in the received text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Trace {
    /// The text has `?` where other characters are likely.
    #[error(
        "the text has {0} question marks and no non-ASCII character: characters may have been replaced by `?` when \
         the text was encoded in ASCII or a different charset"
    )]
    QuestionMarks(usize),
    /// U+FFFD replacement characters.
    #[error(
        "the text has {0} replacement characters (U+FFFD): its bytes may have been decoded in pieces, or in a charset \
         other than the sender's"
    )]
    ReplacementCharacters(usize),
    /// Pairs of characters that are typical of UTF-8 decoded in the wrong charset.
    #[error("the text has character pairs typical of UTF-8 decoded in the wrong charset; part of it may be lost")]
    Misread,
    /// The end of the text is missing.
    #[error("the text is incomplete: its end may have been cut off, for instance by a size limit or a log")]
    CutOff,
    /// A number that may have been rounded.
    #[error(
        "the text has a number with more digits ({0}) than floating point can store: its last digits may have been \
         rounded (JavaScript and others do this above 2^53)"
    )]
    Rounded(usize),
    /// A number with the digits of inexact floating-point arithmetic.
    #[error("the text has a number with {0} decimals, typical of floating-point arithmetic: it may have been rounded")]
    InexactDecimals(usize),
    /// A run of asterisks, which may have replaced other characters.
    #[error("the text has a run of asterisks: a log may have masked part of it")]
    Masked,
    /// The members may have been sorted by their names.
    #[error(
        "the members are in alphabetical order: a serializer may have sorted them; the original order cannot be \
         recovered from the text"
    )]
    Sorted,
    /// Members with integer names may have been moved to the front.
    #[error(
        "members with integer names come first: JavaScript may have moved them; the original order cannot be \
         recovered from the text"
    )]
    IntegersFirst,
    /// The members may have been stored in a Java `HashMap`.
    #[error(
        "the members are in the order of a Java HashMap: a program such as fastjson may have stored them in one; the \
         original order cannot be recovered from the text"
    )]
    HashOrder,
    /// Signed fields of an envelope, with their names. Any of these fields may have been changed.
    #[error(
        "a signed field of the envelope may have been changed, added or removed ({0}); such a change cannot be detected"
    )]
    Fields(String),
    /// The text may have been re-serialized, and members may be missing.
    #[error(
        "the text may have been re-serialized: members that are null, unknown to the program or duplicate may be \
         missing, and values may differ; this leaves no trace"
    )]
    MembersLost,
}

impl Trace {
    /// Returns a one-line fix that avoids the loss.
    pub fn fix(&self) -> &'static str {
        match self {
            Self::QuestionMarks(_) | Self::ReplacementCharacters(_) | Self::Misread => {
                "keep the body as bytes until it is verified, and decode it as UTF-8 in one piece"
            }
            Self::CutOff => "read the body to its end, and compare its length with Content-Length",
            Self::Masked => "use the body as received, not from a log",
            Self::Sorted | Self::IntegersFirst | Self::HashOrder => {
                "verify the raw bytes as received, before JSON is parsed"
            }
            _ => "verify the raw bytes before JSON is parsed",
        }
    }

    pub(super) fn is_of_fields(&self) -> bool {
        matches!(self, Self::Fields(_))
    }

    /// Returns the traces in the text, and in a document that is wrapped in the text.
    pub(super) fn of(text: &[u8]) -> Vec<Self> {
        let is_json = |text: &[u8]| matches!(BodyKind::of(text), BodyKind::JsonObject | BodyKind::JsonCutOff);
        let whole = String::from_utf8_lossy(text);
        // An object within the text is part of the same document, so it is skipped.
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
            let replaced = text.matches(['\u{fffd}']).count() + text.to_ascii_lowercase().matches("\\ufffd").count();
            let marks = text.matches('?').count();
            if replaced > 0 {
                traces.push(Self::ReplacementCharacters(replaced));
            }
            if marks > 0 && text.is_ascii() && replaced == 0 {
                traces.push(Self::QuestionMarks(marks));
            }
            // UTF-8 decoded as windows-1252 often contains one of these letters, followed by a non-letter.
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
        traces.extend(super::rewrite::order_trace(&lossy));
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
    fn each_kind_of_data_loss_is_found() {
        for (text, expected) in [
            (r#"{"memo":"?ali?kas ?"}"#, Trace::QuestionMarks(3)),
            ("{\"memo\":\"\u{fffd}\u{fffd}\"}", Trace::ReplacementCharacters(2)),
            (r#"{"memo":"\ufffd"}"#, Trace::ReplacementCharacters(1)),
            (r#"{"memo":"\uFFFD"}"#, Trace::ReplacementCharacters(1)),
            (r#"{"a":{"b":1"#, Trace::CutOff),
            (r#"{"n":9.117e+17}"#, Trace::Rounded(18)),
            (r#"{"n":911700000000000000}"#, Trace::Rounded(18)),
            (r#"{"n":0.30000000000000004}"#, Trace::InexactDecimals(17)),
            (r#"{"iban":"LT12****3"}"#, Trace::Masked),
            ("{\"a\":\"Å½alias\"}", Trace::Misread),
            (r#"{"code":"1","data":{"amount":{"currency":"EUR"}},"msg":"x","version":"1.0"}"#, Trace::Sorted),
            (r#"{"code":"1","keyVersion":"1","Msg":"x","version":"1.0"}"#, Trace::Sorted),
            (r#"{"version":"1.0","msg":"x","data":{"value":"1","currency":"EUR"},"code":"1"}"#, Trace::Sorted),
            (r#"{"9":1,"10":1,"a":1,"b":2}"#, Trace::Sorted),
            (r#"{"msg":1,"code":1,"notifyType":1,"keyVersion":1,"notifyTime":1,"appId":1}"#, Trace::HashOrder),
            (r#"{"9":1,"10":1,"c":1,"b":2}"#, Trace::IntegersFirst),
        ] {
            assert!(Trace::of(text.as_bytes()).contains(&expected), "{text}: {:?}", Trace::of(text.as_bytes()));
        }
        assert_eq!(Trace::of(br#"{"orderNo":"911700000000000017","a":1}"#), [Trace::MembersLost]);
        assert_eq!(Trace::of(b"hello"), []);
        for text in [
            // These objects have the documented member order, which happens to be alphabetical.
            r#"{"currency":"EUR","value":"1"}"#,
            r#"{"amount":{},"counterparty":{},"direction":"IN","relatedTradeNo":"1"}"#,
            // One of the objects is not sorted.
            r#"{"code":"1","data":{"value":"EUR","currency":1},"msg":"x","version":"1.0"}"#,
            r#"{"b":1,"1":1}"#,
            r#"{"10":1,"9":1,"a":1}"#,
            r#"{"1":1,"a":1,"2":1}"#,
        ] {
            assert_eq!(Trace::of(text.as_bytes()), [Trace::MembersLost], "{text}");
        }
    }
}
