//! The engine value: what it owns, how it opens and closes.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use model::PolicyException;
use policy::Bundle;
use storage::{Database, JobCounts, Migrations, Sealer};
use tokio::sync::{Notify, watch};

use crate::accounts::{self, ADMIN, Authenticator, User};
use crate::evaluation::EvaluationCaches;
use crate::policies::install_first_policies;
use crate::registries::AmazonLogins;
use crate::remembered::Remembered;
use crate::vulnerability_database::{DatabaseHolder, Snapshot};
use crate::{
    AuthenticateError, BootstrapError, DatabaseState, EngineSettings, FirstStart, HashPasswordError,
    PolicyError, StorageError,
};

/// Name of the database file in the data folder.
pub(crate) const STORAGE_FILE: &str = "engine.db";
/// Name of the key file in the data folder.
pub(crate) const KEY_FILE: &str = "sealing.keys";
/// Lists of exceptions that are kept, one for each account.
const EXCEPTION_LISTS_MAX: u64 = 64;
/// Compiled bundles that are kept.
const BUNDLES_MAX: u64 = 64;

/// Users that are kept.
const USERS_MAX: u64 = 1000;
/// Longer names have no user.
const USERNAME_BYTES_MAX: usize = 1024;
/// Tables that change without a new mark of the state of the database: nothing of them is kept by a mark, and no foreign
/// key leads from them to others.
const QUIET_TABLES: [&str; 5] = ["jobs", "evaluations", "events", "notifications", "notification_deliveries"];

