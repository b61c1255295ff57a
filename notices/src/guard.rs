//! Keeps requests to configured addresses out of the networks around this machine.
//!
//! An address typed or pasted into a setting must not become a way to a cloud's metadata service,
//! to a database or to a router. So: only HTTPS, only public addresses, and no redirect, unless
//! the host is named. The addresses checked are those that are connected to: the HTTP client asks
//! [`Guard`] for them, so that a name cannot be one address when it is checked and another when it
//! is used.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

/// Hosts and networks that may be reached although they are not public, such as
/// `hooks.intranet.example, 10.20.0.0/16`. A host named here may also be spoken to over plain HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    /// Lower case, without a final dot.
    hosts: Vec<String>,
    networks: Vec<IpNet>,
}

/// What is neither a host name nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected host names, addresses or networks such as hooks.example.org, 10.20.0.0/16")]
pub struct AllowError;

/// Why an address is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not HTTPS.
    #[error("only https:// is allowed, unless AUTOMATGLPI_NOTIFY_ALLOW names the host")]
    Scheme,
    /// It names no host.
    #[error("the address names no host")]
    NoHost,
    /// It leads into a network that is not public.
    #[error("the host is at {0}, which is not public; AUTOMATGLPI_NOTIFY_ALLOW can allow it")]
    NotPublic(IpAddr),
}

/// Lets requests out to where they may go. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allow: Arc<Allow>,
}

impl Guard {
    /// Public addresses, and what is allowed besides.
    pub fn new(allow: Allow) -> Self {
        Self { allow: Arc::new(allow) }
    }

    /// An HTTP client that only connects to where requests may go, follows no redirect, uses no
    /// proxy and repeats nothing by itself.
    pub fn client(
        &self,
        connect_timeout: Duration,
        timeout: Duration,
        ca: Option<&reqwest::Certificate>,
    ) -> Result<reqwest::Client, reqwest::Error> {
        let builder = reqwest::Client::builder()
            .dns_resolver(Arc::new(self.clone()))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(connect_timeout)
            .timeout(timeout)
            // Notices are rare: a connection kept would be dead by the next one.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("AutomatGLPI/", env!("CARGO_PKG_VERSION")));
        match ca {
            Some(ca) => builder.tls_certs_merge([ca.clone()]).build(),
            None => builder.build(),
        }
    }

    /// Checks what can be checked before a name is resolved. Call it before every request: the
    /// client resolves no literal address.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        let host = url.host_str().ok_or(Refused::NoHost)?;
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let named = match literal {
            Some(address) => self.allow.has_address(address),
            None => self.allow.has_host(host),
        };
        match url.scheme() {
            "https" => {}
            "http" if named => {}
            _ => return Err(Refused::Scheme),
        }
        match literal {
            Some(address) if !named && !is_public(address) => Err(Refused::NotPublic(address)),
            Some(_) | None => Ok(()),
        }
    }

    /// Those of a host's addresses that may be connected to; the first refused one if none may.
    fn reachable(&self, host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Refused> {
        if self.allow.has_host(host) {
            return Ok(found);
        }
        let allowed = |at: &SocketAddr| is_public(at.ip()) || self.allow.has_address(at.ip());
        let (reachable, refused): (Vec<_>, Vec<_>) = found.into_iter().partition(allowed);
        match refused.first() {
            Some(first) if reachable.is_empty() => Err(Refused::NotPublic(first.ip())),
            Some(_) | None => Ok(reachable),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            // The port is the client's to put in.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let reachable = this.reachable(name.as_str(), found)?;
            let addresses: Addrs = Box::new(reachable.into_iter());
            Ok(addresses)
        })
    }
}

/// The refusal behind a failed request, if that is what it was.
pub(crate) fn refusal<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Refused> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref() {
            return Some(refused);
        }
        cause = error.source();
    }
    None
}

impl Allow {
    fn has_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    /// An IPv4 address in IPv6 clothes is the IPv4 address.
    fn has_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for Allow {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        let mut allow = Self::default();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let bare = item.trim_matches(['[', ']']);
            if let Ok(network) = bare.parse::<IpNet>() {
                allow.networks.push(network);
            } else if let Ok(address) = bare.parse::<IpAddr>() {
                allow.networks.push(address.to_canonical().into());
            } else {
                allow.hosts.push(host_name(item).ok_or(AllowError)?);
            }
        }
        Ok(allow)
    }
}

/// The host name as addresses are compared with it: an accent is written as in the DNS.
fn host_name(text: &str) -> Option<String> {
    let url = Url::parse(&format!("https://{text}/")).ok()?;
    let alone = url.port().is_none() && url.username().is_empty() && url.path() == "/";
    let host = url.host_str().filter(|host| alone && host.parse::<IpAddr>().is_err())?;
    Some(host.trim_end_matches('.').to_owned()).filter(|host| !host.is_empty())
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks = self.networks.iter().map(ToString::to_string);
        let all: Vec<_> = self.hosts.iter().cloned().chain(networks).collect();
        f.write_str(&all.join(", "))
    }
}

/// Whether an address is one of the public internet: IANA's special-purpose registries say which
/// are not.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            PUBLIC_V6.contains(&address)
                && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

