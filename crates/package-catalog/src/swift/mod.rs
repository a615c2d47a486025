//! Swift: what the package manager notes about the sources that it has checked out and builds from.
//!
//! `Package.resolved` says what a project wants; it is not read. A program that was built says nothing.

#[cfg(test)]
mod tests;

use model::{Package, PackageKind};
use serde_json::Value;

use crate::described::address::repository_name;
use crate::described::json::{for_each_record, record_of, text};
use crate::described::{self, Description, DescriptionKind, Extent, Found};
use crate::parse::{ParseInput, Parsed, Problems};
use crate::purl::qualified_purl;

/// `.build/workspace-state.json`
pub(crate) static WORKSPACE_STATE: DescriptionKind = DescriptionKind {
    tag: 42,
    kind: PackageKind::Swift,
    is_description,
    extent: Extent::Whole(1),
    read,
    complete,
};

fn is_description(path: &str) -> bool {
    path == ".build/workspace-state.json" || path.ends_with("/.build/workspace-state.json")
}

fn read(content: &[u8], found: &mut Found) -> Result<(), String> {
    let read = for_each_record(content, &["object", "dependencies"], &mut |offset, record| match record_of(
        record,
        &["packageRef", "state"],
    ) {
        Ok(record) => add(offset, &record, found),
        Err(why) => found.tell(offset, why),
    });
    if let Err((offset, why)) = read {
        found.tell(offset, why);
    }
    Ok(())
}

/// Only what comes from elsewhere is a package: parts of a project lie beside it.
fn add(offset: usize, record: &Value, found: &mut Found) {
    let package = &record["packageRef"];
    let kind = text(package, "kind").unwrap_or_default();
    let name = match kind.as_str() {
        "remoteSourceControl" | "remote" => {
            let location = text(package, "location").or_else(|| text(package, "path"));
            location.and_then(|location| repository_name(&location))
        }
        // `mona.LinkedList`: whose, and which.
        "registry" => text(package, "identity").map(|identity| identity.replacen('.', "/", 1)),
        _ => return,
    };
    let Some(name) = name else { return found.tell(offset, "package has no location") };
    let state = &record["state"];
    let version = text(&state["checkoutState"], "version").or_else(|| text(state, "version"));
    found.add(Description { offset, name, version, ..Description::default() });
}

fn complete(package: &mut Package, _: &Description, _: &ParseInput<'_>, _: &mut Problems<'_>) {
    package.purl = qualified_purl(package, &[]);
}

pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    described::parse(input, &WORKSPACE_STATE)
}
