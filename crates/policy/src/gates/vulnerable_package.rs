//! Trigger `vulnerabilities`/`package`: one match per finding that passes all filters.
//!
//! Decisions where the language leaves room:
//! - A finding whose version could not be ordered ([`FindingState::Undecided`]) is a finding like others, without a fix:
//!   nobody knows that the package is clean.
//! - `vendor_only=false` brings findings in that the distro will not fix.
//! - Scores of the national database (source `nvd`) are asked for the `cvss_v3_…` parameters; where a finding has none,
//!   all its scores are, because feeds republish them under other names. The `vendor_cvss_v3_…` parameters ask all sources but
//!   `nvd` and `osv`, which only collects. A finding without a score has -1.0.
//! - When a finding was first seen is not recorded. A finding of unknown date passes `max_days_since_creation` and
//!   `max_days_since_fix`, so the rule fires from the first day on, and the decision carries a note that says so.

use model::{Finding, FindingState, PackageKind, Severity};

use super::{Built, Check, Match, Output};
use crate::budget::Failure;
use crate::cvss;
use crate::judge::EvaluationInput;
use crate::parameter::{COMPARISONS, Parameter, ParameterValues, Validator};
use crate::prefix_regex::{PrefixRegex, RegexCompiler};
use crate::python_text::repr_float;

const fn comparison(name: &'static str, description: &'static str) -> Parameter {
    Parameter {
        name,
        description,
        example: ">",
        is_required: false,
        validator: Validator::Choice(COMPARISONS),
    }
}

const fn score(name: &'static str, description: &'static str) -> Parameter {
    Parameter { name, description, example: "7.5", is_required: false, validator: Validator::Float }
}

