//! Reading package lists in syft's JSON, as clients upload them for images that nobody pulls.
//!
//! Shape:  an object with `artifacts` (the packages) and `distro`; licences are texts in old documents and objects in new ones.
//! Result: every package of a kind that is known here; everything else becomes a diagnostic, never silence.
//! Source: syft's published JSON schemas, major versions 1 to 16.

use std::collections::BTreeMap;

use model::{
    Diagnostic, DiagnosticCode, Digest, Distro, Inventory, JavaVersions, Location, Package, PackageKind,
    SourcePackage,
};
use serde::Deserialize;
use serde_json::Value;

/// Problems that are listed one by one; the rest is counted.
const LISTED_MAX: usize = 100;

/// Why a document was refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ReadSyftError {
    /// It is no JSON of this shape.
    #[error("read the package list: {0}")]
    Malformed(String),
    /// It has more packages than the caller takes.
    #[error("the package list has {found} packages (limit {limit})")]
    TooMany {
        /// Packages in it.
        found: usize,
        /// Most that are taken.
        limit: usize,
    },
}

#[derive(Deserialize)]
struct RawDocument {
    artifacts: Vec<RawArtifact>,
    #[serde(default)]
    distro: Option<RawDistro>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawArtifact {
    name: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    locations: Vec<RawLocation>,
    #[serde(default)]
    licenses: Vec<Value>,
    #[serde(default)]
    purl: String,
    #[serde(default)]
    metadata: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct RawLocation {
    path: String,
    #[serde(default, rename = "layerID")]
    layer: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDistro {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default, alias = "versionID")]
    version_id: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    version_codename: Option<String>,
    #[serde(default)]
    id_like: Option<Value>,
    #[serde(default)]
    pretty_name: Option<String>,
}

/// Reads a document into an inventory; `layers` are the diff ids of the image, lowest first.
///
/// Errors: [`ReadSyftError`]; a package that cannot be used is a diagnostic.
pub fn read_syft(bytes: &[u8], layers: Vec<Digest>, packages_max: usize) -> Result<Inventory, ReadSyftError> {
    let document: RawDocument =
        serde_json::from_slice(bytes).map_err(|error| ReadSyftError::Malformed(error.to_string()))?;
    if document.artifacts.len() > packages_max {
        return Err(ReadSyftError::TooMany { found: document.artifacts.len(), limit: packages_max });
    }
    let distro = document.distro.and_then(to_distro);
    let mut inventory = Inventory { distro, layers, ..Inventory::default() };
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    for artifact in document.artifacts {
        match kind_of(&artifact.r#type) {
            Some(_) if artifact.name.is_empty() => {
                *left_out.entry("without a name".to_owned()).or_default() += 1
            }
            Some(kind) => inventory.packages.push(to_package(kind, artifact)),
            None => *left_out.entry(format!("of type `{}`", artifact.r#type)).or_default() += 1,
        }
    }
    if inventory.distro.is_none() {
        inventory.diagnostics.push(Diagnostic {
            code: DiagnosticCode::UnknownDistro,
            subject: "/".to_owned(),
            offset: None,
            message: "the package list names no distro".to_owned(),
        });
    }
    let listed = left_out.into_iter().take(LISTED_MAX).map(|(what, count)| Diagnostic {
        code: DiagnosticCode::PackagesLeftOut,
        subject: "/".to_owned(),
        offset: None,
        message: format!("{count} packages {what} of the package list are not taken over"),
    });
    inventory.diagnostics.extend(listed);
    inventory.packages.sort_by(|left, right| {
        let key = |package: &Package| (package.kind, package.name.clone(), package.version.clone());
        key(left).cmp(&key(right)).then_with(|| left.cmp(right))
    });
    inventory.packages.dedup();
    inventory.diagnostics.sort();
    Ok(inventory)
}

fn kind_of(name: &str) -> Option<PackageKind> {
    Some(match name {
        "apk" => PackageKind::Apk,
        "deb" => PackageKind::Deb,
        "rpm" => PackageKind::Rpm,
        "npm" => PackageKind::Npm,
        "gem" => PackageKind::Gem,
        "python" => PackageKind::PyPi,
        "java-archive" | "jenkins-plugin" => PackageKind::Maven,
        "go-module" => PackageKind::Golang,
        "binary" => PackageKind::Binary,
        _ => return None,
    })
}

fn to_distro(raw: RawDistro) -> Option<Distro> {
    let text = |value: Option<String>| value.filter(|value| !value.is_empty());
    let id = text(raw.id).or(text(raw.name))?.to_lowercase();
    let id_like = match raw.id_like {
        Some(Value::String(words)) => words.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Some(Distro {
        id,
        version_id: text(raw.version_id).or(text(raw.version)),
        version_codename: text(raw.version_codename),
        id_like,
        pretty_name: text(raw.pretty_name),
    })
}

fn to_package(kind: PackageKind, artifact: RawArtifact) -> Package {
    let metadata = artifact.metadata.unwrap_or_default();
    let text = |key: &str| metadata.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let version = artifact.version.filter(|version| !version.is_empty());
    let source = source_of(kind, &artifact.name, version.as_deref(), &text);
    let location = |raw: RawLocation| Location {
        path: if raw.path.starts_with('/') { raw.path } else { format!("/{}", raw.path) },
        layer: raw.layer.and_then(|layer| layer.parse().ok()),
    };
    let mut licenses: Vec<String> = artifact.licenses.iter().filter_map(license).collect();
    if licenses.is_empty() {
        licenses.extend(text("license").map(str::to_owned));
    }
    Package {
        kind,
        architecture: text("architecture").or_else(|| text("arch")).map(str::to_owned),
        source,
        purl: artifact.purl,
        licenses,
        maintainer: text("maintainer")
            .or_else(|| text("vendor"))
            .or_else(|| text("author"))
            .map(str::to_owned),
        installed_size_bytes: installed_size(kind, &metadata),
        locations: artifact.locations.into_iter().map(location).collect(),
        files: Vec::new(),
        java: (kind == PackageKind::Maven).then(|| java_versions(&metadata)),
        is_third_party: None,
        name: artifact.name,
        version,
    }
}

fn source_of<'a>(
    kind: PackageKind,
    name: &str,
    version: Option<&str>,
    text: &dyn Fn(&str) -> Option<&'a str>,
) -> Option<SourcePackage> {
    let own = version.unwrap_or_default();
    match kind {
        PackageKind::Deb => Some(SourcePackage {
            name: text("source").unwrap_or(name).to_owned(),
            version: text("sourceVersion").unwrap_or(own).to_owned(),
        }),
        PackageKind::Apk => Some(SourcePackage {
            name: text("originPackage").unwrap_or(name).to_owned(),
            version: own.to_owned(),
        }),
        PackageKind::Rpm => {
            // `openssl-3.0.7-24.el9.src.rpm`: name, version and release, each behind a hyphen.
            let stem = text("sourceRpm")?.strip_suffix(".src.rpm")?;
            let (rest, release) = stem.rsplit_once('-')?;
            let (name, version) = rest.rsplit_once('-')?;
            Some(SourcePackage { name: name.to_owned(), version: format!("{version}-{release}") })
        }
        _ => None,
    }
}

/// A text in old documents, an object with `value` or `spdxExpression` in new ones.
fn license(value: &Value) -> Option<String> {
    let found = match value {
        Value::String(text) => text.as_str(),
        Value::Object(object) => ["value", "spdxExpression"]
            .iter()
            .find_map(|key| object.get(*key).and_then(Value::as_str).filter(|text| !text.is_empty()))?,
        _ => return None,
    };
    (!found.is_empty()).then(|| found.to_owned())
}

/// Bytes; dpkg counts in KiB.
fn installed_size(kind: PackageKind, metadata: &BTreeMap<String, Value>) -> Option<u64> {
    let stated = metadata.get("installedSize").or_else(|| metadata.get("size"))?.as_u64()?;
    if kind == PackageKind::Deb { stated.checked_mul(1024) } else { Some(stated) }
}

fn java_versions(metadata: &BTreeMap<String, Value>) -> JavaVersions {
    let manifest = |key: &str| -> Option<String> {
        let main = metadata.get("manifest")?.get("main")?;
        match main {
            Value::Object(members) => members.get(key)?.as_str().map(str::to_owned),
            // Newer documents keep the order: a list of pairs.
            Value::Array(pairs) => pairs
                .iter()
                .find(|pair| pair.get("key").and_then(Value::as_str) == Some(key))?
                .get("value")?
                .as_str()
                .map(str::to_owned),
            _ => None,
        }
    };
    JavaVersions {
        specification: manifest("Specification-Version"),
        implementation: manifest("Implementation-Version"),
        maven: metadata
            .get("pomProperties")
            .and_then(|properties| properties.get("version"))
            .and_then(Value::as_str)
            .map(str::to_owned),
    }
}
