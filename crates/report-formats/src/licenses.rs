//! Which licences of packages are such as SPDX knows.

use spdx::{Expression, ParseMode};

/// Whether it is the id of a licence in the list of SPDX, in its letters.
pub(crate) fn is_id(text: &str) -> bool {
    // The crate counts the word for "nobody says" among the licences.
    text != "NOASSERTION" && spdx::license_id(text).is_some_and(|id| id.name == text)
}

/// Ids that are in the list, and not yet in the lists that the schemas of CycloneDX have: there they are names.
const NEWER: [&str; 19] = [
    "BSD-2-Clause-pos-unchanged",
    "BSD-3-Clause-OpenWebUI",
    "BSD-Source-Code-no-disclaimer",
    "BSD-Source-alt-GPL",
    "BSD-ask-to-endorse",
    "Brian-Gladman-3-Clause-no-conversion",
    "Bugroff",
    "CC-BY-NC-3.0-IGO",
    "FDK-MPEG-H",
    "GFDL-1.1-invariants",
    "GFDL-1.1-no-invariants",
    "GFDL-1.2-invariants",
    "GFDL-1.2-no-invariants",
    "GFDL-1.3-invariants",
    "GFDL-1.3-no-invariants",
    "Hippocratic-3.0-core",
    "Informatica",
    "MVT-1.1",
    "atc-game",
];

/// Whether it is an id that every edition of CycloneDX knows.
pub(crate) fn is_old_id(text: &str) -> bool {
    is_id(text) && !NEWER.contains(&text)
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