/// An open engine.
pub struct Engine {
    pub(crate) settings: EngineSettings,
    pub(crate) storage: Database,
    pub(crate) holder: Arc<DatabaseHolder>,
    pub(crate) bundles: moka::sync::Cache<String, Arc<Bundle>>,
    pub(crate) caches: EvaluationCaches,
    /// Exceptions of accounts, by revision.
    pub(crate) exceptions: moka::sync::Cache<String, Arc<[PolicyException]>>,
    /// Wakes an idle worker.
    pub(crate) work_arrived: Notify,
    /// Wakes who waits for the time of a duty.
    pub(crate) duty_hurried: Notify,
    /// Counts ended attempts; who waits for an analysis looks again when it changes.
    pub(crate) analyses_changed: watch::Sender<u64>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) amazon_logins: AmazonLogins,
    /// Held while a feed is read: one in memory is large.
    pub(crate) feed_reading: tokio::sync::Mutex<()>,
    authenticator: Authenticator,
    /// Users with the hashes of their passwords, by name; of unknown names, that they are unknown.
    users: Remembered<String, Option<(User, String)>>,
    started_at: Timestamp,
}

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The folder cannot be made.
    #[error("create the data folder `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What is to be looked for in files cannot be looked for.
    #[error("read the settings of what is looked for in images")]
    Contents(#[source] scanner::ContentSettingsError),
    /// The database file cannot be opened.
    #[error("open the engine's database")]
    Open(#[source] storage::OpenError),
    /// Its tables cannot be brought up to date.
    #[error("prepare the engine's tables")]
    Migrate(#[source] storage::MigrateError),
    /// The administrator cannot be set up.
    #[error("set up the administrator")]
    Bootstrap(#[source] BootstrapError),
    /// Passwords cannot be hashed.
    #[error("prepare the check of passwords")]
    Passwords(#[source] HashPasswordError),
    /// There are no keys for what is sealed.
    #[error("prepare the keys that seal passwords")]
    Keys(#[source] storage::KeyFileError),
    /// The first bundles cannot be stored.
    #[error("install the first policy bundles")]
    Policies(#[source] PolicyError),
    /// The sources of vulnerability data cannot be used.
    #[error("use the configured feeds")]
    Feeds(#[source] advisory_feeds::sources::BadSources),
    /// What an earlier process left cannot be put right.
    #[error("take over unfinished work")]
    Reconcile(#[source] StorageError),
}

/// How the engine is.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineStatus {
    /// When it was opened.
    pub started_at: Timestamp,
    /// Whether there is vulnerability data.
    pub database: DatabaseState,
    /// Analyses that wait, run, or were given up.
    pub jobs: JobCounts,
}

/// The migrations of the engine's tables.
pub(crate) fn migrations() -> Migrations {
    Migrations {
        owner: "engine",
        sqlite: sqlx::migrate!("./migrations/sqlite"),
        postgres: sqlx::migrate!("./migrations/postgres"),
    }
}

impl Engine {
    /// The open database, which other parts of the program may keep their tables in.
    pub fn database(&self) -> &Database {
        &self.storage
    }

    /// The keys that seal passwords, for other parts that keep some.
    pub fn sealer(&self) -> Arc<Sealer> {
        Arc::clone(&self.sealer)
    }

    /// Opens a data folder, or makes a new one with the administrator and the first policies.
    ///
    /// A missing or broken vulnerability database is no error but a state: see [`Engine::database_state`].
    pub async fn open(settings: EngineSettings) -> Result<(Self, FirstStart), EngineError> {
        let now = (settings.clock)();
        if let Some(contents) = &settings.contents {
            contents.check().map_err(EngineError::Contents)?;
        }
        fs_err::create_dir_all(&settings.data_dir)
            .map_err(|source| EngineError::Folder { path: settings.data_dir.clone(), source })?;
        let location = settings.location();
        let storage = Database::open(&location).await.map_err(EngineError::Open)?;
        storage.migrate(migrations()).await.map_err(EngineError::Migrate)?;
        storage.keep_quiet(&QUIET_TABLES);
        let (generated_password, is_new) =
            accounts::bootstrap(&storage, settings.admin_password.as_deref(), now)
                .await
                .map_err(EngineError::Bootstrap)?;
        install_first_policies(&storage, ADMIN, now).await.map_err(EngineError::Policies)?;
        crate::analysis::reconcile(&storage, now).await.map_err(EngineError::Reconcile)?;
        let sealer = Arc::new(open_keys(&settings)?);
        crate::registries::reseal(&storage, &sealer).await.map_err(EngineError::Reconcile)?;
        advisory_feeds::sources::check(&settings.feeds.sources).map_err(EngineError::Feeds)?;
        crate::feeds::prepare(&storage, &settings.feeds.sources, now)
            .await
            .map_err(EngineError::Reconcile)?;
        let database_path = settings.database_path.clone();
        // Opening checks the whole file, which may be large.
        let opened = tokio::task::spawn_blocking(move || DatabaseHolder::open(&database_path, now)).await;
        let engine = Self {
            holder: Arc::new(
                opened.map_err(|error| EngineError::Reconcile(StorageError::new("open the data", error)))?,
            ),
            sealer,
            amazon_logins: AmazonLogins::default(),
            authenticator: Authenticator::new().map_err(EngineError::Passwords)?,
            users: Remembered::new(USERS_MAX, |_, _| 1),
            bundles: moka::sync::Cache::new(BUNDLES_MAX),
            caches: EvaluationCaches::new(),
            exceptions: moka::sync::Cache::new(EXCEPTION_LISTS_MAX),
            work_arrived: Notify::new(),
            duty_hurried: Notify::new(),
            analyses_changed: watch::Sender::new(0),
            feed_reading: tokio::sync::Mutex::new(()),
            started_at: now,
            storage,
            settings,
        };
        let first_start = FirstStart { user: ADMIN.to_owned(), generated_password, is_new };
        Ok((engine, first_start))
    }

    /// Closes the database after its current statements. Stop the workers and the listener first.
    pub async fn shutdown(&self) {
        self.storage.close().await;
    }

    /// To the microsecond, as the tables keep times.
    pub(crate) fn now(&self) -> Timestamp {
        storage::from_micros(storage::to_micros((self.settings.clock)()))
    }

    /// Whether there is vulnerability data, as of the last look at the file.
    pub fn database_state(&self) -> DatabaseState {
        self.holder.snapshot().state.clone()
    }

    /// The vulnerability database in use; looks at the file at most once a second.
    pub(crate) async fn vulnerability_data(&self) -> Arc<Snapshot> {
        let now = self.now();
        if !self.holder.is_look_due(now) {
            return self.holder.snapshot();
        }
        let holder = self.holder.clone();
        // A look that panics leaves the file in use that was in use.
        tokio::task::spawn_blocking(move || holder.look(now)).await.unwrap_or_else(|error| {
            tracing::error!(
                error = crate::storage_error::chain(&error),
                "cannot look at the vulnerability database"
            );
            self.holder.snapshot()
        })
    }

    /// The same, after a look at the file in any case: for who has just replaced it.
    pub(crate) async fn vulnerability_data_now(&self) -> Arc<Snapshot> {
        self.holder.hurry();
        self.vulnerability_data().await
    }

    pub(crate) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// How the engine is.
    pub async fn status(&self) -> Result<EngineStatus, StorageError> {
        let database = self.vulnerability_data().await.state.clone();
        let jobs = storage::count_jobs(&self.storage, crate::analysis::JOB_KIND)
            .await
            .map_err(StorageError::at("count work"))?;
        Ok(EngineStatus { started_at: self.started_at, database, jobs })
    }

    /// Name of this process for people.
    pub fn host_id(&self) -> &str {
        &self.settings.host_id
    }

    /// Whether users may get tokens for their passwords.
    pub fn are_tokens_given(&self) -> bool {
        self.settings.are_tokens_given
    }

    /// The user of this name, if the password is his.
    pub async fn authenticate(&self, username: &str, password: &str) -> Result<User, AuthenticateError> {
        let found = self.known_user(username).await.map_err(AuthenticateError::Storage)?;
        self.authenticator.authenticate(found, username, password).await
    }

    /// The user of this name and the hash of his password, as they are now; from memory if nothing has changed since.
    pub(crate) async fn known_user(&self, username: &str) -> Result<Option<(User, String)>, StorageError> {
        // No database keeps the character U+0000 in a text; and nobody has a name so long that it should be kept here.
        if username.len() > USERNAME_BYTES_MAX || username.contains('\0') {
            return Ok(None);
        }
        let mark =
            self.storage.mark().await.map_err(StorageError::at("look whether anything has changed"))?;
        let read = accounts::find_user(&self.storage, username);
        self.users.or_read(mark.as_ref(), &username.to_owned(), read).await
    }
}

fn open_keys(settings: &EngineSettings) -> Result<Sealer, EngineError> {
    let path = settings.key_file();
    let sealer = Sealer::open_or_create(&path).map_err(EngineError::Keys)?;
    if sealer.is_readable_by_others() {
        tracing::warn!(path = %path.display(), "others than the owner may read the key file");
    }
    Ok(sealer)
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("settings", &self.settings).finish_non_exhaustive()
    }
}
