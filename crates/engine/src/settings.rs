//! What the program decides about an engine.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use scanner::ScanOptions;

/// The settings of one engine.
#[derive(Clone)]
pub struct EngineSettings {
    /// Folder with the engine's own database; created if it is not there.
    pub data_dir: PathBuf,
    /// The vulnerability database file. It may be missing, and may be replaced while the engine runs.
    pub database_path: PathBuf,
    /// Password of `admin` on the first start; `None`: one is made up. Later starts keep the stored one.
    pub admin_password: Option<String>,
    /// How images are read.
    pub scan: ScanOptions,
    /// How many images are analyzed at the same time.
    pub workers: usize,
    /// How long a worker may be silent before its image is given to another one.
    pub lease: Duration,
    /// The clock of the world.
    pub clock: fn() -> Timestamp,
}

impl EngineSettings {
    /// Settings for two folders and a clock: two workers, a lease of one minute, no password given.
    pub fn new(data_dir: PathBuf, database_path: PathBuf, clock: fn() -> Timestamp) -> Self {
        Self {
            data_dir,
            database_path,
            admin_password: None,
            scan: ScanOptions::default(),
            workers: 2,
            lease: Duration::from_secs(60),
            clock,
        }
    }
}

impl fmt::Debug for EngineSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EngineSettings")
            .field("data_dir", &self.data_dir)
            .field("database_path", &self.database_path)
            .field("scan", &self.scan)
            .field("workers", &self.workers)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// What happened when the engine was opened.
#[derive(Clone, PartialEq, Eq)]
pub struct FirstStart {
    /// Name of the administrator.
    pub user: String,
    /// The password that was made up, to be shown once.
    pub generated_password: Option<String>,
    /// Whether the data folder was new.
    pub is_new: bool,
}

impl fmt::Debug for FirstStart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FirstStart")
            .field("user", &self.user)
            .field("is_new", &self.is_new)
            .finish_non_exhaustive()
    }
}
