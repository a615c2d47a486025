//! Versions of opam packages (OCaml): the order of Debian's upstream versions, without epoch and revision.
//!
//! Source: https://opam.ocaml.org/doc/Manual.html#version-ordering, read 2026-11.

use std::cmp::Ordering;

use crate::dpkg::compare_parts;

/// Whether it is a version.
pub(crate) fn is_well_formed(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+.~".contains(&byte))
}

/// The order of the package manager.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    is_well_formed(a).then_some(())?;
    is_well_formed(b).then(|| compare_parts(a, b))
}
