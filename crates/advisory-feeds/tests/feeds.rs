//! Small feeds of every form, written here: what is read from them, and what is refused.

use std::path::Path;

use advisory_feeds::{FeedError, FeedLimits, ParsedFeed, alpine_secdb, debian_tracker, osv, read_feed};
use model::{Advisory, AffectedState, FeedKind, Severity};

const LIMITS: FeedLimits =
    FeedLimits { bytes_max: 1 << 20, file_bytes_max: 1 << 20, records_max: 100, record_bytes_max: 1 << 16 };

const SECDB: &str = r#"---
distroversion: v3.20
reponame: main
urlprefix: https://dl-cdn.alpinelinux.org/alpine
packages:
  - pkg:
      name: openssl
      secfixes:
        3.3.1-r1:
          - CVE-2024-0001 GHSA-aaaa-bbbb-cccc
          - CVE-2024-0002
        3.3.10-r0:
          - CVE-2024-0002
        0:
          - CVE-2024-0003
          - CVE-2024-0001
        1.10:
          - CVE-2024-0004 (+ regression fix)
          - CVE_2024-0005
  - pkg:
      name: curl
      secfixes:
        8.8.0-r0:
          - CVE-2024-0003
          - see above
  - pkg:
      name: nothing
      secfixes: {}
  - pkg:
      secfixes: {}
"#;

const TRACKER: &str = r#"{
  "openssl": {
    "CVE-2024-0001": {"scope": "remote", "description": "First line.\nSecond.", "releases": {
      "bookworm": {"status": "resolved", "fixed_version": "3.0.14-1", "urgency": "high**", "repositories": {}},
      "bullseye": {"status": "open", "urgency": "low", "nodsa": "Minor issue", "nodsa_reason": ""},
      "sid": {"status": "resolved", "fixed_version": "0", "urgency": "unimportant"},
      "trixie": {"status": "open", "urgency": "not yet assigned"},
      "buster": {"status": "undetermined", "urgency": "end-of-life"}}},
    "CVE-2024-0002": {"releases": []},
    "CVE-2024-0003": {"releases": {"bookworm": {"status": 3}}},
    "TEMP-0000000-ABCDEF": {"releases": {"bookworm": {"status": "open", "urgency": "end-of-life"}}}
  },
  "curl": {"CVE-2024-0001": {"releases": {
      "bookworm": {"status": "lost"}, "trixie": {"status": "resolved", "fixed_version": "1:a b"}}}},
  "broken": 3
}"#;

fn find<'a>(parsed: &'a ParsedFeed, id: &str) -> &'a Advisory {
    parsed.advisories.iter().find(|advisory| advisory.id == id).expect("the test's feed has this record")
}

/// All parts of an advisory, one per line.
fn parts(advisory: &Advisory) -> Vec<String> {
    let line = |part: &model::AffectedPackage| {
        let intervals: Vec<_> = part.intervals.iter().map(ToString::to_string).collect();
        let versions = part.versions.join(",");
        format!("{} {} {:?} [{}] {versions}", part.ecosystem, part.package, part.state, intervals.join(" | "))
            .trim_end()
            .to_owned()
    };
    advisory.affected.iter().map(line).collect()
}

fn check_secdb(parsed: &ParsedFeed) {
    let openssl = |text: &str| format!("alpine:3.20 openssl {text}");
    assert_eq!(parts(find(parsed, "CVE-2024-0001")), [openssl("Affected [< 3.3.1-r1]")]);
    assert_eq!(find(parsed, "CVE-2024-0001").aliases, ["GHSA-aaaa-bbbb-cccc"]);
    assert_eq!(find(parsed, "GHSA-aaaa-bbbb-cccc").aliases, ["CVE-2024-0001"]);
    assert_eq!(parts(find(parsed, "CVE-2024-0002")), [openssl("Affected [< 3.3.10-r0]")]);
    let both = ["alpine:3.20 curl Affected [< 8.8.0-r0]".to_owned(), openssl("NotAffected []")];
    assert_eq!(parts(find(parsed, "CVE-2024-0003")), both);
    assert_eq!(parts(find(parsed, "CVE-2024-0004")), [openssl("Affected [< 1.10]")]);
    assert!(parsed.advisories.iter().any(|advisory| advisory.id == "CVE-2024-0005"));
    assert_eq!(parsed.advisories.len(), 6);
    let messages: Vec<_> = parsed.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    let no_id = "version `8.8.0-r0` has the entry `see above` without any identifier";
    assert_eq!(messages, [no_id, "package number 4 has no name"]);
}

