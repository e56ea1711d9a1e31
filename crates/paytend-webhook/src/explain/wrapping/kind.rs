//! The kinds of wrapping, in words.

/// What a text was wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Wrapping {
    /// A byte order mark before it.
    #[error("it with a byte order mark before")]
    ByteOrderMark,
    /// NUL bytes after it.
    #[error("it with NUL bytes after")]
    Nul,
    /// Base64.
    #[error("its base64")]
    Base64,
    /// Hexadecimal digits.
    #[error("its bytes in hexadecimal digits")]
    Hex,
    /// A list of its bytes as numbers.
    #[error("a list of its bytes as numbers")]
    ByteList,
    /// A compression: its name.
    #[error("its {0} compression")]
    Compressed(&'static str),
    /// HTTP's chunked transfer coding.
    #[error("its chunked transfer coding, with the lengths of the chunks")]
    Chunked,
    /// UTF-16 or UTF-32: its name.
    #[error("its {0} encoding")]
    Unicode(&'static str),
    /// A JSON string.
    #[error("a JSON string that holds it: it was written as JSON twice")]
    JsonString,
    /// Backslashes before quotes.
    #[error("it with backslashes before the quotes")]
    Backslashes,
    /// Quotes around it.
    #[error("it in quotes")]
    Quotes,
    /// HTML's entities.
    #[error("its HTML-escaped form (&quot; and the like)")]
    HtmlEntities,
    /// Quoted-printable.
    #[error("its quoted-printable form")]
    QuotedPrintable,
    /// Percent-encoding.
    #[error("its percent-encoded form, as in a form or URL")]
    PercentEncoding,
    /// The value of a form's field.
    #[error("a form that holds it as the value of a field")]
    FormField,
    /// The name of a form's field.
    #[error("a form that holds it as the name of a field: a JSON body was parsed as a form")]
    FormKey,
    /// A string in another JSON document.
    #[error("another JSON document that holds it as a string")]
    Member,
    /// An object or array in another JSON document.
    #[error("another JSON document that has it inside")]
    InnerObject,
    /// A multipart form.
    #[error("a multipart body that holds it")]
    Multipart,
    /// A whole HTTP message.
    #[error("a whole HTTP message, with its headers")]
    HttpMessage,
    /// Other text around it.
    #[error("a text that has other characters before or after it")]
    Surrounded,
    /// A string or bytes literal of a programming language.
    #[error("its repr, a string or bytes literal as Python prints it")]
    TextLiteral,
    /// The parsed structure, printed as a literal of a programming language.
    #[error("the parsed structure as a program prints it (Python's repr, Ruby's inspect, JavaScript's console)")]
    StructureLiteral,
    /// Another charset.
    #[error("its characters in another charset than UTF-8")]
    Charset,
}

impl Wrapping {
    /// Returns how to hand over the text itself.
    pub fn fix(self) -> &'static str {
        match self {
            Self::ByteOrderMark => {
                "write and read the body as bytes; an editor or a UTF-8-with-BOM writer adds the mark"
            }
            Self::Nul => "take as many bytes as Content-Length says; a C string's terminator is not part of the body",
            Self::Base64 => "decode the body first (API gateways set isBase64Encoded: true)",
            Self::Hex | Self::ByteList => "pass on the bytes, not a printed form of them",
            Self::Compressed(_) => "verify the decompressed body: let the server undo Content-Encoding first",
            Self::Chunked => "let an HTTP library read the body: the lengths of chunks belong to the transfer",
            Self::Unicode(_) => "keep the body as bytes; do not save it as Unicode text (PowerShell's > writes UTF-16)",
            Self::JsonString | Self::Backslashes => "pass on the raw body instead of writing the text as JSON again",
            Self::Quotes | Self::Surrounded => "cut the body out exactly, or save it with the raw request's bytes",
            Self::HtmlEntities => "take the raw body, before any HTML escaping or sanitizing filter",
            Self::QuotedPrintable => "take the body before it goes through a mail gateway, or decode it first",
            Self::PercentEncoding | Self::FormField | Self::FormKey => {
                "read the raw body before a form parser does (php://input, request.get_data(), express.raw())"
            }
            Self::Member | Self::InnerObject => "verify the inner text exactly as it is in the outer document",
            Self::Multipart => "verify the part that was signed, without the boundaries",
            Self::HttpMessage => "verify the bytes after the empty line that ends the headers",
            Self::TextLiteral => "pass on the value itself, not its repr (Python: sys.stdout.buffer.write(body))",
            Self::StructureLiteral => "verify the raw body, not the parsed object (Python: request.get_data())",
            Self::Charset => "keep the body as bytes: do not decode and encode it with another charset",
        }
    }
}
