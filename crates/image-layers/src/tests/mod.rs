//! Tests at the boundary: archives written here, in; layers and trees, out.

mod archives;
mod extracts;
mod facts;
mod limits;
mod links;
mod properties;
mod real;
mod whiteouts;

use std::io::Write as _;

use crate::{Body, EntryKind, ImageLimits, ImageTree, Layer, LayerError, LayerInput, ReadBudget, squash};

/// One member of an archive.
#[derive(Debug, Clone)]
pub(super) enum Part {
    File(String, Vec<u8>),
    Folder(String),
    Symlink(String, String),
    HardLink(String, String),
    Pipe(String),
}

pub(super) fn file(path: &str, body: &str) -> Part {
    Part::File(path.to_owned(), body.as_bytes().to_vec())
}

pub(super) fn folder(path: &str) -> Part {
    Part::Folder(path.to_owned())
}

pub(super) fn symlink(path: &str, target: &str) -> Part {
    Part::Symlink(path.to_owned(), target.to_owned())
}

pub(super) fn hard_link(path: &str, target: &str) -> Part {
    Part::HardLink(path.to_owned(), target.to_owned())
}

/// One member with its padding. Names longer than the header allows get a GNU long name in front.
pub(super) fn member(kind: u8, path: &[u8], link: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (extension, name) in [(b'L', path), (b'K', link)] {
        if name.len() > 100 {
            out.extend(raw_member(extension, b"././@LongLink", b"", &[name, b"\0"].concat(), None));
        }
    }
    out.extend(raw_member(kind, &path[..path.len().min(100)], &link[..link.len().min(100)], body, None));
    out
}

/// One header with its body, exactly as asked; `size` may lie.
pub(super) fn raw_member(kind: u8, path: &[u8], link: &[u8], body: &[u8], size: Option<u64>) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    let bytes = header.as_mut_bytes();
    bytes[..path.len()].copy_from_slice(path);
    bytes[157..157 + link.len()].copy_from_slice(link);
    bytes[156] = kind;
    header.set_size(size.unwrap_or(body.len() as u64));
    header.set_mode(0o644);
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

pub(super) fn archive(parts: &[Part]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend(match part {
            Part::File(path, body) => member(b'0', path.as_bytes(), b"", body),
            Part::Folder(path) => member(b'5', path.as_bytes(), b"", b""),
            Part::Symlink(path, target) => member(b'2', path.as_bytes(), target.as_bytes(), b""),
            Part::HardLink(path, target) => member(b'1', path.as_bytes(), target.as_bytes(), b""),
            Part::Pipe(path) => member(b'6', path.as_bytes(), b"", b""),
        });
    }
    out.extend([0; 1024]);
    out
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

pub(super) fn read_with(bytes: &[u8], limits: &ImageLimits) -> Result<Layer, LayerError> {
    let mut reader = bytes;
    let input = LayerInput { digest: None, diff_id: None, compression: None, reader: &mut reader };
    crate::read_layer(input, &|_| true, limits, &ReadBudget::new())
}

pub(super) fn read(bytes: &[u8]) -> Result<Layer, LayerError> {
    read_with(bytes, &ImageLimits::default())
}

/// Squashes layers of which every file is wanted.
pub(super) fn image(layers: &[&[Part]]) -> ImageTree {
    squash(layers.iter().map(|parts| read(&archive(parts)).unwrap()).collect())
}

/// All entries, one a line: `path`, and `= body`, `-> target`, `/` for folders, `?` for the rest.
pub(super) fn listing(tree: &ImageTree) -> Vec<String> {
    tree.entries()
        .map(|entry| match entry.kind() {
            EntryKind::File => match entry.body() {
                Body::Kept(body) => format!("{} = {}", entry.path(), String::from_utf8_lossy(body)),
                other => format!("{} = {other:?}", entry.path()),
            },
            EntryKind::Folder => format!("{}/", entry.path()),
            EntryKind::Symlink => format!("{} -> {}", entry.path(), entry.link_target().unwrap()),
            EntryKind::BrokenHardLink | EntryKind::Other => format!("{} ?", entry.path()),
        })
        .collect()
}

/// Squashes the layers and compares the listing.
pub(super) fn check(layers: &[&[Part]], expected: &[&str]) {
    assert_eq!(listing(&image(layers)), expected, "{layers:?}");
}
