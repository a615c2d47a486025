//! What all package lists have in common: every format is written from a [`Listing`] and read into one.
//!
//! A format knows where names, versions and licences stand in its documents, and that it has room for properties: pairs of
//! texts. What it has no place for travels as properties (`own`), so that a list of ours reads back as what it was written
//! from. In lists of others, [`foreign`] looks for the same facts where their writers put them.

mod files;
mod foreign;
mod own;
mod own_facts;
mod purl;
mod sink;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use model::{Diagnostic, DiagnosticCode, ImageFacts, Inventory, OwnedFile, Package};
use sha2::{Digest as _, Sha256};

use crate::Sbom;
use crate::base::FoundBase;

pub(crate) use files::{FILE, FILES_MAX, from_line, to_line};
pub(crate) use foreign::source_of_rpm;
pub(crate) use own_facts::OwnFacts;
pub(crate) use purl::Purl;
pub(crate) use sink::{Notes, Sink};
pub(crate) use text::{is_locator, is_plain, is_special};

/// Facts that a format has no place for, by their names.
pub(crate) type Properties = BTreeMap<String, String>;

/// A package list, whatever its format.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// What the packages are of.
    pub(crate) name: Option<String>,
    pub(crate) properties: Properties,
    /// The operating system as the list has it besides the properties.
    pub(crate) system: Option<ListedSystem>,
    pub(crate) packages: Vec<ListedPackage>,
    /// What stands in the list and is no package, counted by what it is.
    pub(crate) others: BTreeMap<String, usize>,
    /// What the reader itself has to say.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Whether the files of packages are written.
    pub(crate) has_files: bool,
}

/// The operating system that a list names.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListedSystem {
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) properties: Properties,
}

/// One package of a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListedPackage {
    /// Under which name the rest of the document speaks of it.
    pub(crate) reference: String,
    /// What stands before the name, where a format keeps it apart.
    pub(crate) group: Option<String>,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) purl: String,
    pub(crate) cpes: Vec<String>,
    pub(crate) licenses: Vec<String>,
    pub(crate) supplier: Option<String>,
    pub(crate) sha1: Option<String>,
    pub(crate) properties: Properties,
    /// What it owns, as it was read.
    pub(crate) files: Vec<OwnedFile>,
}

/// What the packages of a list are of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SbomSubject {
    /// The image or program as the list names it.
    pub name: Option<String>,
    /// What the list says about the image, where it says which one it is: digests, platform and size, nothing of its
    /// configuration.
    pub image: Option<ImageFacts>,
}

impl Listing {
    /// The list of what is in an image; `has_files`: also which files its packages own.
    pub(crate) fn of(sbom: &Sbom<'_>, has_files: bool) -> Self {
        let inventory = sbom.inventory;
        let base = FoundBase::of(sbom);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut listed = |package: &Package| {
            let mut listed = own::package(package);
            own::note_base(&mut listed, base.as_ref().and_then(|base| base.has(package)));
            let reference = listed.content_name();
            let count = seen.entry(reference.clone()).or_default();
            *count += 1;
            listed.reference = match *count {
                1 => reference,
                count => format!("{reference}-{count}"),
            };
            listed
        };
        Self {
            name: Some(sbom.image_name.to_owned()),
            properties: own::document(sbom),
            system: inventory.distro.as_ref().map(|distro| ListedSystem {
                name: distro.id.clone(),
                version: distro.version_id.clone(),
                properties: Properties::new(),
            }),
            packages: inventory.packages.iter().map(&mut listed).collect(),
            has_files,
            ..Self::default()
        }
    }

