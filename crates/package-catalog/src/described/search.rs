//! Takes files that describe packages out of a stream of files.

use crate::conda;
use crate::extract::{ContentSearch, SearchedFile, Sections, broken_section, kept_section, roles_of};
use crate::{dart, erlang, julia, lua, php, r, ruby, swift, wordpress};

use super::{DescriptionKind, Extent, reduce};

/// All kinds of files that are read.
static KINDS: &[&DescriptionKind] = &[
    &ruby::GEMSPEC,
    &php::INSTALLED,
    &php::REGISTRY,
    &conda::RECORD,
    &lua::ROCKSPEC,
    &wordpress::PLUGIN,
    &r::DESCRIPTION,
    &erlang::APPLICATION,
    &erlang::HEX_METADATA,
    &julia::PROJECT,
    &dart::PUBSPEC,
    &swift::WORKSPACE_STATE,
];

/// One bit for each kind that the file at this path is of.
pub(crate) fn description_roles(path: &str) -> u64 {
    roles_of(KINDS.iter().map(|kind| (kind.is_description)(path)))
}

/// Reads one file after the other.
#[derive(Debug)]
pub(crate) struct DescriptionSearch {
    section_bytes_max: usize,
    kind: Option<&'static DescriptionKind>,
    content: Vec<u8>,
    is_larger: bool,
}

impl DescriptionSearch {
    /// One that keeps no more than this of a file.
    pub(crate) fn new(section_bytes_max: usize) -> Self {
        Self { section_bytes_max, kind: None, content: Vec::new(), is_larger: false }
    }

    fn content_max(&self, kind: &DescriptionKind) -> usize {
        match kind.extent {
            Extent::Whole(times) => self.section_bytes_max.saturating_mul(times),
            Extent::Head(bytes) => bytes.min(self.section_bytes_max),
        }
    }
}

impl ContentSearch for DescriptionSearch {
    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        self.kind = KINDS.iter().copied().find(|kind| (kind.is_description)(file.path));
        // What the last file needed is not held for all that follow.
        self.content = Vec::new();
        self.is_larger = false;
        self.kind.is_some()
    }

    fn read(&mut self, bytes: &[u8]) {
        let Some(kind) = self.kind else { return };
        let room = self.content_max(kind) - self.content.len();
        self.is_larger |= bytes.len() > room;
        self.content.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end(&mut self, sections: &mut Sections) {
        let Some(kind) = self.kind.take() else { return };
        let is_cut = self.is_larger && matches!(kind.extent, Extent::Whole(_));
        let reduced = match is_cut {
            true => Err(format!("file is larger than {} bytes", self.content_max(kind))),
            false => reduce(kind, &self.content),
        };
        self.content = Vec::new();
        match reduced {
            Ok(kept) if kept.is_empty() => {}
            Ok(kept) if kept.len() <= self.section_bytes_max => sections.add(kind.tag, &kept_section(&kept)),
            Ok(kept) => {
                let why =
                    format!("{} bytes would be kept of it (limit {})", kept.len(), self.section_bytes_max);
                sections.add(kind.tag, &broken_section(&why));
            }
            Err(why) => sections.add(kind.tag, &broken_section(&why)),
        }
    }
}
