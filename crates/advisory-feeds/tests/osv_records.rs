//! Single OSV records: names, ranges, ratings.

use advisory_feeds::{FeedLimits, ParsedFeed, osv};
use model::{Advisory, Severity};

fn parse(text: &str) -> ParsedFeed {
    osv::parse(text.as_bytes(), "x.json", &FeedLimits::default()).expect("the test's text is a record")
}

fn parse_one(text: &str) -> Advisory {
    let parsed = parse(text);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    parsed.advisories.into_iter().next().expect("the test's text is a record")
}

/// Checks the state, intervals and versions that a part of a record leads to.
fn check_range(ecosystem: &str, rest: &str, expected: &str) {
    let record = format!(
        r#"{{"id": "X-1", "affected": [{{"package": {{"ecosystem": "{ecosystem}", "name": "p"}}, {rest}}}]}}"#
    );
    let parsed = parse(&record);
    let part = &parsed.advisories[0].affected[0];
    let intervals: Vec<_> = part.intervals.iter().map(ToString::to_string).collect();
    let found = format!("{:?} [{}] {}", part.state, intervals.join(" | "), part.versions.join(","));
    assert_eq!(found.trim_end(), expected, "{ecosystem} {rest}");
}

fn check_events(ecosystem: &str, events: &str, expected: &str) {
    check_range(
        ecosystem,
        &format!(r#""ranges": [{{"type": "ECOSYSTEM", "events": [{events}]}}]"#),
        expected,
    );
}

#[test]
fn events_become_intervals() {
    let debian = |events: &str, expected: &str| check_events("Debian:12", events, expected);
    debian(r#"{"introduced": "0"}, {"fixed": "1.2-1"}"#, "Affected [< 1.2-1]");
    debian(r#"{"introduced": "0"}"#, "Affected [all versions]");
    debian(r#"{"introduced": "1.0"}, {"last_affected": "1.4"}"#, "Affected [>= 1.0, <= 1.4]");
    debian(r#"{"introduced": "1.0"}, {"last_affected": "1.0"}"#, "Affected [>= 1.0, <= 1.0]");
    debian(r#"{"introduced": "0"}, {"fixed": "0"}"#, "NotAffected []");
    debian(r#"{"fixed": "1.2"}"#, "Affected [< 1.2]");
    debian(r#"{"introduced": "0"}, {"fixed": "1.2"}, {"fixed": "1.1"}"#, "Affected [< 1.1]");
    debian(r#"{"introduced": "0"}, {"fixed": "1.2"}, {"limit": "1.1"}"#, "Affected [< 1.2]");
    debian(r#"{"introduced": "1"}, {"fixed": "2"}, {"introduced": "2"}"#, "Affected [>= 1, < 2 | >= 2]");
    // Sorted by the order of dpkg, in which 10 is after 9.
    let unsorted = r#"{"fixed": "11"}, {"introduced": "10"}, {"fixed": "9.1"}, {"introduced": "9"}"#;
    debian(unsorted, "Affected [>= 9, < 9.1 | >= 10, < 11]");
    // Without a known order events are taken as written.
    check_events(
        "Android",
        r#"{"introduced": "1"}, {"fixed": "2"}, {"introduced": "3"}"#,
        "Affected [>= 1, < 2 | >= 3]",
    );
}

#[test]
fn versions_and_other_ranges_are_read() {
    let range = r#""ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "2"}, {"fixed": "3"}]}]"#;
    check_range(
        "Debian:12",
        &format!(r#"{range}, "versions": ["1", "2", "2.9", "3"]"#),
        "Affected [>= 2, < 3] 1,3",
    );
    check_range("Android", &format!(r#"{range}, "versions": ["1", "2"]"#), "Affected [>= 2, < 3] 1,2");
    let commits =
        r#""ranges": [{"type": "GIT", "repo": "r", "events": [{"introduced": "0"}, {"fixed": "abc"}]}]"#;
    check_range("npm", &format!(r#"{commits}, "versions": ["1"]"#), "Affected [] 1");
    check_range("npm", commits, "Undetermined []");
    check_range("npm", r#""versions": []"#, "Undetermined []");
}

#[test]
fn bounds_without_an_order_are_kept_and_reported() {
    let events = r#"{"introduced": "0"}, {"fixed": "latest"}"#;
    check_events("Wolfi", events, "Affected [< latest]");
    let record = format!(
        r#"{{"id": "X-1", "affected": [{{"package": {{"ecosystem": "Wolfi", "name": "p"}},
            "ranges": [{{"type": "ECOSYSTEM", "events": [{events}]}}]}}]}}"#
    );
    let parsed = parse(&record);
    assert_eq!(parsed.diagnostics.len(), 1);
    assert_eq!(parsed.diagnostics[0].code, model::DiagnosticCode::UnparsableBound);
}

#[test]
fn withdrawn_records_are_tombstones() {
    let part = r#""affected": [{"package": {"ecosystem": "npm", "name": "p"}, "versions": ["1"]}]"#;
    let withdrawn = parse_one(&format!(r#"{{"id": "X-1", "withdrawn": "2025-01-01T00:00:00Z", {part}}}"#));
    assert!(withdrawn.is_withdrawn && withdrawn.affected.is_empty());
    let alive = parse_one(&format!(r#"{{"id": "X-1", "withdrawn": null, {part}}}"#));
    assert!(!alive.is_withdrawn && alive.affected.len() == 1);
}

fn check_aliases(record: &str, expected: &[&str]) {
    assert_eq!(parse_one(record).aliases, expected, "{record}");
}

#[test]
fn other_names_are_found() {
    check_aliases(r#"{"id": "GHSA-1", "aliases": ["CVE-2024-1", "CVE-2024-1", "GHSA-1"]}"#, &["CVE-2024-1"]);
    check_aliases(r#"{"id": "DEBIAN-CVE-2024-1", "upstream": ["CVE-2024-1"]}"#, &["CVE-2024-1"]);
    check_aliases(r#"{"id": "UBUNTU-CVE-2024-1", "aliases": null}"#, &["CVE-2024-1"]);
    check_aliases(
        r#"{"id": "USN-1-1", "upstream": ["UBUNTU-CVE-2024-1"]}"#,
        &["UBUNTU-CVE-2024-1", "CVE-2024-1"],
    );
    check_aliases(r#"{"id": "ALSA-2024:1", "related": ["CVE-2024-1", "ALBA-1"]}"#, &["CVE-2024-1"]);
    check_aliases(r#"{"id": "GHSA-1", "related": ["CVE-2024-1"]}"#, &[]);
}

#[test]
fn ratings_are_read_from_every_place() {
    let vector3 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    let vector4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N";
    let record = parse_one(&format!(
        r#"{{"id": "GHSA-1", "severity": [{{"type": "CVSS_V3", "score": "{vector3}"}},
             {{"type": "CVSS_V4", "score": "{vector4}"}}, {{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}}],
            "database_specific": {{"severity": "MODERATE"}}}}"#
    ));
    let found: Vec<_> = record
        .severities
        .iter()
        .map(|rating| (rating.source.as_str(), rating.severity, rating.score, rating.vector.as_deref()))
        .collect();
    let expected = [
        ("github", Severity::Medium, None, None),
        ("github", Severity::Critical, Some(9.3), Some(vector4)),
        ("github", Severity::Critical, Some(9.8), Some(vector3)),
    ];
    assert_eq!(found, expected);

    let record = parse_one(
        r#"{"id": "UBUNTU-CVE-2024-1", "severity": [{"type": "Ubuntu", "score": "negligible"}],
            "affected": [{"package": {"ecosystem": "Debian:12", "name": "p"}, "versions": ["1"],
                          "ecosystem_specific": {"urgency": "unimportant"}}]}"#,
    );
    assert_eq!(
        (record.severities[0].source.as_str(), record.severities[0].severity),
        ("ubuntu", Severity::Negligible)
    );
    assert_eq!(record.affected[0].severities[0].severity, Severity::Negligible);
}

#[test]
fn broken_lines_do_not_stop_the_others() {
    let parsed =
        parse("{\"id\": \"B-1\"}\n\n{\"id\": \n{\"id\": \"A-1\", \"aliases\": 3}\n{\"id\": \"A-2\"}");
    let ids: Vec<_> = parsed.advisories.iter().map(|advisory| advisory.id.as_str()).collect();
    assert_eq!(ids, ["A-2", "B-1"]);
    let offsets: Vec<_> = parsed.diagnostics.iter().map(|diagnostic| diagnostic.offset).collect();
    assert_eq!(offsets, [Some(15), Some(23)]);
}

#[test]
fn texts_links_and_times_are_read() {
    let record = parse_one(
        r#"{"id": "X-1", "details": "\nOne.\nTwo.", "published": "2024-01-02T03:04:05.678Z", "modified": "soon",
            "references": [{"type": "WEB", "url": "https://a"}, {"type": "ADVISORY", "url": "https://b"}]}"#,
    );
    assert_eq!(record.summary.as_deref(), Some("One."));
    assert_eq!(record.url.as_deref(), Some("https://b"));
    assert_eq!(record.published.map(|time| time.to_string()).as_deref(), Some("2024-01-02T03:04:05.678Z"));
    assert_eq!(record.modified, None);
    assert_eq!(parse_one(r#"{"id": "X-1"}"#).url.as_deref(), Some("https://osv.dev/vulnerability/X-1"));
}

/// `id withdrawn? package of ecosystem [ranges] module, ratings, aliases` of each part of a record.
fn real_lines(advisory: &Advisory) -> Vec<String> {
    let ratings: Vec<String> =
        advisory.severities.iter().map(|it| format!("{} {:?}", it.source, it.severity)).collect();
    let names = format!("{} ~{}", ratings.join(", "), advisory.aliases.join(" "));
    let part = |part: &model::AffectedPackage| {
        let ranges: Vec<String> = part.intervals.iter().map(ToString::to_string).collect();
        let module = part.modularity.as_deref().map_or(String::new(), |module| format!(" module `{module}`"));
        format!("{} {} of {} [{}]{module}", advisory.id, part.package, part.ecosystem, ranges.join(" | "))
    };
    let parts: Vec<String> = advisory.affected.iter().map(part).collect();
    let withdrawn = advisory.is_withdrawn.then(|| format!("{} withdrawn", advisory.id));
    parts.into_iter().chain(withdrawn).map(|line| format!("{line} {names}")).collect()
}

#[test]
fn real_records_say_what_they_mean() {
    let parsed = parse(include_str!("../testdata/osv/records.jsonl"));
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let found: Vec<String> = parsed.advisories.iter().flat_map(real_lines).collect();
    let expected: Vec<&str> = include_str!("../testdata/osv/expected.txt").lines().collect();
    assert_eq!(found, expected);
}
