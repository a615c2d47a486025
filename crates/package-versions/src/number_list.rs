//! Versions that are lists of numbers: of Hackage (Haskell, with dots) and CRAN (R, with dots and dashes).
//!
//! The longer of two lists that begin alike is greater, so `1.0` < `1.0.0`.
//!
//! Source: the Haskell PVP (https://pvp.haskell.org) and the documentation of R's `package_version`, read 2026-11.

use std::cmp::Ordering;

use crate::digits::{Number, is_number};

/// Whether it is numbers with these separators between them.
pub(crate) fn is_well_formed(text: &str, separators: &[char]) -> bool {
    text.split(separators).all(is_number)
}

/// The order of the lists.
pub(crate) fn compare(a: &str, b: &str, separators: &[char]) -> Option<Ordering> {
    if !is_well_formed(a, separators) || !is_well_formed(b, separators) {
        return None;
    }
    Some(a.split(separators).map(Number::new).cmp(b.split(separators).map(Number::new)))
}
