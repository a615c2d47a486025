//! One layer of an image, described entry by entry and written as a tar.
//!
//! Written header by header: hostile names, which a polite tar writer refuses, must be possible.

use std::io::Write;

use tar::{EntryType, Header};

const NAME_BYTES_MAX: usize = 100;

/// A layer in the making. Paths are written as given: `etc/os-release`, and as hostile as the test wants, `../../x`.
///
/// All owners and times are 0, so the same description gives the same bytes.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    entries: Vec<u8>,
}

impl Layer {
    /// A layer without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// A regular file with mode 0644.
    #[must_use]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.file_with_mode(path, 0o644, content)
    }

    /// A regular file.
    #[must_use]
    pub fn file_with_mode(self, path: &str, mode: u32, content: impl AsRef<[u8]>) -> Self {
        self.entry(EntryType::Regular, path, "", mode, content.as_ref())
    }

    /// A folder with mode 0755. Parents need not be given: readers make them.
    #[must_use]
    pub fn folder(self, path: &str) -> Self {
        self.folder_with_mode(path, 0o755)
    }

    /// A folder.
    #[must_use]
    pub fn folder_with_mode(self, path: &str, mode: u32) -> Self {
        self.entry(EntryType::Directory, &format!("{}/", path.trim_end_matches('/')), "", mode, b"")
    }

    /// A symbolic link at `path` that holds the text `target`.
    #[must_use]
    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, path, target, 0o777, b"")
    }

    /// A hard link at `path` to the file at `target`, a path from the root of the image.
    #[must_use]
    pub fn hardlink(self, path: &str, target: &str) -> Self {
        self.entry(EntryType::Link, path, target, 0o644, b"")
    }

    /// Hides the file or folder at `path` of the layers below.
    #[must_use]
    pub fn whiteout(self, path: &str) -> Self {
        let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
        let separator = if folder.is_empty() { "" } else { "/" };
        self.file(&format!("{folder}{separator}.wh.{name}"), "")
    }

    /// Hides everything that the layers below have in the folder at `path`.
    #[must_use]
    pub fn opaque_folder(self, path: &str) -> Self {
        self.file(&format!("{}/.wh..wh..opq", path.trim_end_matches('/')), "")
    }

    /// Any entry: devices, FIFOs, links with content. The header's size is that of `content`.
    #[must_use]
    pub fn entry(mut self, kind: EntryType, path: &str, link: &str, mode: u32, content: &[u8]) -> Self {
        self.long_name(EntryType::GNULongName, path);
        self.long_name(EntryType::GNULongLink, link);
        self.header_and_content(kind, path, link, mode, content.len() as u64, content);
        self
    }

    /// A regular file whose header claims `size` bytes whatever `content` has: a truncated or lying archive.
    #[must_use]
    pub fn file_with_claimed_size(mut self, path: &str, size: u64, content: &[u8]) -> Self {
        self.long_name(EntryType::GNULongName, path);
        self.header_and_content(EntryType::Regular, path, "", 0o644, size, content);
        self
    }

    /// Bytes as they are, in place of an entry.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.entries.extend_from_slice(bytes);
        self
    }

    /// The tar archive: the entries and the two empty blocks that end it.
    pub fn to_tar(&self) -> Vec<u8> {
        let mut tar = self.entries.clone();
        tar.extend_from_slice(&[0; 1024]);
        tar
    }

    /// Writes the entry that GNU tar puts before one whose name or link does not fit into its header.
    fn long_name(&mut self, kind: EntryType, text: &str) {
        if text.len() > NAME_BYTES_MAX {
            let mut content = text.as_bytes().to_vec();
            content.push(0);
            self.header_and_content(kind, "././@LongLink", "", 0o644, content.len() as u64, &content);
        }
    }

    fn header_and_content(
        &mut self,
        kind: EntryType,
        path: &str,
        link: &str,
        mode: u32,
        size: u64,
        content: &[u8],
    ) {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        // Not `set_path`, which refuses `..` and absolute paths.
        let fields = header.as_old_mut();
        copy_name(&mut fields.name, path);
        copy_name(&mut fields.linkname, link);
        header.set_cksum();
        self.entries.extend_from_slice(header.as_bytes());
        self.entries.extend_from_slice(content);
        let padding = content.len().next_multiple_of(512) - content.len();
        self.entries.extend(std::iter::repeat_n(0, padding));
    }
}

fn copy_name(field: &mut [u8; NAME_BYTES_MAX], text: &str) {
    let length = text.len().min(NAME_BYTES_MAX);
    field[..length].copy_from_slice(&text.as_bytes()[..length]);
}

/// How the bytes of a layer are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerCompression {
    /// As they are.
    None,
    /// gzip, what most images use.
    Gzip,
    /// Zstandard.
    Zstd,
}

impl LayerCompression {
    /// The media type of the OCI image specification for a layer packed this way.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::None => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// Packs bytes; the same bytes give the same result.
    pub fn compress(self, bytes: &[u8]) -> Vec<u8> {
        let in_memory = "writing to memory does not fail";
        match self {
            Self::None => bytes.to_vec(),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(bytes).expect(in_memory);
                encoder.finish().expect(in_memory)
            }
            Self::Zstd => zstd::bulk::compress(bytes, 3).expect(in_memory),
        }
    }
}
