//! Real feeds, where the folder with shared data lies beside the workspace. Without it nothing is checked here; the
//! other tests do not need it.

use std::path::{Path, PathBuf};
use std::process::Command;

use advisory_feeds::{FeedLimits, ParsedFeed, read_feed};
use model::{AffectedState, FeedKind};

/// Unpacks an archive of feeds; `None` when it is not on this machine.
fn unpack(name: &str) -> Option<tempfile::TempDir> {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/feeds")
        .join(format!("{name}.tar.zst"));
    if !archive.is_file() {
        return None;
    }
    let folder = tempfile::tempdir().ok()?;
    let status =
        Command::new("tar").arg("--zstd").arg("-xf").arg(&archive).arg("-C").arg(folder.path()).status();
    status.ok()?.success().then_some(folder)
}

fn check(kind: FeedKind, path: &Path, advisories_min: usize, diagnostics_max: usize) -> ParsedFeed {
    let parsed = read_feed(kind, path, &FeedLimits::default()).expect("the real feed can be read");
    assert!(parsed.advisories.len() >= advisories_min, "{}: {}", path.display(), parsed.advisories.len());
    assert!(parsed.diagnostics.len() <= diagnostics_max, "{}: {:#?}", path.display(), parsed.diagnostics);
    parsed
}

#[test]
fn alpine_secdb_is_read_whole() {
    let Some(folder) = unpack("alpine-secdb") else { return };
    let parsed = check(FeedKind::AlpineSecdb, folder.path(), 2500, 60);
    let find = |id: &str| parsed.advisories.iter().find(|advisory| advisory.id == id);
    let ansible = find("CVE-2019-14904").expect("it is in v3.11/main.yaml");
    let part = ansible.affected.iter().find(|part| part.ecosystem.to_string() == "alpine:3.11").unwrap();
    assert_eq!((part.package.as_str(), part.intervals[0].to_string()), ("ansible", "< 2.9.3-r0".to_owned()));
    let talos = find("TALOS-2017-0394").expect("it shares a line with a CVE");
    assert_eq!(talos.aliases, ["CVE-2017-2887"]);
}

#[test]
fn harvested_osv_is_read_whole() {
    let Some(folder) = unpack("harvested-osv") else { return };
    let parsed = check(FeedKind::Osv, &folder.path().join("harvested-osv/records.jsonl"), 993, 0);
    let musl = parsed.advisories.iter().find(|advisory| advisory.id == "ALPINE-CVE-2025-26519").unwrap();
    assert_eq!(musl.aliases, ["CVE-2025-26519"]);
    let rated = parsed.advisories.iter().filter(|advisory| {
        !advisory.severities.is_empty() || advisory.affected.iter().any(|part| !part.severities.is_empty())
    });
    assert!(rated.count() > 750);
}

#[test]
fn almalinux_is_read_whole() {
    let Some(folder) = unpack("almalinux-osv") else { return };
    let parsed = check(FeedKind::Osv, folder.path(), 5680, 0);
    let with_cve =
        parsed.advisories.iter().filter(|one| one.aliases.iter().any(|alias| alias.starts_with("CVE-")));
    assert!(with_cve.count() > 2000);
}

#[test]
fn golang_is_read_whole() {
    let Some(folder) = unpack("golang-vulndb") else { return };
    check(FeedKind::Osv, &folder.path().join("golang-vulndb/data/osv"), 4291, 0);
}

#[test]
fn excerpts_of_other_feeds_are_read() {
    let Some(folder) = unpack("vunnel-fixtures") else { return };
    let providers = folder.path().join("vunnel-fixtures/tests/unit/providers");
    let input = |name: &str| -> PathBuf { providers.join(name).join("test-fixtures/input") };
    let debian = check(FeedKind::DebianTracker, &input("debian").join("debian.json"), 6, 0);
    let states: Vec<_> =
        debian.advisories.iter().flat_map(|advisory| &advisory.affected).map(|part| part.state).collect();
    assert!(states.contains(&AffectedState::Affected));
    // One of them gives fixes in versions that apk does not know, `None` among them.
    for (name, unordered) in [("alpine", 0), ("wolfi", 0), ("chainguard", 0), ("minimos", 0), ("secureos", 5)]
    {
        let parsed = check(FeedKind::AlpineSecdb, &input(name).join("secdb"), 5, unordered);
        let family = &parsed.advisories[0].affected[0].ecosystem.family;
        assert_eq!(family, name);
    }
    let ubuntu = check(FeedKind::Osv, &providers.join("ubuntu/test-fixtures/osv"), 5, 0);
    assert!(ubuntu.advisories.iter().any(|advisory| advisory.is_withdrawn && advisory.affected.is_empty()));
    check(FeedKind::Osv, &input("chainguard").join("osv"), 3, 0);
    check(FeedKind::Osv, &providers.join("rocky/test-fixtures/osv"), 3, 0);
    check(FeedKind::Osv, &providers.join("alma/test-fixtures/osv-database"), 3, 0);
}
