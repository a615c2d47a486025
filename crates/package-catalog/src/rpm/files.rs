//! Which files an rpm package owns.

use image_layers::EntryKind;
use model::OwnedFile;

use crate::parse::ParseInput;
use crate::rpm::header::{Header, Texts, tag};

const TYPE_MASK: u64 = 0o170_000;
const TYPE_FOLDER: u64 = 0o040_000;
const PERMISSIONS_MASK: u64 = 0o7777;

const FLAG_CONFIGURATION: u64 = 1 << 0;
/// The package does without the file.
const FLAG_MISSING_OK: u64 = 1 << 3;
/// The package does not bring the file: only when it appears, it is the package's.
const FLAG_GHOST: u64 = 1 << 6;

/// The state of a file that was installed, and of one about which nothing is known.
const STATE_NORMAL: u64 = 0;
const STATE_UNKNOWN: u64 = 0xff;

/// What became of the list of files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OwnedFiles {
    /// Sorted by path.
    pub(super) files: Vec<OwnedFile>,
    /// The limits left no room for some.
    pub(super) is_limited: bool,
    /// So many have no path that could be read.
    pub(super) broken_count: usize,
}

/// The files of a package without its folders. A file that is not in the image is listed as well, as for every other kind of
/// package, unless the database says itself that it was not installed or may be absent.
pub(super) fn owned_files(header: &Header<'_>, input: &ParseInput<'_>) -> OwnedFiles {
    let mut owned = OwnedFiles::default();
    let algorithm = algorithm(header);
    let paths = Paths::of(header, input);
    let mut checksums = header.texts(tag::FILE_DIGESTS);
    for (index, name) in paths.names.enumerate() {
        let checksum = checksums.next().filter(|checksum| is_checksum(checksum));
        let mode = header.number(tag::FILE_MODES, index);
        let state = header.number(tag::FILE_STATES, index).unwrap_or(STATE_NORMAL);
        let is_folder = mode.is_some_and(|mode| mode & TYPE_MASK == TYPE_FOLDER);
        if is_folder || !matches!(state, STATE_NORMAL | STATE_UNKNOWN) {
            continue;
        }
        let Some(path) = paths.path(index, name) else {
            owned.broken_count += 1;
            continue;
        };
        if !input.spent.take_owned(path.len(), input.limits) {
            owned.is_limited = true;
            break;
        }
        let flags = header.number(tag::FILE_FLAGS, index).unwrap_or_default();
        let (is_ghost, may_miss) = (flags & FLAG_GHOST != 0, flags & (FLAG_GHOST | FLAG_MISSING_OK) != 0);
        if may_miss || mode.is_none() {
            let kind = input.tree.locate(&path).map(|entry| entry.kind());
            let is_absent = kind.is_none() && may_miss;
            if is_absent || kind == Some(EntryKind::Folder) {
                continue;
            }
        }
        let is_configuration = flags & FLAG_CONFIGURATION != 0;
        // What the database says about a file that the package does not bring is not about its content.
        let stated = |value: Option<u64>| value.filter(|_| !is_ghost);
        owned.files.push(OwnedFile {
            path,
            checksum: checksum
                .filter(|_| !is_ghost)
                .zip(algorithm)
                .map(|(checksum, algorithm)| format!("{algorithm}:{}", lower_case(checksum))),
            permissions: stated(mode).and_then(|mode| u32::try_from(mode & PERMISSIONS_MASK).ok()),
            size_bytes: stated(size(header, index)),
            is_configuration,
            is_content_changed: None,
        });
    }
    owned.files.sort();
    owned
}

/// Where the paths of a header come from: a folder and a name, or in very old packages the whole path.
struct Paths<'a> {
    header: &'a Header<'a>,
    names: Texts<'a>,
    /// `None`: the names are whole paths.
    folders: Option<Vec<&'a [u8]>>,
    path_bytes_max: usize,
}

impl<'a> Paths<'a> {
    fn of(header: &'a Header<'a>, input: &ParseInput<'_>) -> Self {
        let has_parts = header.has(tag::BASE_NAMES);
        // A header may be full of empty names.
        let folders = || header.texts(tag::FOLDER_NAMES).take(input.limits.owned_files_max).collect();
        Self {
            header,
            names: header.texts(if has_parts { tag::BASE_NAMES } else { tag::WHOLE_FILE_NAMES }),
            folders: has_parts.then(folders),
            path_bytes_max: input.limits.value_bytes_max,
        }
    }

    /// `None` where its folder is not there, or it is too long.
    fn path(&self, index: usize, name: &[u8]) -> Option<String> {
        let folder = match &self.folders {
            Some(folders) => {
                let folder = self.header.number(tag::FOLDER_INDEXES, index)?;
                folders.get(usize::try_from(folder).ok()?)?
            }
            None => &[][..],
        };
        let is_fit = folder.len().saturating_add(name.len()) <= self.path_bytes_max;
        let path = is_fit.then(|| String::from_utf8_lossy(&[folder, name].concat()).into_owned())?;
        path.starts_with('/').then_some(path)
    }
}

fn size(header: &Header<'_>, index: usize) -> Option<u64> {
    header.number(tag::LONG_FILE_SIZES, index).or_else(|| header.number(tag::FILE_SIZES, index))
}

/// The numbers are those of OpenPGP; without one it is MD5, as in all packages before 2009.
fn algorithm(header: &Header<'_>) -> Option<&'static str> {
    match header.number(tag::FILE_DIGEST_ALGORITHM, 0) {
        None | Some(1) => Some("md5"),
        Some(2) => Some("sha1"),
        Some(8) => Some("sha256"),
        Some(9) => Some("sha384"),
        Some(10) => Some("sha512"),
        Some(11) => Some("sha224"),
        Some(_) => None,
    }
}

/// Links and folders have an empty one.
fn is_checksum(text: &[u8]) -> bool {
    const SHA512_CHARACTERS: usize = 128;
    !text.is_empty() && text.len() <= SHA512_CHARACTERS && text.iter().all(u8::is_ascii_hexdigit)
}

fn lower_case(text: &[u8]) -> String {
    String::from_utf8_lossy(text).to_ascii_lowercase()
}
