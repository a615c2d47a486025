//! Finding the build information of an executable while it streams by.
//!
//! Since Go 1.18 it is in one piece: a header of 32 bytes, the version of Go, the list of modules. Where it lies only the section
//! table knows, which stands at the end of the file; so every header is tried, and one with anything else behind it is none.
//! Before Go 1.18 the header held two addresses; see [`OldBuildInfo`].
//!
//! Source: Go, `debug/buildinfo`.

use memchr::memmem;

use super::old::{KEPT_BYTES as OLD_KEPT_BYTES, OldBuildInfo};
use crate::extract::{ContentSearch, SearchedFile, Sections};

/// `go1.22.1`, a line end, the list of modules.
pub(crate) const TAG_BUILD_INFO: u8 = 1;
/// The same of an executable that was built before Go 1.18; nothing where it cannot be read.
pub(crate) const TAG_OLD_BUILD_INFO: u8 = 2;

const MAGIC: &[u8] = b"\xff Go buildinf:";
const HEADER_BYTES: usize = 32;
const FLAG_IN_ONE_PIECE: u8 = 2;
/// Both ends of the list of modules.
const FENCE_BYTES: usize = 16;
const VERSION_BYTES_MAX: usize = 1024;
const VARINT_BYTES_MAX: usize = 5;

/// Looks for it in one file after the other.
#[derive(Debug)]
pub(crate) struct BuildInfoSearch {
    section_bytes_max: usize,
    /// The last bytes that were read, so that nothing is cut in two.
    window: Vec<u8>,
    /// Where in the file the window begins.
    window_at: u64,
    /// Where in the window a header may begin that was not looked at.
    header_at: usize,
    /// Where in the window what was built before Go 1.18 is looked for.
    old_at: usize,
    found: Option<(u8, Vec<u8>)>,
    is_old: bool,
    old: OldBuildInfo,
}

enum Attempt {
    NeedsMore,
    Nothing,
    /// The address of the variable that holds the version of Go.
    Old(Vec<u8>),
    Found(Vec<u8>),
}

impl BuildInfoSearch {
    pub(crate) fn new(section_bytes_max: usize) -> Self {
        let old = OldBuildInfo::new(section_bytes_max);
        Self {
            section_bytes_max,
            window: Vec::new(),
            window_at: 0,
            header_at: 0,
            old_at: 0,
            found: None,
            is_old: false,
            old,
        }
    }
}

impl ContentSearch for BuildInfoSearch {
    fn is_for_executables(&self) -> bool {
        true
    }

    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        self.window.clear();
        (self.window_at, self.header_at, self.old_at) = (0, 0, 0);
        self.found = None;
        self.is_old = false;
        self.old = OldBuildInfo::new(self.section_bytes_max);
        file.is_executable()
    }

    fn read(&mut self, bytes: &[u8]) {
        if self.found.is_some() {
            return;
        }
        self.window.extend_from_slice(bytes);
        self.search_header();
        if self.found.is_some() {
            self.window = Vec::new();
            return;
        }
        self.old.read_head(bytes);
        self.search_old(self.window.len().saturating_sub(OLD_KEPT_BYTES));
        let passed = self.header_at.min(self.old_at);
        self.window.drain(..passed);
        self.window_at += passed as u64;
        self.header_at -= passed;
        self.old_at -= passed;
    }

    fn end(&mut self, sections: &mut Sections) {
        match self.found.take() {
            Some((tag, section)) => sections.add(tag, &section),
            None if self.is_old => {
                self.search_old(self.window.len());
                sections.add(TAG_OLD_BUILD_INFO, &self.old.end());
            }
            None => {}
        }
        self.window.clear();
    }
}

