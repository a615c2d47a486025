//! From a note to a package.

use model::{DiagnosticCode, Distro, Package, PackageKind, SourcePackage};
use serde::Deserialize;

use crate::parse::{ParseInput, Parsed, Problems};
use crate::purl::{PurlParts, to_purl};

/// What a note says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawNote {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    version: Option<String>,
    architecture: Option<String>,
    os: Option<String>,
    os_version: Option<String>,
    os_cpe: Option<String>,
}

/// One note. Names and versions in it are those of the source.
pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    let mut problems = Problems::new(input);
    let text = input.bytes.trim_ascii().split(|byte| *byte == 0).next().unwrap_or_default();
    let note: RawNote = match serde_json::from_slice(text) {
        Ok(note) => note,
        Err(error) => {
            let message = format!("note about the package is no JSON: {error}");
            let diagnostic = input.diagnostic(DiagnosticCode::BrokenRecord, None, message);
            return Parsed { packages: Vec::new(), diagnostics: vec![diagnostic] };
        }
    };
    let mut value = |text: &Option<String>| {
        let text = problems.value(0, text.as_deref().unwrap_or_default().as_bytes());
        Some(text).filter(|text| !text.is_empty())
    };
    let (name, version) = (value(&note.name), value(&note.version));
    let architecture = value(&note.architecture);
    let distro = distro(value(&note.os), value(&note.os_version), value(&note.os_cpe));
    let (Some(name), Some(kind)) = (name, note.kind.as_deref().and_then(kind_of)) else {
        problems.add(DiagnosticCode::BrokenRecord, 0, "note about the package has no name or no known type");
        return Parsed { packages: Vec::new(), diagnostics: problems.finish(1, "a note") };
    };
    let source = version.clone().map(|version| SourcePackage { name: name.clone(), version });
    let purl = to_purl(&PurlParts {
        kind,
        name: &name,
        version: version.as_deref(),
        architecture: architecture.as_deref(),
        source: source.as_ref(),
        distro: distro.as_ref(),
        more: &[],
    });
    // What another system has made is not what the advisories of this one are about.
    let is_foreign = match (input.distro, &distro) {
        (Some(image), Some(stated)) => image.id != stated.id,
        _ => false,
    };
    let package = Package {
        architecture,
        source,
        purl,
        is_third_party: is_foreign.then_some(true),
        ..input.language_package(PackageKind::Binary, name, version)
    };
    input.one_package(package, problems)
}

fn kind_of(name: &str) -> Option<PackageKind> {
    match name {
        "pacman" => Some(PackageKind::Alpm),
        name => PackageKind::from_purl_type(name).filter(|kind| kind.is_operating_system()),
    }
}

/// `os` and `osVersion`, or `cpe:/o:fedoraproject:fedora:33`.
fn distro(id: Option<String>, version_id: Option<String>, platform: Option<String>) -> Option<Distro> {
    let platform = platform.unwrap_or_default();
    let rest = platform.strip_prefix("cpe:/o:").or_else(|| platform.strip_prefix("cpe:2.3:o:"));
    let mut parts = rest.unwrap_or_default().split(':').skip(1);
    let mut part = || parts.next().filter(|part| !matches!(*part, "" | "*" | "-")).map(str::to_owned);
    let (product, version) = (part(), part());
    let id = id.or_else(|| product.map(distro_id))?.to_lowercase();
    Some(Distro { id, version_id: version_id.or(version), ..Distro::default() })
}

/// The id that os-release has, where the name of the product is another one.
fn distro_id(product: String) -> String {
    match product.as_str() {
        "debian_linux" => "debian".to_owned(),
        "enterprise_linux" => "rhel".to_owned(),
        "ubuntu_linux" => "ubuntu".to_owned(),
        "rocky_linux" => "rocky".to_owned(),
        _ => product,
    }
}
