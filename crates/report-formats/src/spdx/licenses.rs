//! Licences of packages as SPDX wants them: one expression, and names of ours for what has no id.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// `NOASSERTION`: nobody says.
pub(super) const UNKNOWN: &str = "NOASSERTION";

/// All licences at once as one expression; names that are given to others are noted with their texts.
pub(super) fn expression(licenses: &[String], named: &mut BTreeMap<String, String>) -> String {
    if licenses.is_empty() {
        return UNKNOWN.to_owned();
    }
    let parts: Vec<String> = licenses
        .iter()
        .map(|license| match () {
            () if crate::licenses::is_id(license) => license.clone(),
            () if crate::licenses::is_expression(license) && licenses.len() == 1 => license.clone(),
            () if crate::licenses::is_expression(license) => format!("({license})"),
            () => {
                let name = reference(license);
                named.insert(name.clone(), license.clone());
                name
            }
        })
        .collect();
    parts.join(" AND ")
}

/// A name that only the text decides.
fn reference(license: &str) -> String {
    let digits = data_encoding::HEXLOWER.encode(&Sha256::digest(license)[..6]);
    let is_fit = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
    let name: String = license.chars().filter(is_fit).take(40).collect();
    match name.is_empty() {
        true => format!("LicenseRef-{digits}"),
        false => format!("LicenseRef-{name}-{digits}"),
    }
}

/// The licences of an expression: its parts, where it only adds them up, with the texts of those that are named here.
pub(super) fn list(expression: &str, named: &BTreeMap<String, String>) -> Vec<String> {
    let expression = expression.trim();
    if expression.is_empty() || matches!(expression, UNKNOWN | "NONE") {
        return Vec::new();
    }
    let resolve = |part: &str| named.get(part).map_or_else(|| part.to_owned(), Clone::clone);
    let is_sum = !expression.contains(['(', ')']) && !expression.contains(" OR ");
    match is_sum {
        true => expression.split(" AND ").map(|part| resolve(part.trim())).collect(),
        false => vec![expression.to_owned()],
    }
}