impl BuildInfoSearch {
    fn search_header(&mut self) {
        while let Some(position) = memmem::find(&self.window[self.header_at..], MAGIC) {
            self.header_at += position;
            match attempt(&self.window[self.header_at..], self.section_bytes_max) {
                Attempt::NeedsMore => return,
                Attempt::Found(section) => {
                    self.found = Some((TAG_BUILD_INFO, section));
                    return;
                }
                Attempt::Old(address) => {
                    self.is_old = true;
                    self.old.set_variable(address);
                }
                Attempt::Nothing => {}
            }
            self.header_at += MAGIC.len();
        }
        // The magic may be cut in two.
        self.header_at = self.window.len().saturating_sub(MAGIC.len() - 1).max(self.header_at);
    }

    /// Looks at all that begins before `end` in the window.
    fn search_old(&mut self, end: usize) {
        let end = end.max(self.old_at);
        let at = self.window_at + self.old_at as u64;
        self.old.search(&self.window[self.old_at..], at, end - self.old_at);
        self.old_at = end;
    }
}

/// Tries what stands behind the magic.
fn attempt(bytes: &[u8], section_bytes_max: usize) -> Attempt {
    let (Some(&pointer_bytes), Some(&flags)) = (bytes.get(MAGIC.len()), bytes.get(MAGIC.len() + 1)) else {
        return Attempt::NeedsMore;
    };
    if flags & FLAG_IN_ONE_PIECE == 0 {
        return attempt_old(bytes, pointer_bytes, flags);
    }
    let Some(body) = bytes.get(HEADER_BYTES..) else { return Attempt::NeedsMore };
    let (version, rest) = match take_text(body, VERSION_BYTES_MAX) {
        Ok(taken) => taken,
        Err(attempt) => return attempt,
    };
    if !version.starts_with(b"go") && !version.starts_with(b"devel") {
        return Attempt::Nothing;
    }
    let (modules, _) = match take_text(rest, section_bytes_max) {
        Ok(taken) => taken,
        Err(attempt) => return attempt,
    };
    // Without modules, as the toolchain's own parts are, the fence is left out too.
    let modules = modules.get(FENCE_BYTES..modules.len().saturating_sub(FENCE_BYTES)).unwrap_or_default();
    let mut section = version.to_vec();
    section.push(b'\n');
    section.extend_from_slice(modules);
    Attempt::Found(section)
}

/// Two addresses of so many bytes follow at 16. The magic also stands as text in programs that read build information.
fn attempt_old(bytes: &[u8], pointer_bytes: u8, flags: u8) -> Attempt {
    if !matches!(pointer_bytes, 4 | 8) || flags > 1 {
        return Attempt::Nothing;
    }
    let Some(header) = bytes.get(..HEADER_BYTES) else { return Attempt::NeedsMore };
    let (first, second) = header[16..].split_at(usize::from(pointer_bytes));
    let second = &second[..usize::from(pointer_bytes)];
    // Two variables of the linker, neighbours in memory: all but the lowest bytes are equal.
    let is_address = |address: &[u8]| address.iter().any(|byte| *byte != 0);
    let high_bytes = |address: &[u8]| match flags & 1 {
        1 => address[..address.len() - 3].to_vec(),
        _ => address[3..].to_vec(),
    };
    match is_address(first) && is_address(second) && high_bytes(first) == high_bytes(second) {
        true => Attempt::Old(first.to_vec()),
        false => Attempt::Nothing,
    }
}

/// A text with its length in front.
fn take_text(bytes: &[u8], bytes_max: usize) -> Result<(&[u8], &[u8]), Attempt> {
    let mut length: usize = 0;
    for (index, byte) in bytes.iter().take(VARINT_BYTES_MAX).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return match bytes.get(index + 1..) {
                _ if length > bytes_max => Err(Attempt::Nothing),
                Some(rest) if rest.len() >= length => Ok(rest.split_at(length)),
                _ => Err(Attempt::NeedsMore),
            };
        }
    }
    Err(if bytes.len() < VARINT_BYTES_MAX { Attempt::NeedsMore } else { Attempt::Nothing })
}
