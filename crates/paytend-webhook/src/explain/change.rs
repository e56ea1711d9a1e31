//! What programs on the way do to a text, undone: from the bytes that we hold to those that may have been signed.

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

/// The texts that may have been signed where certain bytes are here, first those that differ least, and of those the ones whose change is the
/// more usual. Each is made when it is asked for: there are thousands, and a body may be large.
pub(crate) struct Candidates<'a> {
    body: &'a [u8],
    json: Option<Node<'a>>,
    plans: Vec<Plan>,
}

/// What programs did to a text, one after the other.
#[derive(Clone, PartialEq, Eq)]
struct Plan {
    written_again: Option<(Style, Vec<Change>)>,
    charset: Option<Charset>,
    around: Option<Around>,
}

impl<'a> Candidates<'a> {
    pub(crate) fn of(body: &'a [u8]) -> Self {
        let json = std::str::from_utf8(body).ok().and_then(Node::read);
        let styles = json.as_ref().map(|node| styles(node, body)).unwrap_or_default();
        // A charset is another one only where there are characters for it.
        let charsets: &[Charset] = if body.is_ascii() { &[] } else { &Charset::ALL };
        let mut plans = Vec::new();
        for written_again in std::iter::once(None).chain(styles.into_iter().map(Some)) {
            // What is written again has no white space around it, and other things do not happen to it as well.
            let arounds: &[Around] = if written_again.is_none() { &Around::ALL } else { &Around::AFTER_WRITING };
            for charset in std::iter::once(None).chain(charsets.iter().copied().map(Some)) {
                for around in std::iter::once(None).chain(arounds.iter().copied().map(Some)) {
                    plans.push(Plan { written_again: written_again.clone(), charset, around });
                }
            }
        }
        plans.sort_by_cached_key(|plan| {
            let changes = plan.changes();
            (changes.len(), changes)
        });
        // The first plan is to leave everything as it is.
        plans.remove(0);
        Self { body, json, plans }
    }

    /// The texts other than the one that is here, each with how it differs, and with how many bytes were written for it.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = Attempt> + '_ {
        // White space may make a text longer, but not without bound.
        let longest = self.body.len().saturating_mul(4).saturating_add(4096);
        self.plans.iter().map(move |plan| {
            let text = self.text(plan, longest);
            // One that could not be made was written until it was too long.
            let cost = match (&text, &plan.written_again) {
                (Some(text), _) => text.len(),
                (None, Some(_)) => longest,
                (None, None) => self.body.len(),
            };
            Attempt { text, changes: plan.changes(), cost }
        })
    }

    fn text(&self, plan: &Plan, longest: usize) -> Option<Zeroizing<Vec<u8>>> {
        let mut text = match &plan.written_again {
            None => Zeroizing::new(self.body.to_vec()),
            Some((style, _)) => {
                let written = style.write(self.json.as_ref()?, longest)?;
                Zeroizing::new(written.as_bytes().to_vec())
            }
        };
        if let Some(charset) = plan.charset {
            text = charset.apply(&text).map(Zeroizing::new)?;
        }
        if let Some(around) = plan.around {
            text = around.apply(&text).map(Zeroizing::new)?;
        }
        Some(text)
    }
}

/// A text that may have been signed, if it could be made.
pub(crate) struct Attempt {
    pub(crate) text: Option<Zeroizing<Vec<u8>>>,
    pub(crate) changes: Vec<Change>,
    /// The bytes that were written to make it.
    pub(crate) cost: usize,
}

impl Plan {
    fn changes(&self) -> Vec<Change> {
        let written = self.written_again.iter().flat_map(|(_, changes)| changes.iter().copied());
        written.chain(self.charset.map(Charset::change)).chain(self.around.map(Around::change)).collect()
    }
}

