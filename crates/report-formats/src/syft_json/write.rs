//! Writes syft's JSON. What it has no member for stands in the member `lazaret` of the package or document.
//!
//! Source: syft's published JSON schema 16.1.13.

use std::collections::BTreeMap;

use model::{Distro, JavaVersions, OwnedFile, Package, PackageKind, SourcePackage};
use serde_json::{Map, Value, json};

use super::files;
use crate::listing::{self, ListedPackage, Listing};
use crate::sbom_formats::{Meta, TOOL, TOOL_VERSION};
use crate::{Sbom, wire};

/// The edition of the schema that is written.
const SCHEMA: &str = "16.1.13";

/// Files of packages up to which they are listed whether asked for or not.
pub(crate) const FILES_WITHOUT_ASKING: usize = 100_000;

/// The packages of an image in syft's JSON, with the files that they own, as syft lists them; more than
/// 100,000 of them only if `meta` wants files.
pub fn syft_json(sbom: &Sbom<'_>, meta: &Meta) -> String {
    let packages = &sbom.inventory.packages;
    let file_count = packages.iter().map(|package| package.files.len()).sum::<usize>();
    let has_files = meta.has_files || file_count <= FILES_WITHOUT_ASKING;
    let listing = Listing::of(sbom, has_files);
    let artifacts = packages.iter().zip(&listing.packages);
    let artifacts = artifacts.map(|(package, listed)| artifact(package, listed, listing.files_of(package)));
    let schema_url =
        format!("https://raw.githubusercontent.com/anchore/syft/main/schema/json/schema-{SCHEMA}.json");
    wire::to_text(&json!({
        "artifacts": artifacts.collect::<Vec<_>>(),
        "artifactRelationships": owners(packages, &listing),
        "files": [],
        "source": source(sbom, &listing),
        "distro": sbom.inventory.distro.as_ref().map_or_else(|| json!({}), distro),
        "descriptor": {"name": TOOL, "version": TOOL_VERSION},
        "schema": {"version": SCHEMA, "url": schema_url},
        "lazaret": listing.properties,
    }))
}

fn source(sbom: &Sbom<'_>, listing: &Listing) -> Value {
    let Some(image) = sbom.image else {
        let id = data_encoding::HEXLOWER.encode(&listing.content_hash(&sbom.inventory.packages));
        return json!({"id": id, "name": sbom.image_name, "version": "", "type": "file", "metadata": {}});
    };
    let layers: Vec<Value> = image
        .layers
        .iter()
        .map(|layer| {
            let kind = "application/vnd.docker.image.rootfs.diff.tar.gzip";
            json!({"mediaType": kind, "digest": layer.diff_id.to_string(), "size": layer.unpacked_bytes})
        })
        .collect();
    json!({
        "id": image.digest.hex(),
        "name": sbom.image_name,
        "version": image.digest.to_string(),
        "type": "image",
        "metadata": {
            "userInput": sbom.image_name,
            "imageID": image.image_id.to_string(),
            "manifestDigest": image.digest.to_string(),
            "mediaType": "",
            "tags": [],
            "imageSize": image.size_bytes,
            "layers": layers,
            "manifest": "",
            "config": "",
            "repoDigests": [],
            "architecture": image.platform.architecture,
            "os": image.platform.os,
        },
    })
}

fn distro(distro: &Distro) -> Value {
    let Distro { id, version_id, version_codename, id_like, pretty_name, channel: _ } = distro;
    let mut found = Map::new();
    let mut add = |key: &str, value: &Option<String>| {
        if let Some(value) = value {
            found.insert(key.to_owned(), json!(value));
        }
    };
    add("prettyName", pretty_name);
    add("id", &Some(id.clone()));
    add("versionID", version_id);
    add("versionCodename", version_codename);
    if !id_like.is_empty() {
        found.insert("idLike".to_owned(), json!(id_like));
    }
    Value::Object(found)
}