#[expect(
    clippy::ip_constant,
    reason = "a table of networks, some of whose first addresses have names"
)]
const SPECIAL_V4: [Ipv4Net; 17] = [
    v4(Ipv4Addr::new(0, 0, 0, 0), 8),       // this network
    v4(Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    v4(Ipv4Addr::new(100, 64, 0, 0), 10),   // carrier-grade NAT
    v4(Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    v4(Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local, cloud metadata
    v4(Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    v4(Ipv4Addr::new(192, 0, 0, 0), 24),    // protocol assignments
    v4(Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    v4(Ipv4Addr::new(192, 31, 196, 0), 24), // AS112
    v4(Ipv4Addr::new(192, 52, 193, 0), 24), // AMT
    v4(Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays
    v4(Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    v4(Ipv4Addr::new(192, 175, 48, 0), 24), // AS112
    v4(Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarks
    v4(Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    v4(Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    v4(Ipv4Addr::new(224, 0, 0, 0), 3),     // multicast, reserved, broadcast
];

/// All that is ever assigned to the public internet.
const PUBLIC_V6: Ipv6Net = v6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Within it. Outside of it are loopback, link-local, unique local, multicast, NAT64 and the rest.
const SPECIAL_V6: [Ipv6Net; 5] = [
    v6(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments, Teredo
    v6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    v6(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: holds any IPv4 address
    v6(Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112
    v6(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

const fn v4(address: Ipv4Addr, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(address, prefix)
}

const fn v6(address: Ipv6Addr, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(address, prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &str) -> Guard {
        Guard::new(allow.parse().unwrap())
    }

    fn checked(allow: &str, url: &str) -> Result<(), Refused> {
        guard(allow).check(&Url::parse(url).unwrap())
    }

    #[test]
    fn addresses_that_are_not_public_are_known() {
        for (address, public) in [
            ("1.1.1.1", true),
            ("9.255.255.255", true),
            ("100.63.255.255", true),
            ("100.128.0.0", true),
            ("172.32.0.1", true),
            ("192.167.255.255", true),
            ("223.255.255.255", true),
            ("2606:4700::1111", true),
            ("2a01:cb00::1", true),
            ("::ffff:1.1.1.1", true),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("127.255.0.1", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.0.0.170", false),
            ("192.0.2.1", false),
            ("192.168.1.1", false),
            ("198.19.255.255", false),
            ("203.0.113.7", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("::127.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b:1::1", false),
            ("100::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::1", false),
            ("3fff::1", false),
            ("fc00::1", false),
            ("fd12:3456::1", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn a_url_is_checked_before_its_name_is_resolved() {
        let private = |address: &str| Err(Refused::NotPublic(address.parse().unwrap()));
        for (allow, url, expected) in [
            ("", "https://hooks.slack.com/services/T/B/x", Ok(())),
            ("", "http://hooks.slack.com/services/T/B/x", Err(Refused::Scheme)),
            ("", "file:///etc/passwd", Err(Refused::NoHost)),
            ("", "ftp://example.org/", Err(Refused::Scheme)),
            ("", "https://127.0.0.1/", private("127.0.0.1")),
            ("", "https://127.1/", private("127.0.0.1")),
            ("", "https://2130706433/", private("127.0.0.1")),
            ("", "https://0x7f.0.0.1/", private("127.0.0.1")),
            ("", "https://0177.0.0.1/", private("127.0.0.1")),
            ("", "https://[::1]/", private("::1")),
            ("", "https://[::ffff:169.254.169.254]/", private("::ffff:169.254.169.254")),
            ("", "https://user:password@10.0.0.1/", private("10.0.0.1")),
            ("10.20.0.0/16", "https://10.20.1.1/", Ok(())),
            ("10.20.0.0/16", "https://10.21.1.1/", private("10.21.1.1")),
            ("10.20.0.0/16", "http://10.20.1.1/", Ok(())),
            ("127.0.0.1", "http://127.0.0.1:4000/", Ok(())),
            ("127.0.0.1", "http://[::ffff:127.0.0.1]:4000/", Ok(())),
            ("[::1]", "https://[::1]:4000/", Ok(())),
            ("Hooks.Intra.example.", "http://hooks.intra.example/", Ok(())),
            ("hooks.intra.example", "http://HOOKS.intra.example./", Ok(())),
            ("intra.example", "http://hooks.intra.example/", Err(Refused::Scheme)),
            ("réseau.example", "http://xn--rseau-bsa.example/", Ok(())),
        ] {
            assert_eq!(checked(allow, url), expected, "{url} where {allow:?} is allowed");
        }
    }

    #[test]
    fn of_a_name_only_addresses_that_may_be_reached_are_left() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let reach = |allow: &str, found: &[&str]| {
            let found = found.iter().map(|text| at(text)).collect();
            guard(allow).reachable("hooks.example", found)
        };
        let loopback = Err(Refused::NotPublic("127.0.0.1".parse().unwrap()));
        assert_eq!(reach("", &["127.0.0.1", "10.0.0.1"]), loopback);
        assert_eq!(reach("", &["10.0.0.1", "1.1.1.1"]), Ok(vec![at("1.1.1.1")]));
        assert_eq!(reach("127.0.0.0/8", &["127.0.0.1"]), Ok(vec![at("127.0.0.1")]));
        assert_eq!(reach("hooks.example", &["127.0.0.1"]), Ok(vec![at("127.0.0.1")]));
        assert_eq!(reach("other.example", &["127.0.0.1"]), loopback);
    }

    #[test]
    fn what_names_no_host_is_not_allowed() {
        for text in ["https://example.org", "a b", "example.org:80", "10.0.0.0/33", "a/b", "a@b"] {
            assert_eq!(text.parse::<Allow>(), Err(AllowError), "{text}");
        }
        let allow: Allow = " a.example ,, 10.0.0.0/8".parse().unwrap();
        assert_eq!(allow.to_string(), "a.example, 10.0.0.0/8");
    }
}
