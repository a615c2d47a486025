//! What the triggers about single findings share: which findings a rule is about, and how it names them.

use jiff::{SignedDuration, Timestamp};
use model::{Finding, FindingState, PackageKind, Severity};

use crate::parameter::{COMPARISONS, Parameter, ParameterValues, Validator};

pub(super) const SEVERITIES: &[&str] = &["unknown", "negligible", "low", "medium", "high", "critical"];

/// The parameters that [`FindingFilter::new`] reads, for triggers that are about all findings if nothing else is said.
pub(super) const PACKAGE_TYPE: Parameter = Parameter {
    name: "package_type",
    description: "Packages of the operating system, all others, or both. Default: all.",
    example: "all",
    is_required: false,
    validator: Validator::Choice(&["all", "os", "non-os"]),
};
pub(super) const SEVERITY_COMPARISON: Parameter = Parameter {
    name: "severity_comparison",
    description: "How to compare the severity. Default: >=.",
    example: ">=",
    is_required: false,
    validator: Validator::Choice(COMPARISONS),
};
pub(super) const SEVERITY: Parameter = Parameter {
    name: "severity",
    description: "Severity to compare with. Default: unknown, which is every finding.",
    example: "medium",
    is_required: false,
    validator: Validator::Choice(SEVERITIES),
};
pub(super) const FIX_AVAILABLE: Parameter = Parameter {
    name: "fix_available",
    description: "Whether a version that fixes the vulnerability must be known or must not be. Default: either.",
    example: "true",
    is_required: false,
    validator: Validator::Boolean,
};
pub(super) const VENDOR_ONLY: Parameter = Parameter {
    name: "vendor_only",
    description: "Leave out what the distro has said that it will not fix. Default: false.",
    example: "false",
    is_required: false,
    validator: Validator::Boolean,
};

/// What holds when a rule does not say it.
#[derive(Debug, Clone, Copy)]
pub(super) struct FilterDefaults {
    pub(super) severity_comparison: &'static str,
    pub(super) is_vendor_only: bool,
}

/// For the triggers that are not part of the old language: every finding.
pub(super) const EVERY_FINDING: FilterDefaults =
    FilterDefaults { severity_comparison: ">=", is_vendor_only: false };

/// Which findings a rule is about.
#[derive(Debug)]
pub(super) struct FindingFilter {
    /// `Some(true)` for the operating system's packages only.
    is_os_wanted: Option<bool>,
    severity_comparison: &'static str,
    severity: Severity,
    pub(super) is_fix_wanted: Option<bool>,
    is_vendor_only: bool,
}

impl FindingFilter {
    pub(super) fn new(values: &ParameterValues, defaults: FilterDefaults) -> Self {
        Self {
            is_os_wanted: match values.choice("package_type") {
                Some("os") => Some(true),
                Some("non-os") => Some(false),
                _ => None,
            },
            severity_comparison: values.choice("severity_comparison").unwrap_or(defaults.severity_comparison),
            severity: values
                .choice("severity")
                .and_then(|word| word.parse().ok())
                .unwrap_or(Severity::Unknown),
            is_fix_wanted: values.boolean("fix_available"),
            is_vendor_only: values.boolean("vendor_only").unwrap_or(defaults.is_vendor_only),
        }
    }

    pub(super) fn is_wanted(&self, finding: &Finding) -> bool {
        let is_os = finding.package_kind.is_operating_system();
        self.is_os_wanted.is_none_or(|is_os_wanted| is_os_wanted == is_os)
            && holds(self.severity_comparison, &finding.severity, &self.severity)
            && !(self.is_vendor_only && finding.state == FindingState::WillNotFix)
            && self.is_fix_wanted.is_none_or(|is_fix_wanted| is_fix_wanted != fixes(finding).is_empty())
    }

    /// Whether it asks about packages of the operating system.
    pub(super) fn wants_os_packages(&self) -> bool {
        self.is_os_wanted != Some(false)
    }
}

pub(super) fn holds<T: PartialOrd>(comparison: &str, left: &T, right: &T) -> bool {
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
pub(super) fn fixes(finding: &Finding) -> &[String] {
    match finding.state {
        FindingState::Undecided => &[],
        FindingState::Fixed | FindingState::NotFixed | FindingState::WillNotFix => &finding.fixed_in,
    }
}

/// Whether something happened at least that many days ago.
pub(super) fn is_days_ago(at: Timestamp, days: u32, now: Timestamp) -> bool {
    now.duration_since(at) >= SignedDuration::from_hours(24 * i64::from(days))
}

/// The stable identifier of a row about a finding: `CVE-2023-0001+openssl`.
///
/// All triggers about single findings use it, so that an exception for a vulnerability covers the rows of every trigger.
pub(super) fn finding_trigger_id(finding: &Finding) -> String {
    let part_from_end = |position: usize| finding.package_path.rsplit('/').nth(position).unwrap_or_default();
    let piece = match finding.package_kind {
        kind if kind.is_operating_system() => finding.package.as_str(),
        PackageKind::Maven | PackageKind::Gem => part_from_end(0),
        PackageKind::Npm => part_from_end(1),
        _ => "",
    };
    if piece.is_empty() {
        format!("{}+{}-{}", finding.id, finding.package, finding.version)
    } else {
        format!("{}+{piece}", finding.id)
    }
}
