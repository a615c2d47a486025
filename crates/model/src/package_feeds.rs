//! What the public registries of a language say about their packages.

use std::collections::BTreeMap;

/// One package of a public registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishedPackage {
    /// The newest version.
    pub latest: Option<String>,
    /// All versions, in the order of the registry.
    pub versions: Vec<String>,
}

/// All packages of one public registry, by name.
pub type PackageFeed = BTreeMap<String, PublishedPackage>;

/// The registries that policies ask about; `None`: there is no such data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageFeeds {
    /// Ruby gems.
    pub gem: Option<PackageFeed>,
    /// Node packages.
    pub npm: Option<PackageFeed>,
}
