//! Where the files lie in a tar archive.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::Path;

use image_layers::LimitBreach;
use tar::{EntryType, Header};

use crate::error::ScanError;

const BLOCK: u64 = 512;
const MEMBERS_MAX: usize = 100_000;
const NAME_BYTES_MAX: usize = 4096;
const EXTENSION_BYTES_MAX: u64 = 1 << 20;
const LINKS_MAX: usize = 8;

/// A regular file in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

#[derive(Debug, Clone)]
enum Node {
    File(Member),
    /// Path from the root of the archive.
    Link(String),
}

/// Names of files and links; later members replace earlier ones, as when unpacking.
#[derive(Debug, Default)]
pub(crate) struct TarIndex {
    nodes: BTreeMap<String, Node>,
}

/// Headers that describe the next member.
#[derive(Default)]
struct Pending {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl TarIndex {
    /// Indexes a plain file; bodies are skipped by seeking.
    pub(crate) fn of_file(path: &Path, file: &mut File, file_bytes: u64) -> Result<Self, ScanError> {
        let mut input = io::BufReader::with_capacity(4096, file);
        Self::read(path, &mut input, |input, to| {
            if to > file_bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            input.seek(SeekFrom::Start(to)).map(|_| ())
        })
    }

    /// Indexes a stream; bodies are read over.
    pub(crate) fn of_stream(path: &Path, input: &mut dyn Read) -> Result<Self, ScanError> {
        let mut position = 0;
        let mut input = Counted { inner: input, position: &mut position };
        Self::read(path, &mut input, |input, to| {
            let count = to.saturating_sub(*input.position);
            let skipped = io::copy(&mut input.by_ref().take(count), &mut io::sink())?;
            if skipped < count { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
        })
    }

    /// The file of a name, through links inside the archive.
    pub(crate) fn find(&self, name: &str) -> Option<&Member> {
        let mut name = normalize(name)?;
        for _ in 0..=LINKS_MAX {
            match self.nodes.get(&name)? {
                Node::File(member) => return Some(member),
                Node::Link(target) => name.clone_from(target),
            }
        }
        None
    }

    fn read<R: Read>(
        path: &Path,
        input: &mut R,
        skip_to: impl Fn(&mut R, u64) -> io::Result<()>,
    ) -> Result<Self, ScanError> {
        let fail = |offset: u64, error: io::Error| to_error(path, offset, error);
        let mut index = Self::default();
        let mut pending = Pending::default();
        let mut offset = 0;
        let mut headers = 0;
        while let Some(header) = read_header(input).map_err(|error| fail(offset, error))? {
            headers += 1;
            if headers > MEMBERS_MAX {
                let what = format!("archive `{}`", path.display());
                let limit = u64::try_from(MEMBERS_MAX).unwrap_or(u64::MAX);
                return Err(ScanError::TooLarge { what, actual: limit + 1, limit, unit: "entries" });
            }
            let start = offset + BLOCK;
            let kind = header.entry_type();
            let stated =
                header.entry_size().map_err(|_| fail(offset, bad("the size of a member is not a number")))?;
            let is_extension = matches!(kind.as_byte(), b'L' | b'K' | b'x' | b'g');
            let size = if is_extension { stated } else { pending.size.take().unwrap_or(stated) };
            let body_end = start.checked_add(size).ok_or_else(|| fail(offset, bad("member is too long")))?;
            let next = body_end
                .checked_next_multiple_of(BLOCK)
                .ok_or_else(|| fail(offset, bad("member is too long")))?;
            if is_extension {
                read_extension(input, kind, size, &mut pending).map_err(|error| fail(offset, error))?;
            } else {
                index.add(&header, kind, std::mem::take(&mut pending), Member { offset: start, size });
            }
            skip_to(input, body_end).map_err(|error| fail(offset, error))?;
            // The padding of the last member may be missing.
            match skip_to(input, next) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(index),
                other => other.map_err(|error| fail(offset, error))?,
            }
            offset = next;
        }
        if headers == 0 {
            return Err(fail(0, bad("it is empty")));
        }
        Ok(index)
    }