/// Which package of the operating system brought which of a programming language.
fn owners(packages: &[Package], listing: &Listing) -> Vec<Value> {
    let all = || packages.iter().zip(&listing.packages);
    let systems: BTreeMap<&str, &str> = all()
        .filter(|(package, _)| package.kind.is_operating_system())
        .map(|(package, listed)| (package.name.as_str(), listed.reference.as_str()))
        .collect();
    let relation = |(package, listed): (&Package, &ListedPackage)| {
        let parent = systems.get(package.owner.as_deref()?)?;
        Some(json!({"parent": parent, "child": listed.reference, "type": "ownership-by-file-overlap"}))
    };
    all().filter_map(relation).collect()
}

fn artifact(package: &Package, listed: &ListedPackage, owned: &[OwnedFile]) -> Value {
    let location = |location: &model::Location| {
        let mut found = json!({"path": location.path, "accessPath": location.path});
        if let Some(layer) = &location.layer {
            found["layerID"] = json!(layer.to_string());
        }
        found
    };
    let license = |license: &String| {
        let expression = if crate::licenses::is_expression(license) { license } else { "" };
        json!({"value": license, "spdxExpression": expression, "type": "declared", "urls": [], "locations": []})
    };
    let (r#type, language) = syft_words(package.kind);
    let mut found = json!({
        "id": listed.reference,
        "name": package.name,
        "version": package.version.as_deref().unwrap_or_default(),
        "type": r#type,
        "foundBy": TOOL,
        "locations": package.locations.iter().map(location).collect::<Vec<_>>(),
        "licenses": package.licenses.iter().map(license).collect::<Vec<_>>(),
        "language": language,
        "cpes": package.cpes.iter().map(|cpe| json!({"cpe": cpe, "source": TOOL})).collect::<Vec<_>>(),
        "purl": package.purl,
    });
    if let Some((r#type, mut metadata)) = metadata(package) {
        if let Some(files) = files::native(package.kind, owned) {
            metadata["files"] = files;
        }
        found["metadataType"] = json!(r#type);
        found["metadata"] = metadata;
    }
    if let Some(files) = files::lines(package.kind, owned) {
        found["lazaretFiles"] = files;
    }
    found["lazaret"] = json!(listed.properties);
    found
}

/// Syft's word for the kind, and for its language; grype has the same.
pub(crate) fn syft_words(kind: PackageKind) -> (&'static str, &'static str) {
    match kind {
        PackageKind::Apk => ("apk", ""),
        PackageKind::Deb => ("deb", ""),
        PackageKind::Rpm => ("rpm", ""),
        PackageKind::Opkg => ("opkg", ""),
        PackageKind::Alpm => ("alpm", ""),
        PackageKind::Ebuild => ("portage", ""),
        PackageKind::Snap => ("snap", ""),
        PackageKind::Npm => ("npm", "javascript"),
        PackageKind::Gem => ("gem", "ruby"),
        PackageKind::PyPi => ("python", "python"),
        PackageKind::Maven => ("java-archive", "java"),
        PackageKind::Golang => ("go-module", "go"),
        PackageKind::Cargo => ("rust-crate", "rust"),
        PackageKind::Composer => ("php-composer", "php"),
        PackageKind::Pear => ("php-pear", "php"),
        PackageKind::Nuget => ("dotnet", "dotnet"),
        PackageKind::Conda => ("conda", ""),
        PackageKind::Cran => ("R-package", "R"),
        PackageKind::Hex => ("hex", "elixir"),
        PackageKind::Otp => ("erlang-otp", "erlang"),
        PackageKind::LuaRocks => ("lua-rocks", "lua"),
        PackageKind::Julia => ("julia", "julia"),
        PackageKind::Pub => ("dart-pub", "dart"),
        PackageKind::Swift => ("swift", "swift"),
        PackageKind::Bitnami => ("bitnami", ""),
        PackageKind::WordPress => ("wordpress-plugin", "php"),
        PackageKind::Binary => ("binary", ""),
    }
}

/// What a package was built from, as syft's properties tell it.
pub(crate) fn syft_source(package: &Package) -> Vec<(&'static str, String)> {
    let is_of_source = matches!(package.kind, PackageKind::Deb | PackageKind::Apk | PackageKind::Rpm);
    let Some((r#type, metadata)) = metadata(package).filter(|_| is_of_source) else { return Vec::new() };
    let mut properties = vec![("syft:package:metadataType", r#type.to_owned())];
    for (name, member) in [
        ("syft:metadata:source", "source"),
        ("syft:metadata:sourceVersion", "sourceVersion"),
        ("syft:metadata:originPackage", "originPackage"),
        ("syft:metadata:sourceRpm", "sourceRpm"),
        ("syft:metadata:modularityLabel", "modularityLabel"),
    ] {
        let value = metadata[member]
            .as_str()
            .filter(|value| !value.is_empty() && !value.contains(listing::is_special));
        properties.extend(value.map(|value| (name, value.to_owned())));
    }
    properties
}

/// What other readers look for in there: source packages, modules, versions of jars.
fn metadata(package: &Package) -> Option<(&'static str, Value)> {
    let version = package.version.as_deref().unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let size = package.installed_size_bytes.unwrap_or_default();
    let (source, source_version) = match &package.source {
        Some(SourcePackage { name, version: own }) => {
            (if *name == package.name { "" } else { name }, if own == version { "" } else { own })
        }
        None => ("", ""),
    };
    match package.kind {
        PackageKind::Deb => Some((
            "dpkg-db-entry",
            json!({
                "package": package.name, "source": source, "version": version, "sourceVersion": source_version,
                "architecture": text(&package.architecture), "maintainer": text(&package.maintainer),
                "installedSize": size / 1024,
            }),
        )),
        PackageKind::Apk => Some((
            "apk-db-entry",
            json!({
                "package": package.name, "originPackage": package.source.as_ref().map_or("", |it| it.name.as_str()),
                "maintainer": text(&package.maintainer), "version": version,
                "architecture": text(&package.architecture), "url": "", "description": "", "size": 0,
                "installedSize": size, "pullDependencies": [], "provides": [], "pullChecksum": "",
                "gitCommitOfApkPort": "",
            }),
        )),
        PackageKind::Rpm => Some(("rpm-db-entry", rpm_metadata(package, version, size))),
        PackageKind::Maven => Some(("java-archive", java_metadata(package))),
        _ => None,
    }
}

fn rpm_metadata(package: &Package, version: &str, size: u64) -> Value {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse::<u64>().ok(), rest),
        None => (None, version),
    };
    let (version, release) = rest.rsplit_once('-').unwrap_or((rest, ""));
    let source = package.source.as_ref();
    let file = source.map(|SourcePackage { name, version }| {
        let version = version.split_once(':').map_or(version.as_str(), |(_, rest)| rest);
        format!("{name}-{version}.src.rpm")
    });
    let mut metadata = json!({
        "name": package.name, "version": version, "epoch": epoch,
        "architecture": package.architecture.clone().unwrap_or_default(), "release": release,
        "sourceRpm": file.unwrap_or_default(), "size": size,
        "vendor": package.maintainer.clone().unwrap_or_default(),
    });
    if let Some(label) = &package.modularity {
        metadata["modularityLabel"] = json!(label);
    }
    metadata
}

fn java_metadata(package: &Package) -> Value {
    let mut metadata = json!({"virtualPath": package.path()});
    let Some(JavaVersions { specification, implementation, maven, sha1 }) = &package.java else {
        return metadata;
    };
    let pair = |(key, value): (&str, &Option<String>)| Some(json!({"key": key, "value": value.clone()?}));
    let main: Vec<Value> =
        [("Specification-Version", specification), ("Implementation-Version", implementation)]
            .into_iter()
            .filter_map(pair)
            .collect();
    if !main.is_empty() {
        metadata["manifest"] = json!({"main": main});
    }
    if let Some(version) = maven {
        let purl = listing::Purl::parse(&package.purl).unwrap_or_default();
        metadata["pomProperties"] = json!({
            "path": "", "name": "", "groupId": purl.namespace, "artifactId": package.name, "version": version,
        });
    }
    if let Some(sha1) = sha1 {
        metadata["digest"] = json!([{"algorithm": "sha1", "value": sha1}]);
    }
    metadata
}
