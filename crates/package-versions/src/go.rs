//! Versions of Go modules and of Go itself.
//!
//! Modules have semantic versions, and a commit without a tag is a pre-release with its time
//! (`v0.0.0-20210101000000-abcdef`). Go itself is `go1.21rc2`, with the name of a vendor's build behind it
//! (`go1.19.4 X:boringcrypto`, `go1.20.5-fips`), which says nothing about the order; advisories write it like a
//! module, `1.21.0-rc.2`. `(devel)` is no version.
//!
//! Source: https://go.dev/ref/mod#versions and https://go.dev/doc/toolchain#version, read 2026-11.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::digits::{split_digits, split_release};
use crate::semver;

/// Stages before a release of Go itself.
const STAGES: [&str; 2] = ["beta", "rc"];

/// The version as a module would write it.
fn to_module(text: &str) -> Option<Cow<'_, str>> {
    let (bare, is_go) = text.strip_prefix("go").map_or((text, false), |bare| (bare, true));
    let staged = split_stage(bare);
    let rest = match staged {
        Some((.., rest)) => rest,
        None if is_go => split_release(bare)?.1,
        None => return Some(Cow::Borrowed(text)),
    };
    let is_understood = rest.is_empty() || (is_go && is_vendor(rest));
    is_understood.then_some(())?;
    Some(match staged {
        Some((release, stage, number, _)) => Cow::Owned(format!("{release}-{stage}.{number}")),
        None => Cow::Borrowed(bare.strip_suffix(rest)?),
    })
}

/// `1.21rc2` is `1.21`, `rc`, `2` and the rest.
fn split_stage(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (release, rest) = split_release(text)?;
    STAGES.into_iter().find_map(|stage| {
        let (number, rest) = split_digits(rest.strip_prefix(stage)?)?;
        Some((release, stage, number, rest))
    })
}

/// What stands behind the version of Go itself; a development build is not the release that it is named after.
fn is_vendor(rest: &str) -> bool {
    rest.starts_with(['-', '+', ' ']) && !rest.contains("devel")
}

/// Whether it is a version.
pub(crate) fn is_well_formed(text: &str) -> bool {
    to_module(text).is_some_and(|module| semver::is_well_formed(&module))
}

/// The order of the language.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    semver::compare(&to_module(a)?, &to_module(b)?)
}
