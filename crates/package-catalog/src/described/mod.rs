//! Files of programming languages that describe packages, and what is kept of each while its layer streams by.
//!
//! Each ecosystem says in a [`DescriptionKind`] which files they are and how one is read. What a reader finds in a file is bounded
//! whatever the file holds, and is all that stays in memory.

pub(crate) mod address;
pub(crate) mod json;
mod packed;
pub(crate) mod scan;
mod search;

use model::{DiagnosticCode, Package, PackageKind};
use serde::{Deserialize, Serialize};

use crate::extract::read_section;
use crate::installed::code_of_broken;
use crate::parse::{ParseInput, Parsed, Problems};
use crate::php;

pub(crate) use packed::{PackedKind, PackedSearch, packed_roles};
pub(crate) use search::{DescriptionSearch, description_roles};

/// One kind of such files.
#[derive(Debug)]
pub(crate) struct DescriptionKind {
    /// The tag of its section.
    pub(crate) tag: u8,
    /// What its packages are.
    pub(crate) kind: PackageKind,
    /// Whether the file at a path is one.
    pub(crate) is_description: fn(&str) -> bool,
    /// How much of a file is read.
    pub(crate) extent: Extent,
    /// Finds the packages in the content of one file; an error says in words why it is not what its name says.
    pub(crate) read: fn(&[u8], &mut Found) -> Result<(), String>,
    /// Completes a package with what only this kind has, its URL at least.
    pub(crate) complete: fn(&mut Package, &Description, &ParseInput<'_>, &mut Problems<'_>),
}

/// How much of a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it, up to so many times the limit of what is kept of a file.
    Whole(usize),
    /// So many bytes at its beginning.
    Head(usize),
}

/// What one record says about a package, as written.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Description {
    /// Where its record begins.
    pub(crate) offset: usize,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) licenses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maintainer: Option<String>,
    /// What only this kind has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) more: Vec<(String, String)>,
    /// Files that it owns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<String>,
}

impl Description {
    /// A value that only this kind has.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.more.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Adds such a value where there is one.
    pub(crate) fn put(&mut self, key: &str, value: Option<String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.more.push((key.to_owned(), value));
        }
    }
}

/// Packages of one file that are kept.
const PACKAGES_MAX: usize = 20_000;
/// Problems of one file that are told one by one.
const PROBLEMS_MAX: usize = 100;
/// Licences of one package that are kept.
const LICENSES_MAX: usize = 20;

/// What was found in one file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Found {
    packages: Vec<Description>,
    problems: Vec<(usize, String)>,
    untold: usize,
    /// Where the first package stands that was left out.
    left_out: Option<usize>,
}

impl Found {
    /// One more package.
    pub(crate) fn add(&mut self, mut description: Description) {
        if self.packages.len() < PACKAGES_MAX {
            description.licenses.retain(|license| !license.trim().is_empty());
            description.licenses.truncate(LICENSES_MAX);
            self.packages.push(description);
        } else {
            self.left_out.get_or_insert(description.offset);
        }
    }

    /// A record that is broken; the others count.
    pub(crate) fn tell(&mut self, offset: usize, why: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push((offset, why.into()));
        } else {
            self.untold += 1;
        }
    }
}

/// What is kept of a file. Nothing is, where nothing was found in it and nothing is wrong with it.
fn reduce(kind: &DescriptionKind, content: &[u8]) -> Result<Vec<u8>, String> {
    let mut found = Found::default();
    (kind.read)(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content), &mut found)?;
    if found.packages.is_empty() && found.problems.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::to_vec(&found).map_err(|error| error.to_string())
}

/// The packages of one file of this kind.
pub(crate) fn parse(input: &ParseInput<'_>, kind: &DescriptionKind) -> Parsed {
    let read = read_section(input.bytes)
        .and_then(|kept| serde_json::from_slice::<Found>(kept).map_err(|error| error.to_string()));
    let found = match read {
        Ok(found) => found,
        Err(why) => {
            let diagnostic = input.diagnostic(DiagnosticCode::BrokenRecord, None, why);
            return Parsed { packages: Vec::new(), diagnostics: vec![diagnostic] };
        }
    };
    let mut problems = Problems::new(input);
    let maximum = input.packages_left();
    let left_out = found.left_out.or(found.packages.get(maximum).map(|first| first.offset));
    let packages = found.packages.into_iter().take(maximum);
    let packages = packages.filter_map(|it| to_package(it, kind, input, &mut problems)).collect();
    // In a list a record that cannot be read is a package that is missing.
    let code = match kind.tag == php::INSTALLED.tag {
        true => code_of_broken(kind.tag, input),
        false => DiagnosticCode::BrokenRecord,
    };
    for (offset, why) in found.problems {
        problems.add(code, offset, why);
    }
    if found.untold > 0 {
        problems.add(code, 0, format!("{} more broken records", found.untold));
    }
    if let Some(offset) = left_out {
        let message = match maximum < PACKAGES_MAX {
            true => format!("more than {} packages", input.limits.packages_max),
            false => format!("more than {PACKAGES_MAX} packages in one file"),
        };
        problems.add(DiagnosticCode::PackagesLeftOut, offset, message);
    }
    Parsed { packages, diagnostics: problems.finish(1, "a description of packages") }
}

fn to_package(
    mut description: Description,
    kind: &DescriptionKind,
    input: &ParseInput<'_>,
    problems: &mut Problems<'_>,
) -> Option<Package> {
    let offset = description.offset;
    for (_, value) in &mut description.more {
        *value = problems.value(offset, value.as_bytes());
    }
    description.more.retain(|(_, value)| !value.is_empty());
    let mut value = |text: &str| problems.value(offset, text.as_bytes());
    let name = value(&description.name);
    let version = description.version.as_deref().map(&mut value).filter(|version| !version.is_empty());
    let licenses = description.licenses.iter().map(|license| value(license)).collect::<Vec<_>>();
    let maintainer = description.maintainer.as_deref().map(&mut value);
    if name.is_empty() {
        let code = code_of_broken(kind.tag, input);
        problems.add(code, offset, "description of a package has no name");
        return None;
    }
    if version.is_none() {
        problems.add(DiagnosticCode::MissingVersion, offset, format!("package `{name}` has no version"));
    }
    let mut package = input.language_package(kind.kind, name, version);
    package.licenses = licenses.into_iter().filter(|license| !license.is_empty()).collect();
    package.maintainer = maintainer.filter(|maintainer| !maintainer.is_empty());
    (kind.complete)(&mut package, &description, input, problems);
    Some(package)
}
