//! Counters, and the text in which monitoring systems read them.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::index::ClusterIndex;

/// One number that only grows, or a level.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    /// The level is now this.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Reviews answered with yes.
    pub reviews_allowed: Counter,
    /// Reviews answered with yes because of a whitelist item.
    pub reviews_whitelisted: Counter,
    /// Reviews answered with no by the policy.
    pub reviews_denied: Counter,
    /// Reviews with an image that nobody could judge.
    pub reviews_undecided: Counter,
    /// Requests that were no review.
    pub reviews_invalid: Counter,
    /// Requests turned away because too many were open.
    pub reviews_shed: Counter,
    /// Images whose verdict was at hand.
    pub verdict_hits: Counter,
    /// Images that had to be asked for.
    pub verdict_misses: Counter,
    /// Times that the verdict source was asked.
    pub verdict_questions: Counter,
    /// Times that it had no answer.
    pub verdict_failures: Counter,
    /// Audits waiting to be written.
    pub audits_waiting: Counter,
    /// Audits written.
    pub audits_written: Counter,
    /// Audits left out because the same was written a moment ago.
    pub audits_unchanged: Counter,
    /// Audits lost because the queue was full.
    pub audits_dropped: Counter,
    /// Audits that the API server refused for good.
    pub audits_refused: Counter,
    /// Audits removed because their time was over.
    pub audits_reaped: Counter,
    /// Connections closed at once because their source has enough of them.
    pub connections_refused: Counter,
    /// Connections closed before a request came through.
    pub connections_failed: Counter,
}

impl Metrics {
    /// The text exposition format, version 0.0.4.
    pub fn render(&self, index: &ClusterIndex) -> String {
        let reviews = [
            ("outcome=\"allowed\"", &self.reviews_allowed),
            ("outcome=\"whitelisted\"", &self.reviews_whitelisted),
            ("outcome=\"denied\"", &self.reviews_denied),
            ("outcome=\"undecided\"", &self.reviews_undecided),
            ("outcome=\"invalid\"", &self.reviews_invalid),
            ("outcome=\"shed\"", &self.reviews_shed),
        ];
        let verdicts = [("result=\"hit\"", &self.verdict_hits), ("result=\"miss\"", &self.verdict_misses)];
        let questions = [("", &self.verdict_questions)];
        let failures = [("", &self.verdict_failures)];
        let audits = [
            ("result=\"written\"", &self.audits_written),
            ("result=\"unchanged\"", &self.audits_unchanged),
            ("result=\"dropped\"", &self.audits_dropped),
            ("result=\"refused\"", &self.audits_refused),
            ("result=\"reaped\"", &self.audits_reaped),
        ];
        let bad = Counter(AtomicU64::new(index.bad_objects_count()));
        let refused_lists = Counter(AtomicU64::new(index.refused_lists_count()));
        let mut text = String::with_capacity(2_048);
        let mut family = |name: &str, kind: &str, help: &str, rows: &[(&str, &Counter)]| {
            let _ = writeln!(
                text,
                "# HELP lazaret_admission_{name} {help}\n# TYPE lazaret_admission_{name} {kind}"
            );
            for (labels, counter) in rows {
                let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
                let _ = writeln!(text, "lazaret_admission_{name}{labels} {}", counter.get());
            }
        };
        family("reviews_total", "counter", "Admission reviews by outcome.", &reviews);
        family("verdict_lookups_total", "counter", "Images looked up in the verdict cache.", &verdicts);
        family("verdict_questions_total", "counter", "Questions to the verdict source.", &questions);
        family("verdict_failures_total", "counter", "Questions without an answer.", &failures);
        family("audits_total", "counter", "Audits by what became of them.", &audits);
        family("audit_queue_depth", "gauge", "Audits waiting to be written.", &[("", &self.audits_waiting)]);
        family("bad_objects_total", "counter", "Watched objects that could not be used.", &[("", &bad)]);
        let refused = [("", &refused_lists)];
        family(
            "refused_lists_total",
            "counter",
            "Lists of the cluster that were too long or too slow.",
            &refused,
        );
        let refused = [("", &self.connections_refused)];
        family(
            "connections_refused_total",
            "counter",
            "Connections over the share of their source.",
            &refused,
        );
        family(
            "connections_failed_total",
            "counter",
            "Connections that brought no request.",
            &[("", &self.connections_failed)],
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_comment_or_a_name_and_a_number() {
        let metrics = Metrics::default();
        metrics.reviews_denied.add();
        let index = ClusterIndex::default();
        (0..3).for_each(|_| index.note_bad_object());
        let text = metrics.render(&index);
        assert!(text.contains("lazaret_admission_reviews_total{outcome=\"denied\"} 1\n"));
        assert!(text.contains("lazaret_admission_bad_objects_total 3\n"));
        for line in text.lines() {
            let is_sample = line.rsplit_once(' ').is_some_and(|(_, number)| number.parse::<u64>().is_ok());
            assert!(line.starts_with("# ") || is_sample, "{line}");
        }
    }
}
