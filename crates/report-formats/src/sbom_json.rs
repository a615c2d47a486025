//! The JSON of `lazaret sbom`.

use model::{Package, SourcePackage};
use serde::Serialize;

use crate::base::FoundBase;
use crate::wire::{self, DiagnosticJson, ImageJson, LocationJson};
use crate::{SCHEMA_VERSION, Sbom};

#[derive(Serialize)]
struct SbomJson<'a> {
    schema_version: &'static str,
    image: ImageJson<'a>,
    packages: Vec<PackageJson<'a>>,
    diagnostics: Vec<DiagnosticJson<'a>>,
}

#[derive(Serialize)]
struct PackageJson<'a> {
    name: &'a str,
    version: Option<&'a str>,
    r#type: &'static str,
    purl: &'a str,
    architecture: Option<&'a str>,
    source: Option<SourceJson<'a>>,
    licenses: &'a [String],
    maintainer: Option<&'a str>,
    installed_size_bytes: Option<u64>,
    file_count: usize,
    owner: Option<&'a str>,
    is_third_party: Option<bool>,
    modularity: Option<&'a str>,
    cpes: &'a [String],
    locations: Vec<LocationJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_base_image: Option<bool>,
}

#[derive(Serialize)]
struct SourceJson<'a> {
    name: &'a str,
    version: &'a str,
}

/// The inventory of an image as JSON, valid under [`crate::SBOM_SCHEMA`].
pub fn sbom_json(sbom: &Sbom<'_>) -> String {
    let base = FoundBase::of(sbom);
    wire::to_text(&SbomJson {
        schema_version: SCHEMA_VERSION,
        image: wire::image(sbom),
        packages: sbom.inventory.packages.iter().map(|one| package(one, base.as_ref())).collect(),
        diagnostics: sbom.inventory.diagnostics.iter().map(wire::diagnostic).collect(),
    })
}

fn package<'a>(package: &'a Package, base: Option<&FoundBase<'_>>) -> PackageJson<'a> {
    let from_base_image = base.and_then(|base| base.has(package));
    let Package {
        kind,
        name,
        version,
        architecture,
        source,
        purl,
        licenses,
        maintainer,
        installed_size_bytes,
        locations,
        files,
        java: _,
        is_third_party,
        owner,
        modularity,
        cpes,
    } = package;
    PackageJson {
        name,
        version: version.as_deref(),
        r#type: kind.purl_type(),
        purl,
        architecture: architecture.as_deref(),
        source: source.as_ref().map(|SourcePackage { name, version }| SourceJson { name, version }),
        licenses,
        maintainer: maintainer.as_deref(),
        installed_size_bytes: *installed_size_bytes,
        file_count: files.len(),
        owner: owner.as_deref(),
        is_third_party: *is_third_party,
        modularity: modularity.as_deref(),
        cpes,
        locations: locations.iter().map(wire::location).collect(),
        from_base_image,
    }
}
