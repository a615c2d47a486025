//! Severities that feeds write as words.

use model::{Severity, SeverityRating};

/// The class of a word; `None` for words that say that nobody has rated it.
pub(crate) fn parse_severity_word(word: &str) -> Option<Severity> {
    // The Debian tracker marks ratings that it took from elsewhere with stars.
    match word.trim().trim_end_matches('*').to_ascii_lowercase().as_str() {
        "negligible" | "unimportant" => Some(Severity::Negligible),
        "low" => Some(Severity::Low),
        "medium" | "moderate" => Some(Severity::Medium),
        "high" | "important" => Some(Severity::High),
        "critical" => Some(Severity::Critical),
        _ => None,
    }
}

/// A rating that is only a word.
pub(crate) fn rate_word(word: &str, source: &str) -> Option<SeverityRating> {
    let severity = parse_severity_word(word)?;
    Some(SeverityRating { source: source.to_owned(), severity, vector: None, score: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_feeds_are_read() {
        let cases = [
            ("unimportant", Some(Severity::Negligible)),
            ("low**", Some(Severity::Low)),
            ("MODERATE", Some(Severity::Medium)),
            ("Medium", Some(Severity::Medium)),
            ("HIGH", Some(Severity::High)),
            ("Important", Some(Severity::High)),
            ("critical", Some(Severity::Critical)),
            ("not yet assigned", None),
            ("end-of-life", None),
            ("untriaged", None),
            ("", None),
        ];
        for (word, expected) in cases {
            assert_eq!(parse_severity_word(word), expected, "`{word}`");
        }
    }
}
