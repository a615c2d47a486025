//! .NET: what applications say they depend on (`*.deps.json`), the version resources of their assemblies, and the runtimes.
//!
//! An application lists everything that it was built from. Only what brought an assembly along is installed; and an assembly
//! that no list claims is a package of its own.

mod assemblies;
mod bundle_search;
mod deps_json;
mod merge;
mod resource_search;
#[cfg(test)]
mod tests;
mod version_resource;

pub(crate) use assemblies::parse_assembly;
pub(crate) use bundle_search::BundleSearch;
pub(crate) use deps_json::{MANIFEST, parse_dependencies};
pub(crate) use merge::merge_assemblies;
pub(crate) use resource_search::{ResourceSearch, TAG_ASSEMBLY};
