//! The rule of a client with all that belongs to it: it checks what is written as a number, and it is the client's resolver.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use ipnet::IpNet;
use url::{Host, Url};

use crate::names::{LookupError, Names};
use crate::{AddressClass, AddressRule, RefusedAddress};

/// Where one client connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// Which kinds of addresses.
    pub rule: AddressRule,
    /// Networks that may be private or of this machine whatever the rule says.
    pub networks: Vec<IpNet>,
    /// What somebody can do who is refused: names the setting.
    pub advice: &'static str,
    /// Hosts, in small letters, whose addresses are not looked at: proxies that the settings name.
    pub exempt: BTreeSet<String>,
    /// Who finds addresses.
    pub names: Names,
}

impl Guard {
    /// A rule, and what to tell whom it refuses.
    pub fn new(rule: AddressRule, advice: &'static str) -> Self {
        Self { rule, networks: Vec::new(), advice, exempt: BTreeSet::new(), names: Names::default() }
    }

    /// The same with another rule.
    pub fn with_rule(self, rule: AddressRule) -> Self {
        Self { rule, ..self }
    }

    /// Whether this address may be connected to.
    pub fn check(&self, address: IpAddr) -> Result<(), RefusedAddress> {
        let class = AddressClass::of(address);
        let address = address.to_canonical();
        let is_named = || self.networks.iter().any(|network| network.contains(&address));
        if self.rule.allows(class) || (AddressRule::PrivateToo.allows(class) && is_named()) {
            return Ok(());
        }
        Err(RefusedAddress { address, class, advice: self.advice })
    }

    /// The same for the host of an address, where it is written as a number; names are looked at when they are resolved.
    pub fn check_host(&self, host: &str) -> Result<(), RefusedAddress> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        bare.parse().map_or(Ok(()), |address| self.check(address))
    }

    /// The same for an address. Numbers in unusual forms (`127.1`, `0x7f000001`) are understood as they are connected to.
    pub fn check_url(&self, url: &Url) -> Result<(), RefusedAddress> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(name)) => self.check_host(name),
            None => Ok(()),
        }
    }

    /// The addresses of a name that may be connected to.
    ///
    /// Errors: it has none at all, or none that the rule allows.
    pub async fn find(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let found = self.names.find(name).await?;
        if self.exempt.contains(&name.trim_end_matches('.').to_ascii_lowercase()) {
            return Ok(found);
        }
        let mut refused = None;
        let mut allowed = Vec::with_capacity(found.len());
        for address in found {
            match self.check(address) {
                Ok(()) => allowed.push(address),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(source) if allowed.is_empty() => Err(LookupError::Refused { name: name.to_owned(), source }),
            _ => Ok(allowed),
        }
    }

    /// [`Self::find`] in the form of resolvers, which leave the port to others.
    async fn resolve(self, name: String) -> Result<std::vec::IntoIter<SocketAddr>, LookupError> {
        let found = self.find(&name).await?;
        let addresses: Vec<SocketAddr> =
            found.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
        Ok(addresses.into_iter())
    }
}

impl reqwest::dns::Resolve for Guard {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.resolve(name.as_str().to_owned()).await?;
            Ok(Box::new(addresses) as reqwest::dns::Addrs)
        })
    }
}

impl Guard {
    /// As the resolver of a client of `reqwest`.
    pub fn resolver(&self) -> Arc<Self> {
        Arc::new(self.clone())
    }
}

impl tower::Service<Name> for Guard {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guard = self.clone();
        Box::pin(async move { guard.resolve(name.as_str().to_owned()).await.map_err(io::Error::other) })
    }
}
