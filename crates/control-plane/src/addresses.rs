//! To which addresses the control plane connects when somebody else names them.

pub use outbound_guard::{AddressRule, RefusedAddress};

use outbound_guard::Guard;

/// What somebody can do whose cluster or engine is refused.
const ADVICE: &str = "this installation connects to public addresses only, and whoever runs it may set \
    `control-plane.private-addresses` to `true`";

/// The rule of this installation for one client.
pub(crate) fn guard(rule: AddressRule) -> Guard {
    Guard::new(rule, ADVICE)
}
