//! Reading package lists in syft's JSON, as clients upload them for images that nobody pulls.
//!
//! Shape:  an object with `artifacts` (the packages) and `distro`; licences are texts in old documents and objects in new ones.
//! Result: every package of a kind that is known here; everything else becomes a diagnostic, never silence.
//! Source: syft's published JSON schemas, major versions 1 to 16.

mod files;
mod raw;
mod write;

use std::collections::BTreeMap;

use model::{
    Diagnostic, DiagnosticCode, Digest, Distro, Inventory, JavaVersions, Location, OwnedFile, Package,
    PackageKind, SourcePackage,
};
use raw::{DocumentSeed, RawArtifact, RawCpe, RawDigest, RawDistro, RawLocation, RawMetadata};
use serde::de::DeserializeSeed as _;
pub use write::syft_json;
pub(crate) use write::{syft_source, syft_words};

use crate::listing::{FILES_MAX, SbomSubject, TOO_LONG, is_too_long, source_of_rpm};
use crate::read_sbom::{ReadSbomError, SbomLimits};

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

/// Reads a document into an inventory; `layers` are the diff ids of the image, lowest first.
///
/// Errors: [`ReadSyftError`]; a package that cannot be used is a diagnostic.
pub fn read_syft(bytes: &[u8], layers: Vec<Digest>, packages_max: usize) -> Result<Inventory, ReadSyftError> {
    read_document(bytes, layers, packages_max).map(|(_, inventory)| inventory)
}

