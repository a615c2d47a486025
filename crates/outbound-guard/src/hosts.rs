//! A list of hosts and networks, as whoever runs the program writes it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

/// A word that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host[:port], no *.domain and no network as 10.0.0.0/8")]
pub struct BadHost(String);

/// Hosts and networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostList {
    /// Without a port: on every port. Small letters, IPv6 in brackets.
    hosts: BTreeSet<String>,
    /// With the dot before them.
    domains: BTreeSet<String>,
    networks: Vec<IpNet>,
}

impl HostList {
    /// Adds a word: `host`, `host:port`, `*.domain`, or a network.
    pub fn add(&mut self, word: &str) -> Result<(), BadHost> {
        let word = word.trim().to_ascii_lowercase();
        let bad = || BadHost(word.clone());
        if word.contains('/') {
            let network: IpNet = word.parse().map_err(|_| bad())?;
            self.networks.push(network.trunc());
            return Ok(());
        }
        if let Some(domain) = word.strip_prefix('*') {
            let is_domain = domain.len() > 1 && domain.starts_with('.') && !domain.contains(['*', ':']);
            return if is_domain {
                self.domains.insert(domain.to_owned());
                Ok(())
            } else {
                Err(bad())
            };
        }
        let host = match word.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => word.clone(),
        };
        // The reader of addresses knows all forms of hosts and ports.
        let url = Url::parse(&format!("http://{host}/")).map_err(|_| bad())?;
        let is_host = url.username().is_empty()
            && url.password().is_none()
            && url.path() == "/"
            && !host.contains(['?', '#']);
        let name = url.host_str().filter(|name| is_host && !name.is_empty() && !name.contains('*'));
        let name = name.ok_or_else(bad)?;
        match url.port_or_known_default().filter(|_| has_port(&host)) {
            Some(port) => self.hosts.insert(format!("{name}:{port}")),
            None => self.hosts.insert(name.to_owned()),
        };
        Ok(())
    }

    /// Adds the host of a registry as references and `insecure` settings write it: without a port it is on its usual ones.
    pub fn add_registry(&mut self, host: &str) {
        let host = host.trim().trim_end_matches('/').to_ascii_lowercase();
        let host = host.split_once("://").map_or(host.as_str(), |(_, rest)| rest);
        if has_port(host) {
            self.hosts.insert(host.to_owned());
        } else {
            self.hosts.extend(["80", "443"].map(|port| format!("{host}:{port}")));
        }
    }

    /// Whether the host of an address is named.
    pub fn contains(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let host = host.trim_end_matches('.');
        let port = url.port_or_known_default().unwrap_or_default();
        self.hosts.contains(host)
            || self.hosts.contains(&format!("{host}:{port}"))
            || self.domains.iter().any(|domain| host.ends_with(domain.as_str()))
    }

    /// The networks.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }
}

/// Whether a host ends in a port; in brackets are colons that begin none.
fn has_port(host: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit());
    host.rsplit_once(':').is_some_and(|(_, port)| is_port(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], url: &str, expected: bool) {
        let mut list = HostList::default();
        for word in words {
            list.add(word).unwrap();
        }
        assert_eq!(list.contains(&url.parse().unwrap()), expected, "{words:?} {url}");
    }

    #[test]
    fn hosts_are_named_with_or_without_a_port() {
        check(&["registry.corp"], "https://registry.corp/v2/", true);
        check(&["registry.corp"], "https://registry.corp:5000/v2/", true);
        check(&["Registry.Corp"], "https://registry.corp./v2/", true);
        check(&["registry.corp:5000"], "https://registry.corp:5000/", true);
        check(&["registry.corp:5000"], "https://registry.corp/", false);
        check(&["registry.corp:443"], "https://registry.corp/", true);
        check(&["registry.corp:443"], "http://registry.corp/", false);
        check(&["corp"], "https://registry.corp/", false);
        check(&["*.corp"], "https://registry.corp:1/", true);
        check(&["*.corp"], "https://corp/", false);
        check(&["*.corp"], "https://evilcorp/", false);
        check(&["10.0.0.1:5000"], "http://10.0.0.1:5000/", true);
        check(&["::1"], "http://[::1]:5000/", true);
        check(&["[::1]:5000"], "http://[::1]:5000/", true);
        check(&["[::1]:5000"], "http://[::1]:5001/", false);
        check(&["10.0.0.0/8"], "http://10.0.0.1/", false);
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for word in
            ["", "a b", "*", "*corp", "*.", "*.a:1", "10.0.0.0/33", "a/b", "http://a", "u@a", "a:x", "a?b"]
        {
            assert!(HostList::default().add(word).is_err(), "{word}");
        }
        let mut list = HostList::default();
        list.add("10.1.2.3/8").unwrap();
        list.add("fd00::/8").unwrap();
        assert_eq!(list.networks().len(), 2);
        assert!(list.networks()[0].contains(&"10.200.0.1".parse::<IpAddr>().unwrap()));
    }

    #[test]
    fn a_registry_without_a_port_is_on_its_usual_ones() {
        for (host, url, expected) in [
            ("h", "https://h/", true),
            ("h", "http://h/", true),
            ("h", "https://h:5000/", false),
            ("127.0.0.1", "http://127.0.0.1:9090/", false),
            ("h:5000", "http://h:5000/", true),
            ("h:5000", "http://h:5001/", false),
            ("https://h:5000", "https://h:5000/", true),
            ("[::1]:5000", "http://[::1]:5000/", true),
            ("[::1]", "http://[::1]/", true),
        ] {
            let mut list = HostList::default();
            list.add_registry(host);
            assert_eq!(list.contains(&url.parse().unwrap()), expected, "{host} {url}");
        }
    }
}