#[test]
fn secdb_fixes_are_read_and_merged() {
    check_secdb(&alpine_secdb::parse(SECDB.as_bytes(), "main.yaml", &LIMITS).unwrap());
    let json = r#"{"urlprefix": "https://packages.wolfi.dev", "packages": [
        {"pkg": {"name": "a", "secfixes": {"1.0-r0": ["CVE-2024-1"], "latest": ["CVE-2024-2"], "2": null}}}]}"#;
    let parsed = alpine_secdb::parse(json.as_bytes(), "security.json", &LIMITS).unwrap();
    assert_eq!(parts(&parsed.advisories[0]), ["wolfi a Affected [< 1.0-r0]"]);
    assert_eq!(parts(&parsed.advisories[1]), ["wolfi a Affected [< latest]"]);
    assert_eq!(parsed.diagnostics[0].subject, "CVE-2024-2: wolfi a");
    for (head, name, expected) in [
        ("distroversion: edge", "x", Some("alpine:edge")),
        ("distroversion: v3.3", "x", Some("alpine:3.3")),
        ("reponame: os", "feeds/chainguard.yaml", Some("chainguard")),
        ("urlprefix: https://packages.cgr.dev/chainguard", "x", Some("chainguard")),
        ("urlprefix: https://packages.mini.dev", "x", Some("minimos")),
        ("reponame: main", "main.yaml", None),
    ] {
        let text =
            format!("{head}\npackages:\n- pkg:\n    name: a\n    secfixes:\n      1-r0: [CVE-2024-1]\n");
        let parsed = alpine_secdb::parse(text.as_bytes(), name, &LIMITS).ok();
        let found = parsed.map(|parsed| parsed.advisories[0].affected[0].ecosystem.to_string());
        assert_eq!(found.as_deref(), expected, "{head}");
    }
}

#[test]
fn tracker_states_are_read() {
    let parsed = debian_tracker::parse(TRACKER.as_bytes(), "json", &LIMITS).unwrap();
    let first = find(&parsed, "CVE-2024-0001");
    assert_eq!(first.summary.as_deref(), Some("First line."));
    assert_eq!(
        parts(first),
        [
            "debian:12 openssl Affected [< 3.0.14-1]",
            "debian:11 openssl WillNotFix [all versions]",
            "debian:10 openssl Undetermined []",
            "debian:unstable openssl NotAffected []",
            "debian:13 openssl Affected [all versions]",
        ]
    );
    let severities: Vec<_> = first
        .affected
        .iter()
        .map(|part| part.severities.first().map(|rating| (rating.source.as_str(), rating.severity)))
        .collect();
    let rated = |severity| Some(("debian", severity));
    assert_eq!(
        severities,
        [rated(Severity::High), rated(Severity::Low), None, rated(Severity::Negligible), None]
    );
    assert_eq!(find(&parsed, "TEMP-0000000-ABCDEF").affected[0].state, AffectedState::WillNotFix);
    assert!(find(&parsed, "CVE-2024-0002").affected.is_empty());
    let subjects: Vec<_> = parsed.diagnostics.iter().map(|diagnostic| diagnostic.subject.as_str()).collect();
    assert_eq!(
        subjects,
        [
            "json: openssl CVE-2024-0003",
            "json: curl CVE-2024-0001 bookworm",
            "json: curl CVE-2024-0001 trixie",
            "json: broken"
        ]
    );
    let offset = usize::try_from(parsed.diagnostics[3].offset.unwrap()).unwrap();
    assert_eq!(&TRACKER[offset..offset + 1], "3");
}

fn read(kind: FeedKind, path: &Path, limits: &FeedLimits) -> Result<ParsedFeed, FeedError> {
    read_feed(kind, path, limits)
}

