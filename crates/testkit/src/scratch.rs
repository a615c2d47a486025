//! Temporary folders that are removed even when the test that made them was killed.
//!
//! A folder is locked while its owner lives. A killed owner cannot remove its folder, so whoever makes the next one removes
//! the folders whose lock is free.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

const PREFIX: &str = "lazaret-test-";
const LOCK: &str = "owner.lock";
/// A folder is made first and locked afterwards; younger ones may be between the two.
const AGE_BEFORE_REMOVAL: Duration = Duration::from_secs(60);

/// A temporary folder, removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes an empty folder; `purpose` becomes part of its name.
    pub fn new(purpose: &str) -> Result<Self> {
        let parent = std::env::temp_dir();
        remove_abandoned(&parent);
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{purpose}-"))
            .tempdir_in(&parent)
            .with_context(|| format!("failed to make a temporary folder in `{}`", parent.display()))?;
        let lock = File::create(folder.path().join(LOCK))
            .context("failed to make the lock of a temporary folder")?;
        lock.lock().context("failed to lock a temporary folder")?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes what killed tests left behind. Best effort: several tests may do it at the same moment.
fn remove_abandoned(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && is_abandoned(&entry.path()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn is_abandoned(folder: &Path) -> bool {
    let is_old = folder
        .metadata()
        .and_then(|metadata| metadata.modified())
        .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > AGE_BEFORE_REMOVAL));
    is_old
        && match File::open(folder.join(LOCK)) {
            Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
            Err(_) => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a folder look as old as it must be to be removed.
    fn age(folder: &Path) {
        let modified = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::open(folder).unwrap().set_modified(modified).unwrap();
    }

    #[test]
    fn an_owned_folder_stays_and_an_abandoned_one_goes() {
        let owned = Scratch::new("owned").unwrap();
        age(owned.path());
        let abandoned = Scratch::new("abandoned").unwrap();
        let kept = abandoned.folder.keep();
        drop(abandoned._lock);
        assert!(!is_abandoned(&kept), "a young folder may not be locked yet");
        age(&kept);

        let _next = Scratch::new("next").unwrap();
        assert!(owned.path().exists());
        assert!(!kept.exists());
    }
}