pub(super) const PACKAGE_PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "package_type",
        description: "Packages of the operating system, all others, or both.",
        example: "all",
        is_required: true,
        validator: Validator::Choice(&["all", "os", "non-os"]),
    },
    comparison("severity_comparison", "How to compare the severity. Default: >."),
    Parameter {
        name: "severity",
        description: "Severity to compare with. Default: unknown.",
        example: "high",
        is_required: false,
        validator: Validator::Choice(&["unknown", "negligible", "low", "medium", "high", "critical"]),
    },
    comparison("cvss_v3_base_score_comparison", "How to compare the CVSS 3 base score. Default: >=."),
    score("cvss_v3_base_score", "CVSS 3 base score to compare with."),
    comparison(
        "cvss_v3_exploitability_score_comparison",
        "How to compare the CVSS 3 exploitability score. Default: >=.",
    ),
    score("cvss_v3_exploitability_score", "CVSS 3 exploitability score to compare with."),
    comparison("cvss_v3_impact_score_comparison", "How to compare the CVSS 3 impact score. Default: >=."),
    score("cvss_v3_impact_score", "CVSS 3 impact score to compare with."),
    Parameter {
        name: "fix_available",
        description: "Whether a version that fixes the vulnerability must be known or must not be. Default: either.",
        example: "true",
        is_required: false,
        validator: Validator::Boolean,
    },
    Parameter {
        name: "vendor_only",
        description: "Leave out what the distro has said that it will not fix. Default: true.",
        example: "true",
        is_required: false,
        validator: Validator::Boolean,
    },
    Parameter {
        name: "max_days_since_creation",
        description: "Days after the first detection in this image before the rule fires. The day of detection is not recorded yet, so the rule fires at once.",
        example: "7",
        is_required: false,
        validator: Validator::Integer,
    },
    Parameter {
        name: "max_days_since_fix",
        description: "Days after the first sight of a fix before the rule fires, with fix_available=true only. The day is not recorded yet, so the rule fires at once.",
        example: "30",
        is_required: false,
        validator: Validator::Integer,
    },
    comparison(
        "vendor_cvss_v3_base_score_comparison",
        "How to compare the vendor's CVSS 3 base score. Default: >=.",
    ),
    score("vendor_cvss_v3_base_score", "Vendor's CVSS 3 base score to compare with."),
    comparison(
        "vendor_cvss_v3_exploitability_score_comparison",
        "How to compare the vendor's CVSS 3 exploitability score. Default: >=.",
    ),
    score("vendor_cvss_v3_exploitability_score", "Vendor's CVSS 3 exploitability score to compare with."),
    comparison(
        "vendor_cvss_v3_impact_score_comparison",
        "How to compare the vendor's CVSS 3 impact score. Default: >=.",
    ),
    score("vendor_cvss_v3_impact_score", "Vendor's CVSS 3 impact score to compare with."),
    Parameter {
        name: "package_path_exclude",
        description: "Leave out packages other than the operating system's whose path matches this expression.",
        example: r".*test\.jar",
        is_required: false,
        validator: Validator::Regex,
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScoreKind {
    Base,
    Exploitability,
    Impact,
}

/// One parameter pair about a score.
#[derive(Debug)]
struct ScoreFilter {
    is_vendor: bool,
    kind: ScoreKind,
    /// As the parameter and the message name it.
    name: &'static str,
    comparison: &'static str,
    value: f64,
}

#[derive(Debug)]
struct PackageCheck {
    /// `Some(true)` for the operating system's packages only.
    is_os_wanted: Option<bool>,
    severity_comparison: &'static str,
    severity: Severity,
    scores: Vec<ScoreFilter>,
    is_fix_wanted: Option<bool>,
    is_vendor_only: bool,
    /// The first of the two waiting times that a user gave and that would have to be known.
    unknown_date_parameter: Option<&'static str>,
    path_exclude: Option<PrefixRegex>,
}

const SCORES: [(bool, ScoreKind, &str, &str); 6] = [
    (false, ScoreKind::Base, "cvss_v3_base_score", "cvss_v3_base_score_comparison"),
    (
        false,
        ScoreKind::Exploitability,
        "cvss_v3_exploitability_score",
        "cvss_v3_exploitability_score_comparison",
    ),
    (false, ScoreKind::Impact, "cvss_v3_impact_score", "cvss_v3_impact_score_comparison"),
    (true, ScoreKind::Base, "vendor_cvss_v3_base_score", "vendor_cvss_v3_base_score_comparison"),
    (
        true,
        ScoreKind::Exploitability,
        "vendor_cvss_v3_exploitability_score",
        "vendor_cvss_v3_exploitability_score_comparison",
    ),
    (true, ScoreKind::Impact, "vendor_cvss_v3_impact_score", "vendor_cvss_v3_impact_score_comparison"),
];

pub(super) fn build_package(mut values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    let path_exclude = values.take_regex("package_path_exclude");
    let scores = SCORES.iter().filter_map(|(is_vendor, kind, name, comparison)| {
        Some(ScoreFilter {
            is_vendor: *is_vendor,
            kind: *kind,
            name,
            comparison: values.choice(comparison).unwrap_or(">="),
            value: values.float(name)?,
        })
    });
    let is_fix_wanted = values.boolean("fix_available");
    let waits = |name: &'static str| values.integer(name).is_some_and(|days| days > 0).then_some(name);
    let unknown_date_parameter = waits("max_days_since_creation")
        .or_else(|| waits("max_days_since_fix").filter(|_| is_fix_wanted == Some(true)));
    Ok(Box::new(PackageCheck {
        is_os_wanted: match values.choice("package_type") {
            Some("os") => Some(true),
            Some("non-os") => Some(false),
            _ => None,
        },
        severity_comparison: values.choice("severity_comparison").unwrap_or(">"),
        severity: values.choice("severity").and_then(|word| word.parse().ok()).unwrap_or(Severity::Unknown),
        scores: scores.collect(),
        is_fix_wanted,
        is_vendor_only: values.boolean("vendor_only").unwrap_or(true),
        unknown_date_parameter,
        path_exclude,
    }))
}

impl Check for PackageCheck {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut is_date_missed = false;
        for (position, finding) in input.report.findings.iter().enumerate() {
            output.budget.spend(1)?;
            if !self.is_wanted(finding, output)? {
                continue;
            }
            is_date_missed = true;
            output.push(Match {
                message: self.message(finding),
                trigger_id: Some(format!("{}+{}", finding.id, identifier_piece(finding))),
                finding: Some(position),
            })?;
        }
        if let Some(parameter) = self.unknown_date_parameter
            && is_date_missed
        {
            output.notes.push(format!(
                "Parameter `{parameter}` has no effect: when a finding was first seen is not recorded, so the rule does not wait"
            ));
        }
        Ok(())
    }
}