#[test]
fn feeds_are_read_from_folders_archives_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("osv/deep")).unwrap();
    std::fs::write(at("osv/deep/b.json"), r#"{"id": "B-1"}"#).unwrap();
    std::fs::write(at("osv/a.json"), r#"[{"id": "A-1"}, {"id": 3}]"#).unwrap();
    std::fs::write(at("osv/not.json"), "nothing").unwrap();
    std::fs::write(at("osv/README.md"), "no record").unwrap();
    std::fs::write(at("osv/.hidden.json"), "no record").unwrap();
    let parsed = read(FeedKind::Osv, &at("osv"), &LIMITS).unwrap();
    let ids: Vec<_> = parsed.advisories.iter().map(|advisory| advisory.id.as_str()).collect();
    assert_eq!(ids, ["A-1", "B-1"]);
    assert_eq!(parsed.diagnostics.len(), 2);
    assert_eq!(parsed.diagnostics[0].offset, Some(16));

    let mut archive = zip::ZipWriter::new(std::fs::File::create(at("all.zip")).unwrap());
    for (name, text) in [("a.json", r#"{"id": "A-1"}"#), ("b.json", "{"), ("c.txt", "-")] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut archive, text.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
    let parsed = read(FeedKind::Osv, &at("all.zip"), &LIMITS).unwrap();
    assert_eq!((parsed.advisories.len(), parsed.diagnostics.len()), (1, 1));

    std::fs::create_dir_all(at("secdb/v3.20")).unwrap();
    std::fs::write(at("secdb/v3.20/main.yaml"), SECDB).unwrap();
    check_secdb(&read(FeedKind::AlpineSecdb, &at("secdb"), &LIMITS).unwrap());
    check_secdb(&read(FeedKind::AlpineSecdb, &at("secdb/v3.20/main.yaml"), &LIMITS).unwrap());
    std::fs::write(at("tracker.json"), TRACKER).unwrap();
    assert_eq!(read(FeedKind::DebianTracker, &at("tracker.json"), &LIMITS).unwrap().advisories.len(), 3);
}

#[test]
fn what_is_no_feed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feed.json");
    assert!(matches!(read(FeedKind::Osv, &file, &LIMITS), Err(FeedError::Read { .. })));
    assert!(matches!(read(FeedKind::Osv, folder.path(), &LIMITS), Err(FeedError::NotAFeed { .. })));
    let texts =
        ["", "  \n", "3", "[3]", "{}", "{\"id\": \"\"}", "[", "{\"a\": 1}", "\u{0}", "- a\n- b", "{\"id\":"];
    for text in texts {
        std::fs::write(&file, text).unwrap();
        for kind in FeedKind::ALL {
            // An empty object is a tracker document without any package.
            let is_empty_tracker = kind == FeedKind::DebianTracker && text == "{}";
            let found = read(kind, &file, &LIMITS);
            match found {
                Ok(parsed) => {
                    assert!(is_empty_tracker && parsed == ParsedFeed::default(), "{kind:?} `{text}`")
                }
                Err(error) => {
                    assert!(matches!(error, FeedError::NotAFeed { .. }), "{kind:?} `{text}`: {error}");
                    assert!(!is_empty_tracker);
                }
            }
        }
    }
    let cut = &TRACKER[..TRACKER.len() - 20];
    assert!(matches!(debian_tracker::parse(cut.as_bytes(), "x", &LIMITS), Err(FeedError::NotAFeed { .. })));
    std::fs::rename(&file, folder.path().join("feed.zip")).unwrap();
    let zip = read(FeedKind::Osv, &folder.path().join("feed.zip"), &LIMITS);
    assert!(matches!(zip, Err(FeedError::Archive { .. })));
}

fn limit_of(result: Result<ParsedFeed, FeedError>) -> Option<&'static str> {
    match result {
        Ok(_) => None,
        Err(FeedError::LimitExceeded { limit, .. }) => Some(limit),
        Err(_) => Some("another error"),
    }
}

#[test]
fn each_limit_holds_at_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("feed.jsonl");
    let text = "{\"id\": \"A-1\"}\n{\"id\": \"A-2\"}\n";
    std::fs::write(&file, text).unwrap();
    let length = text.len() as u64;
    for (bytes_max, expected) in [(length - 1, Some("bytes_max")), (length, None), (length + 1, None)] {
        let limits = FeedLimits { bytes_max, ..LIMITS };
        assert_eq!(limit_of(read(FeedKind::Osv, &file, &limits)), expected, "{bytes_max} bytes");
        let limits = FeedLimits { file_bytes_max: bytes_max, ..LIMITS };
        let expected = expected.map(|_| "file_bytes_max");
        assert_eq!(limit_of(read(FeedKind::Osv, &file, &limits)), expected, "{bytes_max} bytes of a file");
    }
    for (records_max, expected) in [(1, Some("records_max")), (2, None), (3, None)] {
        let limits = FeedLimits { records_max, ..LIMITS };
        assert_eq!(limit_of(osv::parse(text.as_bytes(), "x", &limits)), expected, "{records_max} records");
    }
    let tracker = r#"{"a": {"CVE-1": {}, "CVE-2": {}}}"#;
    let secdb = "distroversion: v3.1\npackages: [{pkg: {name: a, secfixes: {1-r0: [CVE-1, CVE-2]}}}]\n";
    for (records_max, expected) in [(1, Some("records_max")), (2, None), (3, None)] {
        let limits = FeedLimits { records_max, ..LIMITS };
        assert_eq!(limit_of(debian_tracker::parse(tracker.as_bytes(), "x", &limits)), expected);
        assert_eq!(limit_of(alpine_secdb::parse(secdb.as_bytes(), "x", &limits)), expected);
    }
    let record = "{\"id\": \"A-1\"}".len();
    for (record_bytes_max, broken) in [(record - 1, 2), (record, 0), (record + 1, 0)] {
        let limits = FeedLimits { record_bytes_max, ..LIMITS };
        let parsed = osv::parse(text.as_bytes(), "x", &limits).unwrap();
        assert_eq!(parsed.diagnostics.len(), broken, "{record_bytes_max} bytes of a record");
    }
    for (record_bytes_max, broken) in [(1, 2), (2, 0), (3, 0)] {
        let limits = FeedLimits { record_bytes_max, ..LIMITS };
        let parsed = debian_tracker::parse(tracker.as_bytes(), "x", &limits).unwrap();
        assert_eq!(parsed.diagnostics.len(), broken, "{record_bytes_max} bytes of a record");
    }
}
