//! What is looked at before a body is read: method, type, size, and where it comes from.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Method, header};
use ipnet::IpNet;

use crate::config_error::ConfigError;
use crate::provider::Provider;
use crate::receiver::{Reason, Rejection, check_body};

/// The rules for a request whose body nobody has read yet: a `POST`, of JSON, plain, not too large, from where it may come from.
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
    any_content_type: bool,
}

impl Gate {
    /// A gate for everybody's JSON.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets where notifications may come from.
    #[must_use]
    pub fn sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// Takes bodies of every `Content-Type`.
    ///
    /// By default one of JSON is taken (`application/json`, `text/json`, `application/…+json`, whatever its parameters say), `text/plain`, and
    /// none. What Paytend and PayerMax send is not documented; PayBy's is JSON.
    #[must_use]
    pub fn any_content_type(mut self) -> Self {
        self.any_content_type = true;
        self
    }

    /// Whether a body of at most `limit` bytes is to be read. `peer` is the other end of the connection, if it is known.
    ///
    /// # Errors
    /// A [`Rejection`] with what anybody can see is wrong.
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
            return Err(Reason::Source);
        }
        if method != Method::POST {
            return Err(Reason::Method);
        }
        if !self.any_content_type
            && !headers.get_all(header::CONTENT_TYPE).iter().all(|value| may_be_json(value.as_bytes()))
        {
            return Err(Reason::ContentType);
        }
        check_body(headers, &[], limit)?;
        // One that cannot be read as a number is the server's to refuse; the body is counted all the same.
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
            return Err(Reason::TooLarge);
        }
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

    #[test]
    fn what_a_gate_lets_through() {
        let headers = |fields: &[(&'static str, &str)]| {
            HeaderMap::from_iter(fields.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())))
        };
        let listed = Sources::new().allow(["203.0.113.7"]).unwrap();
        let gate = Gate::new().sources(listed.clone());
        let check = |gate: &Gate, method: Method, fields: &[(&'static str, &str)], peer: &str| {
            gate.admit(Provider::PayBy, 1000, &method, &headers(fields), Some(ip(peer))).map_err(|r| r.reason().clone())
        };
        for content_type in [
            "application/json",
            "Application/JSON; charset=GBK",
            "text/plain",
            "application/problem+json",
            "",
            " text/json",
        ] {
            let source = check(&gate, Method::POST, &[("content-type", content_type)], "203.0.113.7");
            assert_eq!(source, Ok(Source::Listed), "{content_type}");
        }
        for content_type in
            ["text/html", "multipart/form-data; boundary=json", "application/jsonx", "application/x+jsonp"]
        {
            let refused = check(&gate, Method::POST, &[("content-type", content_type)], "203.0.113.7");
            assert_eq!(refused, Err(Reason::ContentType), "{content_type}");
            let any = gate.clone().any_content_type();
            assert!(check(&any, Method::POST, &[("content-type", content_type)], "203.0.113.7").is_ok());
        }
        for (method, fields, expected) in [
            (Method::GET, &[][..], Err(Reason::Method)),
            (Method::PUT, &[], Err(Reason::Method)),
            (Method::POST, &[("content-encoding", "gzip")], Err(Reason::Encoded)),
            (Method::POST, &[("content-length", "1001")], Err(Reason::TooLarge)),
            (Method::POST, &[("content-length", "18446744073709551615")], Err(Reason::TooLarge)),
            (Method::POST, &[("content-length", "1000")], Ok(Source::Other)),
        ] {
            assert_eq!(check(&gate, method, fields, "192.0.2.1"), expected);
        }
        let binding = Gate::new().sources(listed.only_listed());
        assert_eq!(check(&binding, Method::POST, &[], "192.0.2.1"), Err(Reason::Source));
        assert_eq!(check(&binding, Method::POST, &[], "203.0.113.7"), Ok(Source::Listed));
    }
}
