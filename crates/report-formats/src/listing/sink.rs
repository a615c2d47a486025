//! Where readers put the packages that they come across.

use super::{ListedPackage, Properties};
use crate::read_sbom::{ReadSbomError, SbomLimits};

/// Properties of one entry that are kept.
const PROPERTIES_MAX: usize = 100_000;

/// The packages of a document, as many as the caller takes; the others are counted.
#[derive(Debug)]
pub(crate) struct Sink {
    packages: Vec<ListedPackage>,
    found: usize,
    limit: usize,
    /// An entry has more properties than are kept.
    is_overfull: bool,
}

impl Sink {
    pub(crate) fn new(limits: &SbomLimits) -> Self {
        Self { packages: Vec::new(), found: 0, limit: limits.packages_max, is_overfull: false }
    }

    pub(crate) fn push(&mut self, package: ListedPackage) {
        self.found += 1;
        if self.has_room() {
            self.packages.push(package);
        }
    }

    /// Remembers whether something was not kept.
    pub(crate) fn check(&mut self, notes: &Notes) {
        self.is_overfull |= notes.is_overfull;
    }

    /// Whether the next one is kept.
    pub(crate) fn has_room(&self) -> bool {
        self.packages.len() < self.limit
    }

    /// All of them, if they are not too many.
    pub(crate) fn finish(self, format: &'static str) -> Result<Vec<ListedPackage>, ReadSbomError> {
        if self.is_overfull {
            let reason = format_args!("an entry has more than {PROPERTIES_MAX} properties");
            return Err(ReadSbomError::malformed(format, reason));
        }
        match self.found > self.limit {
            true => Err(ReadSbomError::TooMany { found: self.found, limit: self.limit }),
            false => Ok(self.packages),
        }
    }
}

/// Properties as a reader comes across them: those whose names are looked for.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) properties: Properties,
    pub(crate) cpes: Vec<String>,
    /// There are more than are kept: what they say is not known.
    is_overfull: bool,
}

impl Notes {
    pub(crate) fn note(&mut self, name: &str, value: &str) {
        let is_known =
            ["lazaret:", "syft:", "aquasecurity:trivy:"].iter().any(|prefix| name.starts_with(prefix));
        if !is_known {
            return;
        }
        if self.properties.len() + self.cpes.len() >= PROPERTIES_MAX {
            self.is_overfull = true;
        } else if name == "syft:cpe23" {
            self.cpes.push(value.to_owned());
        } else {
            // Of a name that comes twice the first counts.
            self.properties.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }

    /// Lines of `name=value`, as the formats of SPDX have them in annotations.
    pub(crate) fn note_lines(&mut self, text: &str) {
        for line in text.lines() {
            if let Some((name, value)) = line.trim().split_once('=') {
                self.note(name, value);
            }
        }
    }

    /// Puts what was found into an entry.
    pub(crate) fn finish(self, listed: &mut ListedPackage, sink: &mut Sink) {
        sink.check(&self);
        self.put_into(listed);
    }

    pub(crate) fn put_into(self, listed: &mut ListedPackage) {
        listed.properties.extend(self.properties);
        for cpe in self.cpes {
            if !listed.cpes.contains(&cpe) {
                listed.cpes.push(cpe);
            }
        }
    }

    /// The properties of the document itself.
    pub(crate) fn finish_document(self, sink: &mut Sink) -> Properties {
        sink.check(&self);
        self.properties
    }
}
