//! Gentoo and its relatives: the folder of portage, with one folder for each package.

#[cfg(test)]
mod tests;

use model::{DiagnosticCode, OwnedFile, Package, PackageKind};

use crate::cataloger::{Cataloger, PathPattern};
use crate::parse::{ParseInput, Parsed, Problems, lines, text};
use crate::purl::language_purl;
use crate::third_party;

const FOLDER: &str = "var/db/pkg";

/// What the table says about portage.
pub(crate) const CATALOGER: Cataloger = Cataloger {
    id: "portage",
    databases: &[PathPattern::GreatGrandchild(FOLDER, CONTENTS)],
    companions: &[
        PathPattern::GreatGrandchild(FOLDER, "LICENSE"),
        PathPattern::GreatGrandchild(FOLDER, "SIZE"),
        PathPattern::GreatGrandchild(FOLDER, "CHOST"),
        PathPattern::GreatGrandchild(FOLDER, "repository"),
    ],
    exceptions: &[],
    linked_paths: &[FOLDER],
    parse,
};

const CONTENTS: &str = "CONTENTS";

/// Reads one package: category, name and version are in the path `…/var/db/pkg/CATEGORY/NAME-VERSION/CONTENTS`.
///
/// Source: Package Manager Specification 8, sections 3.1 and 3.2; portage(5).
fn parse(input: &ParseInput<'_>) -> Parsed {
    let mut problems = Problems::new(input);
    let Some((folder, category, name_version)) = parts(input.path) else { return Parsed::default() };
    let beside = |name: &str| {
        let value = input.read(&format!("{folder}/{name}")).map(text);
        value.filter(|value| !value.is_empty() && value.len() <= input.limits.value_bytes_max)
    };
    let (name, version) = split_version(name_version);
    let name = format!("{category}/{name}");
    if version.is_none() {
        problems.add(DiagnosticCode::MissingVersion, 0, format!("package `{name}` has no version"));
    }
    let repository = beside("repository");
    let package = Package {
        purl: language_purl(PackageKind::Ebuild, &name, version),
        licenses: beside("LICENSE").into_iter().collect(),
        installed_size_bytes: beside("SIZE").and_then(|size| size.parse().ok()),
        architecture: beside("CHOST").and_then(|host| host.split('-').next().map(str::to_owned)),
        is_third_party: third_party::of_gentoo(repository.as_deref()),
        locations: vec![input.location.clone()],
        files: owned_files(input, &mut problems),
        ..Package::new(PackageKind::Ebuild, name, version.map(str::to_owned))
    };
    input.one_package(package, problems)
}

/// Folder of the package, category, and name with version.
fn parts(path: &str) -> Option<(&str, &str, &str)> {
    let folder = path.strip_suffix(CONTENTS)?.strip_suffix('/')?;
    let (above, name_version) = folder.rsplit_once('/')?;
    let (_, category) = above.rsplit_once('/')?;
    Some((folder, category, name_version))
}

/// `Getopt-Long-2.580.0-r1` → `Getopt-Long`, `2.580.0-r1`. A name cannot end in what looks like a version.
pub(super) fn split_version(text: &str) -> (&str, Option<&str>) {
    let without_revision = match text.rsplit_once("-r") {
        Some((head, revision)) if is_number(revision) => head,
        _ => text,
    };
    match without_revision.rsplit_once('-') {
        Some((name, version)) if !name.is_empty() && is_version(version) => {
            (name, text.get(name.len() + 1..))
        }
        _ => (text, None),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Numbers with dots, a letter, and suffixes: `1.2.3b_pre2_p1`.
fn is_version(text: &str) -> bool {
    let mut parts = text.split('_');
    let numbers = parts.next().unwrap_or_default();
    let numbers = numbers.strip_suffix(|last: char| last.is_ascii_lowercase()).unwrap_or(numbers);
    let is_suffix = |part: &str| {
        let known = ["alpha", "beta", "pre", "rc", "p"];
        known
            .iter()
            .any(|known| part.strip_prefix(known).is_some_and(|rest| rest.is_empty() || is_number(rest)))
    };
    numbers.split('.').all(is_number) && parts.all(is_suffix)
}

/// The files of a package, sorted by path.
///
/// Shape:  a line each: `dir PATH`, `obj PATH MD5 TIME`, `sym PATH -> TARGET TIME`, `fif PATH`, `dev PATH`. Paths may have blanks.
/// Source: portage(5), `vdb/CONTENTS`.
fn owned_files(input: &ParseInput<'_>, problems: &mut Problems<'_>) -> Vec<OwnedFile> {
    let mut files = Vec::new();
    for (offset, line) in lines(input.bytes).filter(|(_, line)| !line.trim_ascii().is_empty()) {
        let line = String::from_utf8_lossy(line);
        let Some((path, checksum)) = path_of(&line).filter(|(path, _)| path.starts_with('/')) else {
            if !line.starts_with("dir ") {
                problems.add(DiagnosticCode::BrokenRecord, offset, "line names no file");
            }
            continue;
        };
        if path.len() > input.limits.value_bytes_max || !input.spent.take_owned(path.len(), input.limits) {
            problems.add(DiagnosticCode::FileTooLarge, offset, input.limits.too_many_owned());
            break;
        }
        files.push(OwnedFile { path: path.to_owned(), checksum, ..OwnedFile::default() });
    }
    files.sort();
    files
}

fn path_of(line: &str) -> Option<(&str, Option<String>)> {
    let (kind, rest) = line.split_once(' ')?;
    match kind {
        "obj" => {
            let mut parts = rest.rsplitn(3, ' ');
            let (_, checksum, path) = (parts.next()?, parts.next()?, parts.next()?);
            let is_md5 = checksum.len() == 32 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit());
            Some((path, is_md5.then(|| format!("md5:{}", checksum.to_ascii_lowercase()))))
        }
        "sym" => rest.split_once(" -> ").map(|(path, _)| (path, None)),
        "fif" | "dev" => Some((rest, None)),
        _ => None,
    }
}
