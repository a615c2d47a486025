//! Bottlerocket: the inventory that its images have in place of a database of rpm.

#[cfg(test)]
mod tests;

use model::{DiagnosticCode, Package, PackageKind};
use serde::Deserialize;
use serde_json::Value;

use crate::cataloger::{Cataloger, PathPattern};
use crate::parse::{ParseInput, Parsed, Problems};
use crate::purl::{PurlParts, to_purl};
use crate::third_party;

/// What the table says about Bottlerocket.
pub(crate) const CATALOGER: Cataloger = Cataloger {
    id: "bottlerocket",
    databases: &[PathPattern::Ends("usr/share/bottlerocket/application-inventory.json")],
    companions: &[],
    exceptions: &[],
    linked_paths: &["usr/share/bottlerocket", "usr/share/bottlerocket/application-inventory.json"],
    parse,
};

#[derive(Deserialize)]
struct Inventory {
    #[serde(rename = "Content")]
    content: Vec<Value>,
}

/// Reads the inventory: `Content` is a list of objects with `Name`, `Version`, `Release`, `Architecture` and `Publisher`.
///
/// Source: bottlerocket-os/bottlerocket, PUBLISHING and `application-inventory.json` of its images.
fn parse(input: &ParseInput<'_>) -> Parsed {
    let mut problems = Problems::new(input);
    if input.bytes.iter().all(u8::is_ascii_whitespace) {
        return Parsed::default();
    }
    let content = match serde_json::from_slice::<Inventory>(input.bytes) {
        Ok(inventory) => inventory.content,
        Err(_) => {
            let diagnostics = problems.finish(0, "an inventory of Bottlerocket");
            return Parsed { packages: Vec::new(), diagnostics };
        }
    };
    let mut packages = Vec::new();
    for (index, entry) in content.iter().enumerate() {
        if packages.len() >= input.packages_left() {
            let message = format!(
                "more than {} packages: the others are not in this inventory",
                input.limits.packages_max
            );
            problems.add(DiagnosticCode::PackagesLeftOut, 0, message);
            break;
        }
        match to_package(entry, input, &mut problems) {
            Some(package) => packages.push(package),
            None => {
                problems.add(
                    DiagnosticCode::BrokenRecord,
                    0,
                    format!("entry {} names no package", index + 1),
                );
            }
        }
    }
    let count = packages.len().max(usize::from(content.is_empty()));
    Parsed { packages, diagnostics: problems.finish(count, "an inventory of Bottlerocket") }
}

fn to_package(entry: &Value, input: &ParseInput<'_>, problems: &mut Problems<'_>) -> Option<Package> {
    let mut text = |key: &str| {
        let value = match &entry[key] {
            Value::String(value) => problems.value(0, value.as_bytes()),
            Value::Number(value) => value.to_string(),
            _ => String::new(),
        };
        Some(value).filter(|value| !value.is_empty())
    };
    let name = text("Name")?;
    let version_release = match (text("Version"), text("Release")) {
        (Some(version), Some(release)) => Some(format!("{version}-{release}")),
        (version, _) => version,
    };
    let epoch = text("Epoch").filter(|epoch| epoch != "0");
    let version = version_release.as_ref().map(|version| match &epoch {
        Some(epoch) => format!("{epoch}:{version}"),
        None => version.clone(),
    });
    let (architecture, publisher) = (text("Architecture"), text("Publisher"));
    let purl = to_purl(&PurlParts {
        kind: PackageKind::Rpm,
        name: &name,
        version: version_release.as_deref(),
        architecture: architecture.as_deref(),
        source: None,
        distro: input.distro,
        more: &[("epoch", epoch)],
    });
    Some(Package {
        architecture,
        purl,
        is_third_party: third_party::of_rpm(publisher.as_deref(), input.distro),
        maintainer: publisher,
        locations: vec![input.location.clone()],
        ..Package::new(PackageKind::Rpm, name, version)
    })
}
