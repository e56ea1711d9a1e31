//! The rules by which serializers escape characters in JSON strings.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::document::Text;

/// A serializer's rules for escaping characters in strings.
#[derive(Clone, Copy)]
struct Style {
    /// The non-ASCII characters that are escaped.
    beyond: fn(u16) -> bool,
    /// The ASCII characters that are escaped as `\u` with four digits.
    ascii: &'static str,
    /// Whether and where `/` is escaped.
    slash: Slash,
    /// Whether hexadecimal digits are written in upper case.
    upper: bool,
    /// Whether backspace and form feed are written as `\b` and `\f`.
    short: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Slash {
    Plain,
    Escaped,
    /// `/` is escaped only in `</`, as needed for JSON inside an HTML script.
    AfterLess,
}

const NONE: fn(u16) -> bool = |_| false;
const ALL: fn(u16) -> bool = |unit| unit >= 0x7f;
const ALL_BUT_DELETE: fn(u16) -> bool = |unit| unit >= 0x80;
const BEYOND_BMP: fn(u16) -> bool = |unit| matches!(unit, 0xd800..=0xdfff);
const LINE_SEPARATORS: fn(u16) -> bool = |unit| matches!(unit, 0x2028 | 0x2029);
const NEXT_LINE: fn(u16) -> bool = |unit| matches!(unit, 0x85 | 0x2028 | 0x2029);

/// Sets of non-ASCII characters, each escaped by at least one serializer.
const BEYOND: [fn(u16) -> bool; 11] = [
    NONE,
    ALL,
    ALL_BUT_DELETE,
    BEYOND_BMP,
    LINE_SEPARATORS,
    NEXT_LINE,
    // The characters that .NET escapes even if all Unicode ranges are allowed.
    |unit| matches!(unit, 0x7f..=0x9f | 0xa0 | 0xad | 0x2028 | 0x2029 | 0xd800..=0xf8ff | 0xfeff | 0xfff0..),
    // org.json.
    |unit| matches!(unit, 0x80..=0x9f | 0x2000..=0x20ff),
    // json-simple.
    |unit| matches!(unit, 0x7f..=0x9f | 0x2000..=0x20ff),
    |unit| matches!(unit, 0x7f..=0x9f),
    // All characters outside ISO 8859-1.
    |unit| unit > 0xff,
];

/// Sets of ASCII characters, each escaped by at least one serializer, such as Go, Gson, .NET, PHP with its flags,
/// JavaScriptSerializer or fastjson. The first set is empty.
const ASCII: [&str; 9] = ["", "<>&", "<>&='", "<>&'\"+`", "<>&'\"", "<>&'", "<>", "()<>", "\""];

const PLAIN: Style = Style { beyond: NONE, ascii: "", slash: Slash::Plain, upper: false, short: true };

/// The escaping styles of common serializers with their default or other common options.
const COMMON: [Style; 13] = [
    PLAIN,
    // Python, and most serializers that write only ASCII.
    Style { beyond: ALL, ..PLAIN },
    // Jackson and fastjson when they write only ASCII.
    Style { beyond: ALL, upper: true, ..PLAIN },
    // PHP.
    Style { beyond: ALL, slash: Slash::Escaped, ..PLAIN },
    Style { slash: Slash::Escaped, ..PLAIN },
    Style { beyond: LINE_SEPARATORS, slash: Slash::Escaped, ..PLAIN },
    // Go.
    Style { beyond: LINE_SEPARATORS, ascii: "<>&", ..PLAIN },
    // Gson.
    Style { beyond: LINE_SEPARATORS, ascii: "<>&='", ..PLAIN },
    // .NET.
    Style { beyond: ALL, ascii: "<>&'\"+`", upper: true, ..PLAIN },
    Style { beyond: BEYOND_BMP, ascii: "<>&'\"+`", upper: true, ..PLAIN },
    Style { beyond: LINE_SEPARATORS, ..PLAIN },
    Style { beyond: NEXT_LINE, ..PLAIN },
    Style { beyond: BEYOND_BMP, ..PLAIN },
];

/// All strings of a document, written in a single escaping style.
pub(super) struct Spelling {
    pub(super) texts: Vec<String>,
    pub(super) cost: usize,
}

/// Returns the distinct spellings of a document's strings. The first is the received spelling.
pub(super) fn spellings(texts: &[Text]) -> Vec<Spelling> {
    let here: Vec<String> = texts.iter().map(|text| text.raw.clone()).collect();
    let special = |unit: &u16| *unit >= 0x7f || *unit < 0x20 || b"<>&'\"=+`()/".iter().any(|c| u16::from(*c) == *unit);
    let mut spellings = vec![Spelling { texts: here, cost: 0 }];
    // If the document contains neither escapes nor characters that a serializer may escape, it has only one spelling.
    if !texts.iter().any(|text| text.raw.contains('\\') || text.units.iter().any(special)) {
        return spellings;
    }
    let mut seen: HashSet<Vec<String>> = HashSet::from([spellings[0].texts.clone()]);
    let mut add = |style: Style, cost: usize| {
        let texts: Vec<String> = texts.iter().map(|text| style.write(text)).collect();
        if seen.insert(texts.clone()) {
            spellings.push(Spelling { texts, cost });
        }
    };
    COMMON.into_iter().for_each(|style| add(style, 1));
    for beyond in BEYOND {
        for ascii in ASCII {
            for slash in [Slash::Plain, Slash::Escaped, Slash::AfterLess] {
                for upper in [false, true] {
                    add(Style { beyond, ascii, slash, upper, short: true }, 2);
                }
            }
        }
    }
    for beyond in [NONE, ALL, LINE_SEPARATORS] {
        add(Style { beyond, short: false, ..PLAIN }, 2);
        add(Style { beyond, ascii: "<>&", short: false, ..PLAIN }, 2);
    }
    spellings
}

impl Style {
    fn write(self, text: &Text) -> String {
        let mut out = String::with_capacity(text.raw.len() + 16);
        out.push('"');
        let mut last = 0;
        for (at, unit) in text.units.iter().enumerate() {
            self.unit(&text.units[..at], *unit, &text.units[at + 1..], last, &mut out);
            last = *unit;
        }
        out.push('"');
        out
    }

