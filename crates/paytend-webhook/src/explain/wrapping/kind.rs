//! The kinds of wrappings, with their fixes.

/// The kind of a wrapping around a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Wrapping {
    /// A byte order mark before the text.
    #[error("a byte order mark followed by it")]
    ByteOrderMark,
    /// NUL bytes after the text.
    #[error("a copy of it followed by NUL bytes")]
    Nul,
    /// Base64.
    #[error("base64 of it")]
    Base64,
    /// Hexadecimal digits.
    #[error("a hexadecimal encoding of it")]
    Hex,
    /// A list of the bytes as numbers.
    #[error("a list of its bytes as numbers")]
    ByteList,
    /// A compression format, with its name.
    #[error("a {0}-compressed copy of it")]
    Compressed(&'static str),
    /// HTTP chunked transfer coding.
    #[error("a copy of it in chunked transfer coding, with the chunk lengths")]
    Chunked,
    /// UTF-16 or UTF-32, with its name.
    #[error("a {0} encoding of it")]
    Unicode(&'static str),
    /// A JSON string.
    #[error("a JSON string that contains it: it was serialized as JSON twice")]
    JsonString,
    /// Backslashes before quotes.
    #[error("a copy of it with backslashes before the quotes")]
    Backslashes,
    /// Quotes around the text.
    #[error("a copy of it in quotes")]
    Quotes,
    /// HTML entities.
    #[error("an HTML-escaped copy of it (&quot; and similar entities)")]
    HtmlEntities,
    /// Quoted-printable.
    #[error("a quoted-printable copy of it")]
    QuotedPrintable,
    /// Percent-encoding.
    #[error("a percent-encoded copy of it, as in a form or URL")]
    PercentEncoding,
    /// The value of a form field.
    #[error("a form that contains it as the value of a field")]
    FormField,
    /// The name of a form field.
    #[error("a form that contains it as the name of a field: a JSON body was parsed as a form")]
    FormKey,
    /// A string in another JSON document.
    #[error("another JSON document that contains it as a string")]
    Member,
    /// An object or array in another JSON document.
    #[error("another JSON document that contains it as an object or array")]
    InnerObject,
    /// A multipart form.
    #[error("a multipart body that contains it")]
    Multipart,
    /// A complete HTTP message.
    #[error("a complete HTTP message that contains it")]
    HttpMessage,
    /// Other text around the text.
    #[error("a text with other characters before or after it")]
    Surrounded,
    /// A string or bytes literal of a programming language.
    #[error("its repr, as Python prints strings and bytes")]
    TextLiteral,
    /// The parsed structure, as a literal of a programming language.
    #[error("the parsed structure in a program's print format (Python's repr, Ruby's inspect, JavaScript's console)")]
    StructureLiteral,
    /// Another charset.
    #[error("a copy of it in a charset other than UTF-8")]
    Charset,
}

impl Wrapping {
    /// Returns a one-line fix for the receiver.
    pub fn fix(self) -> &'static str {
        match self {
            Self::ByteOrderMark => {
                "write and read the body as bytes; an editor or a writer for UTF-8 with BOM adds the mark"
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
            Self::Quotes | Self::Surrounded => "extract exactly the body, or save it from the raw bytes of the request",
            Self::HtmlEntities => "use the raw body, before any HTML escaping or sanitizing filter",
            Self::QuotedPrintable => "use the body before it passes through a mail gateway, or decode it first",
            Self::PercentEncoding | Self::FormField | Self::FormKey => {
                "read the raw body before a form parser processes it (php://input, request.get_data(), express.raw())"
            }
            Self::Member | Self::InnerObject => "verify the inner text exactly as it is in the outer document",
            Self::Multipart => "verify the part that was signed, without the boundaries",
            Self::HttpMessage => "verify the bytes after the empty line that ends the headers",
            Self::TextLiteral => "pass the value itself, not its repr (Python: sys.stdout.buffer.write(body))",
            Self::StructureLiteral => "verify the raw body, not the parsed object (Python: request.get_data())",
            Self::Charset => "keep the body as bytes: do not convert it to another charset",
        }
    }
}
