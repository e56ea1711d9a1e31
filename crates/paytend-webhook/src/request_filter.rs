//! Checks requests before their bodies are read: method, size, content coding and source.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, Method, header};

use crate::error::Reason;
use crate::headers::{excerpt, excerpt_of_all};
use crate::provider::Provider;
use crate::receiver::{Rejection, check_body, check_length};
use crate::sources::{Source, Sources};

/// Checks on a request before its body is read. The request must be a `POST` from an allowed [source](Sources), and
/// must not be compressed or too large.
///
/// The receiver performs all other checks when it verifies the signature. The `Content-Type` is checked only if the
/// filter [requires JSON](Self::require_json). A `Content-Encoding` is rejected only if it contains a coding that
/// changes the bytes (`gzip`, `deflate`, `br`, `zstd`, `compress`). An empty value, `UTF-8` and `none` are allowed. The
/// only other headers read are `Content-Length` and, behind a trusted proxy, `X-Forwarded-For`.
///
/// ```
/// use http::{HeaderMap, Method};
/// use paytend_webhook::{RequestFilter, Provider, Source, Sources};
///
/// let filter = RequestFilter::new().sources(Sources::new().allow(["203.0.113.0/24"])?);
/// let peer = Some("203.0.113.7".parse()?);
/// assert_eq!(filter.check(Provider::Paytend, 65_536, &Method::POST, &HeaderMap::new(), peer)?, Source::Listed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    sources: Sources,
    json_only: bool,
}

impl RequestFilter {
    /// Creates a filter that accepts requests from any source and with any content type.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the allowed sources and the trusted proxies.
    #[must_use]
    pub fn sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// Rejects requests with a `Content-Type` that is neither JSON nor plain text. The allowed types are
    /// `application/json`, `text/json`, `application/…+json` and `text/plain`, with any parameters.
    ///
    /// By default the content type is not checked. The types that Paytend and PayerMax send are not documented, and the
    /// signature decides whether a notification is authentic.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue, Method, header};
    /// use paytend_webhook::{RequestFilter, Provider};
    ///
    /// let html = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/html"))]);
    /// let check = |filter: RequestFilter| filter.check(Provider::PayBy, 65_536, &Method::POST, &html, None);
    /// assert!(check(RequestFilter::new()).is_ok());
    /// let rejection = check(RequestFilter::new().require_json()).unwrap_err();
    /// assert_eq!(rejection.to_string(), "PayBy: the Content-Type is \"text/html\"; the filter requires JSON");
    /// ```
    #[must_use]
    pub fn require_json(mut self) -> Self {
        self.json_only = true;
        self
    }

