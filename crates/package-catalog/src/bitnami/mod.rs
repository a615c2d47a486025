//! Bitnami: what its images say of themselves, in SPDX files beside each component or, in older ones, in one list of components.
//!
//! A component owns the folder that it lies in: what is recognised in there by its content is the component.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use model::{Package, PackageKind};
use packageurl::PackageUrl;
use serde_json::Value;

use crate::extract::ManifestKind;
use crate::parse::{ParseInput, Parsed};
use crate::spdx::{self, Element};

/// `/opt/bitnami/**/.spdx-NAME.spdx`
pub(crate) static DOCUMENT: ManifestKind =
    ManifestKind { tag: 61, is_manifest: is_document, reduce: reduce_document };
/// `/opt/bitnami/.bitnami_components.json`
pub(crate) static COMPONENTS: ManifestKind =
    ManifestKind { tag: 62, is_manifest: is_components, reduce: reduce_components };

const ROOT: &str = "opt/bitnami/";
const COMPONENTS_NAME: &str = ".bitnami_components.json";

fn is_document(path: &str) -> bool {
    path.ends_with(".spdx")
        && path.contains(ROOT)
        && path.rsplit('/').next().is_some_and(|name| name.starts_with(".spdx-"))
}

fn is_components(path: &str) -> bool {
    path.strip_suffix(COMPONENTS_NAME).is_some_and(|folder| folder.ends_with(ROOT))
}

/// Other elements are parts that the component was built from.
fn reduce_document(content: &[u8]) -> Result<Vec<u8>, String> {
    spdx::reduce(content, "pkg:bitnami/")
}

/// `{"postgresql": {"version": "15.1.0-3", "arch": "amd64", "distro": "debian-11"}}`
fn reduce_components(content: &[u8]) -> Result<Vec<u8>, String> {
    let components: BTreeMap<String, Value> =
        serde_json::from_slice(content).map_err(|error| format!("file is no list of components: {error}"))?;
    let to_element = |(name, facts): (&String, &Value)| {
        let mut purl = PackageUrl::new(PackageKind::Bitnami.purl_type(), name.as_str()).ok()?;
        let text = |key: &str| facts.get(key).and_then(Value::as_str).filter(|value| !value.is_empty());
        if let Some(version) = text("version") {
            purl.with_version(version.to_owned()).ok()?;
        }
        for key in ["arch", "distro"] {
            if let Some(value) = text(key) {
                purl.add_qualifier(key, value.to_owned()).ok()?;
            }
        }
        Some(Element { purl: purl.to_string(), license: None })
    };
    spdx::to_section(&components.iter().filter_map(to_element).collect::<Vec<_>>())
}

/// The components of one file.
pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    spdx::parse(input, PackageKind::Bitnami, |_, _, _| {})
}

/// Leaves each component once, by its own file where it has one, and drops what was recognised by its content inside of one.
pub(crate) fn settle(packages: &mut Vec<Package>) {
    let own_files: BTreeSet<String> = packages
        .iter()
        .filter(|it| it.kind == PackageKind::Bitnami && !is_from_list(it))
        .map(|it| it.name.clone())
        .collect();
    let folders: BTreeSet<String> =
        packages.iter().filter(|it| it.kind == PackageKind::Bitnami).filter_map(folder).collect();
    if folders.is_empty() {
        return;
    }
    packages.retain(|it| match it.kind {
        PackageKind::Bitnami => !is_from_list(it) || !own_files.contains(&it.name),
        PackageKind::Binary => !it.locations.first().is_some_and(|place| is_inside(&place.path, &folders)),
        _ => true,
    });
}

fn is_from_list(package: &Package) -> bool {
    package.locations.first().is_some_and(|location| location.path.ends_with(COMPONENTS_NAME))
}

/// The folder of a component, with a slash at its end.
fn folder(package: &Package) -> Option<String> {
    let (folder, _) = package.locations.first()?.path.rsplit_once('/')?;
    Some(match is_from_list(package) {
        true => format!("{folder}/{}/", package.name),
        false => format!("{folder}/"),
    })
}

fn is_inside(path: &str, folders: &BTreeSet<String>) -> bool {
    path.match_indices('/').any(|(at, _)| folders.contains(&path[..=at]))
}
