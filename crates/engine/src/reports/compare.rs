//! What is different about an image since it was judged last.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use storage::to_micros;

use super::stored::{FindingKey, StoredFinding, StoredReport};

/// What is different.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Diff {
    pub(crate) added: Vec<StoredFinding>,
    pub(crate) updated: Vec<StoredFinding>,
    pub(crate) removed: Vec<StoredFinding>,
}

impl Diff {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { added, updated, removed } = self;
        added.is_empty() && updated.is_empty() && removed.is_empty()
    }
}

/// Gives findings their times, and says what is different from the report before.
///
/// A finding keeps its time as long as it is found. Without a report before, everything is found now, and when a fix that is
/// there already was first seen is not known.
pub(crate) fn compare(
    before: Option<&StoredReport>,
    findings: Vec<StoredFinding>,
    now: Timestamp,
) -> (StoredReport, Diff) {
    let now_us = to_micros(now);
    let old_findings = before.map_or(&[][..], |report| &report.findings);
    let known: BTreeMap<FindingKey<'_>, usize> =
        old_findings.iter().enumerate().map(|(position, finding)| (finding.key(), position)).collect();
    let mut found = BTreeSet::new();
    let mut diff = Diff::default();
    let mut timed = Vec::with_capacity(findings.len());
    for mut finding in findings {
        let is_fixed = !finding.fixed_in.is_empty();
        let position = known.get(&finding.key()).copied();
        found.extend(position);
        match position.and_then(|position| old_findings.get(position)) {
            Some(old) => {
                finding.detected_us = old.detected_us;
                finding.fix_observed_us = match (is_fixed, old.fixed_in.is_empty()) {
                    (false, _) => None,
                    (true, true) => Some(now_us),
                    (true, false) => old.fix_observed_us,
                };
                if !says_the_same(old, &finding) {
                    diff.updated.push(finding.clone());
                }
            }
            None => {
                finding.detected_us = Some(now_us);
                finding.fix_observed_us = (is_fixed && before.is_some()).then_some(now_us);
                if before.is_some() {
                    diff.added.push(finding.clone());
                }
            }
        }
        timed.push(finding);
    }
    let is_removed = |(position, _): &(usize, &StoredFinding)| !found.contains(position);
    diff.removed =
        old_findings.iter().enumerate().filter(is_removed).map(|(_, finding)| finding.clone()).collect();
    (StoredReport { findings: timed }, diff)
}

fn says_the_same(old: &StoredFinding, new: &StoredFinding) -> bool {
    (&old.severity, &old.fixed_in, &old.state, &old.url)
        == (&new.severity, &new.fixed_in, &new.state, &new.url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(id: &str, fixed_in: &[&str]) -> StoredFinding {
        StoredFinding {
            id: id.to_owned(),
            kind: "deb".to_owned(),
            package: "libssl3".to_owned(),
            version: "1".to_owned(),
            path: String::new(),
            severity: "High".to_owned(),
            fixed_in: fixed_in.iter().map(ToString::to_string).collect(),
            state: "fixed".to_owned(),
            url: String::new(),
            group: "debian:12".to_owned(),
            detected_us: None,
            fix_observed_us: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn times(report: &StoredReport) -> Vec<(&str, Option<i64>, Option<i64>)> {
        let second = |us: Option<i64>| us.map(|us| us / 1_000_000);
        let mut lines = Vec::new();
        for StoredFinding { id, detected_us, fix_observed_us, .. } in &report.findings {
            lines.push((id.as_str(), second(*detected_us), second(*fix_observed_us)));
        }
        lines
    }

    #[test]
    fn times_stay_with_their_findings() {
        let (first, diff) = compare(None, vec![finding("A", &[]), finding("B", &["2"])], at(10));
        assert_eq!(times(&first), [("A", Some(10), None), ("B", Some(10), None)]);
        assert!(diff.is_empty());

        let (second, diff) = compare(
            Some(&first),
            vec![finding("A", &["3"]), finding("B", &["2"]), finding("C", &["4"])],
            at(20),
        );
        assert_eq!(
            times(&second),
            [("A", Some(10), Some(20)), ("B", Some(10), None), ("C", Some(20), Some(20))]
        );
        let ids = |list: &[StoredFinding]| list.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
        assert_eq!(
            (ids(&diff.added), ids(&diff.updated), ids(&diff.removed)),
            (vec!["C".into()], vec!["A".into()], vec![])
        );

        let (third, diff) = compare(Some(&second), vec![finding("A", &["3"])], at(30));
        assert_eq!(times(&third), [("A", Some(10), Some(20))]);
        assert_eq!(ids(&diff.removed), ["B", "C"]);

        let (fourth, _) = compare(Some(&third), vec![finding("A", &[])], at(40));
        assert_eq!(times(&fourth), [("A", Some(10), None)], "a fix that is taken back is none");
    }

    /// After a report without findings, what is found now is new and not lost.
    #[test]
    fn what_is_found_after_nothing_was_found_is_added() {
        let (empty, _) = compare(None, Vec::new(), at(10));
        let (report, diff) = compare(Some(&empty), vec![finding("A", &[])], at(20));
        assert_eq!(times(&report), [("A", Some(20), None)]);
        assert_eq!(diff.added.len(), 1);
        assert!(compare(Some(&report), vec![finding("A", &[])], at(30)).1.is_empty());
    }
}
