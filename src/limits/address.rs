//! Which address a request counts for.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap},
};

const FORWARDED_FOR: &str = "x-forwarded-for";
/// A provider gives a home or a host at least this much of IPv6, and whoever has it can use any address of it.
const IPV6_NETWORK: u128 = !0 << 64;

/// Finds the address that counts, so many trusted proxies away.
#[derive(Debug)]
pub struct Addresses {
    hops: usize,
    has_warned: AtomicBool,
}

impl Addresses {
    pub(super) const fn behind(hops: u8) -> Self {
        Self { hops: hops as usize, has_warned: AtomicBool::new(false) }
    }

    /// Gives the address that counts; of IPv6 its /64.
    ///
    /// Each proxy adds the address it was called from to `X-Forwarded-For`, at the end. So behind one trusted
    /// proxy the last entry is true, whatever the viewer wrote before it. Without a proxy the header is the
    /// viewer's own word and not looked at.
    #[must_use]
    pub fn find(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        if self.hops == 0 {
            self.warn_of_a_proxy(headers);
            return peer.map(network);
        }
        let entries = forwarded(headers);
        // Fewer entries than proxies: somebody came in past the first ones, and the eldest is true.
        let counting = entries.len().saturating_sub(self.hops);
        let named = entries.get(counting).and_then(|entry| parse(entry));
        named.or(peer).map(network)
    }

    /// Behind a proxy nobody told of, all viewers are one.
    fn warn_of_a_proxy(&self, headers: &HeaderMap) {
        if headers.contains_key(FORWARDED_FOR) && !self.has_warned.swap(true, Relaxed) {
            tracing::warn!(
                "requests come with X-Forwarded-For: if that is a proxy of yours, set TRUSTED_PROXY_HOPS, or \
                 limits count all its viewers as one address"
            );
        }
    }
}

fn forwarded(headers: &HeaderMap) -> Vec<&str> {
    let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

/// Some proxies write the port, too.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| Some(entry.parse::<SocketAddr>().ok()?.ip()))
}

/// Gives what one holder has: an IPv4 address, or a /64 of IPv6.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(hops: u8, peer: Option<&str>, lines: &[&str]) -> Option<String> {
        let mut extensions = Extensions::new();
        if let Some(peer) = peer {
            extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4_000)));
        }
        let headers = lines.iter().map(|line| (FORWARDED_FOR.parse().unwrap(), line.parse().unwrap()));
        let found = Addresses::behind(hops).find(&headers.collect(), &extensions);
        found.map(|address| address.to_string())
    }

    #[test]
    fn without_a_proxy_only_the_peer_counts() {
        assert_eq!(find(0, Some("192.0.2.1"), &["198.51.100.9"]).unwrap(), "192.0.2.1");
        assert_eq!(find(0, None, &["198.51.100.9"]), None);
    }

    #[test]
    fn behind_proxies_what_they_wrote_counts_and_not_what_the_viewer_did() {
        let told = ["203.0.113.7, 198.51.100.9", "10.0.0.2"];

        assert_eq!(find(1, Some("10.0.0.1"), &told).unwrap(), "10.0.0.2");
        assert_eq!(find(2, Some("10.0.0.1"), &told).unwrap(), "198.51.100.9");
        assert_eq!(find(3, Some("10.0.0.1"), &told).unwrap(), "203.0.113.7");
        assert_eq!(find(4, Some("10.0.0.1"), &told).unwrap(), "203.0.113.7");
        assert_eq!(find(1, Some("10.0.0.1"), &["for=nobody"]).unwrap(), "10.0.0.1");
        assert_eq!(find(1, Some("10.0.0.1"), &[]).unwrap(), "10.0.0.1");
        assert_eq!(find(1, None, &[", ,"]), None);
    }

    #[test]
    fn an_address_counts_however_it_is_written() {
        for (written, counts) in [
            ("198.51.100.9:51000", "198.51.100.9"),
            ("::ffff:198.51.100.9", "198.51.100.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("[2001:db8:1:2::9]", "2001:db8:1:2::"),
            ("[2001:db8:1:2::9]:443", "2001:db8:1:2::"),
        ] {
            assert_eq!(find(1, None, &[written]).unwrap(), counts, "{written}");
        }
    }
}
