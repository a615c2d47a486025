//! Settings of where registries may be.

use std::collections::BTreeSet;

use outbound_guard::{AddressRule, HostList};
use scanner::RegistryAddresses;

use super::layers::Values;

/// To which addresses the servers connect for images that somebody else names.
pub(super) fn addresses(
    values: &Values,
    insecure: &BTreeSet<String>,
    is_webhook: bool,
    problems: &mut Vec<String>,
) -> RegistryAddresses {
    let mut named = HostList::default();
    for host in insecure {
        named.add_registry(host);
    }
    for word in values.words("registries.private-hosts") {
        if let Err(error) = named.add(&word) {
            problems.push(format!("{}: {error}", values.place("registries.private-hosts")));
        }
    }
    let (any, with_login) = match values.text("registries.private-addresses").as_deref() {
        Some("all") => (AddressRule::PrivateToo, AddressRule::PrivateToo),
        Some("auto") if is_webhook => (AddressRule::PrivateToo, AddressRule::PrivateToo),
        Some("named") => (AddressRule::PublicOnly, AddressRule::PublicOnly),
        _ => (AddressRule::PublicOnly, AddressRule::PrivateNetworks),
    };
    RegistryAddresses::guarded(any, with_login, named)
}
