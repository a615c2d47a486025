//! Conda: the record of each installed package, with its files.
//!
//! Most packages for Python also have what an installer of Python would leave; through the files it is known whose that is.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use model::{OwnedFile, Package, PackageKind};
use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use crate::cataloger::PathPattern;
use crate::described::json::{TakeMembers, Taking, take_members};
use crate::described::{self, Description, DescriptionKind, Extent, Found};
use crate::parse::{ParseInput, Parsed, Problems};
use crate::purl::qualified_purl;
use crate::spdx::Text;

/// `conda-meta/numpy-1.26.4-py312heda63a1_0.json`
pub(crate) static RECORD: DescriptionKind = DescriptionKind {
    tag: 33,
    kind: PackageKind::Conda,
    is_description,
    // Packages of thousands of headers describe each with its digest.
    extent: Extent::Whole(8),
    read,
    complete,
};

const QUALIFIERS: [&str; 4] = ["build", "channel", "subdir", "type"];
/// Endings of the names of packages, with what the type is called.
const TYPES: [(&str, &str); 2] = [(".conda", "conda"), (".tar.bz2", "tar.bz2")];

/// Bytes of the paths of a package's files that are kept.
const FILES_BYTES_MAX: usize = 2 << 20;
/// What each path counts at least.
const FILE_BYTES_MIN: usize = 32;
/// Endings of files in which no package is ever found; all others are kept as files of the package.
pub(crate) const PLAIN_ENDINGS: [&str; 30] = [
    ".py", ".pyc", ".pyi", ".pyx", ".pxd", ".h", ".hpp", ".hxx", ".ipp", ".inc", ".c", ".cpp", ".html",
    ".htm", ".css", ".svg", ".png", ".gif", ".jpg", ".md", ".rst", ".tcl", ".msg", ".3", ".1", ".cmake",
    ".pc", ".mo", ".ttf", ".npy",
];

/// Whether the file at a path is the record of a package.
pub(crate) fn is_description(path: &str) -> bool {
    PathPattern::InWithEnding("conda-meta", ".json").matches(path)
}

/// What is read of a record, as it streams by.
#[derive(Default)]
struct Raw {
    texts: BTreeMap<String, String>,
    files: Vec<String>,
    /// Bytes of the paths of all files, those included that are left out.
    files_bytes: usize,
}

const TEXTS: [&str; 7] = ["build", "channel", "fn", "license", "name", "subdir", "version"];

impl TakeMembers for Raw {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: String, members: &mut A) -> Result<(), A::Error> {
        if key == "files" {
            return members.next_value_seed(Taking(&mut Files(self)));
        }
        let is_read = TEXTS.contains(&key.as_str());
        if !is_read {
            return members.next_value::<IgnoredAny>().map(|_| ());
        }
        if let Text(Some(text)) = members.next_value()? {
            self.texts.insert(key, text.trim().to_owned());
        }
        Ok(())
    }
}

/// Takes the files of interest out of a list.
struct Files<'r>(&'r mut Raw);

impl TakeMembers for Files<'_> {
    fn item<'de, A: SeqAccess<'de>>(&mut self, items: &mut A) -> Result<bool, A::Error> {
        let Some(Text(file)) = items.next_element()? else { return Ok(false) };
        if let Some(file) = file.filter(|it| !PLAIN_ENDINGS.iter().any(|ending| it.ends_with(ending))) {
            self.0.files_bytes = self.0.files_bytes.saturating_add(file.len().max(FILE_BYTES_MIN));
            if self.0.files_bytes <= FILES_BYTES_MAX {
                self.0.files.push(file);
            }
        }
        Ok(true)
    }
}

fn read(content: &[u8], found: &mut Found) -> Result<(), String> {
    let mut raw = Raw::default();
    take_members(content, &mut raw)?;
    let one = |key: &str| raw.texts.get(key).cloned();
    let Some(name) = one("name").filter(|name| !name.is_empty()) else {
        return Err("record of a package has no name".to_owned());
    };
    let mut description = Description {
        name,
        version: one("version"),
        licenses: one("license").into_iter().collect(),
        ..Description::default()
    };
    let subdir = one("subdir");
    let channel = one("channel").and_then(|channel| channel_name(&channel, subdir.as_deref()));
    let package_type = one("fn").and_then(|name| {
        TYPES.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, kind)| (*kind).to_owned())
    });
    for (key, value) in QUALIFIERS.into_iter().zip([one("build"), channel, subdir, package_type]) {
        description.put(key, value);
    }
    if raw.files_bytes > FILES_BYTES_MAX {
        found
            .tell(0, format!("more than {FILES_BYTES_MAX} bytes of paths of files: the others are left out"));
    }
    description.files = raw.files;
    found.add(description);
    Ok(())
}

/// `https://conda.anaconda.org/t/TOKEN/conda-forge/linux-64` → `conda-forge`, `https://repo.anaconda.com/pkgs/main` → `main`.
///
/// An address may hold a token or a password, of which nothing is kept.
fn channel_name(channel: &str, subdir: Option<&str>) -> Option<String> {
    let path = match channel.split_once("://") {
        Some((_, address)) => address.split_once('/').map_or("", |(_, path)| path),
        None => channel,
    };
    let mut parts: Vec<&str> =
        path.split(['?', '#']).next()?.split('/').filter(|part| !part.is_empty()).collect();
    if parts.last().copied() == subdir {
        parts.pop();
    }
    if parts.first() == Some(&"t") && parts.len() > 2 {
        parts.drain(..2);
    }
    if parts.first() == Some(&"pkgs") {
        parts.remove(0);
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn complete(
    package: &mut Package,
    description: &Description,
    input: &ParseInput<'_>,
    problems: &mut Problems<'_>,
) {
    package.purl = qualified_purl(package, &QUALIFIERS.map(|key| (key, description.get(key))));
    package.architecture = description.get("subdir").map(str::to_owned);
    let Some((prefix, _)) = input.location.path.rsplit_once("/conda-meta/") else { return };
    for file in &description.files {
        let path = format!("{prefix}/{}", file.trim_start_matches('/'));
        if !input.spent.take_owned(path.len(), input.limits) {
            let message = input.limits.too_many_owned();
            problems.add(model::DiagnosticCode::FileTooLarge, description.offset, message);
            break;
        }
        package.files.push(OwnedFile { path, ..OwnedFile::default() });
    }
    package.files.sort();
}

pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    described::parse(input, &RECORD)
}
