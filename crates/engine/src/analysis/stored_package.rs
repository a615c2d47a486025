//! How one package of an inventory is kept.

use model::{JavaVersions, Location, OwnedFile, Package, PackageKind, SourcePackage};
use serde::{Deserialize, Serialize};

use super::DecodeError;

#[derive(Serialize, Deserialize)]
pub(super) struct StoredPackage {
    kind: StoredKind,
    name: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    architecture: Option<String>,
    #[serde(default)]
    source: Option<StoredSource>,
    purl: String,
    #[serde(default)]
    licenses: Vec<String>,
    #[serde(default)]
    maintainer: Option<String>,
    #[serde(default)]
    installed_size_bytes: Option<u64>,
    #[serde(default)]
    locations: Vec<StoredLocation>,
    #[serde(default)]
    files: Vec<StoredFile>,
    #[serde(default)]
    java: Option<StoredJavaVersions>,
    #[serde(default)]
    is_third_party: Option<bool>,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    modularity: Option<String>,
    #[serde(default)]
    cpes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredKind {
    Apk,
    Deb,
    Rpm,
    Opkg,
    Alpm,
    Ebuild,
    Snap,
    Npm,
    Gem,
    PyPi,
    Maven,
    Golang,
    Cargo,
    Composer,
    Pear,
    Nuget,
    Conda,
    Cran,
    Hex,
    Otp,
    LuaRocks,
    Julia,
    Pub,
    Swift,
    Bitnami,
    WordPress,
    Binary,
}

#[derive(Serialize, Deserialize)]
struct StoredSource {
    name: String,
    version: String,
}

#[derive(Serialize, Deserialize)]
struct StoredLocation {
    path: String,
    #[serde(default)]
    layer: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredFile {
    path: String,
    #[serde(default)]
    checksum: Option<String>,
    #[serde(default)]
    permissions: Option<u32>,
    #[serde(default)]
    size_bytes: Option<u64>,
    #[serde(default)]
    is_configuration: bool,
    #[serde(default)]
    is_content_changed: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct StoredJavaVersions {
    #[serde(default)]
    specification: Option<String>,
    #[serde(default)]
    implementation: Option<String>,
    #[serde(default)]
    maven: Option<String>,
    #[serde(default)]
    sha1: Option<String>,
}

impl From<OwnedFile> for StoredFile {
    fn from(file: OwnedFile) -> Self {
        let OwnedFile { path, checksum, permissions, size_bytes, is_configuration, is_content_changed } =
            file;
        Self { path, checksum, permissions, size_bytes, is_configuration, is_content_changed }
    }
}

impl From<StoredFile> for OwnedFile {
    fn from(stored: StoredFile) -> Self {
        let StoredFile { path, checksum, permissions, size_bytes, is_configuration, is_content_changed } =
            stored;
        Self { path, checksum, permissions, size_bytes, is_configuration, is_content_changed }
    }
}

impl From<&Package> for StoredPackage {
    fn from(package: &Package) -> Self {
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
            java,
            is_third_party,
            owner,
            modularity,
            cpes,
        } = package.clone();
        Self {
            kind: kind.into(),
            name,
            version,
            architecture,
            source: source.map(|SourcePackage { name, version }| StoredSource { name, version }),
            purl,
            licenses,
            maintainer,
            installed_size_bytes,
            locations: locations
                .into_iter()
                .map(|Location { path, layer }| StoredLocation {
                    path,
                    layer: layer.map(|layer| layer.to_string()),
                })
                .collect(),
            files: files.into_iter().map(StoredFile::from).collect(),
            java: java.map(|JavaVersions { specification, implementation, maven, sha1 }| {
                StoredJavaVersions { specification, implementation, maven, sha1 }
            }),
            is_third_party,
            owner,
            modularity,
            cpes,
        }
    }
}

impl TryFrom<StoredPackage> for Package {
    type Error = DecodeError;

