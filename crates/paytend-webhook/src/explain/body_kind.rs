//! Classification of bodies that should be JSON documents.

/// The kind of data in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum BodyKind {
    /// An empty body.
    #[error("empty")]
    Empty,
    /// A JSON object.
    #[error("a JSON object")]
    JsonObject,
    /// A JSON array.
    #[error("a JSON array, but an object was expected")]
    JsonArray,
    /// A JSON string.
    #[error("a JSON string, but an object was expected")]
    JsonString,
    /// A number, `true`, `false` or `null`.
    #[error("a single JSON value (a number, true, false or null), but an object was expected")]
    JsonScalar,
    /// JSON that is cut off.
    #[error("truncated JSON")]
    JsonCutOff,
    /// JSON with a syntax error.
    #[error("JSON with a syntax error: it was edited manually or built without a JSON library")]
    JsonBroken,
    /// An HTML page.
    #[error("an HTML page: a proxy, firewall or login page produced it instead of the sender")]
    Html,
    /// XML.
    #[error("XML: the message belongs to a different API, or a gateway converted it")]
    Xml,
    /// A form (`name=value`).
    #[error("a form (name=value): a form parser processed the body, or the sender used a different content type")]
    Form,
    /// A multipart body.
    #[error("a multipart body, with boundaries")]
    Multipart,
    /// PEM.
    #[error("PEM (a key or a certificate): a different file was read by mistake")]
    Pem,
    /// A JSON Web Token.
    #[error("a JSON Web Token: a different value was passed by mistake")]
    Jwt,
    /// Base64.
    #[error("base64")]
    Base64,
    /// Hexadecimal digits.
    #[error("hexadecimal digits")]
    Hex,
    /// The placeholder that a language prints for a value without a text representation, such as `[object Object]`.
    #[error("the text {0:?}, which programs print as a placeholder for a value")]
    Placeholder(&'static str),
    /// A data structure as printed by a program, such as Go's `map[…]`.
    #[error("a parsed structure as printed by a program ({0})")]
    Structure(&'static str),
    /// Compressed data.
    #[error("compressed data ({0})")]
    Compressed(&'static str),
    /// UTF-16.
    #[error("UTF-16")]
    Utf16,
    /// A complete HTTP message.
    #[error("a complete HTTP message")]
    HttpMessage,
    /// Text of any other kind.
    #[error("plain text")]
    Text,
    /// Binary data of any other kind.
    #[error("binary data: a file, or compressed or encrypted data")]
    Binary,
}

/// Prefixes of the placeholders that languages print for values without a text representation.
const PLACEHOLDERS: [&str; 18] = [
    "[object Object]",
    "[object ",
    "undefined",
    "None",
    "nil",
    "NaN",
    "Array",
    "Object",
    "System.Byte[]",
    "System.",
    "[B@",
    "java.",
    "org.",
    "com.",
    "<_io.",
    "<generator",
    "<Request",
    "#<",
];

impl BodyKind {
    /// Returns a one-line fix for the receiver, if there is one.
    pub fn fix(self) -> Option<&'static str> {
        Some(match self {
            Self::Empty => "verify the body before other code reads it: a stream can be read only once",
            Self::JsonCutOff => "read the body to its end, and check the size limits of logs and proxies",
            Self::Multipart => "extract the part that contains the document",
            Self::Base64 => "decode the body first (API gateways set isBase64Encoded: true)",
            Self::Hex => "pass the raw bytes, not their printed form",
            Self::Placeholder(_) => "pass the body's bytes, not an object",
            Self::Structure(_) => "pass the raw body, not the parsed object",
            Self::Compressed(_) => "decompress the body first",
            Self::Utf16 => "pass the bytes as received",
            Self::HttpMessage => "use only the bytes after the empty line that ends the headers",
            _ => return None,
        })
    }

    /// Returns the kind of data in a body.
    pub fn of(body: &[u8]) -> Self {
        let bare = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii();
        let starts = |start: &[u8]| bare.len() >= start.len() && bare[..start.len()].eq_ignore_ascii_case(start);
        if bare.is_empty() {
            return Self::Empty;
        }
        for (magic, name) in
            [(&b"\x1f\x8b"[..], "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"PK\x03\x04", "zip"), (b"BZh", "bzip2")]
        {
            if body.starts_with(magic) {
                return Self::Compressed(name);
            }
        }
        if [&b"\xFF\xFE"[..], b"\xFE\xFF", b"{\0", b"\0{"].iter().any(|start| body.starts_with(start)) {
            return Self::Utf16;
        }
        match bare[0] {
            b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                if let Some(kind) = Self::json(bare) {
                    return kind;
                }
            }
            _ => {}
        }
        if starts(b"<!doctype html") || starts(b"<html") || starts(b"<head") || starts(b"<body") || starts(b"<!--") {
            return Self::Html;
        }
        if starts(b"-----BEGIN ") {
            return Self::Pem;
        }
        if [&b"POST /"[..], b"PUT /", b"GET /", b"HTTP/1", b"HTTP/2"].iter().any(|start| starts(start)) {
            return Self::HttpMessage;
        }
        let Ok(text) = std::str::from_utf8(bare) else {
            return if bare.first() == Some(&b'{') { Self::JsonBroken } else { Self::Binary };
        };
        Self::text(text)
    }

    fn json(bare: &[u8]) -> Option<Self> {
        match serde_json::from_slice::<serde::de::IgnoredAny>(bare) {
            Ok(_) => Some(match bare[0] {
                b'{' => Self::JsonObject,
                b'[' => Self::JsonArray,
                b'"' => Self::JsonString,
                _ => Self::JsonScalar,
            }),
            Err(error) if error.is_eof() && matches!(bare[0], b'{' | b'[' | b'"') => Some(Self::JsonCutOff),
            Err(_) => None,
        }
    }

    fn text(text: &str) -> Self {
        if let Some(known) =
            PLACEHOLDERS.into_iter().find(|start| text.starts_with(start) && text.len() < start.len() + 80)
        {
            return Self::Placeholder(known);
        }
        let lines = |start: &str| text.lines().any(|line| line.starts_with(start));
        let consists_of = |allowed: &str| {
            text.chars().all(|c| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || allowed.contains(c))
        };
        let is_hex = || text.len() > 3 && text.chars().all(|c| c.is_ascii_hexdigit() || c.is_ascii_whitespace());
        let is_jwt = || text.starts_with("eyJ") && text.split('.').count() == 3 && consists_of("-_.");
        match text.chars().next() {
            Some('<') => Self::Xml,
            Some('-') if text.starts_with("--") && text.to_ascii_lowercase().contains("content-disposition") => {
                Self::Multipart
            }
            Some('{' | '[') if super::wrapping::to_json(text).is_some() => {
                Self::Structure("a Python, Ruby or JavaScript literal")
            }
            Some('{') if text.contains('=') && !text.contains(':') => Self::Structure("Java's Map.toString"),
            Some('{' | '[' | '"') => Self::JsonBroken,
            Some('m') if text.starts_with("map[") => Self::Structure("Go's map"),
            Some('A' | 'a') if text.starts_with("Array\n") || text.starts_with("array(") => {
                Self::Structure("PHP's print_r or var_dump")
            }
            _ if is_jwt() => Self::Jwt,
            _ if is_hex() => Self::Hex,
            _ if text.len() > 15
                && !text.contains(' ')
                && consists_of("+/=-_")
                && (text.len() > 40 || text.contains(['+', '/', '='])) =>
            {
                Self::Base64
            }
            _ if lines("--") && text.to_ascii_lowercase().contains("content-disposition") => Self::Multipart,
            _ if Self::is_form(text) => Self::Form,
            _ => Self::Text,
        }
    }

    fn is_form(text: &str) -> bool {
        let name = text.split('=').next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || "%_-.[]+~*".contains(c);
        name.len() < text.len() && !name.is_empty() && name.chars().all(plain) || text.starts_with("%7B")
    }
}
