//! What all forms of SPDX come to.

use std::collections::{BTreeMap, BTreeSet};

use super::licenses;
use crate::listing::{ListedPackage, ListedSystem, Listing, Notes, Sink};
use crate::read_sbom::{ReadSbomError, SbomLimits};

/// How errors call the format.
pub(super) const FORMAT: &str = "SPDX";

/// A package as it is written.
#[derive(Debug, Default)]
pub(super) struct RawPackage {
    pub(super) listed: ListedPackage,
    pub(super) notes: Notes,
    /// What it is for, in capitals: `CONTAINER`.
    pub(super) purpose: String,
    pub(super) license: String,
}

impl RawPackage {
    /// An external reference: only package URLs and CPEs are of use.
    pub(super) fn reference(&mut self, kind: &str, locator: &str) {
        match kind {
            "purl" if self.listed.purl.is_empty() => self.listed.purl = locator.to_owned(),
            "cpe23Type" | "cpe22Type" => self.listed.cpes.push(locator.to_owned()),
            _ if kind.ends_with("/purl") && self.listed.purl.is_empty() => {
                self.listed.purl = locator.to_owned()
            }
            _ if kind.ends_with("/cpe23Type") => self.listed.cpes.push(locator.to_owned()),
            _ => {}
        }
    }

    /// `Organization: Debian`, or with an address, `Person: Somebody (somebody@example.org)`.
    pub(super) fn supplier(&mut self, text: &str) {
        let name = text.strip_prefix("Organization:").or_else(|| text.strip_prefix("Person:"));
        let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else {
            self.listed.supplier = None;
            return;
        };
        let address = name.strip_suffix(')').and_then(|rest| rest.rsplit_once(" ("));
        self.listed.supplier = Some(match address.filter(|(_, address)| address.contains('@')) {
            // As package databases write it.
            Some((name, address)) => format!("{name} <{address}>"),
            None => name.to_owned(),
        });
    }

    pub(super) fn checksum(&mut self, algorithm: &str, value: &str) {
        if algorithm == "SHA1" {
            self.listed.sha1 = Some(value.to_owned());
        }
    }

    /// A remark: our properties, or trivy's, as `SrcName: openssl`.
    pub(super) fn remark(&mut self, text: &str) {
        self.notes.note_lines(text);
        if let Some((key, value)) = text.split_once(':')
            && TRIVY_KEYS.contains(&key)
        {
            self.notes.note(&format!("aquasecurity:trivy:{key}"), value.trim());
        }
    }

    /// Where the facts are from: trivy names the source package here, syft the file.
    pub(super) fn source_info(&mut self, text: &str) {
        if let Some(source) = text.strip_prefix("built package from:") {
            let (name, version) = source.trim().split_once(' ').unwrap_or((source.trim(), ""));
            self.notes.note("aquasecurity:trivy:SrcName", name);
            if !version.is_empty() {
                self.notes.note("aquasecurity:trivy:SrcVersion", version);
            }
        } else if text.starts_with("acquired package info from")
            && let Some((_, paths)) = text.rsplit_once(": ")
        {
            for (index, path) in paths.split(", ").filter(|path| path.starts_with('/')).enumerate() {
                self.notes.note(&format!("syft:location:{index}:path"), path);
            }
        }
    }
}

const TRIVY_KEYS: [&str; 8] = [
    "PkgType",
    "SrcName",
    "SrcVersion",
    "SrcRelease",
    "SrcEpoch",
    "FilePath",
    "LayerDiffID",
    "Modularitylabel",
];

/// A document on its way to a list.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) name: Option<String>,
    pub(super) notes: Notes,
    /// Ids of what the document says that it describes.
    pub(super) described: BTreeSet<String>,
    /// Names that the document gives to licences, with their texts.
    pub(super) named: BTreeMap<String, String>,
    /// What remarks say about packages that have gone by, by their ids.
    late: BTreeMap<String, Notes>,
    /// Licence expressions of packages, by the id of the package.
    licenses: BTreeMap<String, String>,
    purposes: BTreeMap<String, String>,
    system: Option<ListedSystem>,
    sink: Sink,
}

