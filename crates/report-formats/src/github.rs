//! A snapshot for GitHub's dependency submission API.

use serde_json::{Map, Value, json};

use crate::format::{Report, WriteOptions};
use crate::printable::printable;
use crate::stable::report_time;
use crate::wire;

/// The job that made a snapshot, as GitHub wants to know it; what is not known is left out, for whoever submits it to fill in.
#[derive(Debug, Clone, Copy, Default)]
pub struct GithubJob<'a> {
    /// The commit.
    pub sha: Option<&'a str>,
    /// The branch, with `refs/`.
    pub reference: Option<&'a str>,
    /// Number of the run.
    pub id: Option<&'a str>,
    /// What stays the same from run to run.
    pub correlator: Option<&'a str>,
}

/// The packages as a snapshot.
pub(crate) fn github_snapshot(report: &Report<'_>, options: &WriteOptions<'_>) -> String {
    let sbom = report.sbom();
    let mut resolved = Map::new();
    for package in &sbom.inventory.packages {
        let version = package.version.as_deref().unwrap_or_default();
        let key = match package.purl.as_str() {
            "" => format!("{}:{}@{version}", package.kind.purl_type(), package.name),
            purl => purl.to_owned(),
        };
        let mut entry = json!({ "relationship": "direct", "scope": "runtime", "dependencies": [] });
        if package.purl.starts_with("pkg") {
            entry["package_url"] = json!(package.purl);
        }
        resolved.insert(key, entry);
    }
    resolved.sort_keys();
    let name = printable(sbom.image_name).into_owned();
    let mut metadata = Map::new();
    if let Some(facts) = sbom.facts() {
        metadata.insert("lazaret:digest".to_owned(), json!(facts.digest.to_string()));
    }
    if let Some(distro) = &sbom.inventory.distro {
        metadata.insert("lazaret:distro".to_owned(), json!(distro.namespace()));
    }
    let GithubJob { sha, reference, id, correlator } = options.github;
    let job = [("id", id), ("correlator", correlator)].into_iter().filter_map(known).collect::<Map<_, _>>();
    let mut snapshot = Map::from_iter([("version".to_owned(), json!(0)), ("job".to_owned(), json!(job))]);
    snapshot.extend([("sha", sha), ("ref", reference)].into_iter().filter_map(known));
    snapshot.extend([
        (
            "detector".to_owned(),
            json!({ "name": "lazaret", "version": options.program_version, "url": "pkg:generic/lazaret" }),
        ),
        ("scanned".to_owned(), json!(report_time(report, options).to_string())),
        (
            "manifests".to_owned(),
            json!({ &name: { "name": name, "metadata": metadata, "resolved": resolved } }),
        ),
    ]);
    wire::to_text(&snapshot)
}

fn known((name, value): (&str, Option<&str>)) -> Option<(String, Value)> {
    Some((name.to_owned(), json!(value?)))
}