    fn add(&mut self, header: &Header, kind: EntryType, pending: Pending, member: Member) {
        let name = pending.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let Some(name) = std::str::from_utf8(&name).ok().and_then(normalize) else { return };
        let link = || {
            let target = match pending.link {
                Some(target) => target,
                None => header.link_name_bytes()?.into_owned(),
            };
            String::from_utf8(target).ok()
        };
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        let node = match kind {
            EntryType::Regular | EntryType::Continuous => Some(Node::File(member)),
            EntryType::Link => link().and_then(|target| normalize(&target)).map(Node::Link),
            EntryType::Symlink => {
                link().and_then(|target| normalize(&format!("{folder}/{target}"))).map(Node::Link)
            }
            // Sparse files, devices and folders hold no layer.
            _ => None,
        };
        match node {
            Some(node) => self.nodes.insert(name, node),
            None => self.nodes.remove(&name),
        };
    }
}

/// `./a//b/../c` is `a/c`; a path that leaves the root has no name.
fn normalize(path: &str) -> Option<String> {
    if path.len() > NAME_BYTES_MAX {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The next header; `None` at the end of the archive (a block of zeros, or nothing).
fn read_header(input: &mut impl Read) -> io::Result<Option<Header>> {
    let mut header = Header::new_old();
    let block = header.as_mut_bytes();
    let mut filled = 0;
    while filled < block.len() {
        match input.read(&mut block[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(index, byte)| if (148..156).contains(&index) { u32::from(b' ') } else { u32::from(*byte) })
        .sum();
    // The text of the error would hold the bytes of the file.
    if header.cksum().map_err(|_| bad("it is not a tar archive: a header has no checksum"))? != sum {
        Err(bad("a header has a wrong checksum"))
    } else {
        Ok(Some(header))
    }
}

fn read_extension(
    input: &mut impl Read,
    kind: EntryType,
    size: u64,
    pending: &mut Pending,
) -> io::Result<()> {
    if size > EXTENSION_BYTES_MAX {
        return Err(bad("a header extension is larger than 1 MiB"));
    }
    let mut body = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
    let read = input.by_ref().take(size).read_to_end(&mut body)?;
    if u64::try_from(read).unwrap_or(u64::MAX) < size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let text = |mut body: Vec<u8>| {
        body.truncate(body.iter().position(|byte| *byte == 0).unwrap_or(body.len()));
        body
    };
    match kind.as_byte() {
        b'L' => pending.path = Some(text(body)),
        b'K' => pending.link = Some(text(body)),
        b'x' => {
            for record in tar::PaxExtensions::new(&body) {
                let record = record?;
                match record.key_bytes() {
                    b"path" => pending.path = Some(record.value_bytes().to_owned()),
                    b"linkpath" => pending.link = Some(record.value_bytes().to_owned()),
                    b"size" => pending.size = Some(pax_size(record.value_bytes())?),
                    _ => {}
                }
            }
        }
        // Global records describe the archive, not a member.
        _ => {}
    }
    Ok(())
}

fn pax_size(value: &[u8]) -> io::Result<u64> {
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| bad("a size is not a number"))
}

fn bad(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

fn to_error(path: &Path, offset: u64, error: io::Error) -> ScanError {
    if let Some(breach) = LimitBreach::from_io(&error) {
        let what = format!("archive `{}`", path.display());
        return ScanError::TooLarge {
            what,
            actual: breach.value,
            limit: breach.maximum,
            unit: "unpacked bytes",
        };
    }
    let problem = match error.kind() {
        io::ErrorKind::UnexpectedEof => format!("it ends in the middle of the member at byte {offset}"),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            format!("{error} at byte {offset}")
        }
        _ => return ScanError::Io { path: path.to_owned(), source: error },
    };
    ScanError::NotAnArchive { path: path.to_owned(), problem }
}

struct Counted<'a> {
    inner: &'a mut dyn Read,
    position: &'a mut u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        *self.position += u64::try_from(count).unwrap_or(u64::MAX);
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
