//! Versions of Bitnami's components: those of the software, with the number of Bitnami's own rebuild behind a dash (`1.2.3-4`),
//! which bounds of advisories leave out and which therefore does not count.
//!
//! Source: https://github.com/bitnami/vulndb and the component lists of Bitnami's images, read 2026-11.

use std::cmp::Ordering;

use crate::digits::is_number;
use crate::semver;

fn without_rebuild(text: &str) -> &str {
    match text.rsplit_once('-') {
        Some((version, rebuild)) if is_number(rebuild) => version,
        _ => text,
    }
}

/// Whether it is a version.
pub(crate) fn is_well_formed(text: &str) -> bool {
    semver::is_well_formed(without_rebuild(text))
}

/// The order of the software's versions.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    semver::compare(without_rebuild(a), without_rebuild(b))
}