/// The ways to write a text again, each with what that changes.
fn styles(node: &Node<'_>, body: &[u8]) -> Vec<(Style, Vec<Change>)> {
    let plain = |space| Style { space, sorted: false, escapes: Escapes::AsTheyAre, numbers: Numbers::AsTheyAre };
    let is_here =
        |space: &Space| plain(*space).write(node, body.len()).is_some_and(|text| text.as_bytes() == body.trim_ascii());
    // The white space may be the one that was signed, and something else not.
    let here = SPACES.into_iter().find(is_here);
    let mut out = Vec::new();
    for space in SPACES {
        for sorted in [false, true] {
            for escapes in ESCAPES {
                for numbers in NUMBERS {
                    let mut changes = Vec::new();
                    changes.extend((here != Some(space)).then_some(Change::WhiteSpace));
                    changes.extend(sorted.then_some(Change::Order));
                    changes.extend((escapes != Escapes::AsTheyAre).then_some(Change::Escapes));
                    changes.extend((numbers != Numbers::AsTheyAre).then_some(Change::Numbers));
                    if !changes.is_empty() {
                        out.push((Style { space, sorted, escapes, numbers }, changes));
                    }
                }
            }
        }
    }
    out
}

/// A charset that a text was signed in while it is UTF-8 here, or the other way round.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Charset {
    Signed(&'static encoding_rs::Encoding),
    Misread(&'static encoding_rs::Encoding),
}

impl Charset {
    const ALL: [Self; 4] = [
        Self::Signed(encoding_rs::WINDOWS_1252),
        Self::Signed(encoding_rs::GBK),
        Self::Misread(encoding_rs::WINDOWS_1252),
        Self::Misread(encoding_rs::GBK),
    ];

    fn change(self) -> Change {
        let (Self::Signed(charset) | Self::Misread(charset)) = self;
        Change::Charset(charset.name())
    }

    fn apply(self, body: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(body).ok()?;
        if text.is_ascii() {
            return None;
        }
        let (bytes, lost) = match self {
            Self::Signed(charset) => {
                let (bytes, _, lost) = charset.encode(text);
                (bytes.into_owned(), lost)
            }
            Self::Misread(charset) => {
                let (text, lost) = charset.decode_without_bom_handling(body);
                (text.into_owned().into_bytes(), lost)
            }
        };
        (!lost && bytes != body).then_some(bytes)
    }
}

/// What is done to a text without looking at what it says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Newline,
    CrLf,
    Trimmed,
    OneNewlineLess,
    ByteOrderMark,
    PercentDecoded,
    PercentEncoded,
    UnixLines,
    DosLines,
    SpaceToPlus,
    PlusToSpace,
}

impl Around {
    const ALL: [Self; 11] = [
        Self::Newline,
        Self::CrLf,
        Self::Trimmed,
        Self::OneNewlineLess,
        Self::ByteOrderMark,
        Self::PercentDecoded,
        Self::PercentEncoded,
        Self::UnixLines,
        Self::DosLines,
        Self::SpaceToPlus,
        Self::PlusToSpace,
    ];

    const AFTER_WRITING: [Self; 3] = [Self::Newline, Self::CrLf, Self::ByteOrderMark];

    fn change(self) -> Change {
        match self {
            Self::Newline | Self::CrLf => Change::NewlineLost,
            Self::Trimmed | Self::OneNewlineLess => Change::WhiteSpaceAdded,
            Self::ByteOrderMark => Change::ByteOrderMark,
            Self::PercentDecoded | Self::PercentEncoded => Change::PercentEncoding,
            Self::UnixLines | Self::DosLines => Change::LineEnds,
            Self::SpaceToPlus | Self::PlusToSpace => Change::PlusAndSpace,
        }
    }

    fn apply(self, body: &[u8]) -> Option<Vec<u8>> {
        let text = || std::str::from_utf8(body).ok();
        let changed = match self {
            Self::Newline => [body, b"\n"].concat(),
            Self::CrLf => [body, b"\r\n"].concat(),
            Self::Trimmed => body.trim_ascii().to_vec(),
            Self::OneNewlineLess => body.strip_suffix(b"\n")?.to_vec(),
            Self::ByteOrderMark => [b"\xEF\xBB\xBF", body].concat(),
            Self::PercentDecoded => percent_decode(body).collect(),
            Self::PercentEncoded => percent_encode(body, NON_ALPHANUMERIC).to_string().into_bytes(),
            Self::UnixLines => text()?.replace("\r\n", "\n").into_bytes(),
            Self::DosLines => text()?.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes(),
            Self::SpaceToPlus => text()?.replace(' ', "+").into_bytes(),
            Self::PlusToSpace => text()?.replace('+', " ").into_bytes(),
        };
        (changed != body).then_some(changed)
    }
}
