//! Names, help, units and values, as they are rendered.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::levels::seconds_between;
use super::*;

fn everything() -> String {
    let metrics = Metrics::new();
    metrics.request("/images/{digest}", "GET", 200, Duration::from_millis(3));
    metrics.request("/images/{digest}", "BREW", 405, Duration::from_millis(3));
    metrics.analysis("completed", Duration::from_secs(3));
    metrics.duty("event_expiry", true);
    metrics.verdict(true);
    metrics.feed_update("debian", "updated");
    metrics.delivery("tag_update", "failed");
    let levels = &metrics.0.levels;
    levels.jobs.get_or_create(&JobLabels { kind: "k".into(), state: "queued".into() }).set(1);
    levels.oldest_job.get_or_create(&KindLabels { kind: "k".into() }).set(1.5);
    levels.images.get_or_create(&StatusLabels { status: "analyzed".into() }).set(1);
    levels.events.get_or_create(&LevelLabels { level: "info".into() }).set(1);
    let webhook = WebhookLabels { webhook: "general".into() };
    levels.waiting_notifications.get_or_create(&webhook).set(2);
    levels.oldest_notification.get_or_create(&webhook).set(2.5);
    levels.feed_age.get_or_create(&SourceLabels { source: "s".into() }).set(1.0);
    levels.feed_records.get_or_create(&SourceLabels { source: "s".into() }).set(1);
    levels.feed_failures.get_or_create(&SourceLabels { source: "s".into() }).set(1);
    levels.source_age.get_or_create(&SourceLabels { source: "a\"b\n".into() }).set(1.0);
    levels.source_records.get_or_create(&SourceLabels { source: "s".into() }).set(1);
    metrics.render()
}

#[test]
fn requests_are_told_apart_by_route_and_known_method_only() {
    let text = everything();
    for line in [
        "lazaret_http_requests_total{route=\"/images/{digest}\",method=\"GET\",status=\"200\"} 1",
        "lazaret_http_requests_total{route=\"/images/{digest}\",method=\"other\",status=\"405\"} 1",
        "lazaret_verdict_lookups_total{result=\"hit\"} 1",
        "lazaret_vulnerability_source_age_seconds{source=\"a\\\"b\\n\"} 1.0",
    ] {
        assert!(text.contains(line), "`{line}` is missing in:\n{text}");
    }
}

/// The rules of `promtool check metrics`, as far as names, help and units go.
#[test]
fn names_help_and_units_follow_the_conventions() {
    let text = everything();
    let comments = |what: &str| -> BTreeMap<String, String> {
        let prefix = format!("# {what} ");
        let lines = text.lines().filter_map(|line| line.strip_prefix(&prefix)?.split_once(' '));
        lines.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
    };
    let (types, help, units) = (comments("TYPE"), comments("HELP"), comments("UNIT"));
    assert!(types.len() > 15, "{text}");
    for (name, kind) in &types {
        let about = help.get(name).unwrap_or_else(|| panic!("`{name}` has no help"));
        assert!(about.len() > 10, "{name}");
        let words: Vec<&str> = name.split('_').collect();
        let is_plain = |word: &&str| {
            !word.is_empty()
                && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
        };
        assert!(words.iter().all(is_plain), "`{name}` is not lower case with single underlines");
        assert_eq!(words.first(), Some(&"lazaret"), "{name}");
        for word in &words {
            let banned = [
                "counter",
                "gauge",
                "histogram",
                "summary",
                "metric",
                "ms",
                "sec",
                "s",
                "milliseconds",
                "minutes",
                "hours",
                "days",
                "kb",
                "mb",
                "kilobytes",
                "megabytes",
                "percent",
            ];
            assert!(!banned.contains(word), "`{word}` in `{name}`");
        }
        for suffix in ["_total", "_count", "_sum", "_bucket", "_created", "_info"] {
            assert!(!name.ends_with(suffix), "the family `{name}` ends in `{suffix}`");
        }
        if let Some(unit) = units.get(name) {
            assert!(
                name.ends_with(&format!("_{unit}")) && ["seconds", "bytes"].contains(&unit.as_str()),
                "{name}"
            );
        } else {
            assert!(
                !name.ends_with("_seconds") && !name.ends_with("_bytes"),
                "`{name}` says a unit it has not"
            );
        }
        let samples = text.lines().filter(|line| !line.starts_with('#') && line.starts_with(name.as_str()));
        let names: Vec<&str> = samples.filter_map(|line| line.split(['{', ' ']).next()).collect();
        let suffixes: &[&str] = match kind.as_str() {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            "gauge" => &[""],
            other => panic!("`{name}` is a {other}"),
        };
        let is_of_family =
            |sample: &&&str| suffixes.iter().any(|suffix| **sample == format!("{name}{suffix}"));
        assert!(names.iter().filter(is_of_family).count() > 0, "`{name}` has no samples:\n{text}");
    }
}

#[test]
fn two_clocks_that_differ_make_no_negative_age() {
    let early: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
    let late: Timestamp = "2026-11-22T00:01:00Z".parse().unwrap();
    assert_eq!((seconds_between(early, late), seconds_between(late, early)), (60.0, 0.0));
}
