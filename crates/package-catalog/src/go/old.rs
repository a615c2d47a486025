//! The build information of Go before 1.18, put together from the pieces that pass by.
//!
//! Its header holds the addresses of two variables of the linker, each an address and a length: the version of Go and the list of
//! modules. The texts stand before the header and the variables behind it. So what may be a version is noted with its place until
//! the variable tells which is meant; the list is known by its fence.
//!
//! Source: Go, `debug/buildinfo` and `cmd/go/internal/modload`; System V ABI, program headers.

use memchr::memmem;

/// Stands before and behind the list of modules.
pub(super) const FENCE: [[u8; 16]; 2] = [
    [0x30, 0x77, 0xaf, 0x0c, 0x92, 0x74, 0x08, 0x02, 0x41, 0xe1, 0xc1, 0x07, 0xe6, 0xd6, 0x18, 0xe6],
    [0xf9, 0x32, 0x43, 0x31, 0x86, 0x18, 0x20, 0x72, 0x00, 0x82, 0x42, 0x10, 0x41, 0x16, 0xd8, 0xf2],
];
const VERSION: &[u8] = b"go1.";
/// Longer than any version, and than a fence.
const KEPT_BYTES: usize = 32;
const VERSIONS_MAX: usize = 256;
/// The program headers stand at the beginning.
const HEAD_BYTES: usize = 4096;
const LOADED: u64 = 1;

/// What is known of the file that passes by.
#[derive(Debug, Default)]
pub(super) struct OldBuildInfo {
    modules_bytes_max: usize,
    head: Vec<u8>,
    /// The last bytes that were read, so that nothing is cut in two.
    window: Vec<u8>,
    /// Where in the file the window begins.
    window_at: u64,
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

    /// The header has been found: the address of the variable with the version. Its bytes follow in [`Self::read`].
    pub(super) fn set_variable(&mut self, address: Vec<u8>) {
        self.variable_address = self.variable_address.take().or(Some(address));
    }

    /// The next bytes of the file.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        let head_left = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(head_left)]);
        self.window.extend_from_slice(bytes);
        self.search(self.window.len().saturating_sub(KEPT_BYTES));
        let passed = self.window.len().saturating_sub(KEPT_BYTES);
        self.window.drain(..passed);
        self.window_at += passed as u64;
    }

    /// Version and modules, a line end between them; nothing where neither is known.
    pub(super) fn end(&mut self) -> Vec<u8> {
        self.search(self.window.len());
        let version = self.version().unwrap_or_default().to_vec();
        if version.is_empty() && self.modules.is_empty() {
            return Vec::new();
        }
        [&version, b"\n".as_slice(), &self.modules].concat()
    }

    /// Looks at all that begins before `end` in the window.
    fn search(&mut self, end: usize) {
        let window = std::mem::take(&mut self.window);
        for at in memmem::find_iter(&window, VERSION).take_while(|at| *at < end) {
            if self.versions.len() < VERSIONS_MAX {
                let text = &window[at..window.len().min(at + KEPT_BYTES)];
                self.versions.push((self.window_at + at as u64, text.to_vec()));
            }
        }
        self.variable = self.variable.take().or_else(|| {
            let form = Form::of(&self.head)?;
            let at = form.offset_of(form.number(self.variable_address.as_ref()?)?, &self.head)?;
            let at = usize::try_from(at.checked_sub(self.window_at)?).ok()?;
            window.get(at..at.saturating_add(2 * form.word_bytes)).map(<[u8]>::to_vec)
        });
        self.search_modules(&window, end);
        self.window = window;
    }

    fn search_modules(&mut self, window: &[u8], end: usize) {
        let at = match self.modules_at {
            Some(at) => usize::try_from(at - self.window_at).unwrap_or(usize::MAX),
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
        self.modules_at = close.is_none().then_some(self.window_at + (at + length) as u64);
        if self.modules.len() > self.modules_bytes_max {
            self.modules.clear();
            self.modules_at = None;
        }
    }

    /// The text that the variable points to.
    fn version(&self) -> Option<&[u8]> {
        let form = Form::of(&self.head)?;
        let (address, length) = self.variable.as_ref()?.split_at_checked(form.word_bytes)?;
        let at = form.offset_of(form.number(address)?, &self.head)?;
        let length = usize::try_from(form.number(length.get(..form.word_bytes)?)?).ok()?;
        let text = &self.versions.iter().find(|(place, _)| *place == at)?.1;
        Some(&text[..length.min(text.len())])
    }
}

/// How an ELF file writes its numbers.
#[derive(Debug, Clone, Copy)]
struct Form {
    word_bytes: usize,
    is_big_endian: bool,
}

impl Form {
    fn of(head: &[u8]) -> Option<Self> {
        let word_bytes = match head.strip_prefix(b"\x7fELF")?.first()? {
            1 => 4,
            2 => 8,
            _ => return None,
        };
        Some(Self { word_bytes, is_big_endian: head.get(5) == Some(&2) })
    }

    fn number(self, bytes: &[u8]) -> Option<u64> {
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        match self.is_big_endian {
            _ if bytes.len() > 8 => None,
            true => Some(bytes.iter().fold(0, add)),
            false => Some(bytes.iter().rev().fold(0, add)),
        }
    }

    /// Where in the file stands what is loaded to an address.
    fn offset_of(self, address: u64, head: &[u8]) -> Option<u64> {
        let at = |start: usize, length: usize| self.number(head.get(start..start.checked_add(length)?)?);
        let word = self.word_bytes;
        let is_wide = word == 8;
        let table = usize::try_from(at(24 + word, word)?).ok()?;
        let (row_bytes, rows) = if is_wide { (at(54, 2)?, at(56, 2)?) } else { (at(42, 2)?, at(44, 2)?) };
        let row_bytes = usize::try_from(row_bytes).ok()?;
        for row in 0..usize::try_from(rows).ok()? {
            let row = table.checked_add(row.checked_mul(row_bytes)?)?;
            if at(row, 4)? != LOADED {
                continue;
            }
            // Wide rows have their flags before the offset.
            let fields = row.checked_add(if is_wide { 8 } else { 4 })?;
            let (offset, start) = (at(fields, word)?, at(fields + word, word)?);
            let length = at(fields + 3 * word, word)?;
            if let Some(inside) = address.checked_sub(start).filter(|inside| *inside < length) {
                return offset.checked_add(inside);
            }
        }
        None
    }
}
