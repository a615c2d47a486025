//! What the program decides about an engine.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use scanner::{ContentSettings, ScanOptions};
use storage::Location;

use crate::engine::{KEY_FILE, STORAGE_FILE};
use crate::metrics::Metrics;
use crate::notifications::WebhookSettings;
use crate::registries::AmazonSettings;

/// The settings of one engine.
#[derive(Clone)]
pub struct EngineSettings {
    /// Folder with the engine's own database; created if it is not there.
    pub data_dir: PathBuf,
    /// Where the engine's own tables are; `None`: a file in the data folder.
    pub storage: Option<Location>,
    /// Tables of other parts in the same database: backups have them too.
    pub other_tables: fn() -> Vec<storage::Migrations>,
    /// The vulnerability database file. It may be missing, and may be replaced while the engine runs.
    pub database_path: PathBuf,
    /// Password of `admin` on the first start; `None`: one is made up. Later starts keep the stored one.
    pub admin_password: Option<String>,
    /// Whether users may get tokens for their passwords, and show them instead.
    pub are_tokens_given: bool,
    /// File with the keys that seal passwords for registries, made on the first start; `None`: a file in the data folder.
    /// Processes that share a database must share this file.
    pub key_file: Option<PathBuf>,
    /// Where Amazon gives logins for its registries.
    pub amazon: AmazonSettings,
    /// How images are read.
    pub scan: ScanOptions,
    /// What is looked for in the files of images; `None`: nothing, so rules about files cannot be judged.
    pub contents: Option<ContentSettings>,
    /// How many images are analyzed at the same time.
    pub workers: usize,
    /// How long a worker may be silent before its image is given to another one.
    pub lease: Duration,
    /// Name of this process for people: in events and in the list of services.
    pub host_id: String,
    /// Address under which clients reach this process, for people: in events.
    pub base_url: String,
    /// Who is told about events and subscriptions.
    pub webhooks: WebhookSettings,
    /// How long events are kept.
    pub events_kept: Duration,
    /// Where vulnerability data comes from.
    pub feeds: crate::FeedSettings,
    /// Pauses between two turns of what comes back.
    pub intervals: Intervals,
    /// Where everything is counted.
    pub metrics: Metrics,
    /// The clock of the world.
    pub clock: fn() -> Timestamp,
}

/// Pauses between two turns of what comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intervals {
    /// Removing images that were deleted.
    pub image_deletion: Duration,
    /// Removing accounts that were deleted.
    pub account_deletion: Duration,
    /// Asking registries whether a watched tag has moved.
    pub tag_watch: Duration,
    /// Asking registries for new tags of watched repositories.
    pub repository_watch: Duration,
    /// Evaluating images whose verdict somebody watches.
    pub policy_evaluation: Duration,
    /// Matching images whose vulnerabilities somebody watches.
    pub vulnerability_update: Duration,
    /// Moving analyses into the archive by rule.
    pub archive_transition: Duration,
    /// Deleting old events.
    pub event_expiry: Duration,
    /// Looking for notifications to deliver.
    pub notification_delivery: Duration,
    /// Looking which sources of vulnerability data are due; each has its own interval.
    pub feed_update: Duration,
    /// Looking whether there is other vulnerability data, and judging again the images it is about.
    pub judge_again: Duration,
}

impl Default for Intervals {
    fn default() -> Self {
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        Self {
            image_deletion: minute,
            account_deletion: minute,
            tag_watch: hour,
            repository_watch: minute,
            policy_evaluation: hour,
            vulnerability_update: 4 * hour,
            archive_transition: hour,
            event_expiry: hour,
            notification_delivery: Duration::from_secs(1),
            feed_update: minute / 2,
            judge_again: minute / 4,
        }
    }
}

impl EngineSettings {
    /// Settings for two folders and a clock: two workers, a lease of one minute, no password given.
    pub fn new(data_dir: PathBuf, database_path: PathBuf, clock: fn() -> Timestamp) -> Self {
        Self {
            data_dir,
            storage: None,
            other_tables: Vec::new,
            database_path,
            admin_password: None,
            are_tokens_given: true,
            key_file: None,
            amazon: AmazonSettings::default(),
            scan: ScanOptions::default(),
            contents: Some(ContentSettings::default()),
            workers: 2,
            lease: Duration::from_secs(60),
            host_id: "lazaret".to_owned(),
            base_url: "http://localhost:8228".to_owned(),
            webhooks: WebhookSettings::default(),
            events_kept: Duration::from_secs(90 * 24 * 3600),
            feeds: crate::FeedSettings::default(),
            intervals: Intervals::default(),
            metrics: Metrics::new(),
            clock,
        }
    }

    /// Where the tables are.
    pub fn location(&self) -> Location {
        self.storage.clone().unwrap_or_else(|| Location::File(self.data_dir.join(STORAGE_FILE)))
    }

    /// The file with the keys that seal passwords.
    pub fn key_file(&self) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| self.data_dir.join(KEY_FILE))
    }
}

impl fmt::Debug for EngineSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EngineSettings")
            .field("data_dir", &self.data_dir)
            .field("storage", &self.storage)
            .field("database_path", &self.database_path)
            .field("key_file", &self.key_file)
            .field("scan", &self.scan)
            .field("workers", &self.workers)
            .field("lease", &self.lease)
            .field("feeds", &self.feeds)
            .field("host_id", &self.host_id)
            .field("webhooks", &self.webhooks)
            .field("intervals", &self.intervals)
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
