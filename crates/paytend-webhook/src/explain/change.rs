//! Differences between the received text and the signed text, with their fixes.

/// A difference between the signed text and the received text. Each difference is proven: undoing it yields text whose
/// digest matches the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Change {
    /// The signed text arrived wrapped in a different format, such as base64.
    #[error("the signed text was received {0}")]
    Wrapped(Wrapping),
    /// The line break at the end is missing.
    #[error("a line break after the last character is missing")]
    NewlineLost,
    /// Whitespace was added at the start or the end.
    #[error("the received text has leading or trailing whitespace that was not signed")]
    WhiteSpaceAdded,
    /// CR LF became LF, or LF became CR LF.
    #[error("the line breaks were converted from CR LF to LF or from LF to CR LF")]
    LineEnds,
    /// The byte order mark is missing.
    #[error("the byte order mark at the start is missing")]
    ByteOrderMark,
    /// The opening bracket is missing, or closing brackets or a quote are missing at the end.
    #[error("the opening bracket is missing, or closing brackets or a quote are missing at the end")]
    EndLost,
    /// The JSON has different whitespace.
    #[error("the JSON was re-serialized: whitespace was added or removed")]
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
    /// The last digits of a large number were lost.
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
    /// The signed JSON had two members with the same name in an object. One of the two members was removed.
    #[error("the JSON was re-serialized: of two members with the same name in an object, only one is left")]
    DuplicateDropped,
    /// The strings were HTML-escaped.
    #[error("the strings in the JSON were HTML-escaped")]
    HtmlEscaped,
    /// The text was signed in a different charset.
    #[error("the text was signed in a different charset ({0}); sign and verify the same bytes, and send UTF-8")]
    Charset(&'static str),
    /// The bytes were decoded in the wrong charset.
    #[error("the bytes were decoded in the wrong charset ({0}) and encoded again")]
    Misread(&'static str),
    /// The sender decoded UTF-8 in the wrong charset before signing.
    #[error("the sender decoded its text in the wrong charset ({0}) before signing it")]
    MisreadBySender(&'static str),
    /// The text is in a different Unicode normalization form than the signed text.
    #[error("the text was signed in the Unicode normalization form {0}, but arrived in a different form")]
    NormalForm(&'static str),
    /// Characters that could not be decoded were replaced.
    #[error("characters were replaced by `?` or U+FFFD")]
    CharactersLost,
    /// Percent-encoding was added or removed.
    #[error("the text was percent-encoded either when it was signed or when it arrived, but not both times")]
    PercentEncoding,
    /// `+` became a space, or a space became `+`.
    #[error("`+` became a space, or a space became `+`, as in form decoding")]
    PlusAndSpace,
}

impl Change {
    /// Returns one line that explains how to avoid the change.
    pub fn fix(self) -> &'static str {
        match self {
            Self::Wrapped(wrapping) => wrapping.fix(),
            Self::NewlineLost | Self::WhiteSpaceAdded => {
                "verify the untrimmed body, with exactly Content-Length bytes; editors and shells may add or remove a \
                 line break at the end"
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

/// The format that the signed text was wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Wrapping {
    /// A byte order mark was added before the text.
    #[error("with a byte order mark at the start")]
    ByteOrderMark,
    /// NUL bytes were added after the text.
    #[error("with NUL bytes at the end")]
    Nul,
    /// The text was received as base64.
    #[error("as base64")]
    Base64,
    /// The text was received as hexadecimal digits.
    #[error("as hexadecimal digits")]
    Hex,
    /// The text was received as a list of numbers, one for each byte.
    #[error("as a list of numbers, one for each byte")]
    ByteList,
    /// The text was received compressed. Contains the name of the compression format.
    #[error("compressed with {0}")]
    Compressed(&'static str),
    /// The text was received in HTTP chunked transfer coding and still contains the chunk lengths.
    #[error("in chunked transfer coding, with the chunk lengths")]
    Chunked,
    /// The text was received in UTF-16 or UTF-32. Contains the name of the encoding.
    #[error("encoded as {0}")]
    Unicode(&'static str),
    /// The text was received as a JSON string.
    #[error("as a JSON string: the text was serialized as JSON twice")]
    JsonString,
    /// Backslashes were added before the quotes.
    #[error("with backslashes before the quotes")]
    Backslashes,
    /// Quotes were added around the text.
    #[error("with quotes around the text")]
    Quotes,
    /// Characters were replaced by HTML entities.
    #[error("with HTML entities, such as &quot;")]
    HtmlEntities,
    /// The text was received in quoted-printable encoding.
    #[error("in quoted-printable encoding")]
    QuotedPrintable,
    /// The text was received percent-encoded.
    #[error("percent-encoded, as in a form or URL")]
    PercentEncoding,
    /// The text was received as the value of a form field.
    #[error("as the value of a form field")]
    FormField,
    /// The text was received as the name of a form field.
    #[error("as the name of a form field: a JSON body was parsed as a form")]
    FormKey,
    /// The text was received as a string in an outer JSON document.
    #[error("as a string in an outer JSON document")]
    Member,
    /// The text was received as an object or array in an outer JSON document.
    #[error("as an object or array in an outer JSON document")]
    InnerObject,
    /// The text was received as a part of a multipart body.
    #[error("as a part of a multipart body")]
    Multipart,
    /// The text was received as a complete HTTP message, with its headers.
    #[error("as a complete HTTP message, with its headers")]
    HttpMessage,
    /// Other characters were added before or after the text.
    #[error("with other characters before or after the text")]
    Surrounded,
    /// The text was received as a string literal or a bytes literal of a programming language.
    #[error("as the Python repr of a string or of bytes")]
    TextLiteral,
    /// The text was parsed, and the resulting structure was printed as a literal of a programming language.
    #[error("as a parsed structure printed by a program (Python's repr, Ruby's inspect, JavaScript's console)")]
    StructureLiteral,
    /// The text was received in a charset other than UTF-8.
    #[error("in a charset other than UTF-8")]
    Charset,
}

impl Wrapping {
    /// Returns a one-line fix for the receiver.
    pub fn fix(self) -> &'static str {
        match self {
            Self::ByteOrderMark => {
                "write and read the body as bytes; editors and writers that use UTF-8 with BOM add the mark"
            }
            Self::Nul => {
                "use exactly as many bytes as Content-Length specifies; a C string's terminator is not part of the body"
            }
            Self::Base64 => "decode the body first (API gateways set isBase64Encoded: true)",
            Self::Hex | Self::ByteList => "pass the raw bytes, not their printed form",
            Self::Compressed(_) => "verify the decompressed body: let the server undo Content-Encoding first",
            Self::Chunked => "let an HTTP library read the body: chunk lengths are not part of the body",
            Self::Unicode(_) => "keep the body as bytes; do not save it as Unicode text (PowerShell's > writes UTF-16)",
            Self::JsonString | Self::Backslashes => "pass the raw body, and do not serialize the text as JSON again",
            Self::Quotes | Self::Surrounded => {
                "extract the body without the characters around it, or save it from the request's raw bytes"
            }
            Self::HtmlEntities => "use the raw body, before any HTML escaping or sanitizing filter",
            Self::QuotedPrintable => "use the body before it passes through a mail gateway, or decode it first",
            Self::PercentEncoding | Self::FormField | Self::FormKey => {
                "read the raw body before a form parser processes it (php://input, request.get_data(), express.raw())"
            }
            Self::Member | Self::InnerObject => "verify the inner text exactly as it appears in the outer document",
            Self::Multipart => "verify the part that was signed, without the boundaries",
            Self::HttpMessage => "verify the bytes after the empty line that ends the headers",
            Self::TextLiteral => "pass the value itself, not its repr (Python: sys.stdout.buffer.write(body))",
            Self::StructureLiteral => "verify the raw body, not the parsed object (Python: request.get_data())",
            Self::Charset => "keep the body as bytes: do not convert it to a different charset",
        }
    }
}