fn read_document(
    bytes: &[u8],
    layers: Vec<Digest>,
    packages_max: usize,
) -> Result<(SbomSubject, Inventory), ReadSyftError> {
    let malformed = |error: serde_json::Error| ReadSyftError::Malformed(error.to_string());
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let document = DocumentSeed { packages_max }.deserialize(&mut text).map_err(malformed)?;
    text.end().map_err(malformed)?;
    let Some(artifacts) = document.artifacts else {
        return Err(ReadSyftError::Malformed("missing field `artifacts`".to_owned()));
    };
    if document.found > packages_max {
        return Err(ReadSyftError::TooMany { found: document.found, limit: packages_max });
    }
    let own = document.lazaret.is_own().then(|| document.lazaret.inventory());
    let is_own = own.is_some();
    let mut inventory = own
        .unwrap_or_else(|| Inventory { distro: document.distro.and_then(to_distro), ..Inventory::default() });
    if !layers.is_empty() {
        inventory.layers = layers;
    }
    let owners = owners(&artifacts, &document.owners);
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    for artifact in artifacts {
        let owner = owners.get(artifact.id.text().unwrap_or_default()).cloned();
        let read = to_known_package(artifact, owner);
        match read {
            // No other format could hold it.
            Ok(package)
                if is_too_long([&package.name, &package.purl].into_iter().chain(&package.version)) =>
            {
                *left_out.entry(TOO_LONG.to_owned()).or_default() += 1;
            }
            Ok(package) => inventory.packages.push(package),
            Err(what) => *left_out.entry(what).or_default() += 1,
        }
    }
    if inventory.distro.is_none() && !is_own {
        inventory.diagnostics.push(Diagnostic {
            code: DiagnosticCode::UnknownDistro,
            subject: "/".to_owned(),
            offset: None,
            message: "the package list names no distro".to_owned(),
        });
    }
    if document.has_more_files {
        inventory.diagnostics.push(Diagnostic {
            code: DiagnosticCode::FileTooLarge,
            subject: "/".to_owned(),
            offset: None,
            message: format!(
                "the packages of the package list have more than {FILES_MAX} files; the rest is left out"
            ),
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
    let subject =
        SbomSubject { name: document.lazaret.name().or(document.name), image: document.lazaret.image() };
    Ok((subject, inventory))
}

/// Names of the packages of the operating system that own others, by the id of what they own.
fn owners(artifacts: &[RawArtifact], relations: &[(String, String)]) -> BTreeMap<String, String> {
    if relations.is_empty() {
        return BTreeMap::new();
    }
    let system =
        |artifact: &&RawArtifact| kind_of(&artifact.r#type).is_some_and(PackageKind::is_operating_system);
    let names: BTreeMap<&str, &str> = artifacts
        .iter()
        .filter(system)
        .filter_map(|artifact| Some((artifact.id.text()?, artifact.name.as_str())))
        .collect();
    let named =
        |(parent, child): &(String, String)| Some((child.clone(), (*names.get(parent.as_str())?).to_owned()));
    relations.iter().filter_map(named).collect()
}

/// A package, or what is wrong with it.
fn to_known_package(mut artifact: RawArtifact, owner: Option<String>) -> Result<Package, String> {
    let files = artifact.take_files();
    if artifact.lazaret.is_own_package() {
        return artifact.lazaret.package(artifact.name, artifact.version, artifact.purl, files);
    }
    match kind_of(&artifact.r#type) {
        Some(_) if artifact.name.is_empty() => Err("without a name".to_owned()),
        Some(kind) => {
            let owner = owner.filter(|_| !kind.is_operating_system());
            let files = if files::has_real_paths(kind) { rooted(files) } else { Vec::new() };
            Ok(Package { owner, files, ..to_package(kind, artifact) })
        }
        None => Err(format!("of type `{}`", artifact.r#type)),
    }
}

/// Sorted, with absolute paths.
fn rooted(mut files: Vec<OwnedFile>) -> Vec<OwnedFile> {
    for file in files.iter_mut().filter(|file| !file.path.starts_with('/')) {
        file.path.insert(0, '/');
    }
    files.sort();
    files
}

/// The same for a document that stands for itself.
pub(crate) fn read(bytes: &[u8], limits: &SbomLimits) -> Result<(SbomSubject, Inventory), ReadSbomError> {
    read_document(bytes, Vec::new(), limits.packages_max).map_err(|error| match error {
        ReadSyftError::TooMany { found, limit } => ReadSbomError::TooMany { found, limit },
        ReadSyftError::Malformed(reason) => ReadSbomError::Malformed { format: "syft's JSON", reason },
    })
}

/// The kind of syft's type of package.
pub(crate) fn kind_of(name: &str) -> Option<PackageKind> {
    Some(match name {
        "apk" => PackageKind::Apk,
        "deb" => PackageKind::Deb,
        "rpm" => PackageKind::Rpm,
        "npm" => PackageKind::Npm,
        "gem" => PackageKind::Gem,
        "python" => PackageKind::PyPi,
        "java-archive" | "jenkins-plugin" => PackageKind::Maven,
        "go-module" => PackageKind::Golang,
        "alpm" => PackageKind::Alpm,
        "portage" => PackageKind::Ebuild,
        "snap" => PackageKind::Snap,
        "rust-crate" => PackageKind::Cargo,
        "php-composer" => PackageKind::Composer,
        "php-pear" | "php-pecl" => PackageKind::Pear,
        "dotnet" => PackageKind::Nuget,
        "conda" => PackageKind::Conda,
        "R-package" => PackageKind::Cran,
        "hex" => PackageKind::Hex,
        "erlang-otp" => PackageKind::Otp,
        "lua-rocks" => PackageKind::LuaRocks,
        "dart-pub" => PackageKind::Pub,
        "swift" => PackageKind::Swift,
        "bitnami" => PackageKind::Bitnami,
        "wordpress-plugin" => PackageKind::WordPress,
        "opkg" => PackageKind::Opkg,
        "julia" => PackageKind::Julia,
        "binary" => PackageKind::Binary,
        _ => return None,
    })
}

fn to_distro(raw: RawDistro) -> Option<Distro> {
    let RawDistro { id, name, version_id, version, version_codename, id_like, pretty_name } = raw;
    Some(Distro {
        id: id.text().or(name.text())?.to_lowercase(),
        version_id: version_id.text().or(version.text()).map(str::to_owned),
        version_codename: version_codename.text().map(str::to_owned),
        id_like: id_like.0,
        pretty_name: pretty_name.text().map(str::to_owned),
        channel: None,
    })
}

fn to_package(kind: PackageKind, artifact: RawArtifact) -> Package {
    let metadata = artifact.metadata.unwrap_or_default();
    let version = artifact.version.filter(|version| !version.is_empty());
    let source = source_of(kind, &artifact.name, version.as_deref(), &metadata);
    let location = |raw: RawLocation| Location {
        path: if raw.path.starts_with('/') { raw.path } else { format!("/{}", raw.path) },
        layer: raw.layer.and_then(|layer| layer.parse().ok()),
    };
    let mut licenses: Vec<String> = artifact.licenses.0.into_iter().filter_map(|license| license.0).collect();
    if licenses.is_empty() {
        licenses.extend(metadata.license.text().map(str::to_owned));
    }
    let people = metadata.maintainer.text().or(metadata.vendor.text()).or(metadata.author.text());
    Package {
        kind,
        architecture: metadata.architecture.text().or(metadata.arch.text()).map(str::to_owned),
        source,
        purl: artifact.purl,
        licenses,
        maintainer: people.map(str::to_owned),
        installed_size_bytes: installed_size(kind, &metadata),
        locations: artifact.locations.0.into_iter().map(location).collect(),
        files: Vec::new(),
        java: (kind == PackageKind::Maven).then(|| java_versions(&metadata)),
        is_third_party: None,
        owner: None,
        modularity: metadata.modularity_label.text().map(str::to_owned),
        // Those that syft makes up from names fit programs that have nothing to do with the package.
        cpes: artifact.cpes.0.into_iter().filter_map(RawCpe::stated).collect(),
        name: artifact.name,
        version,
    }
}

fn source_of(
    kind: PackageKind,
    name: &str,
    version: Option<&str>,
    metadata: &RawMetadata,
) -> Option<SourcePackage> {
    let own = version.unwrap_or_default();
    match kind {
        PackageKind::Deb => Some(SourcePackage {
            name: metadata.source.text().unwrap_or(name).to_owned(),
            version: metadata.source_version.text().unwrap_or(own).to_owned(),
        }),
        PackageKind::Apk => Some(SourcePackage {
            name: metadata.origin_package.text().unwrap_or(name).to_owned(),
            version: own.to_owned(),
        }),
        PackageKind::Rpm => source_of_rpm(metadata.source_rpm.text()?),
        _ => None,
    }
}

/// Bytes; dpkg counts in KiB.
fn installed_size(kind: PackageKind, metadata: &RawMetadata) -> Option<u64> {
    let stated = metadata.installed_size.number().or(metadata.size.number())?;
    if kind == PackageKind::Deb { stated.checked_mul(1024) } else { Some(stated) }
}

fn java_versions(metadata: &RawMetadata) -> JavaVersions {
    let main = metadata.manifest.as_ref().map(|manifest| &manifest.main);
    let properties = metadata.pom_properties.as_ref();
    JavaVersions {
        specification: main.and_then(|main| main.specification.clone()),
        implementation: main.and_then(|main| main.implementation.clone()),
        maven: properties.and_then(|properties| properties.version.text()).map(str::to_owned),
        sha1: metadata.digest.0.iter().find_map(RawDigest::sha1),
    }
}
