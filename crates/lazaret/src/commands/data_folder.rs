//! The folder of an engine's data, used by one process at a time.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context as _, bail};

/// Makes the folder if need be and holds it until the value is dropped.
///
/// Two servers on one folder would do each image twice. The lock is the operating system's: a kill leaves none behind.
pub(super) fn lock(folder: &Path) -> anyhow::Result<File> {
    lock_file(folder, "lock", "another server uses the data folder", "--data-dir")
}

/// The same for the folder of a webhook: two on one folder would overwrite each other's unwritten audits.
///
/// A file of its own, because both folders may be the same.
pub(super) fn lock_state(folder: &Path) -> anyhow::Result<File> {
    lock_file(folder, "webhook.lock", "another webhook uses the state folder", "--state-dir")
}

fn lock_file(folder: &Path, name: &str, problem: &str, flag: &str) -> anyhow::Result<File> {
    fs_err::create_dir_all(folder)?;
    let path = folder.join(name);
    let file =
        fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?.into_parts().0;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("{problem} `{}`: stop it, or give another {flag}", folder.display())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("failed to lock `{}`", path.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_server_and_one_webhook_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        for lock in [lock, lock_state] {
            let held = lock(folder.path()).unwrap();
            let text = lock(folder.path()).unwrap_err().to_string();
            assert!(text.contains("another"), "{text}");
            drop(held);
            assert!(lock(folder.path()).is_ok());
        }
        let _server = lock(folder.path()).unwrap();
        assert!(lock_state(folder.path()).is_ok(), "both folders may be the same");
    }
}