impl Reading {
    pub(super) fn new(limits: &SbomLimits) -> Self {
        Self {
            name: None,
            notes: Notes::default(),
            described: BTreeSet::new(),
            named: BTreeMap::new(),
            late: BTreeMap::new(),
            licenses: BTreeMap::new(),
            purposes: BTreeMap::new(),
            system: None,
            sink: Sink::new(limits),
        }
    }

    pub(super) fn package(&mut self, package: RawPackage) {
        let RawPackage { mut listed, notes, purpose, license } = package;
        self.sink.fill(notes, &mut listed);
        if purpose.replace('_', "-").eq_ignore_ascii_case("OPERATING-SYSTEM") {
            let ListedPackage { name, version, properties, .. } = listed;
            self.system.get_or_insert(ListedSystem { name, version, properties });
            return;
        }
        if self.sink.has_room() {
            if !license.is_empty() {
                self.licenses.insert(listed.reference.clone(), license);
            }
            if !purpose.is_empty() {
                self.purposes.insert(listed.reference.clone(), purpose.to_uppercase());
            }
        }
        self.sink.push(listed);
    }

    /// The licence expression of a package, where it is not told with the package.
    pub(super) fn license(&mut self, package: String, expression: String) {
        self.licenses.insert(package, expression);
    }

    /// A remark about a package that has gone by.
    pub(super) fn late_lines(&mut self, package: String, text: &str) {
        let had_room = self.sink.has_room_for_files();
        self.sink.note_lines(self.late.entry(package).or_default(), text);
        // The document is refused in the end: until then it takes no more memory.
        if had_room && !self.sink.has_room_for_files() {
            self.late.values_mut().for_each(Notes::drop_files);
        }
    }

    pub(super) fn finish(self) -> Result<Listing, ReadSbomError> {
        let Self { name, notes, described, named, mut late, licenses, purposes, system, mut sink } = self;
        let properties = notes.finish_document(&mut sink);
        let mut packages = sink.finish(FORMAT)?;
        for listed in &mut packages {
            if let Some(notes) = late.remove(&listed.reference) {
                notes.put_into(listed);
            }
        }
        packages.retain(|listed| {
            let is_named = !listed.purl.is_empty()
                || ["lazaret:type", "syft:package:type", "aquasecurity:trivy:PkgType"]
                    .iter()
                    .any(|key| listed.properties.contains_key(*key));
            // The image itself, and files and folders, are listed beside the packages.
            let purpose = purposes.get(&listed.reference).map_or("", String::as_str);
            if purpose == "CONTAINER"
                || listed.purl.starts_with("pkg:oci/")
                || listed.purl.starts_with("pkg:docker/")
            {
                return false;
            }
            is_named
                || !(described.contains(&listed.reference)
                    || matches!(purpose, "FILE" | "SOURCE" | "ARCHIVE" | "DEVICE" | "APPLICATION"))
        });
        for listed in &mut packages {
            if let Some(license) = licenses.get(&listed.reference) {
                listed.licenses = licenses::list(license, &named);
            }
        }
        Ok(Listing { name, properties, system, packages, ..Listing::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_late_remarks_are_counted_as_they_come() {
        const LINE: &str = "lazaret:file=- - - - /a";
        let limits = SbomLimits::default();
        for (files_max, kept) in [(6, 6), (5, 0)] {
            let sink = Sink::with_few_files(&limits, files_max);
            let mut reading = Reading { sink, ..Reading::new(&limits) };
            // A package has one in front, and one that comes later.
            let mut package = RawPackage::default();
            package.listed.reference = "b".to_owned();
            package.remark(LINE);
            reading.package(package);
            for (package, count) in [("a", 2), ("b", 1), ("a", 1), ("c", 1)] {
                reading.late_lines(package.to_owned(), &vec![LINE; count].join("\n"));
            }
            let held: usize = reading.late.values().map(Notes::file_count).sum();
            assert_eq!(held, if kept == 0 { 0 } else { kept - 1 }, "{files_max}");
            match reading.finish() {
                Ok(listing) => assert_eq!((kept, listing.packages[0].files.len()), (6, 2)),
                Err(error) => {
                    assert!(kept == 0 && error.to_string().contains("more than 5 files"), "{error}")
                }
            }
        }
    }
}
