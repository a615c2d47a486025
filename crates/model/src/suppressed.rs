//! What is known about a package and yet is no finding, and why: a visible fact, never a silent gap.

use crate::{Ecosystem, FeedKind, Finding};

/// What a distro says about a vulnerability of a package that it made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VendorStatement {
    /// The installed version has the fix.
    Fixed,
    /// It was never affected.
    NotAffected,
    /// It is affected: the finding is the one of the distro's package.
    Affected,
    /// The distro has not decided yet; this is told with the distro's package.
    Undetermined,
}

impl VendorStatement {
    /// Stable name, kebab case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::NotAffected => "not-affected",
            Self::Affected => "affected",
            Self::Undetermined => "undetermined",
        }
    }
}

/// Why something that would be a finding is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SuppressionReason {
    /// A package of the operating system brought this package, and its distro speaks about this vulnerability itself.
    OwnerSpeaks {
        /// The package of the operating system.
        owner: String,
        /// Where the distro speaks.
        ecosystem: Ecosystem,
        /// The record of the distro.
        record: String,
        /// What it says about the owner.
        statement: VendorStatement,
    },
    /// A package of the operating system brought this package, with the same version, and its distro writes about everything
    /// that it knows of its packages, fixed or not; about this it has not written.
    OwnerIsCovered {
        /// The package of the operating system.
        owner: String,
        /// Where the distro speaks.
        ecosystem: Ecosystem,
    },
    /// The distro's own feed says that its package is not affected; the finding would come from somebody else's record.
    VendorDenies {
        /// The distro's own feed.
        feed: FeedKind,
        /// Its record.
        record: String,
        /// What it says.
        statement: VendorStatement,
    },
}

impl SuppressionReason {
    /// Stable name, kebab case.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OwnerSpeaks { .. } => "owner-speaks",
            Self::OwnerIsCovered { .. } => "owner-is-covered",
            Self::VendorDenies { .. } => "vendor-denies",
        }
    }

    /// One sentence for people, without the vulnerability and without a full stop.
    pub fn sentence(&self) -> String {
        match self {
            Self::OwnerSpeaks { owner, ecosystem, record, statement } => {
                let says = match statement {
                    VendorStatement::Fixed => "it has the fix",
                    VendorStatement::NotAffected => "it is not affected",
                    VendorStatement::Affected => "it is affected, which is reported for that package",
                    VendorStatement::Undetermined => "this is not decided yet",
                };
                format!(
                    "it comes with the package {owner}, of which {record} of {ecosystem} says that {says}"
                )
            }
            Self::OwnerIsCovered { owner, ecosystem } => format!(
                "it comes with the package {owner}, in the same version, and {ecosystem} says nothing of this vulnerability there"
            ),
            Self::VendorDenies { feed, record, statement: VendorStatement::Fixed } => {
                format!("{record} of {} says that the installed version has the fix", feed.name())
            }
            Self::VendorDenies { feed, record, statement: _ } => {
                format!("{record} of {} says that the package is not affected", feed.name())
            }
        }
    }
}

/// Something that would be a finding, if nothing spoke against it.
#[derive(Debug, Clone, PartialEq)]
pub struct SuppressedFinding {
    /// What would be reported.
    pub finding: Finding,
    /// Why it is not.
    pub reason: SuppressionReason,
}
