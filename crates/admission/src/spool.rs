//! Audits that wait for the next start, in a file of JSON lines.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::audits::AuditRecord;

/// Most bytes of the file that are read.
pub const SPOOL_BYTES_MAX: u64 = 256 << 20;

/// Why the file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file cannot be read, written or renamed.
    #[error("audit spool `{path}` cannot be used")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// The task that uses the file was stopped.
    #[error("audit spool `{path}` was not used to the end")]
    Stopped {
        /// The file.
        path: PathBuf,
    },
}

/// Reads and removes the file. A file that is not there holds nothing; lines that are no audit are logged and skipped.
///
/// The file is removed before its audits are written: audits have fixed names, so writing one twice would do no harm, but
/// a file that stays would overwrite newer decisions at the next start.
pub async fn read_spool(path: PathBuf) -> Result<Vec<AuditRecord>, SpoolError> {
    run(path, |path| {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut records = Vec::new();
        // By bytes: a damaged file must not keep the webhook from starting.
        for line in BufReader::new(file.take(SPOOL_BYTES_MAX)).split(b'\n') {
            match serde_json::from_slice(&line?) {
                Ok(record) => records.push(record),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "line of the audit spool is no audit"
                    );
                }
            }
        }
        std::fs::remove_file(path)?;
        Ok(records)
    })
    .await
}

/// Writes the file beside and moves it into place; nothing to write leaves no file.
pub async fn write_spool(path: PathBuf, records: Vec<AuditRecord>) -> Result<(), SpoolError> {
    if records.is_empty() {
        return Ok(());
    }
    run(path, move |path| {
        // The folder may have been removed while the webhook ran.
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let beside = path.with_extension("part");
        let mut file = std::fs::File::create(&beside)?;
        for record in &records {
            serde_json::to_writer(&mut file, record)?;
            file.write_all(b"\n")?;
        }
        file.sync_all()?;
        std::fs::rename(&beside, path)
    })
    .await
}

async fn run<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
) -> Result<T, SpoolError> {
    let shown = path.clone();
    match tokio::task::spawn_blocking(move || work(&path)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(SpoolError::Io { path: shown, source }),
        Err(_) => Err(SpoolError::Stopped { path: shown }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> AuditRecord {
        let json = serde_json::json!({
            "namespace": "shop", "name": name, "is_fake_release": false, "owner": null, "owner_is_new": false,
            "expires_at": null,
            "spec": {"releaseName": "shop", "resource": "Pod", "image": [], "result": [], "action": "reject"},
        });
        serde_json::from_value(json).unwrap()
    }

    #[tokio::test]
    async fn audits_survive_a_removed_folder_and_a_damaged_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("removed/audits.json");
        write_spool(path.clone(), vec![record("a"), record("b")]).await.unwrap();

        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"\xff\xfe\x00 no audit\n").unwrap();
        serde_json::to_writer(&mut file, &record("c")).unwrap();
        file.write_all(b"\n{\"namespace\": \"cut").unwrap();
        let names: Vec<String> =
            read_spool(path.clone()).await.unwrap().into_iter().map(|record| record.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert!(read_spool(path).await.unwrap().is_empty(), "read once");
    }
}
