//! The same question asked of all facts about Debian that lie beside the repository, where they do.
//!
//! Without that folder the small feed of this repository is used in its place, so the test always says something.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use e2e::{feed_file, run_lazaret};
use serde_json::{Value, json};
use testkit::{Scratch, debian_images, require_program, run, workspace_folder};

/// Facts as lines: suite of the image, source, version, distribution of the changelog entry, CVE.
fn large_facts() -> Result<Option<String>> {
    let archive: PathBuf = workspace_folder().join("../shared/data/feeds/debian-changelog-cves.tar.zst");
    if !archive.exists() {
        return Ok(None);
    }
    let text = run(&require_program("tar")?, b"", |command| {
        command.args(["--zstd", "-xOf"]).arg(&archive);
    })?
    .success()?;
    Ok(Some(text))
}

/// Debian's tracker names the first fixed version of each release; here that is the lowest that a changelog names.
fn tracker_document(facts: &str) -> Result<Value> {
    let mut fixed: BTreeMap<(String, String), String> = BTreeMap::new();
    for line in facts.lines().filter(|line| line.starts_with("bookworm")) {
        let fields = line.split('\t').collect::<Vec<_>>();
        let [_suite, source, version, _distribution, cve] = fields.as_slice() else { continue };
        let known = fixed.entry(((*source).to_owned(), (*cve).to_owned()));
        let known = known.or_insert_with(|| (*version).to_owned());
        if is_lower(version, known)? {
            *known = (*version).to_owned();
        }
    }
    let mut document = json!({});
    for ((source, cve), version) in fixed {
        document[&source][&cve] = json!({
            "releases": {"bookworm": {"status": "resolved", "fixed_version": version, "urgency": "medium"}},
        });
    }
    Ok(document)
}

fn is_lower(one: &str, other: &str) -> Result<bool> {
    if one == other {
        return Ok(false);
    }
    let output = run(&require_program("dpkg")?, b"", |command| {
        command.args(["--compare-versions", one, "lt", other]);
    })?;
    Ok(output.is_success())
}

#[test]
fn every_fact_about_the_fixed_image_is_fixed_and_the_other_one_has_findings() -> Result<()> {
    let scratch = Scratch::new("large-feed")?;
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let feed = match large_facts()? {
        Some(facts) => {
            let document = tracker_document(&facts)?;
            let sources = document.as_object().map_or(0, serde_json::Map::len);
            ensure!(sources > 20, "only {sources} source packages in the large feed");
            fs_err::write(path("tracker.json"), document.to_string())?;
            path("tracker.json")
        }
        None => feed_file().display().to_string(),
    };
    let db = path("vulnerability.db");
    run_lazaret(&["db", "build", "--feed", &format!("debian-tracker={feed}"), "-o", &db])?.success()?;

    let images = debian_images()?;
    let findings = |archive: &std::path::Path| -> Result<Vec<Value>> {
        let image = format!("oci-archive:{}", archive.display());
        let text = run_lazaret(&["scan", &image, "--db", &db, "-o", "json"])?.success()?;
        let value = serde_json::from_str::<Value>(&text)?;
        Ok(value["findings"].as_array().context("findings are an array")?.clone())
    };
    let mut fixed = findings(&images.fixed)?;
    // A changelog of a backport (`0.34-4~deb12u1`) has the entry of what it was made from (`0.34-4`), which is higher.
    fixed.retain(|finding| {
        let have = finding["evidence"]["matched_version"].as_str().unwrap_or_default();
        let original = have.split_once('~').map_or(have, |(original, _)| original);
        finding["fixed_in"][0] != original
    });
    ensure!(fixed.is_empty(), "the changelog of each package says that it is fixed: {fixed:#?}");
    let vulnerable = findings(&images.vulnerable)?;
    for source in ["pcre2", "perl"] {
        ensure!(
            vulnerable.iter().any(|finding| finding["evidence"]["matched_name"] == source),
            "no finding about {source}"
        );
    }
    // Each finding is held against dpkg's own order.
    for finding in &vulnerable {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (have, fixed_in) = (text(&finding["evidence"]["matched_version"]), text(&finding["fixed_in"][0]));
        ensure!(is_lower(&have, &fixed_in)?, "{have} is not lower than {fixed_in}");
    }
    Ok(())
}
