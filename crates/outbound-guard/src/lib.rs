//! To which addresses this program connects when somebody else names them: one rule for all outgoing connections.
//!
//! Whoever may name an image, a cluster, an engine or a webhook makes this process connect somewhere. Without a rule he looks
//! with its eyes at what only it can see: itself, its neighbours, the metadata service of its cloud.
//!
//! What is looked at is what is connected to: a [`Guard`] is the resolver of a client, so a name that answers differently the
//! next time gains nothing. Addresses that are written as numbers never come to a resolver: [`Guard::check_url`] is for them,
//! before each request and after each redirect.

mod class;
mod guard;
mod hosts;
mod names;
mod registries;
mod rule;

pub use class::AddressClass;
pub use guard::Guard;
pub use hosts::{BadHost, HostList};
pub use ipnet::IpNet;
pub use names::{FixedNames, LookupError, NameLookup, Names, find_lookup_error, find_refusal};
pub use registries::RegistryAddresses;
pub use rule::{AddressRule, RefusedAddress};
