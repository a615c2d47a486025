//! Finding the version resource of an assembly while it streams by.
//!
//! The headers, at the beginning, say in which range of the file the resources lie and whether it is an assembly of .NET at all.
//! In that range the resource is found by its name.
//!
//! Source: Microsoft, PE Format.

use std::ops::Range;

use memchr::memmem;

use super::assemblies::is_assembly_name;
use super::version_resource;
use crate::extract::{ContentSearch, SearchedFile, Sections};

/// Values of the version resource, as JSON.
pub(crate) const TAG_ASSEMBLY: u8 = 16;

/// Headers that lie farther behind are not looked at.
const HEADERS_BYTES_MAX: usize = 16 * 1024;
/// Length, length of the value and type stand before the name.
const BEFORE_NAME_BYTES: usize = 6;
const RESOURCE_BYTES_MIN: u64 = 512;

/// Looks for it in one file after the other.
#[derive(Debug)]
pub(crate) struct ResourceSearch {
    name: Vec<u8>,
    state: State,
    /// Where in the file the next bytes are.
    offset: u64,
    pending: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Headers,
    /// The resources lie there.
    Searching(Range<u64>),
    Found(Vec<u8>),
    Nothing,
}

impl ResourceSearch {
    pub(crate) fn new() -> Self {
        let name = version_resource::NAME.encode_utf16().flat_map(u16::to_le_bytes).collect();
        Self { name, state: State::Nothing, offset: 0, pending: Vec::new() }
    }

    fn read_headers(&mut self) {
        self.state = match resources(&self.pending) {
            Headers::Need(bytes) if bytes <= HEADERS_BYTES_MAX => return,
            Headers::Need(_) | Headers::None => State::Nothing,
            Headers::Resources(range) => State::Searching(range),
        };
        let (headers, end) = (std::mem::take(&mut self.pending), self.offset);
        self.offset = 0;
        self.search(&headers);
        self.offset = end;
    }

    /// Looks at bytes of the file, of which only those in the range count.
    fn search(&mut self, bytes: &[u8]) {
        let State::Searching(range) = &self.state else { return };
        let place =
            |at: u64| usize::try_from(at.saturating_sub(self.offset)).unwrap_or(usize::MAX).min(bytes.len());
        let (start, end) = (place(range.start), place(range.end));
        self.pending.extend_from_slice(bytes.get(start..end).unwrap_or_default());
        if self.offset >= range.end {
            self.state = State::Nothing;
            return;
        }
        let mut from = BEFORE_NAME_BYTES;
        while let Some(at) = self.pending.get(from..).and_then(|rest| memmem::find(rest, &self.name)) {
            let begin = from + at - BEFORE_NAME_BYTES;
            let length = self.pending[begin..].first_chunk().map_or(0, |length| u16::from_le_bytes(*length));
            if usize::from(length) < self.name.len() {
                from += at + self.name.len();
                continue;
            }
            match self.pending.get(begin..begin + usize::from(length)) {
                Some(resource) => self.state = State::Found(resource.to_vec()),
                None => drop(self.pending.drain(..begin)),
            }
            return;
        }
        let kept = self.pending.len().saturating_sub(self.name.len() + BEFORE_NAME_BYTES);
        self.pending.drain(..kept);
    }
}

impl ContentSearch for ResourceSearch {
    fn is_for_executables(&self) -> bool {
        true
    }

    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        self.pending.clear();
        self.offset = 0;
        self.state = State::Headers;
        // Assemblies with nothing but translations belong to another one.
        let is_translation = file.path.ends_with(".resources.dll");
        file.head.starts_with(b"MZ")
            && file.size_bytes >= RESOURCE_BYTES_MIN
            && is_assembly_name(file.path)
            && !is_translation
    }

    fn read(&mut self, bytes: &[u8]) {
        match self.state {
            State::Headers => {
                self.pending.extend_from_slice(bytes);
                self.offset += bytes.len() as u64;
                self.read_headers();
            }
            State::Searching(_) => {
                self.search(bytes);
                self.offset += bytes.len() as u64;
            }
            State::Found(_) | State::Nothing => {}
        }
    }

    fn end(&mut self, sections: &mut Sections) {
        if let State::Found(resource) = &self.state {
            let values = version_resource::read(resource);
            if !values.is_empty() {
                sections.add(TAG_ASSEMBLY, &serde_json::to_vec(&values).unwrap_or_default());
            }
        }
        self.pending = Vec::new();
        self.state = State::Nothing;
    }
}

enum Headers {
    /// So many bytes from the beginning are needed.
    Need(usize),
    Resources(Range<u64>),
    /// No assembly of .NET, or one without resources.
    None,
}

/// Where the resources of an assembly of .NET lie.
fn resources(bytes: &[u8]) -> Headers {
    match find_resources(bytes) {
        Ok(Some(range)) => Headers::Resources(range),
        Ok(None) => Headers::None,
        Err(needed) => Headers::Need(needed),
    }
}

fn find_resources(bytes: &[u8]) -> Result<Option<Range<u64>>, usize> {
    let number_at = |at: usize| -> Result<u32, usize> {
        bytes.get(at..).and_then(<[u8]>::first_chunk).map(|it| u32::from_le_bytes(*it)).ok_or(at + 4)
    };
    let short_at = |at: usize| number_at(at).map(|number| (number & 0xffff) as usize);
    let start = number_at(0x3c)? as usize;
    if start > HEADERS_BYTES_MAX || number_at(start)? != u32::from_le_bytes(*b"PE\0\0") {
        return Ok(None);
    }
    let (section_count, optional_bytes) = (short_at(start + 6)?, short_at(start + 20)?);
    let optional = start + 24;
    let folders = match short_at(optional)? {
        0x10b => optional + 96,
        0x20b => optional + 112,
        _ => return Ok(None),
    };
    let (resource_address, code_address) = (number_at(folders + 2 * 8)?, number_at(folders + 14 * 8)?);
    if resource_address == 0 || code_address == 0 {
        return Ok(None);
    }
    for at in (0..section_count).map(|index| optional + optional_bytes + index * 40) {
        let (address, raw_bytes, raw_start) = (number_at(at + 12)?, number_at(at + 16)?, number_at(at + 20)?);
        let length = number_at(at + 8)?.max(raw_bytes);
        if (address..address.saturating_add(length)).contains(&resource_address) {
            let start = u64::from(raw_start);
            return Ok(Some(start..start + u64::from(raw_bytes)));
        }
    }
    Ok(None)
}
