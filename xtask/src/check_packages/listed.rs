//! What Lazaret lists.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::Value;
use testkit::Program;

use super::compare::Listed;
use super::judges::Judge;

/// The list of `lazaret sbom`.
pub(super) struct ListedByLazaret(Vec<Value>);

impl ListedByLazaret {
    /// Reads an archive of an image.
    pub(super) fn load(archive: &Path) -> Result<Self> {
        let image = format!("oci-archive:{}", archive.display());
        // It is built beside this program. Nothing that was read by another one counts.
        let program = std::env::current_exe()?.with_file_name("lazaret");
        let lazaret = Program::at(&program).environment("LAZARET_CACHE_FOLDER", "off");
        let listed = lazaret.arguments(["sbom", &image, "-o", "json"]).run(b"")?.success()?;
        let mut json: Value = serde_json::from_str(&listed)?;
        let Value::Array(packages) = json["packages"].take() else {
            bail!("`lazaret sbom` wrote no list of packages");
        };
        Ok(Self(packages))
    }

    /// Those that a judge may speak about.
    pub(super) fn of_kind(&self, judge: &Judge) -> Vec<Listed> {
        let of_kind = self.0.iter().filter(|package| package["type"] == judge.kind);
        of_kind.map(|package| to_listed(package, judge.tells_architecture)).collect()
    }

    /// How many there are of other kinds: `generic 3, npm 1`.
    pub(super) fn kinds_without(&self, judged: &[&str]) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for package in &self.0 {
            let kind = package["type"].as_str().unwrap_or_default();
            if !judged.contains(&kind) {
                *counts.entry(kind).or_default() += 1;
            }
        }
        counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
    }
}

fn to_listed(package: &Value, with_architecture: bool) -> Listed {
    let word = |key: &str| package[key].as_str().unwrap_or_default();
    let place = package["locations"][0]["path"].as_str().unwrap_or_default();
    let name = match word("type") {
        "maven" => format!("{}{}", group_of(word("purl")), word("name")),
        _ => word("name").to_owned(),
    };
    let architecture = if with_architecture { word("architecture").to_owned() } else { String::new() };
    Listed { architecture, ..Listed::new(&name, word("version"), place) }
}

/// The group of an archive of Java, which is in its package URL only, with a colon: `org.example:`.
fn group_of(purl: &str) -> String {
    let path = purl.strip_prefix("pkg:maven/").unwrap_or_default();
    path.split_once('/').map(|(group, _)| format!("{group}:")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn packages_are_read_from_the_list() {
        let package = json!({
            "name": "core", "version": "1.0", "type": "maven", "purl": "pkg:maven/org.example/core@1.0",
            "architecture": null, "locations": [{"path": "/a.jar"}, {"path": "/b.jar"}],
        });
        assert_eq!(to_listed(&package, true), Listed::new("org.example:core", "1.0", "/a.jar"));
        let package = json!({
            "name": "libc6", "version": "2:1", "type": "deb", "purl": "pkg:deb/debian/libc6@2:1",
            "architecture": "amd64", "locations": [],
        });
        assert_eq!(to_listed(&package, false), Listed::new("libc6", "2:1", ""));
        assert_eq!(to_listed(&package, true).architecture, "amd64");
    }

    #[test]
    fn kinds_that_nobody_judges_are_counted() {
        let list =
            ListedByLazaret(vec![json!({"type": "npm"}), json!({"type": "deb"}), json!({"type": "npm"})]);
        assert_eq!(list.kinds_without(&["deb"]), "npm 2");
        assert_eq!(list.kinds_without(&["deb", "npm"]), "");
    }
}
