//! From a record to a package.

use model::{Package, PackageKind, SourcePackage};

use crate::alpine::installed_db::RawRecord;
use crate::parse::ParseInput;
use crate::purl::{PurlParts, to_purl};
use crate::third_party;

pub(crate) fn to_package(record: &RawRecord, input: &ParseInput<'_>) -> Package {
    // The security database of Alpine and its relatives is written about origins.
    let source = SourcePackage {
        name: record.origin.clone().unwrap_or_else(|| record.name.clone()),
        version: record.version.clone().unwrap_or_default(),
    };
    let purl = to_purl(&PurlParts {
        kind: PackageKind::Apk,
        name: &record.name,
        version: record.version.as_deref(),
        architecture: record.architecture.as_deref(),
        source: Some(&source),
        distro: input.distro,
        more: &[],
    });
    let is_third_party = third_party::of_alpine(record.maintainer.as_deref(), input.distro);
    Package {
        architecture: record.architecture.clone(),
        source: Some(source),
        purl,
        licenses: record.license.iter().cloned().collect(),
        maintainer: record.maintainer.clone(),
        installed_size_bytes: record.installed_size,
        locations: vec![input.location.clone()],
        files: record.files.clone(),
        is_third_party,
        ..Package::new(PackageKind::Apk, record.name.clone(), record.version.clone())
    }
}
