//! How bad a vulnerability is, in the six words of the policy language.

use std::fmt;
use std::str::FromStr;

/// A severity; the order is the one that policies compare with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nobody has rated it. Not the same as harmless.
    #[default]
    Unknown,
    /// A distro says that it has no security effect worth a fix.
    Negligible,
    /// CVSS base score above 0.
    Low,
    /// CVSS base score of 4 and above.
    Medium,
    /// CVSS base score of 7 and above.
    High,
    /// CVSS base score of 9 and above; CVSS 2 has no such class.
    Critical,
}

impl Severity {
    /// All severities, least severe first.
    pub const ALL: [Self; 6] =
        [Self::Unknown, Self::Negligible, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The capitalised word, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Negligible => "Negligible",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }

    /// The class of a CVSS 3 or 4 base score.
    pub fn from_cvss_score(score: f64) -> Self {
        match score {
            score if score >= 9.0 => Self::Critical,
            score if score >= 7.0 => Self::High,
            score if score >= 4.0 => Self::Medium,
            score if score > 0.0 => Self::Low,
            _ => Self::Unknown,
        }
    }

    /// The class of a CVSS 2 base score, which knows nothing above high.
    pub fn from_cvss2_score(score: f64) -> Self {
        Self::from_cvss_score(score).min(Self::High)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A word that is none of the six severities.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("severity `{0}` is none of unknown, negligible, low, medium, high, critical")]
pub struct ParseSeverityError(pub String);

impl FromStr for Severity {
    type Err = ParseSeverityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| ParseSeverityError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_fall_into_classes_at_their_bounds() {
        let cases = [
            (0.0, Severity::Unknown),
            (0.1, Severity::Low),
            (3.9, Severity::Low),
            (4.0, Severity::Medium),
            (6.9, Severity::Medium),
            (7.0, Severity::High),
            (8.9, Severity::High),
            (9.0, Severity::Critical),
            (10.0, Severity::Critical),
        ];
        for (score, severity) in cases {
            assert_eq!(Severity::from_cvss_score(score), severity, "{score}");
        }
        assert_eq!(Severity::from_cvss2_score(10.0), Severity::High);
    }

    #[test]
    fn words_are_read_in_any_case() {
        assert_eq!("CRITICAL".parse(), Ok(Severity::Critical));
        assert!("severe".parse::<Severity>().is_err());
    }
}
