//! Names that a stranger has given are resolved with a rule: what was looked at is what is connected to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// To which addresses may be connected; the text says why not.
#[derive(Clone)]
pub struct AddressCheck(pub Arc<dyn Fn(IpAddr) -> Result<(), String> + Send + Sync>);

impl fmt::Debug for AddressCheck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AddressCheck(…)")
    }
}

/// Resolves names as the system does, and refuses those that lead where the rule forbids: a name that answers differently the
/// next time gains nothing.
#[derive(Debug)]
pub(crate) struct CheckedNames(pub(crate) AddressCheck);

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let check = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &found {
                (check.0)(address.ip())?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
