//! Which kinds of addresses are connected to.

use std::net::IpAddr;

use crate::AddressClass;

/// Which kinds of addresses are connected to, the more the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum AddressRule {
    /// Only those that the whole world can reach.
    PublicOnly,
    /// Those of private networks as well.
    PrivateNetworks,
    /// Those of this machine as well; never those of the link, of metadata services and of groups.
    PrivateToo,
    /// All there are: for somebody at his own terminal.
    #[default]
    Everything,
}

impl AddressRule {
    /// Whether addresses of this kind are connected to.
    pub fn allows(self, class: AddressClass) -> bool {
        let needed = match class {
            AddressClass::Public => Self::PublicOnly,
            AddressClass::Special | AddressClass::Private => Self::PrivateNetworks,
            AddressClass::Loopback => Self::PrivateToo,
            AddressClass::LinkLocal | AddressClass::Multicast | AddressClass::Metadata => Self::Everything,
        };
        self >= needed
    }
}

/// An address that is not connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{address}` is a {class} address, which is {}", self.consequence())]
pub struct RefusedAddress {
    /// The address.
    pub address: IpAddr,
    /// What it is.
    pub class: AddressClass,
    /// What somebody can do who wants to be connected there all the same; not for addresses that never are.
    pub advice: &'static str,
}

impl RefusedAddress {
    /// Whether no setting would allow it.
    pub fn is_never_allowed(&self) -> bool {
        !AddressRule::PrivateToo.allows(self.class)
    }

    fn consequence(&self) -> String {
        if self.is_never_allowed() {
            return "never connected to".to_owned();
        }
        format!("not connected to here: {}", self.advice)
    }
}
