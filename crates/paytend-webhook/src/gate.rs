//! Checks a request before its body is read: its method, size, content coding and source.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Method, header};
use ipnet::IpNet;

use crate::config_error::ConfigError;
use crate::headers::{excerpt, excerpt_of_all};
use crate::provider::Provider;
use crate::receiver::{Reason, Rejection, check_body, check_length};

/// The rules for a request whose body has not been read yet. It must be a `POST`, not compressed, not too large, and come from an allowed
/// [source](Sources).
///
/// Everything else is for the signature to decide. The `Content-Type` is read only if the gate [requires JSON](Self::require_json), and a
/// `Content-Encoding` is refused only if it names a coding that changes the bytes (`gzip`, `deflate`, `br`, `zstd`, `compress`), not if it is
/// empty, `UTF-8` or `none`. No other header is read, apart from `Content-Length` and, behind a named proxy, `X-Forwarded-For`.
///
/// ```
/// use http::{HeaderMap, Method};
/// use paytend_webhook::{Gate, Provider, Source, Sources};
///
/// let gate = Gate::new().sources(Sources::new().allow(["203.0.113.0/24"])?);
/// let peer = Some("203.0.113.7".parse()?);
/// assert_eq!(gate.admit(Provider::Paytend, 65_536, &Method::POST, &HeaderMap::new(), peer)?, Source::Listed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gate {
    sources: Sources,
    json_only: bool,
}

impl Gate {
    /// Creates a gate for every source and every content type.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets where notifications may come from.
    #[must_use]
    pub fn sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// Refuses bodies whose `Content-Type` is given and is neither JSON nor plain text: neither `application/json`, `text/json`,
    /// `application/…+json` nor `text/plain`, with any parameters.
    ///
    /// By default the type is not read. What Paytend and PayerMax send is not documented, and no type makes an authentic notification less
    /// authentic.
    ///
    /// ```
    /// use http::{HeaderMap, HeaderValue, Method, header};
    /// use paytend_webhook::{Gate, Provider};
    ///
    /// let html = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/html"))]);
    /// let admit = |gate: Gate| gate.admit(Provider::PayBy, 65_536, &Method::POST, &html, None);
    /// assert!(admit(Gate::new()).is_ok());
    /// let rejection = admit(Gate::new().require_json()).unwrap_err();
    /// assert_eq!(rejection.to_string(), "PayBy: the Content-Type is \"text/html\"; the gate requires JSON");
    /// ```
    #[must_use]
    pub fn require_json(mut self) -> Self {
        self.json_only = true;
        self
    }

    /// Checks a request whose body may have at most `limit` bytes. `peer` is the other end of the connection, if it is known. Returns the class
    /// of its source.
    ///
    /// # Errors
    /// Returns a [`Rejection`] whose [`reason`](Rejection::reason) holds what was received. An [`Endpoint`](crate::server::Endpoint) logs it;
    /// log it yourself where you call this function yourself.
    pub fn admit(
        &self,
        provider: Provider,
        limit: usize,
        method: &Method,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Source, Rejection> {
        self.check(limit, method, headers, peer).map_err(|reason| Rejection::new(provider, reason))
    }

    /// The address that a request comes from, by the rule of its [`Sources`].
    pub fn address(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        self.sources.address(peer, headers)
    }

    fn check(
        &self,
        limit: usize,
        method: &Method,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> Result<Source, Reason> {
        let source = self.sources.source(peer, headers);
        if source == Source::Other && self.sources.only_listed {
            return Err(Reason::Source(self.sources.address(peer, headers)));
        }
        if method != Method::POST {
            return Err(Reason::Method(excerpt(method.as_str().as_bytes())));
        }
        if self.json_only && !headers.get_all(header::CONTENT_TYPE).iter().all(|value| may_be_json(value.as_bytes())) {
            return Err(Reason::ContentType(excerpt_of_all(headers, &header::CONTENT_TYPE)));
        }
        check_body(headers, &[], limit)?;
        // One that cannot be read as a number is the server's to refuse; the body is counted all the same.
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        announced.map_or(Ok(()), |length| check_length(length, limit))?;
        Ok(source)
    }
}

/// The parameters play no part: some clients name a charset that is not that of what they send, and the signature is over bytes.
fn may_be_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    matches!(&essence[..], b"" | b"application/json" | b"text/json" | b"text/plain")
        || (essence.starts_with(b"application/") && essence.ends_with(b"+json"))
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// An address on the list; without a list, any.
    Listed,
    /// Another one, or an unknown one.
    Other,
}

/// Where notifications come from.
///
/// # Behind a proxy
/// The source is the other end of the connection. Only if that is one of the proxies that are [named](Self::behind), it is what the proxy
/// says: of all addresses in `X-Forwarded-For`, in the order of the headers, the last one that is not itself a named proxy. What stands
/// before it was written by whoever sent it and counts for nothing. If there is no such address, or it cannot be read, the source is unknown,
/// and so on no list. No other header is read. An IPv4 address that is written as an IPv6 one (`::ffff:203.0.113.7`) is the IPv4 one.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    listed: Vec<IpNet>,
    proxies: Vec<IpNet>,
    only_listed: bool,
}

