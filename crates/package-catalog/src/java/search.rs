//! Java archives among the files of a layer.

use super::archive::{ArchiveReader, is_archive_name, is_certain_name};
use super::limits::{ArchiveLimits, Work};
use super::zip;
use crate::extract::{ContentSearch, SearchedFile, Sections};

/// What is known of one archive: `ArchiveFacts`.
pub(crate) const TAG_ARCHIVE: u8 = 10;

/// Reads one archive after the other.
#[derive(Debug)]
pub(crate) struct ArchiveSearch {
    work: Work,
    reader: Option<ArchiveReader>,
    is_certain: bool,
}

impl ArchiveSearch {
    pub(crate) fn new(limits: &ArchiveLimits, section_bytes_max: usize) -> Self {
        Self { work: Work::new(limits, section_bytes_max), reader: None, is_certain: false }
    }
}

impl ContentSearch for ArchiveSearch {
    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        self.is_certain = is_certain_name(file.path);
        let is_archive = file.head == zip::LOCAL || zip::is_directory(file.head);
        let is_read = self.is_certain || (is_archive && is_archive_name(file.path));
        self.reader = is_read.then(|| ArchiveReader::new(String::new(), 0));
        if is_read {
            self.work.start(file.size_bytes);
        }
        is_read
    }

    fn read(&mut self, bytes: &[u8]) {
        if let Some(reader) = &mut self.reader {
            reader.push(bytes, &mut self.work);
        }
    }

    fn end(&mut self, sections: &mut Sections) {
        if let Some(reader) = self.reader.take() {
            reader.finish(true, self.is_certain, &mut self.work);
        }
        for section in self.work.sections.drain(..) {
            sections.add(TAG_ARCHIVE, &section);
        }
    }
}
