//! The folder of the cache: whose it is, how files get into it, and which leave it first.

use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{IMAGE_ENDING, LAYER_ENDING, LayerCache};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Anybody else who may write here could say what is in an image.
const OTHERS_MAY_WRITE: u32 = 0o022;
const TEMPORARY_PREFIX: &str = ".unfinished-";

/// What is in a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheSummary {
    /// Files with facts of a layer.
    pub layer_count: usize,
    /// Files with the inventory of an image.
    pub image_count: usize,
    /// Bytes of all files.
    pub bytes: u64,
}

impl LayerCache {
    /// What is in it now.
    pub fn summary(&self) -> io::Result<CacheSummary> {
        let files = list(&self.folder)?;
        let count = |ending| files.iter().filter(|file| has_ending(&file.path, ending)).count();
        Ok(CacheSummary {
            layer_count: count(LAYER_ENDING),
            image_count: count(IMAGE_ENDING),
            bytes: files.iter().map(|file| file.bytes).sum(),
        })
    }

    /// Removes everything of ours in the folder, and returns what that was.
    pub fn clean(&self) -> io::Result<CacheSummary> {
        let summary = self.summary()?;
        for file in list(&self.folder)? {
            remove(&file.path)?;
        }
        Ok(summary)
    }
}

/// Opens a file of the cache; one of somebody else is an error.
pub(super) fn open(folder: &Path, path: &Path) -> io::Result<File> {
    let owner = check(folder)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.uid() != owner || metadata.mode() & OTHERS_MAY_WRITE != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "file belongs to somebody else"));
    }
    Ok(file)
}

/// Who owns the folder; an error when that is not us, or others may write there.
fn check(folder: &Path) -> io::Result<u32> {
    let metadata = std::fs::metadata(folder)?;
    let is_ours = own_user().is_none_or(|user| user == metadata.uid());
    if !metadata.is_dir() || !is_ours || metadata.mode() & OTHERS_MAY_WRITE != 0 {
        let problem = "the folder belongs to somebody else, or others may write to it";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    Ok(metadata.uid())
}

/// Who runs this process; `None` where the kernel does not say it in a file.
fn own_user() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
}

/// Writes a file aside and renames it into place: whoever looks sees the old one, the new one, or none.
pub(super) fn replace(
    folder: &Path,
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    check(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .permissions(std::fs::Permissions::from_mode(FILE_MODE))
        .tempfile_in(folder)?;
    write(file.as_file_mut())?;
    // Not synchronised to the disk: what a crash damages has another checksum, and is read again.
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Makes a file the newest. Setting permissions says when, so that no clock has to be asked.
pub(super) fn note_use(path: &Path) {
    let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(FILE_MODE));
}

struct Listed {
    path: PathBuf,
    bytes: u64,
    /// When it was written or used: seconds and nanoseconds.
    used: (i64, i64),
}

/// Our files, also unfinished ones.
fn list(folder: &Path) -> io::Result<Vec<Listed>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let is_ours =
            has_ending(&path, LAYER_ENDING) || has_ending(&path, IMAGE_ENDING) || is_temporary(&path);
        // Another process may have removed it by now.
        if let Some(metadata) = std::fs::symlink_metadata(&path).ok().filter(Metadata::is_file)
            && is_ours
        {
            let used = (metadata.ctime(), metadata.ctime_nsec());
            files.push(Listed { path, bytes: metadata.len(), used });
        }
    }
    Ok(files)
}

fn has_ending(path: &Path, ending: &str) -> bool {
    !is_temporary(path) && path.extension().is_some_and(|known| known == ending)
}

fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(TEMPORARY_PREFIX))
}

/// Removes the oldest files until all together have at most so many bytes. What a killed process left unfinished gets old too.
pub(super) fn shrink(folder: &Path, bytes_max: u64) -> io::Result<()> {
    let mut files = list(folder)?;
    let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
    files.sort_by(|left, right| left.used.cmp(&right.used).then_with(|| left.path.cmp(&right.path)));
    for file in files {
        if bytes <= bytes_max {
            break;
        }
        remove(&file.path)?;
        bytes -= file.bytes;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
