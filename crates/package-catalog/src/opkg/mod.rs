//! OpenWrt and others that install with opkg. Its files are those of dpkg, in other folders.

#[cfg(test)]
mod tests;

use model::{Package, PackageKind};

use crate::cataloger::{Cataloger, PathPattern};
use crate::debian::file_list::FileLists;
use crate::debian::status_file::RawParagraph;
use crate::debian::{package, status_file};
use crate::parse::{ParseInput, Parsed, Problems};

/// What the table says about opkg.
pub(crate) const CATALOGER: Cataloger = Cataloger {
    id: "opkg",
    databases: &[PathPattern::Ends("lib/opkg/status"), PathPattern::InWithEnding("lib/opkg/info", CONTROL)],
    companions: &[PathPattern::InWithEnding("lib/opkg/info", ".list")],
    exceptions: &[],
    linked_paths: &[
        "usr/lib/opkg",
        "usr/lib/opkg/status",
        "usr/lib/opkg/info",
        "var/lib/opkg",
        "var/lib/opkg/status",
    ],
    parse,
};

const CONTROL: &str = ".control";

/// The status file says what is installed. Where it was taken away, what packages say about themselves is all there is.
fn parse(input: &ParseInput<'_>) -> Parsed {
    let is_control = input.path.ends_with(CONTROL);
    if is_control && status_path(input.path).is_some_and(|path| input.tree.find(&path).is_some()) {
        return Parsed::default();
    }
    let mut problems = Problems::new(input);
    let mut paragraphs = status_file::parse(input, &mut problems);
    let files = FileLists::of(input);
    let mut packages = Vec::new();
    for paragraph in paragraphs.iter_mut().filter(|paragraph| paragraph.is_installed()) {
        if !is_control {
            complete(paragraph, input);
        }
        let package = package::to_package(PackageKind::Opkg, paragraph, input, &files, &mut problems);
        packages.push(Package {
            // Bytes, where dpkg has KiB.
            installed_size_bytes: package.installed_size_bytes.map(|bytes| bytes / 1024),
            ..package
        });
    }
    Parsed { packages, diagnostics: problems.finish(paragraphs.len(), "a package database of opkg") }
}

/// `…/opkg/info/NAME.control` → `…/opkg/status`
fn status_path(control_path: &str) -> Option<String> {
    let (folder, _) = control_path.rsplit_once('/')?;
    let (folder, _) = folder.rsplit_once('/')?;
    Some(format!("{folder}/status"))
}

/// The status file leaves out what a package says about itself beside it.
fn complete(paragraph: &mut RawParagraph, input: &ParseInput<'_>) {
    let folder = input.path.strip_suffix("status").unwrap_or_default();
    let Some(bytes) = input.read(&format!("{folder}info/{}{CONTROL}", paragraph.package)) else { return };
    let beside = ParseInput { bytes, ..*input };
    // What is wrong in there takes nothing from what the status file says.
    let mut untold = Problems::new(&beside);
    let stated = status_file::parse(&beside, &mut untold);
    let is_same = |other: &&RawParagraph| {
        other.package == paragraph.package
            && (paragraph.version.is_none() || other.version == paragraph.version)
    };
    let Some(stated) = stated.iter().find(is_same) else { return };
    let RawParagraph { version, architecture, source, maintainer, installed_size, license, .. } = stated;
    for (mine, other) in [
        (&mut paragraph.version, version),
        (&mut paragraph.architecture, architecture),
        (&mut paragraph.source, source),
        (&mut paragraph.maintainer, maintainer),
        (&mut paragraph.installed_size, installed_size),
        (&mut paragraph.license, license),
    ] {
        if mine.is_none() {
            mine.clone_from(other);
        }
    }
}
