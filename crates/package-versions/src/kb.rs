//! Numbers of Microsoft's updates (`KB5012345`): one is another or the same, none is before another.

use std::cmp::Ordering;

use crate::digits::{Number, is_number};

fn parse(text: &str) -> Option<Number<'_>> {
    let start = text.get(..2).filter(|start| start.eq_ignore_ascii_case("kb")).unwrap_or_default();
    let digits = text.strip_prefix(start)?;
    is_number(digits).then(|| Number::new(digits))
}

/// Whether it is a number of an update.
pub(crate) fn is_well_formed(text: &str) -> bool {
    parse(text).is_some()
}

/// Equal or nothing.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    (parse(a)? == parse(b)?).then_some(Ordering::Equal)
}
