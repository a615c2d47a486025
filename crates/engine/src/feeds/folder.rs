//! The folder of feeds: accepted files by source and version, new ones beside them, and the lock that lets one work at a time.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

/// Begins the name of a folder whose files are not accepted yet.
const NEW: &str = "new-";

/// Names of what lies where.
#[derive(Debug, Clone)]
pub(crate) struct FeedFolder {
    root: PathBuf,
}

/// Held by who fetches, builds or judges again; the system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct FeedLock {
    _file: std::fs::File,
}

impl FeedFolder {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { root: data_dir.join("feeds") }
    }

    /// The lock; `None` when somebody else holds it.
    pub(crate) fn try_lock(&self) -> io::Result<Option<FeedLock>> {
        fs::create_dir_all(&self.root)?;
        let file =
            fs::File::options().create(true).truncate(false).write(true).open(self.root.join("lock"))?;
        let file = file.into_parts().0;
        match file.try_lock() {
            Ok(()) => Ok(Some(FeedLock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// A link to the database that all images were judged with.
    pub(crate) fn judged_database(&self) -> PathBuf {
        self.root.join("judged.db")
    }

    /// A link to the database that images are being judged with.
    pub(crate) fn judging_database(&self) -> PathBuf {
        self.root.join("judging.db")
    }

    /// Where an accepted version of a source lies.
    pub(super) fn version(&self, source: &str, version: &str) -> PathBuf {
        self.root.join(source).join(version)
    }

    /// An empty folder for new files; what an earlier attempt left is removed.
    pub(super) fn begin(&self, source: &str) -> io::Result<PathBuf> {
        let folder = self.root.join(source);
        fs::create_dir_all(&folder)?;
        self.remove_others(source, None)?;
        let new = folder.join(format!("{NEW}{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir(&new)?;
        Ok(new)
    }

    /// Gives new files the name of their version.
    pub(super) fn finish(&self, source: &str, new: &Path, version: &str) -> io::Result<()> {
        let target = self.version(source, version);
        fs::File::open(new)?.sync_all()?;
        // A version that was accepted before and given up again: the same files.
        if target.is_dir() {
            return fs::remove_dir_all(new);
        }
        fs::rename(new, &target)?;
        fs::File::open(self.root.join(source))?.sync_all()
    }

    /// Removes versions of a source but one; without one, only what was never accepted.
    pub(super) fn remove_others(&self, source: &str, kept: Option<&str>) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join(source))? {
            let entry = entry?;
            let name = entry.file_name();
            let is_new = name.to_string_lossy().starts_with(NEW);
            if is_new || kept.is_some_and(|kept| name != kept) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes all files of a source.
    pub(super) fn remove(&self, source: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.root.join(source)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_the_lock_at_a_time() {
        let data = tempfile::tempdir().unwrap();
        let folder = FeedFolder::new(data.path());
        let lock = folder.try_lock().unwrap().unwrap();
        assert!(folder.try_lock().unwrap().is_none());
        drop(lock);
        assert!(folder.try_lock().unwrap().is_some());
    }

    #[test]
    fn versions_are_put_in_place_whole_and_leftovers_go() {
        let data = tempfile::tempdir().unwrap();
        let folder = FeedFolder::new(data.path());
        let new = folder.begin("osv-npm").unwrap();
        fs::write(new.join("all.zip"), "1").unwrap();
        folder.finish("osv-npm", &new, "one").unwrap();
        let cut_off = folder.begin("osv-npm").unwrap();
        let new = folder.begin("osv-npm").unwrap();
        assert!(!cut_off.exists());
        fs::write(new.join("all.zip"), "2").unwrap();
        folder.finish("osv-npm", &new, "two").unwrap();
        assert!(folder.version("osv-npm", "one").is_dir());
        folder.remove_others("osv-npm", Some("two")).unwrap();
        assert!(!folder.version("osv-npm", "one").exists());
        assert_eq!(fs::read_to_string(folder.version("osv-npm", "two").join("all.zip")).unwrap(), "2");
        folder.remove("osv-npm").unwrap();
        folder.remove("osv-npm").unwrap();
        assert!(!folder.version("osv-npm", "two").exists());
    }
}