impl PackageCheck {
    fn is_wanted(&self, finding: &Finding, output: &mut Output<'_>) -> Result<bool, Failure> {
        let is_os = finding.package_kind.is_operating_system();
        let is_filtered = self.is_os_wanted.is_some_and(|is_os_wanted| is_os_wanted != is_os)
            || !holds(self.severity_comparison, &finding.severity, &self.severity)
            || (self.is_vendor_only && finding.state == FindingState::WillNotFix)
            || self.is_fix_wanted.is_some_and(|is_fix_wanted| is_fix_wanted == fixes(finding).is_empty())
            || self
                .scores
                .iter()
                .any(|filter| !holds(filter.comparison, &filter.score(finding), &filter.value));
        if is_filtered {
            return Ok(false);
        }
        match &self.path_exclude {
            Some(regex) if !is_os => Ok(!regex.is_match(&finding.package_path, output.budget)?),
            _ => Ok(true),
        }
    }

    fn message(&self, finding: &Finding) -> String {
        let is_os = finding.package_kind.is_operating_system();
        let (class, name) = if is_os { ("os", &finding.package) } else { ("non-os", &finding.package_path) };
        let fixed_in = match fixes(finding) {
            [] => String::new(),
            fixes => format!("(fixed in: {})", fixes.join(", ")),
        };
        format!(
            "{severity} Vulnerability found in {class} package type ({package_type}) - {name} {fixed_in}{scores}{vendor_scores}({id} - {link})",
            severity = finding.severity.name().to_uppercase(),
            package_type = package_type(finding.package_kind),
            scores = self.scores_text(finding, false),
            vendor_scores = self.scores_text(finding, true),
            id = finding.id,
            link = finding.url.as_deref().unwrap_or_default(),
        )
    }

    /// The scores that the rule asks about, in brackets, or nothing.
    fn scores_text(&self, finding: &Finding, is_vendor: bool) -> String {
        let scores: Vec<String> = self
            .scores
            .iter()
            .filter(|filter| filter.is_vendor == is_vendor)
            .map(|filter| (filter.name, filter.score(finding)))
            .filter(|(_, score)| *score != 0.0)
            .map(|(name, score)| format!("{name}={}", repr_float(score)))
            .collect();
        if scores.is_empty() { String::new() } else { format!("({})", scores.join(" ")) }
    }
}

impl ScoreFilter {
    /// The highest score of this kind, -1.0 when there is none.
    fn score(&self, finding: &Finding) -> f64 {
        let version_3 = || finding.cvss.iter().filter(|score| cvss::is_version_3(&score.vector));
        let has_nvd = version_3().any(|score| score.source == "nvd");
        version_3()
            .filter(|score| match self.is_vendor {
                true => !matches!(score.source.as_str(), "nvd" | "osv"),
                false => !has_nvd || score.source == "nvd",
            })
            .filter_map(|score| match self.kind {
                ScoreKind::Base => Some(score.score),
                ScoreKind::Exploitability => cvss::subscores(&score.vector).map(|parts| parts.exploitability),
                ScoreKind::Impact => cvss::subscores(&score.vector).map(|parts| parts.impact),
            })
            .fold(-1.0, f64::max)
    }
}

fn holds<T: PartialOrd>(comparison: &str, left: &T, right: &T) -> bool {
    match comparison {
        "=" => left == right,
        "!=" => left != right,
        "<" => left < right,
        ">" => left > right,
        "<=" => left <= right,
        _ => left >= right,
    }
}

/// Versions that fix it; none while nobody knows whether the installed one is affected.
fn fixes(finding: &Finding) -> &[String] {
    match finding.state {
        FindingState::Undecided => &[],
        FindingState::Fixed | FindingState::NotFixed | FindingState::WillNotFix => &finding.fixed_in,
    }
}

/// The word for a package manager in messages and reports.
fn package_type(kind: PackageKind) -> &'static str {
    match kind {
        PackageKind::Apk => "APKG",
        PackageKind::Deb => "dpkg",
        PackageKind::Rpm => "rpm",
        PackageKind::Npm => "npm",
        PackageKind::Gem => "gem",
        PackageKind::PyPi => "python",
        PackageKind::Maven => "java",
        PackageKind::Golang => "go",
        PackageKind::Binary => "binary",
    }
}

/// The second half of the identifier.
fn identifier_piece(finding: &Finding) -> String {
    let part_from_end = |position: usize| finding.package_path.rsplit('/').nth(position).unwrap_or_default();
    let piece = match finding.package_kind {
        PackageKind::Apk | PackageKind::Deb | PackageKind::Rpm => finding.package.as_str(),
        PackageKind::Maven | PackageKind::Gem => part_from_end(0),
        PackageKind::Npm => part_from_end(1),
        PackageKind::PyPi | PackageKind::Golang | PackageKind::Binary => "",
    };
    if piece.is_empty() { format!("{}-{}", finding.package, finding.version) } else { piece.to_owned() }
}
