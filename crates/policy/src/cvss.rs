//! The two parts of a CVSS 3 base score that policies may ask for.
//!
//! Source: FIRST, Common Vulnerability Scoring System v3.1, §7.1. The standard defines the parts without rounding; they
//! are published with one decimal, rounded half up.

/// Exploitability and impact of a vector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Subscores {
    pub(crate) exploitability: f64,
    pub(crate) impact: f64,
}

/// Whether a vector is one of CVSS 3.0 or 3.1.
pub(crate) fn is_version_3(vector: &str) -> bool {
    vector.starts_with("CVSS:3.0/") || vector.starts_with("CVSS:3.1/")
}

/// The parts of a CVSS 3.0 or 3.1 vector; `None` for other versions and for vectors without all base metrics.
pub(crate) fn subscores(vector: &str) -> Option<Subscores> {
    if !is_version_3(vector) {
        return None;
    }
    let metric = |name: &str| {
        vector
            .split('/')
            .skip(1)
            .find_map(|part| part.split_once(':').filter(|(key, _)| *key == name))
            .map(|(_, value)| value)
    };
    let is_changed = match metric("S")? {
        "U" => false,
        "C" => true,
        _ => return None,
    };
    let attack_vector = match metric("AV")? {
        "N" => 0.85,
        "A" => 0.62,
        "L" => 0.55,
        "P" => 0.2,
        _ => return None,
    };
    let attack_complexity = match metric("AC")? {
        "L" => 0.77,
        "H" => 0.44,
        _ => return None,
    };
    let privileges_required = match (metric("PR")?, is_changed) {
        ("N", _) => 0.85,
        ("L", false) => 0.62,
        ("L", true) => 0.68,
        ("H", false) => 0.27,
        ("H", true) => 0.5,
        _ => return None,
    };
    let user_interaction = match metric("UI")? {
        "N" => 0.85,
        "R" => 0.62,
        _ => return None,
    };
    let loss = |name: &str| match metric(name)? {
        "H" => Some(0.56),
        "L" => Some(0.22),
        "N" => Some(0.0),
        _ => None,
    };
    let base = 1.0 - (1.0 - loss("C")?) * (1.0 - loss("I")?) * (1.0 - loss("A")?);
    let impact: f64 =
        if is_changed { 7.52 * (base - 0.029) - 3.25 * (base - 0.02_f64).powi(15) } else { 6.42 * base };
    let exploitability = 8.22 * attack_vector * attack_complexity * privileges_required * user_interaction;
    Some(Subscores { exploitability: one_decimal(exploitability), impact: one_decimal(impact.max(0.0)) })
}

fn one_decimal(score: f64) -> f64 {
    (score * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscores_are_those_that_the_national_database_publishes() {
        let rows = [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Some((3.9, 5.9))),
            ("CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", Some((2.8, 5.9))),
            ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", Some((1.8, 5.9))),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", Some((3.9, 6.0))),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", Some((2.8, 2.7))),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", Some((3.9, 3.6))),
            ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:N", Some((2.2, 3.6))),
            ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", Some((0.1, 0.0))),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:N/I:N/A:N/E:P", Some((3.9, 0.0))),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", None),
            ("CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
            ("CVSS:4.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", None),
            ("AV:N/AC:L/Au:N/C:P/I:P/A:P", None),
            ("", None),
        ];
        for (vector, expected) in rows {
            let found = subscores(vector).map(|found| (found.exploitability, found.impact));
            assert_eq!(found, expected, "{vector}");
        }
    }
}
