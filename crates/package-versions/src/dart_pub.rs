//! Versions of Pub packages (Dart): semantic versions of which the build counts, too (`1.0.0` < `1.0.0+1`).
//!
//! Source: the documentation of pub_semver 2.1, read 2026-11.

use std::cmp::Ordering;

use crate::semver::Version;
pub(crate) use crate::semver::is_well_formed;

/// The order of the package manager.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    Some(Version::parse(a)?.compare_with_build(&Version::parse(b)?))
}
