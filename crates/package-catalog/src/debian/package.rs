//! From a paragraph to a package.

use model::{DiagnosticCode, Package, PackageKind, SourcePackage};

use crate::debian::copyright;
use crate::debian::file_list::FileLists;
use crate::debian::status_file::RawParagraph;
use crate::parse::{ParseInput, Problems};
use crate::purl::{PurlParts, to_purl};
use crate::third_party;

/// `kind`: opkg has the same files.
pub(crate) fn to_package(
    kind: PackageKind,
    paragraph: &RawParagraph,
    input: &ParseInput<'_>,
    files: &FileLists<'_>,
    problems: &mut Problems<'_>,
) -> Package {
    let name = paragraph.package.clone();
    let version = paragraph.version.clone();
    let source = to_source(paragraph);
    let installed_size_bytes = paragraph.installed_size.as_ref().and_then(|size| {
        let kibibytes = size.parse::<u64>().ok().and_then(|size| size.checked_mul(1024));
        if kibibytes.is_none() {
            let message = format!("Installed-Size of `{name}` is not a number");
            problems.add(DiagnosticCode::BrokenRecord, paragraph.offset, message);
        }
        kibibytes
    });
    let purl = to_purl(&PurlParts {
        kind,
        name: &name,
        version: version.as_deref(),
        architecture: paragraph.architecture.as_deref(),
        source: Some(&source),
        distro: input.distro,
        more: &[],
    });
    let (owned, is_complete) = files.find(paragraph);
    if !is_complete {
        let message = input.limits.too_many_owned();
        problems.add(DiagnosticCode::FileTooLarge, paragraph.offset, message);
    }
    let mut licenses = copyright::licenses(input, &name);
    if licenses.is_empty() {
        // No field of Debian's own; packages that others build have it.
        licenses.extend(paragraph.license.clone());
    }
    Package {
        architecture: paragraph.architecture.clone(),
        source: Some(source),
        purl,
        licenses,
        is_third_party: third_party::of_debian(
            paragraph.maintainer.as_deref(),
            version.as_deref().unwrap_or_default(),
        ),
        maintainer: paragraph.maintainer.clone(),
        installed_size_bytes,
        locations: vec![input.location.clone()],
        files: owned,
        ..Package::new(kind, name, version)
    }
}

/// `Source: name (version)`; what is not stated is the binary package's own.
fn to_source(paragraph: &RawParagraph) -> SourcePackage {
    let own_version = || paragraph.version.clone().unwrap_or_default();
    let stated = paragraph.source.as_deref().unwrap_or_default();
    let (name, rest) = stated.split_once('(').unwrap_or((stated, ""));
    let name = if name.trim().is_empty() { paragraph.package.as_str() } else { name.trim() };
    let version = rest.split(')').next().unwrap_or_default().trim();
    let version = if version.is_empty() { own_version() } else { version.to_owned() };
    SourcePackage { name: name.to_owned(), version }
}
