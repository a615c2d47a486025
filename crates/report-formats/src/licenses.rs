//! Which licences of packages are such as SPDX knows.

use spdx::{Expression, ParseMode};

/// Whether it is the id of a licence in the list of SPDX, in its letters.
pub(crate) fn is_id(text: &str) -> bool {
    spdx::license_id(text).is_some_and(|id| id.name == text)
}

/// Whether it is a valid expression of more than an id.
pub(crate) fn is_compound(text: &str) -> bool {
    !is_id(text) && is_expression(text)
}

/// Whether it is a valid expression.
pub(crate) fn is_expression(text: &str) -> bool {
    let mode = ParseMode { allow_deprecated: true, ..ParseMode::STRICT };
    // The names of other documents mean nothing in one of ours.
    !text.contains("LicenseRef-")
        && !text.contains("DocumentRef-")
        && !text.contains("AdditionRef-")
        && Expression::parse_mode(text, mode).is_ok()
}
