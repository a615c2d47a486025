//! CVSS vectors of all versions, rated.

use cvss::Cvss;
use model::{Severity, SeverityRating};

/// Longest vector that is read; with all optional metrics one has less than 300 bytes.
const VECTOR_BYTES_MAX: usize = 512;
/// Metrics without which a version 2 vector has no base score.
const MANDATORY_V2: [&str; 6] = ["AV", "AC", "Au", "C", "I", "A"];
/// Metrics without which a version 3 vector has no base score.
const MANDATORY_V3: [&str; 8] = ["AV", "AC", "PR", "UI", "S", "C", "I", "A"];

/// Rates a vector of CVSS 2, 3.0, 3.1 or 4.0.
///
/// `None` for everything else, also for a vector that lacks a mandatory metric: no rating is not a score of 0.
pub fn rate(vector: &str, source: &str) -> Option<SeverityRating> {
    let vector = vector.trim();
    if vector.len() > VECTOR_BYTES_MAX {
        return None;
    }
    // Version 2 is often written in parentheses, and sometimes with a prefix that it does not have.
    let text = vector.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(vector);
    let text = text.strip_prefix("CVSS:2.0/").unwrap_or(text);
    let parsed: Cvss = text.parse().ok()?;
    let has_all = |mandatory: &[&str]| {
        mandatory.iter().all(|metric| {
            text.split('/').any(|part| part.split_once(':').is_some_and(|(name, _)| name == *metric))
        })
    };
    let score = parsed.score();
    let severity = match parsed {
        Cvss::CvssV20(_) if has_all(&MANDATORY_V2) => Severity::from_cvss2_score(score),
        Cvss::CvssV30(_) | Cvss::CvssV31(_) if has_all(&MANDATORY_V3) => Severity::from_cvss_score(score),
        Cvss::CvssV40(_) => Severity::from_cvss_score(score),
        _ => return None,
    };
    Some(SeverityRating {
        source: source.to_owned(),
        severity,
        vector: Some(vector.to_owned()),
        score: Some(score),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vector: &str, expected: Option<(f64, Severity)>) {
        let rating = rate(vector, "nvd");
        let found = rating.as_ref().map(|rating| (rating.score.unwrap(), rating.severity));
        assert_eq!(found, expected, "`{vector}`");
        if let Some(rating) = rating {
            assert_eq!(rating.vector.as_deref(), Some(vector));
            assert_eq!(rating.source, "nvd");
        }
    }

    #[test]
    fn vectors_of_all_versions_are_rated() {
        check("AV:N/AC:L/Au:N/C:C/I:C/A:C", Some((10.0, Severity::High)));
        check("(AV:N/AC:L/Au:N/C:P/I:P/A:P)", Some((7.5, Severity::High)));
        check("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Some((9.8, Severity::Critical)));
        check("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:L/A:H", Some((6.6, Severity::Medium)));
        check("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", Some((0.0, Severity::Unknown)));
        check(
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
            Some((9.3, Severity::Critical)),
        );
    }

    #[test]
    fn every_mandatory_metric_is_needed() {
        for whole in [
            "AV:N/AC:L/Au:N/C:C/I:C/A:C",
            "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
        ] {
            let parts: Vec<_> = whole.split('/').collect();
            for left_out in parts.iter().filter(|part| !part.starts_with("CVSS")) {
                let rest: Vec<_> = parts.iter().filter(|part| part != &left_out).copied().collect();
                check(&rest.join("/"), None);
            }
        }
    }

    #[test]
    fn what_is_no_vector_has_no_rating() {
        for vector in
            ["", "7.5", "CVSS:3.1", "CVSS:3.1/", "CVSS:9.9/AV:N", "high", "/", "()", "CVSS:3.1/AV:Q/AC:L"]
        {
            check(vector, None);
        }
        check(&format!("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H{}", "/E:X".repeat(200)), None);
    }
}
