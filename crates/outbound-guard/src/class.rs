//! What kind of address an address is, whichever way it is written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Kinds of addresses, the more delicate the later.
///
/// Source: <https://www.iana.org/assignments/iana-ipv4-special-registry/> and the one for IPv6, read 2026-11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressClass {
    /// The whole world can reach it.
    Public,
    /// Set aside for documents, measurements, protocols, the future.
    Special,
    /// Of a private network, or shared by the customers of a carrier.
    Private,
    /// This machine.
    Loopback,
    /// Of the link; clouds hand out credentials there to whoever asks.
    LinkLocal,
    /// Of a group, or of everybody.
    Multicast,
    /// Where a cloud answers questions about the machine.
    Metadata,
}

impl AddressClass {
    /// Sorts an address. One that stands for an IPv4 address is what that one is, or worse.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Public => "public",
            Self::Special => "reserved",
            Self::Private => "private",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Multicast => "multicast",
            Self::Metadata => "metadata",
        })
    }
}

fn of_v4(address: Ipv4Addr) -> AddressClass {
    // Azure, Alibaba, Oracle; those of the others are addresses of the link.
    const METADATA: [Ipv4Addr; 3] =
        [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
    match address.octets() {
        _ if METADATA.contains(&address) => AddressClass::Metadata,
        [127, ..] | [0, 0, 0, 0] => AddressClass::Loopback,
        [169, 254, ..] => AddressClass::LinkLocal,
        [255, 255, 255, 255] | [224..=239, ..] => AddressClass::Multicast,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => AddressClass::Private,
        [0, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [240..=255, ..] => AddressClass::Special,
        _ => AddressClass::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> AddressClass {
    // The metadata services of Amazon and Google have addresses outside of the link as well.
    const METADATA: [Ipv6Addr; 2] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    ];
    if METADATA.contains(&address) {
        return AddressClass::Metadata;
    }
    if address.is_unspecified() || address.is_loopback() {
        return AddressClass::Loopback;
    }
    let segments = address.segments();
    let inner = |high: u16, low: u16| of_v4(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)));
    let [.., high, low] = segments;
    match segments {
        // Mapped and translated (RFC 4291, RFC 2765), and through the well-known prefix of NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            inner(high, low)
        }
        // "Compatible": given up long ago.
        [0, 0, 0, 0, 0, 0, ..] => inner(high, low).max(AddressClass::Special),
        // Prefixes of NAT64 in a network of one's own (RFC 8215): where the IPv4 address is in it depends on the length.
        [0x64, 0xff9b, 1, first, second, third, ..] => {
            let places = [(high, low), (first, (second << 8) | (third >> 8))];
            let inners = places.into_iter().filter(|place| *place != (0, 0));
            inners.map(|(high, low)| inner(high, low)).fold(AddressClass::Private, AddressClass::max)
        }
        // 6to4 and Teredo, which hides the address by turning its bits.
        [0x2002, first, second, ..] => inner(first, second).max(AddressClass::Special),
        [0x2001, 0, ..] => inner(!high, !low).max(AddressClass::Special),
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        // Unique local, and the site-local ones before them.
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => AddressClass::Private,
        // The rest of what is kept for protocols, measurements and documents.
        [0x2001, 1..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => AddressClass::Special,
        [0x2000..=0x3fff, ..] => AddressClass::Public,
        _ => AddressClass::Special,
    }
}

#[cfg(test)]
mod tests {
    use super::AddressClass::{LinkLocal, Loopback, Metadata, Multicast, Private, Public, Special};
    use super::*;

    #[test]
    fn every_way_to_write_an_address_is_seen_through() {
        for (address, expected) in [
            ("8.8.8.8", Public),
            ("172.15.255.255", Public),
            ("172.32.0.0", Public),
            ("100.63.255.255", Public),
            ("100.128.0.0", Public),
            ("127.0.0.1", Loopback),
            ("127.255.255.254", Loopback),
            ("0.0.0.0", Loopback),
            ("0.1.2.3", Special),
            ("10.1.2.3", Private),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("192.168.1.1", Private),
            ("100.64.0.1", Private),
            ("100.100.100.200", Metadata),
            ("168.63.129.16", Metadata),
            ("192.0.0.192", Metadata),
            ("169.254.169.254", LinkLocal),
            ("169.254.170.2", LinkLocal),
            ("192.0.2.1", Special),
            ("198.18.0.1", Special),
            ("203.0.113.9", Special),
            ("224.0.0.1", Multicast),
            ("255.255.255.255", Multicast),
            ("240.0.0.1", Special),
            ("2606:4700::1111", Public),
            ("2a00:1450:4001::1", Public),
            ("::", Loopback),
            ("::1", Loopback),
            ("::2", Special),
            ("::127.0.0.1", Loopback),
            ("::ffff:127.0.0.1", Loopback),
            ("::ffff:8.8.8.8", Public),
            ("::ffff:169.254.169.254", LinkLocal),
            ("::ffff:0:10.0.0.1", Private),
            ("64:ff9b::8.8.8.8", Public),
            ("64:ff9b::127.0.0.1", Loopback),
            ("64:ff9b::a9fe:a9fe", LinkLocal),
            ("64:ff9b:1::8.8.8.8", Private),
            ("64:ff9b:1::169.254.169.254", LinkLocal),
            ("64:ff9b:1:a9fe:a9:fe00::", LinkLocal),
            ("64:ff9b:1:808:8:800::", Private),
            ("2002:808:808::1", Special),
            ("2002:7f00:1::1", Loopback),
            ("2001:0:1:2:3:4:8000:fffe", Loopback),
            ("2001:db8::1", Special),
            ("3fff:123::1", Special),
            ("fe80::1", LinkLocal),
            ("febf::1", LinkLocal),
            ("fec0::1", Private),
            ("fd12::1", Private),
            ("fc00::1", Private),
            ("fd00:ec2::254", Metadata),
            ("fd20:ce::254", Metadata),
            ("ff02::1", Multicast),
            ("4000::1", Special),
            ("100::1", Special),
        ] {
            assert_eq!(AddressClass::of(address.parse().unwrap()), expected, "{address}");
        }
    }
}
