//! Snaps that lie unpacked in an image, and the packages of Ubuntu that are in them.
//!
//! `meta/snap.yaml` is what an installed snap says of itself. `snap/snapcraft.yaml` is only a recipe, which source trees have as well: it
//! counts beside the former. `snap/manifest.yaml` and, in the base snaps, `usr/share/snappy/dpkg.yaml` list packages.

#[cfg(test)]
mod tests;
mod yaml;

use model::{DiagnosticCode, Package, PackageKind, SourcePackage};

use crate::cataloger::{Cataloger, PathPattern};
use crate::parse::{ParseInput, Parsed, Problems};
use crate::purl::{PurlParts, language_purl, to_purl};
use yaml::Document;

/// What the table says about snaps.
pub(crate) const CATALOGER: Cataloger = Cataloger {
    id: "snap",
    databases: &[
        PathPattern::Ends(SNAP),
        PathPattern::Ends(MANIFEST),
        PathPattern::Ends(RECIPE),
        PathPattern::Ends(BASE_PACKAGES),
    ],
    companions: &[],
    exceptions: &[],
    linked_paths: &[],
    parse,
};

const SNAP: &str = "meta/snap.yaml";
const MANIFEST: &str = "snap/manifest.yaml";
const RECIPE: &str = "snap/snapcraft.yaml";
const BASE_PACKAGES: &str = "usr/share/snappy/dpkg.yaml";

/// The snap comes from the best of its files; lists of packages from each file that has one.
fn parse(input: &ParseInput<'_>) -> Parsed {
    let mut problems = Problems::new(input);
    let is = |tail: &'static str| PathPattern::Ends(tail).matches(input.path);
    let tail = [SNAP, MANIFEST, RECIPE, BASE_PACKAGES].into_iter().find(|tail| is(tail)).unwrap_or_default();
    let root = input.path.strip_suffix(tail).unwrap_or_default();
    let has_snap = tail != SNAP && input.tree.find(&format!("{root}{SNAP}")).is_some();
    let has_manifest = input.tree.find(&format!("{root}{MANIFEST}")).is_some();
    if tail == RECIPE && (!has_snap || has_manifest) {
        return Parsed::default();
    }
    let document = Document::parse(input.bytes, &mut problems);
    let mut packages = Vec::new();
    if !has_snap && tail != BASE_PACKAGES {
        packages.extend(snap(&document, input, &mut problems));
    }
    let listed = match tail {
        MANIFEST => document.list("primed-stage-packages"),
        BASE_PACKAGES => document.list("packages"),
        _ => &[],
    };
    let is_of_image = is_of_image(&document, root, input);
    for entry in listed {
        if packages.len() >= input.packages_left() {
            let maximum = input.limits.packages_max;
            let message = format!("more than {maximum} packages: the others are not in this inventory");
            problems.add(DiagnosticCode::PackagesLeftOut, 0, message);
            break;
        }
        match to_deb(entry, is_of_image, input) {
            Some(package) => packages.push(package),
            None => {
                let message = format!("`{entry}` is no package with a version");
                problems.add(DiagnosticCode::BrokenRecord, 0, message);
            }
        }
    }
    // A file that only adds to another one may well have nothing to add.
    let count = packages.len().max(usize::from(has_snap));
    Parsed { packages, diagnostics: problems.finish(count, "a description of a snap") }
}

fn snap(document: &Document, input: &ParseInput<'_>, problems: &mut Problems<'_>) -> Option<Package> {
    let name = document.value("name")?.to_owned();
    // `git` is an order to the builder.
    let version = document.value("version").filter(|version| *version != "git").map(str::to_owned);
    if version.is_none() {
        problems.add(DiagnosticCode::MissingVersion, 0, format!("snap `{name}` has no version"));
    }
    let architectures = document.list("architectures");
    Some(Package {
        architecture: match architectures {
            [one] => Some(one.clone()),
            _ => None,
        },
        purl: language_purl(PackageKind::Snap, &name, version.as_deref()),
        licenses: document.value("license").map(str::to_owned).into_iter().collect(),
        locations: vec![input.location.clone()],
        ..Package::new(PackageKind::Snap, name, version)
    })
}

/// Whether the packages in a snap are those of the image's own distro and release: those of another one are not for its advisories.
fn is_of_image(document: &Document, root: &str, input: &ParseInput<'_>) -> bool {
    let Some(distro) = input.distro else { return false };
    match (document.value("snapcraft-os-release-id"), document.value("snapcraft-os-release-version-id")) {
        (Some(id), version_id) => distro.id == id && distro.version_id.as_deref() == version_id,
        // The root of a base snap is the root of its system.
        _ => root.is_empty(),
    }
}

/// `libc6=2.31-0ubuntu9`
fn to_deb(entry: &str, is_of_image: bool, input: &ParseInput<'_>) -> Option<Package> {
    let (name, version) = entry.split_once('=')?;
    let (name, architecture) = match name.split_once(':') {
        Some((name, architecture)) => (name, Some(architecture.to_owned())),
        None => (name, None),
    };
    if name.is_empty() || version.is_empty() {
        return None;
    }
    let source = SourcePackage { name: name.to_owned(), version: version.to_owned() };
    let purl = to_purl(&PurlParts {
        kind: PackageKind::Deb,
        name,
        version: Some(version),
        architecture: architecture.as_deref(),
        source: Some(&source),
        distro: input.distro.filter(|_| is_of_image),
        more: &[],
    });
    Some(Package {
        architecture,
        source: Some(source),
        purl,
        is_third_party: Some(!is_of_image),
        locations: vec![input.location.clone()],
        ..Package::new(PackageKind::Deb, name.to_owned(), Some(version.to_owned()))
    })
}
