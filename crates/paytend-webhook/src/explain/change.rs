//! How a text differs from the one that was signed, in words, and how to avoid it.

use super::wrapping::Wrapping;

/// What differs between the text that was signed and the one that is here. Each is proven: the signature's digest is
/// that
/// of the text without the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Change {
    /// The text was put into something else.
    #[error("the text here is {0}")]
    Wrapped(Wrapping),
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
    /// The text was cut off within the brackets at its end, or before the one at its start.
    #[error("brackets or a quote at the end (or the first bracket) are missing here")]
    EndLost,
    /// The white space of the JSON is different.
    #[error("the JSON was parsed and written again: its white space is not the one that was signed")]
    WhiteSpace,
    /// The members are in another order.
    #[error("the JSON was parsed and written again: its members were signed in another order")]
    Order,
    /// Characters are escaped in another way.
    #[error(
        "the JSON was parsed and written again: `/`, `<`, `&`, quotes or characters beyond ASCII are escaped in \
        another way"
    )]
    Escapes,
    /// Numbers are written in another way.
    #[error("the JSON was parsed and written again: its numbers are written in another way (10.00, 10.0, 10, 1E+1)")]
    Numbers,
    /// Digits of a number were lost.
    #[error(
        "the JSON was parsed and written again: a number beyond 2^53 lost its last digits in a floating-point number"
    )]
    Rounded,
    /// Numbers became strings, or strings became numbers.
    #[error("the JSON was parsed and written again: a number became a string, or a string a number")]
    NumberStrings,
    /// Members whose value is null or empty were left out.
    #[error("the JSON was parsed and written again: a member whose value was null or empty is missing here")]
    MembersDropped,
    /// Members whose value is null or empty were added.
    #[error("the JSON was parsed and written again: a member whose value is null or empty was not signed")]
    MembersAdded,
    /// Empty strings became null.
    #[error("the JSON was parsed and written again: empty strings became null, or null became an empty string")]
    EmptyToNull,
    /// One of two members with the same name is missing.
    #[error("the JSON was parsed and written again: a name was signed twice in one object, and is here once")]
    DuplicateDropped,
    /// HTML's special characters were escaped in the strings.
    #[error("the strings in the JSON are HTML-escaped here")]
    HtmlEscaped,
    /// The text is in another charset.
    #[error("the text was signed in another charset ({0}); sign and verify the same bytes, and send UTF-8")]
    Charset(&'static str),
    /// The bytes were read as text in another charset.
    #[error("the bytes were read as text in another charset ({0}) here, and written again")]
    Misread(&'static str),
    /// The sender signed UTF-8 that it had read in another charset.
    #[error("the sender signed a text that it had read in another charset ({0})")]
    MisreadBySender(&'static str),
    /// The characters are in another normal form of Unicode.
    #[error("the text was signed in Unicode's normal form {0} and is here in another")]
    NormalForm(&'static str),
    /// Characters that could not be decoded were replaced.
    #[error("characters were replaced by `?` or U+FFFD here")]
    CharactersLost,
    /// The text was percent-encoded, or is.
    #[error("the text is percent-encoded on one side only")]
    PercentEncoding,
    /// `+` became a space, or the other way round.
    #[error("`+` and space were exchanged, as in a form")]
    PlusAndSpace,
}

impl Change {
    /// Returns how to avoid the change, in one line.
    pub fn fix(self) -> &'static str {
        match self {
            Self::Wrapped(wrapping) => wrapping.fix(),
            Self::NewlineLost | Self::WhiteSpaceAdded => {
                "verify the body untrimmed, exactly as long as Content-Length says; editors and shells change its end"
            }
            Self::LineEnds => "read and write the body as bytes, not as text (open it in binary mode)",
            Self::ByteOrderMark => "verify the body before any decoder takes the byte order mark away",
            Self::EndLost => "read the body to its end before verifying it; compare its length with Content-Length",
            Self::WhiteSpace
            | Self::Order
            | Self::Escapes
            | Self::Numbers
            | Self::Rounded
            | Self::NumberStrings
            | Self::MembersDropped
            | Self::MembersAdded
            | Self::EmptyToNull
            | Self::DuplicateDropped => {
                "verify the raw bytes before JSON is parsed (Express: express.raw; Flask: request.get_data(); \
                 Spring: @RequestBody byte[]; ASP.NET: Request.Body; Laravel: getContent())"
            }
            Self::HtmlEscaped => "take the raw body, before any HTML escaping or sanitizing filter",
            Self::Charset(_) | Self::Misread(_) | Self::CharactersLost => {
                "keep the body as bytes: do not decode it before it is verified, and decode it as UTF-8 afterwards"
            }
            Self::MisreadBySender(_) => {
                "tell the sender: its text was decoded in the wrong charset before it was signed"
            }
            Self::NormalForm(_) => "do not normalize Unicode before verifying; file names and databases may do so",
            Self::PercentEncoding | Self::PlusAndSpace => {
                "read the raw body before a form or URL decoder does (php://input, request.get_data(), express.raw())"
            }
        }
    }
}
