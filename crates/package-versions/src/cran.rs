//! Versions of CRAN packages (R): numbers with dots or dashes between them, which are the same.

use std::cmp::Ordering;

use crate::number_list;

const SEPARATORS: [char; 2] = ['.', '-'];

/// Whether it is a version.
pub(crate) fn is_well_formed(text: &str) -> bool {
    number_list::is_well_formed(text, &SEPARATORS)
}

/// The order of the package manager.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    number_list::compare(a, b, &SEPARATORS)
}
