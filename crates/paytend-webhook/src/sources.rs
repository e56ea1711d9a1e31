//! Tells where requests come from: the peer's address, named proxies, the list of sources.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

use crate::config_error::ConfigError;

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
/// The source is the other end of the connection. Only if that is one of the proxies that are [named](Self::behind), it
/// is what the proxy says: of all addresses in `X-Forwarded-For`, in the order of the headers, the last one that is not
/// itself a named proxy. What stands before it was written by whoever sent it and counts for nothing. If there is no
/// such address, or it cannot be read, the source is unknown, and so on no list. No other header is read. An IPv4
/// address that is written as an IPv6 one (`::ffff:203.0.113.7`) is the IPv4 one.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    listed: Vec<IpNet>,
    proxies: Vec<IpNet>,
    pub(crate) only_listed: bool,
}

impl Sources {
    /// From everywhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds addresses (`203.0.113.7`, `2001:db8::7`) and blocks of them (`203.0.113.0/24`, `2001:db8::/32`) to the
    /// list. Those on it have a budget of their own.
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
}
