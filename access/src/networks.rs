//! Networks, and from which address a call really comes.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::IpNet;

/// A list of addresses and networks, such as `203.0.113.7,10.0.0.0/8,2001:db8::/32`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// It is no such list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("addresses and networks such as 203.0.113.7,10.0.0.0/8")]
pub struct BadNetworks;

impl FromStr for Networks {
    type Err = BadNetworks;

    fn from_str(text: &str) -> Result<Self, BadNetworks> {
        let network = |text: &str| {
            let text = text.trim();
            text.parse::<IpNet>()
                .or_else(|_no_network| text.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_nor_an_address| BadNetworks)
        };
        text.split(',').map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl Networks {
    /// Whether the address is in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a call comes from: the connection's other end or, if that is one of these proxies, the
    /// nearest address in `X-Forwarded-For` that is not. What a stranger writes there is ignored.
    pub fn origin<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let hops = forwarded_for.flat_map(|header| header.split(',')).map(str::trim);
        let hops: Vec<&str> = hops.collect();
        let mut origin = peer.to_canonical();
        for hop in hops.into_iter().rev() {
            if !self.contains(origin) {
                break;
            }
            // Some proxies write the port as well.
            let address = hop
                .parse()
                .or_else(|_no_address| hop.parse::<std::net::SocketAddr>().map(|it| it.ip()));
            let Ok(address) = address else { break };
            origin = address.to_canonical();
        }
        origin
    }
}

/// Whether a call's headers say that it came through a proxy.
pub fn says_forwarded(has_header: impl Fn(&str) -> bool) -> bool {
    ["forwarded", "x-forwarded-for", "x-real-ip", "via"].into_iter().any(has_header)
}

/// The network that counts as one source: one customer of IPv6 has at least a `/64` to choose from.
pub fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
    }
}

/// A network so large that there are few of them.
pub(crate) fn surroundings(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from(u32::from(address) >> 24 << 24)),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 112 << 112)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_of_addresses_and_networks_is_read() {
        let networks: Networks = "203.0.113.7, 10.0.0.0/8,2001:db8::/32".parse().unwrap();
        for inside in ["203.0.113.7", "10.9.8.7", "2001:db8::1", "::ffff:10.1.1.1"] {
            assert!(networks.contains(ip(inside)), "{inside}");
        }
        for outside in ["203.0.113.8", "11.0.0.0", "2001:db9::1"] {
            assert!(!networks.contains(ip(outside)), "{outside}");
        }
        for wrong in ["", "10.0.0.0/33", "example.org", "10.0.0.1;10.0.0.2"] {
            assert_eq!(wrong.parse::<Networks>(), Err(BadNetworks), "{wrong}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_where_a_call_comes_from() {
        let proxies: Networks = "127.0.0.1,10.0.0.0/8".parse().unwrap();
        for (peer, headers, origin) in [
            ("198.51.100.1", vec!["203.0.113.9"], "198.51.100.1"),
            ("127.0.0.1", vec!["203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", vec![], "127.0.0.1"),
            // The caller wrote the first one, the outer proxy the second.
            ("127.0.0.1", vec!["192.0.2.1, 203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", vec!["192.0.2.1", "203.0.113.9, 10.0.0.3"], "203.0.113.9"),
            ("::ffff:127.0.0.1", vec!["[2001:db8::5]:4711"], "2001:db8::5"),
            ("127.0.0.1", vec!["203.0.113.9, unknown"], "127.0.0.1"),
        ] {
            assert_eq!(proxies.origin(ip(peer), headers.into_iter()), ip(origin), "{peer}");
        }
        let none = Networks::default();
        assert_eq!(none.origin(ip("127.0.0.1"), ["1.2.3.4"].into_iter()), ip("127.0.0.1"));
    }

    #[test]
    fn neighbours_of_a_customers_network_are_one_source() {
        assert_eq!(source(ip("2001:db8::1")), source(ip("2001:db8::ffff:2")));
        assert_ne!(source(ip("2001:db8::1")), source(ip("2001:db8:0:1::1")));
        assert_ne!(source(ip("203.0.113.1")), source(ip("203.0.113.2")));
    }
}
