//! The folder of an engine's data, used by one process at a time.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::{Context as _, bail};

/// Makes the folder if need be and holds it until the value is dropped.
///
/// Two servers on one folder would do each image twice. The lock is the operating system's: a kill leaves none behind.
pub(super) fn lock(folder: &Path) -> anyhow::Result<File> {
    fs_err::create_dir_all(folder)?;
    let path = folder.join("lock");
    let file =
        fs_err::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?.into_parts().0;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another server uses the data folder `{}`: stop it, or give another --data-dir",
            folder.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("failed to lock `{}`", path.display()))
        }
    }
}
