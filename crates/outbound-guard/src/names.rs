//! From names to addresses, and the way back from an error of a client to why it did not connect.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::RefusedAddress;

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// It has no address, or nobody can say.
    #[error("the name `{name}` has no address")]
    Unknown {
        /// The name.
        name: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// All its addresses are refused; this is one of them.
    #[error("the name `{name}` leads to an address that is not connected to")]
    Refused {
        /// The name.
        name: String,
        /// One of its addresses.
        #[source]
        source: RefusedAddress,
    },
}

/// Finds the addresses of a name.
pub trait NameLookup: Send + Sync {
    /// All of them.
    fn find(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Who finds addresses: the system, or somebody else.
#[derive(Clone, Default)]
pub struct Names(Option<Arc<dyn NameLookup>>);

impl Names {
    /// Somebody else than the system.
    pub fn new(lookup: Arc<dyn NameLookup>) -> Self {
        Self(Some(lookup))
    }

    pub(crate) async fn find(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let found = match &self.0 {
            Some(lookup) => lookup.find(name.to_owned()).await,
            None => tokio::net::lookup_host((name, 0))
                .await
                .map(|found| found.map(|address| address.ip()).collect()),
        };
        found.map_err(|source| LookupError::Unknown { name: name.to_owned(), source })
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "Names(…)" } else { "Names(system)" })
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(left), Some(right)) => Arc::ptr_eq(left, right),
            _ => false,
        }
    }
}

impl Eq for Names {}

/// Names with fixed addresses, as a file of hosts has them; nothing else has an address.
#[derive(Debug, Clone, Default)]
pub struct FixedNames(pub BTreeMap<String, Vec<IpAddr>>);

impl NameLookup for FixedNames {
    fn find(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let found = self.0.get(&name).cloned();
        async move { found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not in the list")) }
            .boxed()
    }
}

/// The refusal among the causes of an error of a client.
pub fn find_refusal<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a RefusedAddress> {
    find_cause(error)
}

/// The failed look-up of a name among the causes of an error of a client.
pub fn find_lookup_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a LookupError> {
    find_cause(error)
}

fn find_cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An error of I/O passes over what it holds and names that one's cause.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        current = match held {
            Some(held) => Some(held),
            None => error.source(),
        };
    }
    None
}
