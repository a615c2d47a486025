//! From the events of a range to intervals.

use std::cmp::Ordering;

use model::{RangeEnd, VersionInterval};
use package_versions::VersionScheme;

use super::raw::RawEvent;

/// What happens at a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Introduced,
    Fixed,
    LastAffected,
}

/// The intervals of one range, and what is wrong with its bounds.
pub(crate) fn to_intervals(
    events: Vec<RawEvent>,
    scheme: Option<VersionScheme>,
) -> (Vec<VersionInterval>, Vec<String>) {
    let mut steps = Vec::with_capacity(events.len());
    for event in events {
        steps.extend(event.introduced.map(|version| (Step::Introduced, version)));
        steps.extend(event.fixed.map(|version| (Step::Fixed, version)));
        steps.extend(event.last_affected.map(|version| (Step::LastAffected, version)));
    }
    let mut problems = Vec::new();
    if let Some(scheme) = scheme {
        let bounds = steps.iter().filter(|(_, version)| version != "0");
        problems.extend(bounds.filter_map(|(_, version)| Some(scheme.check(version).err()?.to_string())));
        // Events with bounds that have no order stay as written: matching will find them undecidable.
        if problems.is_empty() {
            steps.sort_by(|a, b| order(scheme, a, b));
        }
    }
    (fold(steps), problems)
}

fn order(scheme: VersionScheme, a: &(Step, String), b: &(Step, String)) -> Ordering {
    // `0` is before all versions, whatever the scheme says about it.
    let versions = match (a.1.as_str(), b.1.as_str()) {
        ("0", "0") => Ordering::Equal,
        ("0", _) => Ordering::Less,
        (_, "0") => Ordering::Greater,
        (a, b) => scheme.compare(a, b).unwrap_or(Ordering::Equal),
    };
    // An interval of just one version begins before it ends. Otherwise steps at the same version stay as written.
    let is_last = |step: Step| step == Step::LastAffected;
    versions.then(is_last(a.0).cmp(&is_last(b.0)))
}

fn fold(steps: Vec<(Step, String)>) -> Vec<VersionInterval> {
    let mut intervals = Vec::new();
    // The beginning of the interval that has no end yet. A range that does not begin with `introduced` is broken,
    // but its first fix says that what is before is affected.
    let mut beginning = match steps.first() {
        Some((Step::Introduced, _)) | None => None,
        Some(_) => Some(None),
    };
    for (step, version) in steps {
        match (step, beginning.take()) {
            (Step::Introduced, None) => beginning = Some(Some(version).filter(|version| version != "0")),
            (Step::Introduced, known) => beginning = known,
            (Step::Fixed, Some(introduced)) => {
                // Fixed at the beginning of all versions: never affected.
                if introduced.is_some() || version != "0" {
                    intervals.push(VersionInterval { introduced, end: RangeEnd::Fixed(version) });
                }
            }
            (Step::LastAffected, Some(introduced)) => {
                intervals.push(VersionInterval { introduced, end: RangeEnd::LastAffected(version) });
            }
            // A second fix says nothing new: the first one ended the interval.
            (Step::Fixed | Step::LastAffected, None) => {}
        }
    }
    if let Some(introduced) = beginning {
        intervals.push(VersionInterval { introduced, end: RangeEnd::Open });
    }
    intervals
}
