//! Versions of NuGet packages: up to four numbers, and a pre-release in which upper and lower case are the same.
//!
//! Source: https://learn.microsoft.com/nuget/concepts/package-versioning, read 2026-11.

use std::cmp::Ordering;

use crate::semver::Version;

/// Numbers of a version: `Major.Minor.Patch.Revision`.
const NUMBERS_MAX: usize = 4;

/// The text is in lower case.
fn parse(text: &str) -> Option<Version<'_>> {
    Version::parse(text).filter(|version| version.release.split('.').count() <= NUMBERS_MAX)
}

/// Whether it is a version.
pub(crate) fn is_well_formed(text: &str) -> bool {
    parse(text).is_some()
}

/// The order of the package manager.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    Some(parse(&a)?.compare(&parse(&b)?))
}
