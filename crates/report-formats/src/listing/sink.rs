//! Where readers put the packages that they come across.

use model::OwnedFile;

use super::files::{FILE, FILES_MAX, from_line};
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
    /// Files of all packages.
    file_count: usize,
    files_max: usize,
}

impl Sink {
    pub(crate) fn new(limits: &SbomLimits) -> Self {
        Self {
            packages: Vec::new(),
            found: 0,
            limit: limits.packages_max,
            is_overfull: false,
            file_count: 0,
            files_max: FILES_MAX,
        }
    }

    #[cfg(test)]
    pub(crate) fn with_few_files(limits: &SbomLimits, files_max: usize) -> Self {
        Self { files_max, ..Self::new(limits) }
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
        self.file_count = self.file_count.saturating_add(notes.files.len());
    }

    /// Puts what was noted into an entry, within the limits.
    pub(crate) fn fill(&mut self, notes: Notes, listed: &mut ListedPackage) {
        self.check(&notes);
        let has_files = self.has_room_for_files();
        notes.put_into(listed);
        if !has_files {
            listed.files = Vec::new();
        }
    }

    /// Notes more about an entry that is filled later.
    pub(crate) fn note_lines(&mut self, notes: &mut Notes, text: &str) {
        let before = notes.files.len();
        notes.note_lines(text);
        self.is_overfull |= notes.is_overfull;
        self.file_count = self.file_count.saturating_add(notes.files.len() - before);
        if !self.has_room_for_files() {
            notes.drop_files();
        }
    }

    /// Whether the packages have no more files than are taken; of more, none are kept.
    pub(crate) fn has_room_for_files(&self) -> bool {
        self.file_count <= self.files_max
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
        if !self.has_room_for_files() {
            let reason = format_args!("the packages have more than {} files", self.files_max);
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
    files: Vec<OwnedFile>,
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
        if name == FILE {
            // One more than are taken, so that it is seen that there are too many.
            self.files.extend(from_line(value).filter(|_| self.files.len() <= FILES_MAX));
        } else if self.properties.len() + self.cpes.len() >= PROPERTIES_MAX {
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

    pub(crate) fn drop_files(&mut self) {
        self.files = Vec::new();
    }

    #[cfg(test)]
    pub(crate) fn file_count(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn put_into(self, listed: &mut ListedPackage) {
        listed.properties.extend(self.properties);
        listed.files.extend(self.files);
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