impl Sources {
    /// From everywhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds addresses (`203.0.113.7`, `2001:db8::7`) and blocks of them (`203.0.113.0/24`, `2001:db8::/32`) to the list. Those on it have a
    /// budget of their own.
    ///
    /// # Errors
    /// [`ConfigError::Source`] or [`ConfigError::HostBits`].
    pub fn allow<T: AsRef<str>>(mut self, blocks: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        for text in blocks {
            self.listed.push(block(text.as_ref())?);
        }
        Ok(self)
    }

    /// Names the proxies that are before this server, as in [`allow`](Self::allow): see [above](Self#behind-a-proxy).
    ///
    /// # Errors
    /// As [`allow`](Self::allow).
    pub fn behind<T: AsRef<str>>(mut self, proxies: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        for text in proxies {
            self.proxies.push(block(text.as_ref())?);
        }
        Ok(self)
    }

    /// Refuses whatever comes from elsewhere than the list.
    #[must_use]
    pub fn only_listed(mut self) -> Self {
        self.only_listed = true;
        self
    }

    /// Where a request comes from.
    pub fn source(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Source {
        if self.listed.is_empty() && !self.only_listed {
            return Source::Listed;
        }
        let address = self.address(peer, headers);
        let listed = address.is_some_and(|address| contains(&self.listed, address));
        if listed { Source::Listed } else { Source::Other }
    }

    /// The address that a request comes from, as far as it can be told.
    pub fn address(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer?.to_canonical();
        if !contains(&self.proxies, peer) {
            return Some(peer);
        }
        for line in headers.get_all("x-forwarded-for").iter().rev() {
            for entry in line.to_str().ok()?.rsplit(',') {
                let address = forwarded(entry.trim())?;
                if !contains(&self.proxies, address) {
                    return Some(address);
                }
            }
        }
        None
    }
}

fn contains(blocks: &[IpNet], address: IpAddr) -> bool {
    blocks.iter().any(|block| block.contains(&address))
}

/// An entry of `X-Forwarded-For`. Some proxies add the port.
fn forwarded(entry: &str) -> Option<IpAddr> {
    let address =
        entry.parse::<IpAddr>().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()));
    address.map(|address| address.to_canonical())
}