    fn try_from(stored: StoredPackage) -> Result<Self, DecodeError> {
        let locations = stored
            .locations
            .into_iter()
            .map(|StoredLocation { path, layer }| {
                Ok(Location { path, layer: layer.map(|layer| layer.parse()).transpose()? })
            })
            .collect::<Result<_, DecodeError>>()?;
        Ok(Self {
            kind: stored.kind.into(),
            name: stored.name,
            version: stored.version,
            architecture: stored.architecture,
            source: stored.source.map(|StoredSource { name, version }| SourcePackage { name, version }),
            purl: stored.purl,
            licenses: stored.licenses,
            maintainer: stored.maintainer,
            installed_size_bytes: stored.installed_size_bytes,
            locations,
            files: stored.files.into_iter().map(OwnedFile::from).collect(),
            java: stored.java.map(|StoredJavaVersions { specification, implementation, maven, sha1 }| {
                JavaVersions { specification, implementation, maven, sha1 }
            }),
            is_third_party: stored.is_third_party,
            owner: stored.owner,
            modularity: stored.modularity,
            cpes: stored.cpes,
        })
    }
}

impl From<PackageKind> for StoredKind {
    fn from(kind: PackageKind) -> Self {
        match kind {
            PackageKind::Apk => Self::Apk,
            PackageKind::Deb => Self::Deb,
            PackageKind::Rpm => Self::Rpm,
            PackageKind::Opkg => Self::Opkg,
            PackageKind::Alpm => Self::Alpm,
            PackageKind::Ebuild => Self::Ebuild,
            PackageKind::Snap => Self::Snap,
            PackageKind::Npm => Self::Npm,
            PackageKind::Gem => Self::Gem,
            PackageKind::PyPi => Self::PyPi,
            PackageKind::Maven => Self::Maven,
            PackageKind::Golang => Self::Golang,
            PackageKind::Cargo => Self::Cargo,
            PackageKind::Composer => Self::Composer,
            PackageKind::Pear => Self::Pear,
            PackageKind::Nuget => Self::Nuget,
            PackageKind::Conda => Self::Conda,
            PackageKind::Cran => Self::Cran,
            PackageKind::Hex => Self::Hex,
            PackageKind::Otp => Self::Otp,
            PackageKind::LuaRocks => Self::LuaRocks,
            PackageKind::Julia => Self::Julia,
            PackageKind::Pub => Self::Pub,
            PackageKind::Swift => Self::Swift,
            PackageKind::Bitnami => Self::Bitnami,
            PackageKind::WordPress => Self::WordPress,
            PackageKind::Binary => Self::Binary,
        }
    }
}

impl From<StoredKind> for PackageKind {
    fn from(kind: StoredKind) -> Self {
        match kind {
            StoredKind::Apk => Self::Apk,
            StoredKind::Deb => Self::Deb,
            StoredKind::Rpm => Self::Rpm,
            StoredKind::Opkg => Self::Opkg,
            StoredKind::Alpm => Self::Alpm,
            StoredKind::Ebuild => Self::Ebuild,
            StoredKind::Snap => Self::Snap,
            StoredKind::Npm => Self::Npm,
            StoredKind::Gem => Self::Gem,
            StoredKind::PyPi => Self::PyPi,
            StoredKind::Maven => Self::Maven,
            StoredKind::Golang => Self::Golang,
            StoredKind::Cargo => Self::Cargo,
            StoredKind::Composer => Self::Composer,
            StoredKind::Pear => Self::Pear,
            StoredKind::Nuget => Self::Nuget,
            StoredKind::Conda => Self::Conda,
            StoredKind::Cran => Self::Cran,
            StoredKind::Hex => Self::Hex,
            StoredKind::Otp => Self::Otp,
            StoredKind::LuaRocks => Self::LuaRocks,
            StoredKind::Julia => Self::Julia,
            StoredKind::Pub => Self::Pub,
            StoredKind::Swift => Self::Swift,
            StoredKind::Bitnami => Self::Bitnami,
            StoredKind::WordPress => Self::WordPress,
            StoredKind::Binary => Self::Binary,
        }
    }
}
