//! To which addresses the control plane connects when somebody else names them.
//!
//! Whoever may import a cluster or name an engine makes this process connect somewhere. Without a rule he looks with its eyes
//! at what only it can see.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;

/// Which addresses are connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRule {
    /// All but those of the link, where clouds hand out credentials to whoever asks.
    PrivateToo,
    /// Only those that the whole world can reach.
    PublicOnly,
}

/// An address that is not connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedAddress {
    /// It is loopback or private, and the rule forbids these.
    #[error(
        "`{0}` is a loopback or private address, and this installation connects to public ones only: whoever runs it may set \
         `control-plane.private-addresses` to `true`"
    )]
    Private(IpAddr),
    /// It never is where a service runs.
    #[error("`{0}` is a link-local, multicast or metadata address, which is never connected to")]
    Never(IpAddr),
}

impl AddressRule {
    /// Whether this address may be connected to.
    pub fn check(self, address: IpAddr) -> Result<(), RefusedAddress> {
        let address = address.to_canonical();
        let (is_never, is_public) = match address {
            IpAddr::V4(address) => (is_never_v4(address), is_public_v4(address)),
            IpAddr::V6(address) => (is_never_v6(address), is_public_v6(address)),
        };
        match self {
            _ if is_never => Err(RefusedAddress::Never(address)),
            Self::PublicOnly if !is_public => Err(RefusedAddress::Private(address)),
            Self::PublicOnly | Self::PrivateToo => Ok(()),
        }
    }

    /// The same for the host of an address, where it is written as a number; names are looked at when they are resolved.
    pub fn check_host(self, host: &str) -> Result<(), RefusedAddress> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        bare.parse().map_or(Ok(()), |address| self.check(address))
    }
}

fn is_never_v4(address: Ipv4Addr) -> bool {
    // Where Azure and Alibaba answer questions about the machine.
    const METADATA: [Ipv4Addr; 2] = [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200)];
    address.is_link_local() || address.is_multicast() || address.is_broadcast() || METADATA.contains(&address)
}

fn is_never_v6(address: Ipv6Addr) -> bool {
    // The metadata services of Amazon and Google have addresses outside of the link as well.
    const METADATA: [Ipv6Addr; 2] = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    ];
    let [first, second, .., high, low] = address.segments();
    let is_translated = first == 0x64 && second == 0xff9b;
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    address.is_unicast_link_local()
        || address.is_multicast()
        || METADATA.contains(&address)
        || (is_translated && is_never_v4(Ipv4Addr::new(a, b, c, d)))
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    !(address.is_loopback()
        || address.is_private()
        || address.is_documentation()
        || first == 0
        // For protocols (RFC 6890); Oracle answers questions about the machine there.
        || address.octets().starts_with(&[192, 0, 0])
        // Shared by carriers (RFC 6598), and for measuring (RFC 2544).
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second))
        || first >= 240)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Addresses that stand for IPv4 ones reach wherever those are: translation (RFC 6052) and 6to4.
    let is_translated = (first == 0x64 && second == 0xff9b) || first == 0x2002;
    !(address.is_loopback() || address.is_unspecified() || address.is_unique_local() || is_translated)
}

/// Resolves names, and refuses those that lead where the rule forbids. What was looked at is what is connected to: a name that
/// answers differently the next time gains nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GuardedResolver(pub(crate) AddressRule);

impl tower::Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let rule = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map_err(|source| io::Error::other(Unresolved { name: name.as_str().to_owned(), source }))?
                .collect();
            for address in &found {
                rule.check(address.ip()).map_err(io::Error::other)?;
            }
            Ok(found.into_iter())
        })
    }
}

/// A name that has no address.
#[derive(Debug)]
struct Unresolved {
    name: String,
    source: io::Error,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the name `{}` has no address", self.name)
    }
}

impl std::error::Error for Unresolved {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_sorted_into_public_private_and_never() {
        for (address, is_private_ok, is_public_ok) in [
            ("8.8.8.8", true, true),
            ("2606:4700::1111", true, true),
            ("127.0.0.1", true, false),
            ("0.0.0.0", true, false),
            ("10.1.2.3", true, false),
            ("172.31.0.1", true, false),
            ("192.168.1.1", true, false),
            ("100.64.0.1", true, false),
            ("192.0.0.192", true, false),
            ("168.63.129.16", false, false),
            ("100.100.100.200", false, false),
            ("fd20:ce::254", false, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("::1", true, false),
            ("::ffff:127.0.0.1", true, false),
            ("fd12::1", true, false),
            ("64:ff9b::7f00:1", true, false),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("fe80::1", false, false),
            ("fd00:ec2::254", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(AddressRule::PrivateToo.check(parsed).is_ok(), is_private_ok, "{address}");
            assert_eq!(AddressRule::PublicOnly.check(parsed).is_ok(), is_public_ok, "{address}");
        }
        for (host, is_ok) in
            [("[::1]", false), ("127.0.0.1", false), ("localhost", true), ("[2606::1]", true)]
        {
            assert_eq!(AddressRule::PublicOnly.check_host(host).is_ok(), is_ok, "{host}");
        }
    }
}
