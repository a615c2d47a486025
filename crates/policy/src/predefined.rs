//! The bundles that are shipped inside: known to clients by identifier, so they are kept byte for byte.

/// A bundle that is shipped inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PredefinedBundle {
    /// Its identifier, as in the document.
    pub id: &'static str,
    /// Its name, as in the document.
    pub name: &'static str,
    /// The document.
    pub json: &'static str,
}

static PREDEFINED: [PredefinedBundle; 5] = [
    PredefinedBundle {
        id: "allow_all_and_warn",
        name: "Allow all and warn bundle",
        json: include_str!("../bundles/allow-all.json"),
    },
    PredefinedBundle {
        id: "reject_critical",
        name: "Reject critical bundle",
        json: include_str!("../bundles/reject-critical.json"),
    },
    PredefinedBundle {
        id: "reject_high",
        name: "Reject high bundle",
        json: include_str!("../bundles/reject-high.json"),
    },
    PredefinedBundle {
        id: "block_root",
        name: "Block root bundle",
        json: include_str!("../bundles/block-root.json"),
    },
    PredefinedBundle {
        id: "deny_all",
        name: "Deny all images",
        json: include_str!("../bundles/deny-all.json"),
    },
];

static DEFAULT: PredefinedBundle = PredefinedBundle {
    id: "2c53a13c-1765-11e8-82ef-23527761d060",
    name: "Default bundle",
    json: include_str!("../bundles/anchore_default_bundle.json"),
};

/// The bundles that an integrated security scan starts with.
pub fn predefined_bundles() -> &'static [PredefinedBundle] {
    &PREDEFINED
}

/// The bundle that an account starts with.
pub fn default_bundle() -> &'static PredefinedBundle {
    &DEFAULT
}
