//! Arch Linux and its relatives: the folder of pacman, with one folder for each package.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use model::{DiagnosticCode, OwnedFile, Package, PackageKind, SourcePackage};

use crate::cataloger::{Cataloger, PathPattern};
use crate::parse::{ParseInput, Parsed, Problems, lines};
use crate::purl::{PurlParts, to_purl};
use crate::third_party;

/// What the table says about pacman.
pub(crate) const CATALOGER: Cataloger = Cataloger {
    id: "pacman",
    databases: &[PathPattern::Grandchild("pacman/local", "desc")],
    companions: &[PathPattern::Grandchild("pacman/local", "files")],
    exceptions: &[],
    linked_paths: &["var/lib/pacman", "var/lib/pacman/local"],
    parse,
};

/// Values of a section that are read; real ones have a handful, files aside.
const VALUES_MAX: usize = 100;

/// Parses the description of one package.
///
/// Shape:  sections, each a line `%NAME%` and the lines behind it up to an empty one.
/// Limits: `value_bytes_max` for each value, `VALUES_MAX` values of a section.
/// Result: one package when it has a name. A section that is not known is left out.
/// Source: libalpm 14, lib/libalpm/be_local.c.
fn parse(input: &ParseInput<'_>) -> Parsed {
    let mut problems = Problems::new(input);
    let mut sections: BTreeMap<&[u8], Vec<String>> = BTreeMap::new();
    for (section, offset, line) in section_lines(input.bytes) {
        let is_read = matches!(
            section,
            b"NAME" | b"VERSION" | b"BASE" | b"ARCH" | b"PACKAGER" | b"SIZE" | b"LICENSE" | b"VALIDATION"
        );
        let values = sections.get(section).map_or(0, Vec::len);
        if is_read && values < VALUES_MAX {
            let value = problems.value(offset, line);
            sections.entry(section).or_default().push(value);
        }
    }
    let first = |name: &[u8]| {
        sections.get(name).and_then(|values| values.first()).filter(|value| !value.is_empty()).cloned()
    };
    let Some(name) = first(b"NAME") else {
        return Parsed {
            packages: Vec::new(),
            diagnostics: problems.finish(0, "a description of a package of pacman"),
        };
    };
    let version = first(b"VERSION");
    if version.is_none() {
        problems.add(DiagnosticCode::MissingVersion, 0, format!("package `{name}` has no version"));
    }
    let architecture = first(b"ARCH");
    // Advisories of Arch are written about what packages are built from.
    let source = SourcePackage {
        name: first(b"BASE").unwrap_or_else(|| name.clone()),
        version: version.clone().unwrap_or_default(),
    };
    let purl = to_purl(&PurlParts {
        kind: PackageKind::Alpm,
        name: &name,
        version: version.as_deref(),
        architecture: architecture.as_deref(),
        source: Some(&source),
        distro: input.distro,
        more: &[],
    });
    let maintainer = first(b"PACKAGER");
    let package = Package {
        architecture,
        source: Some(source),
        purl,
        is_third_party: third_party::of_arch(maintainer.as_deref(), input.distro),
        maintainer,
        installed_size_bytes: first(b"SIZE").and_then(|size| size.parse().ok()),
        licenses: sections.get(&b"LICENSE"[..]).cloned().unwrap_or_default(),
        locations: vec![input.location.clone()],
        files: owned_files(input, &mut problems),
        ..Package::new(PackageKind::Alpm, name, version)
    };
    input.one_package(package, problems)
}

/// Every value with the name of its section and its offset.
fn section_lines(bytes: &[u8]) -> impl Iterator<Item = (&[u8], usize, &[u8])> {
    let mut section: &[u8] = b"";
    lines(bytes).filter_map(move |(offset, line)| {
        let line = line.trim_ascii();
        if let [b'%', name @ .., b'%'] = line {
            section = name;
            return None;
        }
        (!line.is_empty()).then_some((section, offset, line))
    })
}

/// The files of a package, sorted by path.
///
/// Shape:  in the file `files`, sections as above: `%FILES%` with a path without its slash a line, folders with one at their
///         end; `%BACKUP%` with path, tab and MD5 of the configuration files.
fn owned_files(input: &ParseInput<'_>, problems: &mut Problems<'_>) -> Vec<OwnedFile> {
    let Some(folder) = input.path.strip_suffix("desc") else { return Vec::new() };
    let Some(bytes) = input.read(&format!("{folder}files")) else { return Vec::new() };
    let mut files: BTreeMap<String, OwnedFile> = BTreeMap::new();
    for (section, _, line) in section_lines(bytes) {
        let line = String::from_utf8_lossy(line);
        match section {
            b"FILES" if !line.ends_with('/') && line.len() <= input.limits.value_bytes_max => {
                let path = format!("/{line}");
                if !input.spent.take_owned(path.len(), input.limits) {
                    problems.add(DiagnosticCode::FileTooLarge, 0, input.limits.too_many_owned());
                    break;
                }
                files.insert(path.clone(), OwnedFile { path, ..OwnedFile::default() });
            }
            b"BACKUP" => {
                let Some((path, checksum)) = line.split_once('\t') else { continue };
                let Some(file) = files.get_mut(&format!("/{path}")) else { continue };
                file.is_configuration = true;
                let is_md5 = checksum.len() == 32 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit());
                file.checksum = is_md5.then(|| format!("md5:{}", checksum.to_ascii_lowercase()));
            }
            _ => {}
        }
    }
    files.into_values().collect()
}
