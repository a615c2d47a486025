//! Where registries may be: the rule for every connection that a reference, a registry or a token service asks for.

use url::Url;

use crate::{AddressRule, Guard, HostList, Names};

/// What somebody can do whose registry is refused.
const ADVICE: &str = "whoever runs this names the hosts and networks of private registries in `registries.private-hosts`, or \
    allows them all with `registries.private-addresses`";

/// Where registries may be, the services that give tokens for them, and what they redirect to.
///
/// A registry, its token service and its storage are often three hosts; each is looked at for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryAddresses {
    /// What holds for any host.
    pub any: AddressRule,
    /// What holds for a registry that somebody has a login for.
    pub with_login: AddressRule,
    /// Hosts and networks that whoever runs this has named: they may be private, and on this machine.
    pub named: HostList,
    /// Who finds the addresses of names.
    pub names: Names,
    logins: HostList,
}

impl RegistryAddresses {
    /// Every host may be at a public address only, but for those that somebody has a login for, and for named ones.
    pub fn guarded(any: AddressRule, with_login: AddressRule, named: HostList) -> Self {
        Self { any, with_login, named, ..Self::default() }
    }

    /// Somebody has a login for this registry, `host[:port]`.
    pub fn add_login(&mut self, registry: &str) {
        self.logins.add_registry(registry);
    }

    /// What holds for the host of an address.
    pub fn rule(&self, url: &Url) -> AddressRule {
        let named = if self.named.contains(url) { AddressRule::PrivateToo } else { self.any };
        let with_login = if self.logins.contains(url) { self.with_login } else { self.any };
        self.any.max(named).max(with_login)
    }

    /// The guard of connections to hosts that nothing is known about.
    pub fn guard(&self) -> Guard {
        Guard {
            networks: self.named.networks().to_vec(),
            names: self.names.clone(),
            ..Guard::new(self.any, ADVICE)
        }
    }

    /// The guard of connections to a registry, `host[:port][/path]`, that somebody has a login for.
    pub fn guard_with_login(&self, registry: &str) -> Guard {
        let authority = registry.split('/').next().unwrap_or_default();
        let mut addresses = self.clone();
        addresses.add_login(authority);
        let guard = addresses.guard();
        match Url::parse(&format!("https://{authority}/")) {
            Ok(url) => guard.with_rule(addresses.rule(&url)),
            Err(_) => guard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_decides_the_rule() {
        let mut named = HostList::default();
        named.add_registry("named:5000");
        named.add("any-port").unwrap();
        let mut addresses =
            RegistryAddresses::guarded(AddressRule::PublicOnly, AddressRule::PrivateNetworks, named);
        addresses.add_login("login:5000");
        for (url, expected) in [
            ("https://named:5000/v2/", AddressRule::PrivateToo),
            ("https://named:5001/v2/", AddressRule::PublicOnly),
            ("https://any-port:5001/v2/", AddressRule::PrivateToo),
            ("https://login:5000/v2/", AddressRule::PrivateNetworks),
            ("https://login/v2/", AddressRule::PublicOnly),
            ("https://other/v2/", AddressRule::PublicOnly),
        ] {
            assert_eq!(addresses.rule(&url.parse().unwrap()), expected, "{url}");
        }
        for (registry, expected) in [
            ("named:5000", AddressRule::PrivateToo),
            ("other", AddressRule::PrivateNetworks),
            ("other:5000/team", AddressRule::PrivateNetworks),
            ("no host", AddressRule::PublicOnly),
        ] {
            assert_eq!(addresses.guard_with_login(registry).rule, expected, "{registry}");
        }
        let everything = RegistryAddresses::default();
        assert_eq!(everything.rule(&"https://other/".parse().unwrap()), AddressRule::Everything);
    }
}
