//! The build information of Go before 1.18, put together from the pieces that pass by.
//!
//! Its header holds the addresses of two variables of the linker, each an address and a length: the version of Go and the list of
//! modules. The texts stand before the header and the variables behind it. So what may be a version is noted with its place until
//! the variable tells which is meant; the list is known by its fence.
//!
//! Source: Go, `debug/buildinfo` and `cmd/go/internal/modload`.

use memchr::memmem;

use crate::elf::Reader;

/// Stands before and behind the list of modules.
pub(super) const FENCE: [[u8; 16]; 2] = [
    [0x30, 0x77, 0xaf, 0x0c, 0x92, 0x74, 0x08, 0x02, 0x41, 0xe1, 0xc1, 0x07, 0xe6, 0xd6, 0x18, 0xe6],
    [0xf9, 0x32, 0x43, 0x31, 0x86, 0x18, 0x20, 0x72, 0x00, 0x82, 0x42, 0x10, 0x41, 0x16, 0xd8, 0xf2],
];
const VERSION: &[u8] = b"go1.";
/// Longer than any version, and than a fence.
pub(super) const KEPT_BYTES: usize = 32;
const VERSIONS_MAX: usize = 256;
/// The program headers stand at the beginning.
const HEAD_BYTES: usize = 4096;
const LOADED: u64 = 1;

/// What is known of the file that passes by.
#[derive(Debug, Default)]
pub(super) struct OldBuildInfo {
    modules_bytes_max: usize,
    head: Vec<u8>,
    modules: Vec<u8>,
    /// Where in the file the list goes on, while its end has not passed by.
    modules_at: Option<u64>,
    /// What begins like a version, and where.
    versions: Vec<(u64, Vec<u8>)>,
    /// Where the variable with the version is loaded to.
    variable_address: Option<Vec<u8>>,
    variable: Option<Vec<u8>>,
}

impl OldBuildInfo {
    pub(super) fn new(modules_bytes_max: usize) -> Self {
        Self { modules_bytes_max, ..Self::default() }
    }

    /// The header has been found: the address of the variable with the version. Its bytes follow in [`Self::search`].
    pub(super) fn set_variable(&mut self, address: Vec<u8>) {
        self.variable_address = self.variable_address.take().or(Some(address));
    }

    /// The next bytes of the file, of which the first ones are kept.
    pub(super) fn read_head(&mut self, bytes: &[u8]) {
        let head_left = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(head_left)]);
    }

    /// Version and modules, a line end between them; nothing where neither is known.
    pub(super) fn end(&self) -> Vec<u8> {
        let version = self.version().unwrap_or_default().to_vec();
        if version.is_empty() && self.modules.is_empty() {
            return Vec::new();
        }
        [&version, b"\n".as_slice(), &self.modules].concat()
    }

    /// Looks at all that begins before `end` in bytes that stand at this place in the file; the next ones begin at `end`.
    pub(super) fn search(&mut self, window: &[u8], window_at: u64, end: usize) {
        for at in memmem::find_iter(window, VERSION).take_while(|at| *at < end) {
            if self.versions.len() < VERSIONS_MAX {
                let text = &window[at..window.len().min(at + KEPT_BYTES)];
                self.versions.push((window_at + at as u64, text.to_vec()));
            }
        }
        self.variable = self.variable.take().or_else(|| {
            let reader = Reader::of(&self.head)?;
            let address = self.variable_address.as_ref()?;
            let at = offset_of(reader, reader.with(address).number(0, address.len())?)?;
            let at = usize::try_from(at.checked_sub(window_at)?).ok()?;
            window.get(at..at.saturating_add(2 * reader.word_bytes())).map(<[u8]>::to_vec)
        });
        self.search_modules(window, window_at, end);
    }

    fn search_modules(&mut self, window: &[u8], window_at: u64, end: usize) {
        let at = match self.modules_at {
            Some(at) => usize::try_from(at - window_at).unwrap_or(usize::MAX),
            // The second copy, if there is one, says the same.
            None if !self.modules.is_empty() => return,
            None => match memmem::find(window, &FENCE[0]).filter(|start| *start < end) {
                Some(start) => start + FENCE[0].len(),
                None => return,
            },
        };
        let Some(rest) = window.get(at..) else { return };
        let close = memmem::find(rest, &FENCE[1]);
        let length = close.unwrap_or(end.saturating_sub(at));
        self.modules.extend_from_slice(&rest[..length]);
        self.modules_at = close.is_none().then_some(window_at + (at + length) as u64);
        if self.modules.len() > self.modules_bytes_max {
            self.modules.clear();
            self.modules_at = None;
        }
    }

    /// The text that the variable points to.
    fn version(&self) -> Option<&[u8]> {
        let reader = Reader::of(&self.head)?;
        let variable = reader.with(self.variable.as_ref()?);
        let at = offset_of(reader, variable.word(0)?)?;
        let length = usize::try_from(variable.word(reader.word_bytes())?).ok()?;
        let text = &self.versions.iter().find(|(place, _)| *place == at)?.1;
        Some(&text[..length.min(text.len())])
    }
}

/// Where in the file stands what is loaded to an address.
fn offset_of(reader: Reader<'_>, address: u64) -> Option<u64> {
    reader.segments().filter(|segment| segment.kind == LOADED).find_map(|segment| {
        let inside = address.checked_sub(segment.address).filter(|inside| *inside < segment.file_bytes)?;
        segment.offset.checked_add(inside)
    })
}
