//! Findings as people work through them: package by package, first what an update mends.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use model::{Finding, FindingState, PackageKind, Severity};

/// The findings of one package in one version, wherever it lies.
#[derive(Debug)]
pub(crate) struct PackageGroup<'a> {
    pub(crate) package: &'a str,
    pub(crate) version: &'a str,
    pub(crate) kind: PackageKind,
    /// At how many places of the image it was found.
    pub(crate) place_count: usize,
    /// One for each vulnerability: with a fix first, then the worst.
    pub(crate) findings: Vec<&'a Finding>,
    /// All of them at all places.
    pub(crate) everywhere: Vec<&'a Finding>,
}

impl PackageGroup<'_> {
    /// The installed version, and at how many places it is.
    pub(crate) fn installed(&self) -> String {
        match self.place_count {
            0 | 1 => self.version.to_owned(),
            count => format!("{} ({count} places)", self.version),
        }
    }

    fn order(&self) -> impl Ord + '_ {
        let is_fixable = self.findings.iter().any(|finding| finding.state == FindingState::Fixed);
        let worst = self.findings.iter().map(|finding| finding.severity).max();
        (Reverse(is_fixable), Reverse(worst), self.package, self.version, self.kind)
    }
}

/// Groups findings by package: those with something to update first, then by their worst.
pub(crate) fn by_package(findings: &[Finding]) -> Vec<PackageGroup<'_>> {
    let mut packages = BTreeMap::<_, (BTreeSet<&str>, BTreeMap<_, &Finding>, Vec<&Finding>)>::new();
    for finding in findings {
        let (places, rows, everywhere) =
            packages.entry((&*finding.package, &*finding.version, finding.package_kind)).or_default();
        places.insert(&finding.package_path);
        everywhere.push(finding);
        let is_fixed = finding.state == FindingState::Fixed;
        rows.entry((Reverse(is_fixed), Reverse(finding.severity), &*finding.id, fixed_in(finding)))
            .or_insert(finding);
    }
    let mut groups = packages
        .into_iter()
        .map(|((package, version, kind), (places, rows, everywhere))| PackageGroup {
            package,
            version,
            kind,
            place_count: places.len(),
            findings: rows.into_values().collect(),
            everywhere,
        })
        .collect::<Vec<_>>();
    groups.sort_by(|left, right| left.order().cmp(&right.order()));
    groups
}

/// What mends a finding, or why nothing does.
pub(crate) fn fixed_in(finding: &Finding) -> String {
    match finding.state {
        FindingState::Fixed => finding.fixed_in.join(", "),
        FindingState::NotFixed => String::new(),
        FindingState::WillNotFix => "(won't fix)".to_owned(),
        FindingState::Undecided => "(undecided)".to_owned(),
    }
}

/// How many findings there are of each severity that occurs, worst first.
pub(crate) fn severity_counts(findings: &[Finding]) -> Vec<(Severity, usize)> {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    Severity::ALL
        .into_iter()
        .rev()
        .map(|severity| (severity, count(severity)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// How many findings are in a state.
pub(crate) fn state_count(findings: &[Finding], state: FindingState) -> usize {
    findings.iter().filter(|finding| finding.state == state).count()
}