fn block(text: &str) -> Result<IpNet, ConfigError> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let block: IpNet = text.parse().map_err(|_| ConfigError::Source(text.to_owned()))?;
    if block.trunc() != block {
        return Err(ConfigError::HostBits {
            given: text.to_owned(),
            block: block.trunc().to_string(),
            address: block.addr().to_string(),
        });
    }
    // A block of IPv4 addresses that is written as one of IPv6 ones would never match.
    match block {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(v4) => ipnet::Ipv4Net::new(v4, v6.prefix_len() - 96)
                .map(IpNet::V4)
                .map_err(|_| ConfigError::Source(text.to_owned())),
            None => Ok(block),
        },
        _ => Ok(block),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded_for(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        headers
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_named_proxy_is_believed() {
        let sources = Sources::new().behind(["10.0.0.0/8", "2001:db8:1::/48"]).unwrap();
        for (peer, lines, expected) in [
            // No proxy: what the header says is the sender's invention.
            ("198.51.100.1", &["203.0.113.7"][..], Some("198.51.100.1")),
            ("10.0.0.1", &["203.0.113.7"], Some("203.0.113.7")),
            ("::ffff:10.0.0.1", &["203.0.113.7"], Some("203.0.113.7")),
            ("10.0.0.1", &["203.0.113.7, 198.51.100.1"], Some("198.51.100.1")),
            ("10.0.0.1", &["203.0.113.7", "198.51.100.1"], Some("198.51.100.1")),
            ("10.0.0.1", &["203.0.113.7, 10.9.9.9"], Some("203.0.113.7")),
            ("10.0.0.1", &["203.0.113.7", "10.9.9.9,2001:db8:1::5"], Some("203.0.113.7")),
            ("10.0.0.1", &["203.0.113.7:4711"], Some("203.0.113.7")),
            ("2001:db8:1::1", &["[2001:db8::7]:4711"], Some("2001:db8::7")),
            ("10.0.0.1", &["::ffff:203.0.113.7"], Some("203.0.113.7")),
            // Nothing is looked for behind what cannot be read.
            ("10.0.0.1", &["203.0.113.7, unknown"], None),
            ("10.0.0.1", &["203.0.113.7,"], None),
            ("10.0.0.1", &["10.1.1.1"], None),
            ("10.0.0.1", &[], None),
        ] {
            let address = sources.address(Some(ip(peer)), &forwarded_for(lines));
            assert_eq!(address, expected.map(ip), "{peer} {lines:?}");
        }
        assert_eq!(sources.address(None, &forwarded_for(&["203.0.113.7"])), None);
    }

    #[test]
    fn the_list_holds_addresses_and_blocks() {
        let sources =
            Sources::new().allow(["203.0.113.0/24", " 192.0.2.1 ", "2001:db8::/32", "::ffff:198.51.100.0/120"]);
        let sources = sources.unwrap();
        for (peer, expected) in [
            ("203.0.113.0", Source::Listed),
            ("203.0.113.255", Source::Listed),
            ("203.0.114.0", Source::Other),
            ("192.0.2.1", Source::Listed),
            ("192.0.2.2", Source::Other),
            ("2001:db8:ffff::1", Source::Listed),
            ("2001:db9::1", Source::Other),
            ("::ffff:203.0.113.9", Source::Listed),
            ("198.51.100.77", Source::Listed),
        ] {
            assert_eq!(sources.source(Some(ip(peer)), &HeaderMap::new()), expected, "{peer}");
        }
        assert_eq!(sources.source(None, &HeaderMap::new()), Source::Other);
        // Without a list everybody shares one budget; a binding list that is empty lets nobody in.
        assert_eq!(Sources::new().source(None, &HeaderMap::new()), Source::Listed);
        assert_eq!(Sources::new().only_listed().source(Some(ip("203.0.113.7")), &HeaderMap::new()), Source::Other);
    }

    #[test]
    fn sources_that_cannot_be_meant_are_named() {
        for text in ["", "example.com", "203.0.113.0/33", "203.0.113/24", "2001:db8::/129"] {
            assert_eq!(Sources::new().allow([text]).unwrap_err(), ConfigError::Source(text.to_owned()));
        }
        let error = Sources::new().behind(["203.0.113.7/24"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "203.0.113.7/24 has bits beyond its prefix; the block is 203.0.113.0/24, the one address 203.0.113.7"
        );
    }

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn check(gate: &Gate, method: &str, fields: &[(&'static str, &str)], peer: &str) -> Result<Source, Reason> {
        let admitted = gate.admit(Provider::PayBy, 1000, &method.parse().unwrap(), &headers(fields), Some(ip(peer)));
        admitted.map_err(|rejection| rejection.reason().clone())
    }

    #[test]
    fn content_type_is_read_only_if_json_is_required() {
        let json = Gate::new().require_json();
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
            assert!(check(&Gate::new(), "POST", &fields, "203.0.113.7").is_ok(), "{content_type}");
        }
        let both = [("content-type", "application/json"), ("content-type", "text/html")];
        let refused = Err(Reason::ContentType("application/json, text/html".into()));
        assert_eq!(check(&json, "POST", &both, "203.0.113.7"), refused);
        assert!(check(&Gate::new(), "POST", &both, "203.0.113.7").is_ok());
    }

    #[test]
    fn method_size_coding_and_source_are_checked() {
        let listed = Sources::new().allow(["203.0.113.7"]).unwrap();
        let gate = Gate::new().sources(listed.clone());
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
            ("POST", &[("expect", "a miracle"), ("transfer-encoding", "gzip")], Ok(Source::Other)),
        ] {
            assert_eq!(check(&gate, method, fields, "192.0.2.1"), expected, "{method} {fields:?}");
        }
        assert_eq!(check(&gate, "POST", &[], "203.0.113.7"), Ok(Source::Listed));
        let binding = Gate::new().sources(listed.only_listed());
        assert_eq!(check(&binding, "POST", &[], "192.0.2.1"), Err(Reason::Source(Some(ip("192.0.2.1")))));
        assert_eq!(check(&binding, "POST", &[], "203.0.113.7"), Ok(Source::Listed));
        let unknown = binding.admit(Provider::PayBy, 1000, &Method::POST, &HeaderMap::new(), None).unwrap_err();
        assert_eq!(unknown.reason(), &Reason::Source(None));
    }

    #[test]
    fn rejections_show_what_was_received() {
        let binding = Gate::new().sources(Sources::new().only_listed());
        let long = "x".repeat(5000);
        for (gate, method, fields, expected) in [
            (Gate::new(), "GET", &[][..], "the method is \"GET\"; notifications are sent by POST".to_owned()),
            (
                Gate::new(),
                "POST",
                &[("content-encoding", "gzip")],
                "the Content-Encoding is \"gzip\"; notifications are plain JSON".to_owned(),
            ),
            (
                Gate::new().require_json(),
                "POST",
                &[("content-type", &long)],
                format!("the Content-Type is \"{}…\"; the gate requires JSON", "x".repeat(64)),
            ),
            (
                Gate::new(),
                "POST",
                &[("content-length", "2000")],
                "the body has 2000 bytes or more; the receiver's limit, `max_bytes`, is 1000".to_owned(),
            ),
            (binding, "POST", &[], "the source address 192.0.2.1 is not on the list".to_owned()),
        ] {
            assert_eq!(check(&gate, method, fields, "192.0.2.1").unwrap_err().to_string(), expected);
        }
    }
}