    /// The files of a package that are written.
    pub(crate) fn files_of<'a>(&self, package: &'a Package) -> &'a [OwnedFile] {
        if self.has_files { &package.files } else { &[] }
    }

    /// What is in the image, as far as the list says it.
    pub(crate) fn into_inventory(mut self) -> (SbomSubject, Inventory) {
        let is_own = self.properties.contains_key(own::FORMAT);
        let mut left_out = std::mem::take(&mut self.others);
        let mut packages = Vec::with_capacity(self.packages.len());
        for listed in &mut self.packages {
            let read = match listed.properties.contains_key(own::TYPE) {
                _ if listed.is_too_long() => Err(TOO_LONG.to_owned()),
                true => own::to_package(listed),
                false => foreign::to_package(listed),
            };
            match read {
                Ok(package) => packages.push(package),
                Err(what) => *left_out.entry(what).or_default() += 1,
            }
        }
        let mut inventory = match is_own {
            true => own::inventory(&self.properties),
            false => Inventory { distro: foreign::distro(&self), ..Inventory::default() },
        };
        let has_system_packages = packages.iter().any(|package| package.kind.is_operating_system());
        inventory.packages = packages;
        if !is_own && inventory.distro.is_none() && has_system_packages {
            inventory
                .diagnostics
                .push(said(DiagnosticCode::UnknownDistro, "the package list names no distro"));
        }
        inventory.diagnostics.append(&mut self.diagnostics);
        if left_out.contains_key(TOO_LONG) || (inventory.packages.is_empty() && !left_out.is_empty()) {
            let message = if left_out.contains_key(TOO_LONG) { TOO_LONG_ENTRIES } else { NONE_IS_NAMED };
            inventory.diagnostics.push(said(DiagnosticCode::PackagesLeftOut, message));
        }
        inventory.diagnostics.extend(left_out_diagnostics(left_out));
        sort(&mut inventory);
        let image = is_own.then(|| own::image(&self.properties)).flatten();
        (SbomSubject { name: own::name(&self.properties).or(self.name), image }, inventory)
    }

    /// A name for the document about these packages that only its content decides.
    pub(crate) fn content_hash(&self, packages: &[Package]) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        add(self.name.as_deref().unwrap_or_default());
        for (key, value) in &self.properties {
            add(key);
            add(value);
        }
        for (listed, package) in self.packages.iter().zip(packages) {
            add(&listed.reference);
            for file in self.files_of(package) {
                add(&to_line(file));
            }
        }
        hash.finalize().into()
    }
}

impl ListedPackage {
    /// A name that only the package decides: `libssl3-0f3a…`, of letters, digits, dots and hyphens.
    fn content_name(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        let version = self.version.as_deref().unwrap_or_default();
        for text in [&self.name, version, &self.purl, self.sha1.as_deref().unwrap_or_default()] {
            add(text);
        }
        for text in self.licenses.iter().chain(&self.cpes).chain(&self.supplier) {
            add(text);
        }
        for (key, value) in &self.properties {
            add(key);
            add(value);
        }
        let digits = data_encoding::HEXLOWER.encode(&hash.finalize()[..8]);
        let is_fit = |letter: &char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
        let name: String = self.name.chars().filter(is_fit).take(60).collect();
        format!("{name}-{digits}")
    }
}

/// A UUID whose digits are those of a hash: version 8, of RFC 9562.
pub(crate) fn uuid(hash: &[u8; 32]) -> String {
    let mut bytes: [u8; 16] = std::array::from_fn(|index| hash[index]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let digits = data_encoding::HEXLOWER.encode(&bytes);
    let [first, second, third, fourth, last] =
        [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    format!("{first}-{second}-{third}-{fourth}-{last}")
}

impl ListedPackage {
    fn is_too_long(&self) -> bool {
        let texts = [Some(&self.name), Some(&self.purl), self.version.as_ref(), self.group.as_ref()];
        is_too_long(texts.into_iter().flatten())
    }
}

/// Whether one of the texts that name a package is longer than any package's.
pub(crate) fn is_too_long<'a>(mut texts: impl Iterator<Item = &'a String>) -> bool {
    texts.any(|text| text.len() > NAME_BYTES_MAX)
}

/// Bytes of a name, a version or a package URL; an image may have some that fill thousands, more when they are escaped.
const NAME_BYTES_MAX: usize = 64 << 10;
pub(crate) const TOO_LONG: &str = "with a name, version or package URL of more than 64 KiB";
const TOO_LONG_ENTRIES: &str = "entries of the package list are longer than any package's: they are left out";
const NONE_IS_NAMED: &str = "no entry of the package list says what it is in a way that could be looked up";

/// Kinds of things left out that are told one by one.
const LISTED_MAX: usize = 100;

/// Things that are not matched are told, as they are for the packages of an image.
fn left_out_diagnostics(left_out: BTreeMap<String, usize>) -> impl Iterator<Item = Diagnostic> {
    left_out.into_iter().take(LISTED_MAX).map(|(what, count)| {
        let entries = if count == 1 { "entry" } else { "entries" };
        let message = format!("{count} {entries} {what} of the package list cannot be matched");
        said(DiagnosticCode::UnmatchedEcosystem, &message)
    })
}

fn said(code: DiagnosticCode, message: &str) -> Diagnostic {
    Diagnostic { code, subject: "/".to_owned(), offset: None, message: message.to_owned() }
}

/// The order of inventories that are read from images.
fn sort(inventory: &mut Inventory) {
    let key = |package: &Package| {
        (package.kind, package.name.clone(), package.version.clone(), package.locations.clone())
    };
    inventory.packages.sort_by_cached_key(|package| (key(package), package.clone()));
    inventory.packages.dedup();
    inventory.diagnostics.sort();
    inventory.diagnostics.dedup();
}
