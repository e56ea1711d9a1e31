//! What a response is that is not a Paytend response: named by what it looks like, for the operator who reads the error.

use std::fmt;

use http::{HeaderMap, header};

use crate::RawAnswer;

/// A response that something other than Paytend's API wrote, or that was changed on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// Status 3xx. Redirects are not followed: a signed request goes to the host it was made for.
    Redirect(u16),
    /// A compressed body, with the name of the coding. The client does not ask for one.
    Compressed(&'static str),
    /// A web page.
    Html,
    /// XML.
    Xml,
    /// Text in another encoding than UTF-8, by its byte order mark.
    Utf16,
    /// A byte order mark, and something other than a Paytend response behind it.
    ByteOrderMark,
    /// No body.
    Empty,
    /// Plain text.
    Text,
}

impl Foreign {
    /// Returns what a response that could not be opened looks like; `None` if it looks like JSON.
    pub(crate) fn of(raw: &RawAnswer) -> Option<Self> {
        let body = raw.body();
        if (300..400).contains(&raw.status()) {
            return Some(Self::Redirect(raw.status()));
        }
        if let Some(coding) = coding(raw.headers(), body) {
            return Some(Self::Compressed(coding));
        }
        if body.starts_with(&[0xfe, 0xff]) || body.starts_with(&[0xff, 0xfe]) {
            return Some(Self::Utf16);
        }
        let marked = body.strip_prefix(b"\xef\xbb\xbf");
        let text = marked.unwrap_or(body).trim_ascii_start();
        match text.first() {
            None => Some(Self::Empty),
            Some(b'<') if starts_with_ignoring_case(text, b"<?xml") => Some(Self::Xml),
            Some(b'<') => Some(Self::Html),
            Some(b'{') if marked.is_some() => Some(Self::ByteOrderMark),
            Some(b'{' | b'[') => None,
            Some(_) => Some(Self::Text),
        }
    }
}

/// The coding of a compressed body, by its header or by its first bytes.
fn coding(headers: &HeaderMap, body: &[u8]) -> Option<&'static str> {
    const CODINGS: [(&str, &str); 7] = [
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("deflate", "deflate"),
        ("br", "br"),
        ("zstd", "zstd"),
        ("compress", "compress"),
        ("x-compress", "compress"),
    ];
    let values = headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let named = values.flat_map(|value| value.split(',')).map(str::trim).find_map(|token| {
        CODINGS.into_iter().find(|(coding, _)| token.eq_ignore_ascii_case(coding)).map(|(_, name)| name)
    });
    named.or(match body {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        _ => None,
    })
}

fn starts_with_ignoring_case(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redirect(status) => {
                write!(f, "a redirect (HTTP {status}), which is not followed; check the base URL and the path")
            }
            Self::Compressed(coding) => {
                write!(f, "a body compressed with {coding}, which was not asked for; check the proxies on the way")
            }
            Self::Html => f.write_str("an HTML page; check the base URL, the path and the proxies on the way"),
            Self::Xml => f.write_str("an XML document; check the base URL and the path"),
            Self::Utf16 => f.write_str("text in UTF-16; responses are UTF-8"),
            Self::ByteOrderMark => f.write_str("JSON behind a byte order mark, and not a Paytend response"),
            Self::Empty => f.write_str("an empty body"),
            Self::Text => f.write_str("plain text; check the base URL, the path and the proxies on the way"),
        }
    }
}

impl std::error::Error for Foreign {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_response_is_named() {
        let of = |status, encoding: Option<&str>, body: &[u8]| {
            let headers = encoding.map(|value| (header::CONTENT_ENCODING, value.parse().unwrap()));
            Foreign::of(&RawAnswer::new(status, body.to_vec()).with_headers(headers.into_iter().collect()))
        };
        for (status, encoding, body, expected) in [
            (302, None, &b"{}"[..], Some(Foreign::Redirect(302))),
            (308, None, b"<html>", Some(Foreign::Redirect(308))),
            (200, Some("gzip"), b"\x1f\x8b\x08", Some(Foreign::Compressed("gzip"))),
            (200, Some("identity, X-GZip"), b"?", Some(Foreign::Compressed("gzip"))),
            (200, Some("br"), b"\x8b\x00", Some(Foreign::Compressed("br"))),
            (200, None, b"\x1f\x8b\x08", Some(Foreign::Compressed("gzip"))),
            (200, None, b"\x28\xb5\x2f\xfd", Some(Foreign::Compressed("zstd"))),
            (200, Some("utf-8"), b"{}", None),
            (502, None, b" \r\n<!DOCTYPE html>", Some(Foreign::Html)),
            (200, None, b"\xef\xbb\xbf<html>", Some(Foreign::Html)),
            (500, None, b"<?XML version='1.0'?>", Some(Foreign::Xml)),
            (200, None, b"\xff\xfe{\0", Some(Foreign::Utf16)),
            (200, None, b"\xef\xbb\xbf{}", Some(Foreign::ByteOrderMark)),
            (204, None, b"", Some(Foreign::Empty)),
            (503, None, b" \n", Some(Foreign::Empty)),
            (503, None, b"upstream connect error", Some(Foreign::Text)),
            (200, None, b"{\"respCode\":", None),
        ] {
            assert_eq!(of(status, encoding, body), expected, "{status} {encoding:?} {body:?}");
        }
    }
}
