//! Versions of Julia: semantic versions of which the build counts, too. A bare `-` at the end means the very first
//! pre-release, a bare `+` the first build.
//!
//! Source: the documentation of `VersionNumber` and its behaviour in Julia 1.10, read 2026-11.

use std::cmp::Ordering;

use crate::semver::Version;

fn parse(text: &str) -> Option<Version<'_>> {
    if let Some(start) = text.strip_suffix('-') {
        let version = Version::parse(start).filter(|version| version.pre_release.is_none())?;
        return version.build.is_none().then_some(Version { pre_release: Some(""), ..version });
    }
    if let Some(start) = text.strip_suffix('+') {
        let version = Version::parse(start).filter(|version| version.build.is_none())?;
        return Some(Version { build: Some(""), ..version });
    }
    Version::parse(text)
}

/// Whether it is a version.
pub(crate) fn is_well_formed(text: &str) -> bool {
    parse(text).is_some()
}

/// The order of the language.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    Some(parse(a)?.compare_with_build(&parse(b)?))
}
