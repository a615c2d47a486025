//! Trigger `vulnerabilities`/`package`: one match per finding that passes all filters.
//!
//! Decisions where the language leaves room:
//! - A finding whose version could not be ordered ([`FindingState::Undecided`]) is a finding like others, without a fix:
//!   nobody knows that the package is clean.
//! - `vendor_only=false` brings findings in that the distro will not fix.
//! - Scores of the national database (source `nvd`) are asked for the `cvss_v3_…` parameters; where a finding has none,
//!   all its scores are, because feeds republish them under other names. The `vendor_cvss_v3_…` parameters ask all sources but
//!   `nvd` and `osv`, which only collects. A finding without a score has -1.0.
//! - A finding whose first detection, or whose fix's first sight, is not known passes `max_days_since_creation` and
//!   `max_days_since_fix`: the rule fires from the first day on, and the decision carries a note that says so. A date that
//!   is not known is not told in the message either.

use jiff::Timestamp;
use model::{Finding, FindingTimes, PackageKind};

use super::finding_filter::{
    FIX_AVAILABLE, FilterDefaults, FindingFilter, SEVERITIES, finding_trigger_id, fixes, holds, is_days_ago,
};
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
        validator: Validator::Choice(SEVERITIES),
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
    FIX_AVAILABLE,
    Parameter {
        name: "vendor_only",
        description: "Leave out what the distro has said that it will not fix. Default: true.",
        example: "true",
        is_required: false,
        validator: Validator::Boolean,
    },
    Parameter {
        name: "max_days_since_creation",
        description: "Days after the first detection in this image before the rule fires; at once when the day is not known.",
        example: "7",
        is_required: false,
        validator: Validator::Integer,
    },
    Parameter {
        name: "max_days_since_fix",
        description: "Days after the first sight of a fix before the rule fires, with fix_available=true only; at once when the day is not known.",
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
    filter: FindingFilter,
    scores: Vec<ScoreFilter>,
    waits: Vec<Wait>,
    path_exclude: Option<PrefixRegex>,
}

/// A time that the rule lets pass before it fires.
#[derive(Debug)]
struct Wait {
    /// As the parameter and the message name it.
    name: &'static str,
    days: u32,
    since: fn(&FindingTimes) -> Option<Timestamp>,
}

/// What holds in this trigger when a rule does not say it.
const DEFAULTS: FilterDefaults = FilterDefaults { severity_comparison: ">", is_vendor_only: true };

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
    let filter = FindingFilter::new(&values, DEFAULTS);
    let wait = |name: &'static str, since: fn(&FindingTimes) -> Option<Timestamp>| {
        values.integer(name).map(|days| Wait { name, days, since })
    };
    let since_detection = wait("max_days_since_creation", |times| times.detected_at);
    let since_fix = wait("max_days_since_fix", |times| times.fix_observed_at)
        .filter(|_| filter.is_fix_wanted == Some(true));
    Ok(Box::new(PackageCheck {
        filter,
        scores: scores.collect(),
        waits: since_detection.into_iter().chain(since_fix).collect(),
        path_exclude,
    }))
}

impl Check for PackageCheck {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut unknown_date_parameter = None;
        for (position, finding) in input.report.findings.iter().enumerate() {
            output.budget.spend(1)?;
            let times = input.finding_times.get(position).copied().unwrap_or_default();
            if !self.is_wanted(finding, &times, input.now, output)? {
                continue;
            }
            let is_unknown = |wait: &&Wait| wait.days > 0 && (wait.since)(&times).is_none();
            unknown_date_parameter = unknown_date_parameter.or(self.waits.iter().find(is_unknown));
            output.push(Match {
                message: self.message(finding, &times),
                trigger_id: Some(finding_trigger_id(finding)),
                finding: Some(position),
            })?;
        }
        if let Some(Wait { name, .. }) = unknown_date_parameter {
            output.notes.push(format!(
                "Parameter `{name}` has no effect on some findings: when they or their fixes were first seen is not known, so the rule does not wait"
            ));
        }
        Ok(())
    }
}

impl PackageCheck {
    fn is_wanted(
        &self,
        finding: &Finding,
        times: &FindingTimes,
        now: Timestamp,
        output: &mut Output<'_>,
    ) -> Result<bool, Failure> {
        let is_due = |wait: &Wait| (wait.since)(times).is_none_or(|at| is_days_ago(at, wait.days, now));
        let has_score =
            |filter: &ScoreFilter| holds(filter.comparison, &filter.score(finding), &filter.value);
        if !self.filter.is_wanted(finding)
            || !self.waits.iter().all(is_due)
            || !self.scores.iter().all(has_score)
        {
            return Ok(false);
        }
        match &self.path_exclude {
            Some(regex) if !finding.package_kind.is_operating_system() => {
                Ok(!regex.is_match(&finding.package_path, output.budget)?)
            }
            _ => Ok(true),
        }
    }

    fn message(&self, finding: &Finding, times: &FindingTimes) -> String {
        let is_os = finding.package_kind.is_operating_system();
        let (class, name) = if is_os { ("os", &finding.package) } else { ("non-os", &finding.package_path) };
        let fixed_in = match fixes(finding) {
            [] => String::new(),
            fixes => format!("(fixed in: {})", fixes.join(", ")),
        };
        format!(
            "{severity} Vulnerability found in {class} package type ({package_type}) - {name} {fixed_in}{scores}{times}{vendor_scores}({id} - {link})",
            severity = finding.severity.name().to_uppercase(),
            package_type = package_type(finding.package_kind),
            scores = self.scores_text(finding, false),
            times = self.times_text(times),
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
        in_brackets(&scores)
    }

    /// The days from which the rule counts, in brackets, or nothing.
    fn times_text(&self, times: &FindingTimes) -> String {
        let days: Vec<String> = self
            .waits
            .iter()
            .filter_map(|wait| {
                (wait.since)(times).map(|at| format!("{}={}", wait.name, at.strftime("%Y-%m-%d")))
            })
            .collect();
        in_brackets(&days)
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

fn in_brackets(parts: &[String]) -> String {
    if parts.is_empty() { String::new() } else { format!("({})", parts.join(" ")) }
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
        other => other.purl_type(),
    }
}
