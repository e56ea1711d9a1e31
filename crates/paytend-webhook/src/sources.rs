//! The source of a request: peer address, trusted proxies and the list of allowed sources.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

use crate::error::ConfigError;

/// The class of a request's source: listed or unlisted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// An address on the list, or any address if there is no list.
    Listed,
    /// An unlisted or unknown address.
    Other,
}

/// The allowed sources and the trusted proxies.
///
/// # Behind a proxy
/// The source is the connection's peer, unless the peer is one of the [trusted proxies](Self::trusted_proxies). For a
/// trusted proxy, the source is the last address in `X-Forwarded-For` that is not itself a trusted proxy. Repeated
/// headers are read in order. Earlier addresses are controlled by the sender and are ignored. If there is no such
/// address, or it cannot be parsed, the source is unknown and therefore unlisted. No other header is read. An
/// IPv4-mapped IPv6 address (`::ffff:203.0.113.7`) is treated as the IPv4 address.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    listed: Vec<IpNet>,
    proxies: Vec<IpNet>,
    pub(crate) only_listed: bool,
}

impl Sources {
    /// Creates a configuration that accepts requests from any source.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds addresses (`203.0.113.7`, `2001:db8::7`) and CIDR blocks (`203.0.113.0/24`, `2001:db8::/32`) to the list.
    /// Listed sources have a separate budget.
    ///
    /// # Errors
    /// Returns [`ConfigError::Source`] if an entry is neither an address nor a block.
    /// Returns [`ConfigError::HostBits`] if a block has address bits set beyond its prefix.
    pub fn allow<T: AsRef<str>>(mut self, blocks: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        for text in blocks {
            self.listed.push(block(text.as_ref())?);
        }
        Ok(self)
    }

    /// Adds the proxies in front of this server: see [above](Self#behind-a-proxy). The format is the same as for
    /// [`allow`](Self::allow).
    ///
    /// # Errors
    /// Returns [`ConfigError::Source`] if an entry is neither an address nor a block.
    /// Returns [`ConfigError::HostBits`] if a block has address bits set beyond its prefix.
    pub fn trusted_proxies<T: AsRef<str>>(mut self, proxies: impl IntoIterator<Item = T>) -> Result<Self, ConfigError> {
        for text in proxies {
            self.proxies.push(block(text.as_ref())?);
        }
        Ok(self)
    }

    /// Rejects requests from sources that are not on the list.
    #[must_use]
    pub fn only_listed(mut self) -> Self {
        self.only_listed = true;
        self
    }

    /// Returns the class of a request's source.
    pub fn source(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Source {
        if self.listed.is_empty() && !self.only_listed {
            return Source::Listed;
        }
        let address = self.address(peer, headers);
        let listed = address.is_some_and(|address| contains(&self.listed, address));
        if listed { Source::Listed } else { Source::Other }
    }

    /// Returns the source address of a request, if it can be determined.
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

/// Parses an entry of `X-Forwarded-For`. Some proxies add the port.
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
    // Convert a block of IPv4-mapped IPv6 addresses to IPv4, because addresses are compared in their IPv4 form.
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
    fn forwarded_for_is_read_only_from_trusted_proxies() {
        let sources = Sources::new().trusted_proxies(["10.0.0.0/8", "2001:db8:1::/48"]).unwrap();
        for (peer, lines, expected) in [
            // The header is ignored, because the peer is not a trusted proxy and can write any value into the header.
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
            // Addresses before an unreadable entry are ignored.
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
    fn listed_addresses_and_blocks_match() {
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
        // Without a list, every source counts as listed. An empty list with `only_listed` matches no source.
        assert_eq!(Sources::new().source(None, &HeaderMap::new()), Source::Listed);
        assert_eq!(Sources::new().only_listed().source(Some(ip("203.0.113.7")), &HeaderMap::new()), Source::Other);
    }

    #[test]
    fn error_contains_the_invalid_source() {
        for text in ["", "example.com", "203.0.113.0/33", "203.0.113/24", "2001:db8::/129"] {
            assert_eq!(Sources::new().allow([text]).unwrap_err(), ConfigError::Source(text.to_owned()));
        }
        let error = Sources::new().trusted_proxies(["203.0.113.7/24"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "203.0.113.7/24 has bits set beyond its prefix; use 203.0.113.0/24 for the block or 203.0.113.7 for the \
             single address"
        );
    }
}