    /// Checks a request and returns the class of its source. `limit` is the maximum size of its body in bytes, and
    /// `peer` is the peer address of the connection, if known.
    ///
    /// # Errors
    /// Returns a [`Rejection`] if a check fails; its [`reason`](Rejection::reason) contains the received value. The
    /// endpoints of the `server` feature log it. Direct callers must log it themselves.
    pub fn check(
        &self,
        provider: Provider,
        limit: usize,
        method: &Method,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Source, Rejection> {
        self.admit(limit, method, headers, peer).map_err(|reason| Rejection::new(provider, reason))
    }

    /// Returns the source address of a request, determined as described in [`Sources`](Sources#behind-a-proxy).
    pub fn address(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        self.sources.address(peer, headers)
    }

    fn admit(
        &self,
        limit: usize,
        method: &Method,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Source, Reason> {
        let source = self.sources.source(peer, headers);
        if source == Source::Other && self.sources.only_listed {
            let forwarded_for = HeaderName::from_static("x-forwarded-for");
            return Err(Reason::Source {
                address: self.sources.address(peer, headers),
                forwarded_for: headers.contains_key(&forwarded_for).then(|| excerpt_of_all(headers, &forwarded_for)),
            });
        }
        if method != Method::POST {
            return Err(Reason::Method(excerpt(method.as_str().as_bytes())));
        }
        if self.json_only && !headers.get_all(header::CONTENT_TYPE).iter().all(|value| may_be_json(value.as_bytes())) {
            return Err(Reason::ContentType(excerpt_of_all(headers, &header::CONTENT_TYPE)));
        }
        check_body(headers, &[], limit)?;
        // An invalid length is ignored here, because the server rejects it and the bytes of the body are counted
        // anyway.
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        announced.map_or(Ok(()), |length| check_length(length, limit))?;
        Ok(source)
    }
}

/// Returns whether a content type is JSON or plain text. Parameters are ignored, because some clients declare a charset
/// that they do not use, and the signature covers the bytes.
fn may_be_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    matches!(&essence[..], b"" | b"application/json" | b"text/json" | b"text/plain")
        || (essence.starts_with(b"application/") && essence.ends_with(b"+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn check(
        filter: &RequestFilter,
        method: &str,
        fields: &[(&'static str, &str)],
        peer: &str,
    ) -> Result<Source, Reason> {
        let admitted = filter.check(Provider::PayBy, 1000, &method.parse().unwrap(), &headers(fields), Some(ip(peer)));
        admitted.map_err(|rejection| rejection.reason().clone())
    }

    #[test]
    fn content_type_is_read_only_if_json_is_required() {
        let json = RequestFilter::new().require_json();
        for content_type in [
            "application/json",
            "Application/JSON; charset=GBK",
            "text/plain",
            "application/problem+json",
            "",
            " text/json",
        ] {
            assert!(check(&json, "POST", &[("content-type", content_type)], "203.0.113.7").is_ok(), "{content_type}");
        }
        for content_type in
            ["text/html", "multipart/form-data; boundary=json", "application/jsonx", "application/x+jsonp", "*/*"]
        {
            let fields = [("content-type", content_type)];
            let refused = Err(Reason::ContentType(content_type.to_owned()));
            assert_eq!(check(&json, "POST", &fields, "203.0.113.7"), refused);
            assert!(check(&RequestFilter::new(), "POST", &fields, "203.0.113.7").is_ok(), "{content_type}");
        }
        let both = [("content-type", "application/json"), ("content-type", "text/html")];
        let refused = Err(Reason::ContentType("application/json, text/html".into()));
        assert_eq!(check(&json, "POST", &both, "203.0.113.7"), refused);
        assert!(check(&RequestFilter::new(), "POST", &both, "203.0.113.7").is_ok());
    }

    #[test]
    fn method_size_coding_and_source_are_checked() {
        let source = |address, forwarded: Option<&str>| Reason::Source {
            address: Some(ip(address)),
            forwarded_for: forwarded.map(str::to_owned),
        };
        let listed = Sources::new().allow(["203.0.113.7"]).unwrap();
        let filter = RequestFilter::new().sources(listed.clone());
        let too_large = |length| Err(Reason::TooLarge { length, limit: 1000 });
        for (method, fields, expected) in [
            ("GET", &[][..], Err(Reason::Method("GET".into()))),
            ("PUT", &[("x-http-method-override", "POST")], Err(Reason::Method("PUT".into()))),
            ("POST", &[("x-http-method-override", "PUT")], Ok(Source::Other)),
            ("POST", &[("content-encoding", "gzip")], Err(Reason::Encoded("gzip".into()))),
            ("POST", &[("content-encoding", "utf-8")], Ok(Source::Other)),
            ("POST", &[("content-length", "1001")], too_large(1001)),
            ("POST", &[("content-length", "18446744073709551615")], too_large(u64::MAX)),
            ("POST", &[("content-length", "1000"), ("content-length", "1000")], Ok(Source::Other)),
            ("POST", &[("expect", "nonsense"), ("transfer-encoding", "gzip")], Ok(Source::Other)),
        ] {
            assert_eq!(check(&filter, method, fields, "192.0.2.1"), expected, "{method} {fields:?}");
        }
        assert_eq!(check(&filter, "POST", &[], "203.0.113.7"), Ok(Source::Listed));
        let binding = RequestFilter::new().sources(listed.only_listed());
        assert_eq!(check(&binding, "POST", &[], "192.0.2.1"), Err(source("192.0.2.1", None)));
        let forwarded = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-for", "x")];
        let refused = Err(source("192.0.2.1", Some("203.0.113.7, x")));
        assert_eq!(check(&binding, "POST", &forwarded, "192.0.2.1"), refused);
        assert_eq!(check(&binding, "POST", &[], "203.0.113.7"), Ok(Source::Listed));
        let unknown = binding.check(Provider::PayBy, 1000, &Method::POST, &HeaderMap::new(), None).unwrap_err();
        assert_eq!(unknown.reason(), &Reason::Source { address: None, forwarded_for: None });
    }

    #[test]
    fn rejections_contain_the_received_value() {
        let binding = RequestFilter::new().sources(Sources::new().only_listed());
        let long = "x".repeat(5000);
        for (filter, method, fields, expected) in [
            (RequestFilter::new(), "GET", &[][..], "the method is \"GET\"; notifications are sent by POST".to_owned()),
            (
                RequestFilter::new(),
                "POST",
                &[("content-encoding", "gzip")],
                "the Content-Encoding is \"gzip\"; notifications must not be compressed".to_owned(),
            ),
            (
                RequestFilter::new().require_json(),
                "POST",
                &[("content-type", &long)],
                format!("the Content-Type is \"{}…\"; the filter requires JSON", "x".repeat(64)),
            ),
            (
                RequestFilter::new(),
                "POST",
                &[("content-length", "2000")],
                "the body has 2000 bytes or more; the receiver's limit, `max_bytes`, is 1000".to_owned(),
            ),
            (binding.clone(), "POST", &[], "the source address 192.0.2.1 is not on the list".to_owned()),
            (
                binding,
                "POST",
                &[("x-forwarded-for", "203.0.113.7")],
                "the source address 192.0.2.1 is not on the list; X-Forwarded-For is \"203.0.113.7\" \
                 but is ignored because the peer is not a trusted proxy"
                    .to_owned(),
            ),
        ] {
            assert_eq!(check(&filter, method, fields, "192.0.2.1").unwrap_err().to_string(), expected);
        }
    }
}
