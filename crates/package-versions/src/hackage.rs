//! Versions of Hackage packages (Haskell): numbers with dots between them.

use std::cmp::Ordering;

use crate::number_list;

const SEPARATORS: [char; 1] = ['.'];

/// Whether it is a version.
pub(crate) fn is_well_formed(text: &str) -> bool {
    number_list::is_well_formed(text, &SEPARATORS)
}

/// The order of the package manager.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    number_list::compare(a, b, &SEPARATORS)
}
