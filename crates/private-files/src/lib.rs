//! Files that only their owner reads: tokens, keys, configurations.

use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Writes a file that only its owner reads: as a whole or not at all, and behind a link if the path is one. Folders that are
/// missing are made for the owner alone.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.exists() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = tempfile::Builder::new().prefix(".lazaret-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_the_owner_reads_what_is_written_and_links_stay() {
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/key");
        write_private(&path, b"one").unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        // A file that everybody read becomes private, and is replaced behind a link.
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let link = folder.path().join("link");
        fs_err::os::unix::fs::symlink(&path, &link).unwrap();
        write_private(&link, b"two").unwrap();
        assert_eq!((fs_err::read_to_string(&path).unwrap().as_str(), mode(&path)), ("two", 0o600));
        assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
        let names: Vec<_> = fs_err::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1, "nothing is left beside it");
    }
}
