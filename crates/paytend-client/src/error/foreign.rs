//! Descriptions of responses that did not come from Paytend, for error messages.

use std::fmt;

use http::{HeaderMap, header};

use crate::transport::response::RawResponse;

/// A response that does not come from Paytend's API, or that was changed in transit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// Status 3xx. Redirects are not followed, because a signed request is intended for a single host.
    Redirect(u16),
    /// A compressed body, with the name of its content coding. The client does not request compression.
    Compressed(&'static str),
    /// A web page.
    Html,
    /// XML.
    Xml,
    /// Text in UTF-16, detected by its byte order mark.
    Utf16,
    /// JSON that begins with a byte order mark. Paytend's responses never begin with one.
    ByteOrderMark,
    /// No body.
    Empty,
    /// Plain text.
    Text,
}

impl Foreign {
    /// Classifies a response that could not be opened. Returns `None` if it looks like JSON.
    pub(crate) fn of(raw: &RawResponse) -> Option<Self> {
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

/// Returns the content coding of a compressed body, from its header or its first bytes.
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
                write!(
                    f,
                    "a redirect (HTTP {status}), which the client does not follow; check the base URL and the path"
                )
            }
            Self::Compressed(coding) => {
                write!(
                    f,
                    "a body compressed with {coding}, which the client did not request; check intermediate proxies"
                )
            }
            Self::Html => f.write_str("an HTML page; check the base URL, the path and intermediate proxies"),
            Self::Xml => f.write_str("an XML document; check the base URL and the path"),
            Self::Utf16 => f.write_str("text in UTF-16, but Paytend responds in UTF-8; check intermediate proxies"),
            Self::ByteOrderMark => {
                f.write_str("JSON that begins with a byte order mark, which Paytend never sends; check the base URL")
            }
            Self::Empty => f.write_str("an empty body"),
            Self::Text => f.write_str("plain text; check the base URL, the path and intermediate proxies"),
        }
    }
}

impl std::error::Error for Foreign {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_response_is_classified() {
        let of = |status, encoding: Option<&str>, body: &[u8]| {
            let headers = encoding.map(|value| (header::CONTENT_ENCODING, value.parse().unwrap()));
            Foreign::of(&RawResponse::new(status, body.to_vec()).with_headers(headers.into_iter().collect()))
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
