//! Differences between a text and the signed text, with their fixes.

use super::wrapping::Wrapping;

/// A difference between the signed text and the received text. Each difference is proven: undoing it yields a text
/// with the digest in the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Change {
    /// The text was wrapped in another format.
    #[error("the received text is not the signed text itself, but {0}")]
    Wrapped(Wrapping),
    /// A line break at the end was lost.
    #[error("a line break after the last character is missing")]
    NewlineLost,
    /// White space was added.
    #[error("the received text has white space after its end (or before its start) that was not signed")]
    WhiteSpaceAdded,
    /// CR LF became LF, or LF became CR LF.
    #[error("the line breaks were converted (between CR LF and LF)")]
    LineEnds,
    /// A byte order mark was lost.
    #[error("the byte order mark at the start is missing")]
    ByteOrderMark,
    /// The text lost its closing brackets or its opening bracket.
    #[error("closing brackets or a quote at the end (or the opening bracket) are missing")]
    EndLost,
    /// The JSON has different white space.
    #[error("the JSON was re-serialized: its white space differs from the signed text")]
    WhiteSpace,
    /// The members are in a different order.
    #[error("the JSON was re-serialized: its members are in a different order than in the signed text")]
    Order,
    /// Characters are escaped differently.
    #[error("the JSON was re-serialized: `/`, `<`, `&`, quotes or non-ASCII characters are escaped differently")]
    Escapes,
    /// Numbers are formatted differently.
    #[error("the JSON was re-serialized: its numbers are formatted differently (10.00, 10.0, 10, 1E+1)")]
    Numbers,
    /// A number lost digits.
    #[error("the JSON was re-serialized: a number above 2^53 was stored as floating point and lost its last digits")]
    Rounded,
    /// Numbers became strings, or strings became numbers.
    #[error("the JSON was re-serialized: a number became a string, or a string became a number")]
    NumberStrings,
    /// Members with a null or empty value were removed.
    #[error("the JSON was re-serialized: a member with a null or empty value was removed")]
    MembersDropped,
    /// Members with a null or empty value were added.
    #[error("the JSON was re-serialized: a member with a null or empty value was added")]
    MembersAdded,
    /// Empty strings became null, or null became an empty string.
    #[error("the JSON was re-serialized: empty strings became null, or null became an empty string")]
    EmptyToNull,
    /// One of two members with the same name was removed.
    #[error("the JSON was re-serialized: of two members with the same name in an object, only one is left")]
    DuplicateDropped,
    /// The strings were HTML-escaped.
    #[error("the strings in the JSON were HTML-escaped")]
    HtmlEscaped,
    /// The text was signed in another charset.
    #[error("the text was signed in another charset ({0}); sign and verify the same bytes, and send UTF-8")]
    Charset(&'static str),
    /// The bytes were decoded in the wrong charset.
    #[error("the bytes were decoded in the wrong charset ({0}) and encoded again")]
    Misread(&'static str),
    /// The sender decoded UTF-8 in the wrong charset before signing.
    #[error("the sender decoded its text in the wrong charset ({0}) before signing it")]
    MisreadBySender(&'static str),
    /// The text is in a different Unicode normalization form.
    #[error("the text was signed in the Unicode normalization form {0}, but arrived in a different form")]
    NormalForm(&'static str),
    /// Characters that could not be decoded were replaced.
    #[error("characters were replaced by `?` or U+FFFD")]
    CharactersLost,
    /// Percent-encoding was added or removed.
    #[error("the text was percent-encoded either when it was signed or when it arrived, but not both")]
    PercentEncoding,
    /// `+` became a space, or a space became `+`.
    #[error("`+` and spaces were swapped, as in form decoding")]
    PlusAndSpace,
}

impl Change {
    /// Returns a fix for the change in a single line.
    pub fn fix(self) -> &'static str {
        match self {
            Self::Wrapped(wrapping) => wrapping.fix(),
            Self::NewlineLost | Self::WhiteSpaceAdded => {
                "verify the untrimmed body, with the length in Content-Length; editors and shells change its end"
            }
            Self::LineEnds => "read and write the body as bytes, not as text (open it in binary mode)",
            Self::ByteOrderMark => "verify the body before any decoder removes the byte order mark",
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
            Self::HtmlEscaped => "use the raw body, before any HTML escaping or sanitizing filter",
            Self::Charset(_) | Self::Misread(_) | Self::CharactersLost => {
                "keep the body as bytes: do not decode it before it is verified, and decode it as UTF-8 afterwards"
            }
            Self::MisreadBySender(_) => {
                "inform the sender: its text was decoded in the wrong charset before it was signed"
            }
            Self::NormalForm(_) => "do not normalize Unicode before verifying; file systems and databases may do this",
            Self::PercentEncoding | Self::PlusAndSpace => {
                "read the raw body before a form or URL decoder does (php://input, request.get_data(), express.raw())"
            }
        }
    }
}
