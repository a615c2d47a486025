//! To which addresses the control plane connects when somebody else names them.

use std::time::Duration;

pub use outbound_guard::{AddressRule, RefusedAddress};
use outbound_guard::{Guard, LookupError};

use crate::storage_error::chain;

/// What somebody can do whose cluster or engine is refused.
const ADVICE: &str = "this installation connects to public addresses only, and whoever runs it may set \
    `control-plane.private-addresses` to `true`";
/// A name that is not resolved by then has no address for us.
const RESOLVE_TIME: Duration = Duration::from_secs(3);

/// The rule of this installation for one client.
pub(crate) fn guard(rule: AddressRule) -> Guard {
    Guard::new(rule, ADVICE)
}

/// Why a host is not connected to, before anybody does. Where private addresses are allowed, a name that is not found is left to
/// whoever connects, and to his guard; where they are not, nobody can say where it will lead.
pub(crate) async fn find_refusal(guard: &Guard, host: &str) -> Option<String> {
    if let Err(refused) = guard.check_host(host) {
        return Some(refused.to_string());
    }
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let is_left_to_others = guard.rule >= AddressRule::PrivateToo;
    match tokio::time::timeout(RESOLVE_TIME, guard.find(name)).await {
        Ok(Ok(_)) => None,
        Ok(Err(LookupError::Refused { source, .. })) => Some(format!("`{host}` leads to {source}")),
        Ok(Err(LookupError::Unknown { .. })) | Err(_) if is_left_to_others => None,
        Ok(Err(error @ LookupError::Unknown { .. })) => {
            Some(format!("{}: write it as the control plane can resolve it", chain(&error)))
        }
        Err(_) => Some(format!(
            "the name `{host}` was not resolved within {} s: try again, or see to the name servers of the control plane",
            RESOLVE_TIME.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::IpAddr;
    use std::sync::Arc;

    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;
    use outbound_guard::{NameLookup, Names};

    use super::*;

    struct Answers;

    impl NameLookup for Answers {
        fn find(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            async move {
                match name.as_str() {
                    "public" => Ok(vec![IpAddr::from([8, 8, 8, 8])]),
                    "private" => Ok(vec![IpAddr::from([10, 0, 0, 1])]),
                    "metadata" => Ok(vec![IpAddr::from([169, 254, 169, 254])]),
                    "silent" => std::future::pending().await,
                    _ => Err(io::Error::other("nobody knows it")),
                }
            }
            .boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_can_look_at_is_refused_where_it_matters() {
        let setting = "`control-plane.private-addresses`";
        for (host, public_only, private_too) in [
            ("public", None, None),
            ("private", Some(setting), None),
            ("10.0.0.1", Some(setting), None),
            ("[::ffff:10.0.0.1]", Some(setting), None),
            ("metadata", Some("never connected to"), Some("never connected to")),
            ("169.254.169.254", Some("never connected to"), Some("never connected to")),
            ("unknown", Some("the name `unknown` has no address: nobody knows it"), None),
            ("silent", Some("was not resolved within 3 s: try again"), None),
        ] {
            for (rule, expected) in
                [(AddressRule::PublicOnly, public_only), (AddressRule::PrivateToo, private_too)]
            {
                let guard = Guard { names: Names::new(Arc::new(Answers)), ..guard(rule) };
                let found = find_refusal(&guard, host).await;
                match (&found, expected) {
                    (Some(text), Some(part)) => assert!(text.contains(part), "{host} {rule:?}: {text}"),
                    (found, expected) => assert_eq!(found.as_deref(), expected, "{host} {rule:?}"),
                }
            }
        }
    }
}