    fn unit(self, before: &[u16], unit: u16, after: &[u16], last: u16, out: &mut String) {
        let ascii = u8::try_from(unit).ok().map(char::from).filter(char::is_ascii);
        let escape = |out: &mut String| {
            let _ = if self.upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
        };
        match ascii {
            Some(c) if self.ascii.contains(c) => escape(out),
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some('\u{8}') if self.short => out.push_str("\\b"),
            Some('\u{c}') if self.short => out.push_str("\\f"),
            Some('/') if self.slash == Slash::Escaped => out.push_str("\\/"),
            Some('/') if self.slash == Slash::AfterLess && last == u16::from(b'<') => out.push_str("\\/"),
            Some('\0'..'\u{20}') => escape(out),
            Some(c) if c != '\u{7f}' || !(self.beyond)(unit) => out.push(c),
            _ if (self.beyond)(unit) => escape(out),
            _ => match unit {
                // Write nothing yet: a high surrogate is written together with the low surrogate after it.
                0xd800..0xdc00 if after.first().is_some_and(|next| matches!(next, 0xdc00..0xe000)) => {}
                0xdc00..0xe000 if before.last().is_some_and(|first| matches!(first, 0xd800..0xdc00)) => {
                    out.extend(char::decode_utf16([last, unit]).flatten());
                }
                0xd800..0xe000 => escape(out),
                _ => out.extend(char::from_u32(u32::from(unit))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_escaping_styles_match_their_serializers() {
        let text = Text::of("é<&'\"+/🤨\u{2028}\u{7f}=");
        let expected = [
            "\"é<&'\\\"+/🤨\u{2028}\u{7f}=\"",
            "\"\\u00e9<&'\\\"+/\\ud83e\\udd28\\u2028\\u007f=\"",
            "\"\\u00E9<&'\\\"+/\\uD83E\\uDD28\\u2028\\u007F=\"",
            "\"\\u00e9<&'\\\"+\\/\\ud83e\\udd28\\u2028\\u007f=\"",
            "\"é<&'\\\"+\\/🤨\u{2028}\u{7f}=\"",
            "\"é<&'\\\"+\\/🤨\\u2028\u{7f}=\"",
            "\"é\\u003c\\u0026'\\\"+/🤨\\u2028\u{7f}=\"",
            "\"é\\u003c\\u0026\\u0027\\\"+/🤨\\u2028\u{7f}\\u003d\"",
            "\"\\u00E9\\u003C\\u0026\\u0027\\u0022\\u002B/\\uD83E\\uDD28\\u2028\\u007F=\"",
        ];
        for (style, expected) in COMMON.iter().zip(expected) {
            assert_eq!(style.write(&text), expected);
        }
    }

    #[test]
    fn spellings_are_distinct() {
        assert_eq!(spellings(&[Text::of("abc")]).len(), 1);
        let all = spellings(&[Text::of("a/b")]);
        assert_eq!(all.iter().map(|spelling| spelling.texts[0].as_str()).collect::<Vec<_>>(), ["\"a/b\"", "\"a\\/b\""]);
    }
}
