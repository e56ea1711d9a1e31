//! Lenient parsing of the headers that a receiver reads. The signature decides whether a notification is authentic, so
//! an irrelevant or malformed header must not cause a rejection.

use http::{HeaderMap, HeaderValue, header};

use crate::error::Reason;

/// The content codings that change a body's bytes.
const CODINGS: [&str; 7] = ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress"];

/// Maximum number of signatures verified per request. A provider that rotates its key may send two signatures.
const MAX_SIGNATURES: usize = 4;

/// Returns the value of `Content-Encoding`, as an [`excerpt`], if it contains a real coding. Values such as `UTF-8`,
/// `none` or `8bit` are not codings.
pub(crate) fn coding(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::CONTENT_ENCODING);
    let compressed = values.iter().flat_map(entries).any(|entry| {
        let name = entry.split(|byte| *byte == b';').next().unwrap_or_default();
        CODINGS.iter().any(|coding| unquoted(name).eq_ignore_ascii_case(coding.as_bytes()))
    });
    compressed.then(|| excerpt_of_all(headers, &header::CONTENT_ENCODING))
}

/// Returns the distinct signatures in the `sign` headers.
///
/// Proxies may repeat headers, join equal headers with commas, or fold them. Some programs add quotes. Base64 contains
/// no commas, quotes or whitespace, so removing them cannot change a signature.
pub(crate) fn signatures(headers: &HeaderMap) -> Result<Vec<String>, Reason> {
    let mut signatures: Vec<String> = Vec::new();
    for entry in headers.get_all("sign").iter().flat_map(entries) {
        let visible: Vec<u8> = unquoted(entry).iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let signature = String::from_utf8_lossy(&visible);
        if !signature.is_empty() && !signatures.iter().any(|known| *known == signature) {
            if signatures.len() == MAX_SIGNATURES {
                return Err(Reason::TooManySignatures { limit: MAX_SIGNATURES });
            }
            signatures.push(signature.into_owned());
        }
    }
    if signatures.is_empty() { Err(Reason::Unsigned) } else { Ok(signatures) }
}

/// Returns all values of a header as a single [`excerpt`].
pub(crate) fn excerpt_of_all(headers: &HeaderMap, name: &http::HeaderName) -> String {
    let values: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    excerpt(&values.join(&b", "[..]))
}

/// Returns a received value in a form suitable for logs: at most 64 bytes, with everything but printable ASCII escaped.
pub(crate) fn excerpt(value: &[u8]) -> String {
    const MAX: usize = 64;
    let shown = value[..value.len().min(MAX)].escape_ascii();
    if value.len() > MAX { format!("{shown}…") } else { shown.to_string() }
}

fn entries(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',')
}

/// Removes whitespace and quotes from both ends of a value.
fn unquoted(text: &[u8]) -> &[u8] {
    let mut text = text.trim_ascii();
    while let [b'"' | b'\'', rest @ ..] | [rest @ .., b'"' | b'\''] = text {
        text = rest.trim_ascii();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_real_content_codings_are_returned() {
        for values in [
            &[][..],
            &[""],
            &[" "],
            &["identity"],
            &["UTF-8"],
            &["utf-8", "none"],
            &["8bit"],
            &["7bit, binary"],
            &["base64"],
            &["gzipped"],
            &["x-gzip-not"],
            &[","],
            &["\""],
            &["null"],
        ] {
            assert_eq!(coding(&headers("content-encoding", values)), None, "{values:?}");
        }
        for (values, shown) in [
            (&["gzip"][..], "gzip"),
            (&["GZip"], "GZip"),
            (&["x-gzip"], "x-gzip"),
            (&["deflate"], "deflate"),
            (&["br"], "br"),
            (&["zstd"], "zstd"),
            (&["compress"], "compress"),
            (&["X-Compress"], "X-Compress"),
            (&["identity,gzip"], "identity,gzip"),
            (&["UTF-8 ,\tBR "], "UTF-8 ,\\tBR "),
            (&["identity", "gzip"], "identity, gzip"),
            (&["gzip;q=1.0"], "gzip;q=1.0"),
            (&["\"gzip\""], "\\\"gzip\\\""),
        ] {
            assert_eq!(coding(&headers("content-encoding", values)).as_deref(), Some(shown), "{values:?}");
        }
    }

    #[test]
    fn quoted_folded_and_repeated_signatures_are_read() {
        for (values, expected) in [
            (&["AAA="][..], &["AAA="][..]),
            (&["  AAA=\t"], &["AAA="]),
            (&["\"AAA=\""], &["AAA="]),
            (&["'AAA='"], &["AAA="]),
            (&["AA \t A="], &["AAA="]),
            (&["AAA=", "AAA="], &["AAA="]),
            (&["AAA=, AAA="], &["AAA="]),
            (&["AAA=,BBB="], &["AAA=", "BBB="]),
            (&["", "AAA=", ","], &["AAA="]),
            (&["A+/=", "B", "C", "D", "A+/="], &["A+/=", "B", "C", "D"]),
        ] {
            let found = signatures(&headers("sign", values)).unwrap();
            assert_eq!(found, expected, "{values:?}");
        }
        for values in [&[][..], &[""], &[" , ,"], &["\"\""]] {
            assert_eq!(signatures(&headers("sign", values)), Err(Reason::Unsigned), "{values:?}");
        }
        let many = signatures(&headers("sign", &["A,B", "C,D,E"]));
        assert_eq!(many, Err(Reason::TooManySignatures { limit: 4 }));
    }

    #[test]
    fn excerpts_are_short_and_printable() {
        assert_eq!(excerpt(b"text/html"), "text/html");
        assert_eq!(excerpt(b"a\"b\r\n\xff\x1b"), "a\\\"b\\r\\n\\xff\\x1b");
        assert_eq!(excerpt(&[b'x'; 64]), "x".repeat(64));
        assert_eq!(excerpt(&[b'x'; 5000]), format!("{}…", "x".repeat(64)));
    }
}
