//! Which addresses may be asked at all.
//!
//! Whoever writes a feed's address, or answers with a redirect or a DNS record, chooses where this machine connects to. So
//! nothing but the public Internet is reached unless the operator has listed it: no loopback, no private network, no
//! cloud's metadata. The ranges are those of IANA's special-purpose registries (RFC 6890 and its updates), of which the
//! few that are globally reachable, such as 192.31.196.0/24, are left open. Addresses that carry another inside them are
//! judged by the inner one.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use ipnet::IpNet;

/// Each range that is refused, and what it is.
const REFUSED: [(&str, &str); 27] = [
    ("0.0.0.0/8", "this machine"),
    ("10.0.0.0/8", "a private network"),
    ("100.64.0.0/10", "a provider's inner network"),
    ("127.0.0.0/8", "loopback"),
    // Of these, 169.254.169.254 tells a cloud's secrets to whoever asks.
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "a private network"),
    ("192.0.0.0/24", "a protocol's own"),
    ("192.0.2.0/24", "for documentation"),
    ("192.88.99.0/24", "a relay of old"),
    ("192.168.0.0/16", "a private network"),
    ("198.18.0.0/15", "for benchmarks"),
    ("198.51.100.0/24", "for documentation"),
    ("203.0.113.0/24", "for documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    // Public by its number, and a cloud's metadata nevertheless.
    ("168.63.129.16/32", "a cloud's metadata"),
    ("::/96", "this machine"),
    ("64:ff9b:1::/48", "a local translation"),
    ("100::/64", "for discarding"),
    ("2001::/23", "a protocol's own"),
    ("2001:db8::/32", "for documentation"),
    ("2002::/16", "a tunnel"),
    ("3fff::/20", "for documentation"),
    ("fc00::/7", "a private network"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "a private network"),
    ("ff00::/8", "multicast"),
];

static RANGES: LazyLock<Vec<(IpNet, &str)>> = LazyLock::new(|| {
    let range = |(net, what): (&str, _)| (net.parse().expect("a range of the table is a range"), what);
    REFUSED.into_iter().map(range).collect()
});

/// An address that is not to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {what}, and `allow_private` of `[web]` does not list it")]
pub struct Forbidden {
    pub address: IpAddr,
    pub what: &'static str,
}

/// The rule for addresses, with the operator's exceptions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    allowed: Vec<IpNet>,
}

impl Guard {
    /// Lets these ranges through as well.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Says whether an address may be connected to.
    ///
    /// # Errors
    ///
    /// What the address is, where it may not.
    pub fn check(&self, address: IpAddr) -> Result<(), Forbidden> {
        let meant = inner(address);
        if self.allowed.iter().any(|net| net.contains(&meant) || net.contains(&address)) {
            return Ok(());
        }
        match RANGES.iter().find(|(net, _)| net.contains(&meant)) {
            Some((_, what)) => Err(Forbidden { address, what }),
            None => Ok(()),
        }
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291) or translated by NAT64 (RFC 6052).
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    if let Some(four) = six.to_ipv4_mapped() {
        return four.into();
    }
    match six.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => low_bits(six).into(),
        _ => address,
    }
}

fn low_bits(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_let_through(guard: &Guard, address: &str) -> bool {
        guard.check(address.parse().unwrap()).is_ok()
    }

    #[test]
    fn the_matrix_of_addresses() {
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        let open = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.31.196.1",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "168.63.129.15",
            "2606:4700::1111",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ];
        let guard = Guard::default();
        let wrong: Vec<_> = refused.into_iter().filter(|address| is_let_through(&guard, address)).collect();
        assert!(wrong.is_empty(), "let through: {wrong:?}");
        let wrong: Vec<_> = open.into_iter().filter(|address| !is_let_through(&guard, address)).collect();
        assert!(wrong.is_empty(), "refused: {wrong:?}");
    }

    #[test]
    fn what_is_listed_is_let_through_and_nothing_beside_it() {
        let guard = Guard::new(vec!["10.1.0.0/16".parse().unwrap(), "fd00::/16".parse().unwrap()]);
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd00::1"] {
            assert!(is_let_through(&guard, address), "{address}");
        }
        for address in ["10.2.0.1", "127.0.0.1", "fd01::1", "169.254.169.254"] {
            assert!(!is_let_through(&guard, address), "{address}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_address_is() {
        let refusal = Guard::default().check("169.254.169.254".parse().unwrap()).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "169.254.169.254 is link-local, and `allow_private` of `[web]` does not list it"
        );
    }
}
