//! From the list of crates to packages.

use model::{DiagnosticCode, PackageKind};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::extract::read_section;
use crate::parse::{ParseInput, Parsed, Problems};
use crate::purl::{language_purl, qualified_purl};

#[derive(Deserialize)]
struct RawList<'a> {
    /// Each is read for itself, so that a broken one takes no other with it.
    #[serde(borrow)]
    packages: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawCrate {
    name: String,
    version: String,
    source: String,
    /// `runtime` where it is not said.
    kind: Option<String>,
}

/// Where crates come from if nothing else is said.
const REGISTRY: &str = "crates.io";

/// The crates of one executable: those that it was linked with, not those that only built it.
pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    let mut problems = Problems::new(input);
    let mut packages = Vec::new();
    let text = read_section(input.bytes);
    let list = text.and_then(|text| {
        serde_json::from_slice::<RawList<'_>>(text)
            .map_err(|error| format!("list of crates is no JSON: {error}"))
    });
    let list = match list {
        Ok(list) => list,
        Err(why) => {
            let diagnostic = input.diagnostic(DiagnosticCode::UnreadableDatabase, None, why);
            return Parsed { packages, diagnostics: vec![diagnostic] };
        }
    };
    let left = input.packages_left();
    for record in list.packages {
        let read: RawCrate = match serde_json::from_str(record.get()) {
            Ok(read) => read,
            Err(error) => {
                problems.add(DiagnosticCode::BrokenRecord, 0, format!("crate cannot be read: {error}"));
                continue;
            }
        };
        if read.kind.is_some_and(|kind| kind != "runtime") {
            continue;
        }
        if packages.len() >= left {
            let message = format!("more than {} packages", input.limits.packages_max);
            problems.add(DiagnosticCode::PackagesLeftOut, 0, message);
            break;
        }
        let name = problems.value(0, read.name.as_bytes());
        let version = problems.value(0, read.version.as_bytes());
        if name.is_empty() || version.is_empty() {
            problems.add(DiagnosticCode::BrokenRecord, 0, "crate without a name or a version");
            continue;
        }
        let source = Some(read.source.as_str()).filter(|source| *source != REGISTRY && source.len() < 64);
        let mut package = input.language_package(PackageKind::Cargo, name, Some(version));
        package.purl = match source {
            None => language_purl(package.kind, &package.name, package.version.as_deref()),
            Some(_) => qualified_purl(&package, &[("source", source)]),
        };
        packages.push(package);
    }
    let diagnostics = problems.finish(packages.len().max(1), "a list of crates");
    Parsed { packages, diagnostics }
}
