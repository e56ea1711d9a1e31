//! What programs on the way do to a text, undone: from the bytes that we hold to those that may have been signed.

use std::collections::HashSet;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode, percent_encode};
use zeroize::Zeroizing;

use super::json::{ESCAPES, Escapes, NUMBERS, Node, Numbers, SPACES, Space, Style};

/// What differs between the text that was signed and the one that is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Change {
    /// A line's end was lost.
    #[error("a line's end after the last character is missing here")]
    NewlineLost,
    /// White space was added.
    #[error("there is white space here after the last character (or before the first) that was not signed")]
    WhiteSpaceAdded,
    /// CR LF became LF, or the other way round.
    #[error("lines end in another way here (CR LF against LF)")]
    LineEnds,
    /// A byte order mark was lost.
    #[error("a byte order mark at the start is missing here")]
    ByteOrderMark,
    /// The white space of the JSON is another one: it was parsed and written again.
    #[error("the JSON was parsed and written again: its white space is not the one that was signed")]
    WhiteSpace,
    /// The members are in another order.
    #[error("the JSON was parsed and written again: its members were signed in alphabetical order")]
    Order,
    /// Characters are escaped in another way.
    #[error(
        "the JSON was parsed and written again: `/`, `<`, `&` or characters beyond ASCII are escaped in another way"
    )]
    Escapes,
    /// Numbers are written in another way.
    #[error("the JSON was parsed and written again: its numbers are written in another way (10.00, 10.0, 10)")]
    Numbers,
    /// The text is in another charset.
    #[error("the text was signed in another charset ({0}); sign and verify the same bytes, and send UTF-8")]
    Charset(&'static str),
    /// The text was percent-encoded, or is.
    #[error("the text is percent-encoded on one side only")]
    PercentEncoding,
    /// `+` became a space, or the other way round.
    #[error("`+` and space were exchanged, as in a form")]
    PlusAndSpace,
}

/// A text that may have been signed, and how it differs.
pub(crate) struct Candidate {
    pub(crate) text: Zeroizing<Vec<u8>>,
    pub(crate) changes: Vec<Change>,
}

/// Other texts that bytes may have been before.
type Step = fn(&[u8]) -> Vec<(Vec<u8>, Vec<Change>)>;

/// The texts that may have been signed where these bytes are here: first those that differ least, and of
/// those the ones whose change is the more usual. The first is the bytes themselves.
pub(crate) fn candidates(body: &[u8]) -> Vec<Candidate> {
    let mut found = vec![Candidate { text: Zeroizing::new(body.to_vec()), changes: Vec::new() }];
    // One program after the other: what was written again, then what was done to the bytes.
    let steps: [Step; 3] = [written_again, in_another_charset, around];
    for step in steps {
        let more: Vec<Candidate> = found
            .iter()
            .flat_map(|before| {
                step(&before.text).into_iter().map(|(text, changes)| Candidate {
                    text: Zeroizing::new(text),
                    changes: before.changes.iter().copied().chain(changes).collect(),
                })
            })
            .collect();
        found.extend(more);
    }
    found.sort_by(|a, b| a.changes.len().cmp(&b.changes.len()).then_with(|| a.changes.cmp(&b.changes)));
    let mut seen = HashSet::new();
    found.retain(|candidate| seen.insert(candidate.text.to_vec()));
    found
}

fn written_again(body: &[u8]) -> Vec<(Vec<u8>, Vec<Change>)> {
    let Some(node) = std::str::from_utf8(body).ok().and_then(Node::read) else { return Vec::new() };
    let mut out = Vec::new();
    for space in SPACES {
        for sorted in [false, true] {
            for escapes in ESCAPES {
                for numbers in NUMBERS {
                    let style = Style { space, sorted, escapes, numbers };
                    let mut changes = vec![Change::WhiteSpace];
                    changes.extend(sorted.then_some(Change::Order));
                    changes.extend((escapes != Escapes::AsTheyAre).then_some(Change::Escapes));
                    changes.extend((numbers != Numbers::AsTheyAre).then_some(Change::Numbers));
                    out.push((style.write(&node).into_bytes(), changes));
                }
            }
        }
    }
    // The white space is the one that was signed, and something else is not: told apart by writing it as it is here.
    let here = SPACES.into_iter().find(|space| as_it_is(*space).write(&node).as_bytes() == body.trim_ascii());
    if let Some(here) = here {
        for sorted in [false, true] {
            for escapes in ESCAPES {
                for numbers in NUMBERS {
                    let mut changes = Vec::new();
                    changes.extend(sorted.then_some(Change::Order));
                    changes.extend((escapes != Escapes::AsTheyAre).then_some(Change::Escapes));
                    changes.extend((numbers != Numbers::AsTheyAre).then_some(Change::Numbers));
                    out.push((Style { space: here, sorted, escapes, numbers }.write(&node).into_bytes(), changes));
                }
            }
        }
    }
    out.retain(|(_, changes)| !changes.is_empty());
    out
}

fn as_it_is(space: Space) -> Style {
    Style { space, sorted: false, escapes: Escapes::AsTheyAre, numbers: Numbers::AsTheyAre }
}

fn in_another_charset(body: &[u8]) -> Vec<(Vec<u8>, Vec<Change>)> {
    let Ok(text) = std::str::from_utf8(body) else { return Vec::new() };
    let mut out = Vec::new();
    for charset in [encoding_rs::WINDOWS_1252, encoding_rs::GBK] {
        let (bytes, _, lost) = charset.encode(text);
        if !lost && *bytes != *body {
            out.push((bytes.into_owned(), vec![Change::Charset(charset.name())]));
        }
        // Ours was signed, and read once in that charset since: the other way round.
        let (misread, lost) = charset.decode_without_bom_handling(body);
        if !lost && misread.as_bytes() != body {
            out.push((misread.into_owned().into_bytes(), vec![Change::Charset(charset.name())]));
        }
    }
    out
}

fn around(body: &[u8]) -> Vec<(Vec<u8>, Vec<Change>)> {
    let with = |end: &[u8]| [body, end].concat();
    let mut out = vec![
        (with(b"\n"), vec![Change::NewlineLost]),
        (with(b"\r\n"), vec![Change::NewlineLost]),
        (body.trim_ascii().to_vec(), vec![Change::WhiteSpaceAdded]),
        ([b"\xEF\xBB\xBF", body].concat(), vec![Change::ByteOrderMark]),
        (percent_decode(body).collect(), vec![Change::PercentEncoding]),
        (percent_encode(body, NON_ALPHANUMERIC).to_string().into_bytes(), vec![Change::PercentEncoding]),
    ];
    out.extend(body.strip_suffix(b"\n").map(|bare| (bare.to_vec(), vec![Change::WhiteSpaceAdded])));
    if let Ok(text) = std::str::from_utf8(body) {
        let unix = text.replace("\r\n", "\n");
        out.push((unix.replace('\n', "\r\n").into_bytes(), vec![Change::LineEnds]));
        out.push((unix.into_bytes(), vec![Change::LineEnds]));
        out.push((text.replace(' ', "+").into_bytes(), vec![Change::PlusAndSpace]));
        out.push((text.replace('+', " ").into_bytes(), vec![Change::PlusAndSpace]));
    }
    out.retain(|(text, _)| text != body);
    out
}
