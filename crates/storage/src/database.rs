//! One SQLite file: many readers, one writer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Sqlite, Transaction};

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request waits for a free connection before it is refused.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);
const READERS_MAX: u32 = 8;

/// A transaction that may write; dropped without `commit`, it never happened.
pub type WriteTransaction = Transaction<'static, Sqlite>;

/// An open database.
///
/// Writers queue inside the process for the one connection that writes, because SQLite has one writer anyway and a
/// queue is fairer than retries. A committed transaction survives the loss of power (`synchronous=FULL`).
#[derive(Debug, Clone)]
pub struct Database {
    path: PathBuf,
    readers: SqlitePool,
    writer: SqlitePool,
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be created, or is not a database.
    #[error("open database file `{}`", path.display())]
    Connect {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: sqlx::Error,
    },
    /// The queue's own tables cannot be made.
    #[error("prepare the job queue in `{}`", path.display())]
    Queue {
        /// The file.
        path: PathBuf,
        /// Which migration.
        #[source]
        source: MigrateError,
    },
}

/// Why the tables could not be brought up to date.
#[derive(Debug, thiserror::Error)]
#[error("bring the tables of `{owner}` up to date")]
pub struct MigrateError {
    owner: &'static str,
    source: sqlx::migrate::MigrateError,
}

impl Database {
    /// Opens or creates the file and prepares the job queue in it.
    ///
    /// Errors: [`OpenError`]; the folder must exist.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Connect { path: path.to_owned(), source };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // On a full disk SQLite ends a transaction by itself. The connection then counts one that is not there, can
            // never begin another, and would be kept: it is closed, and the next writer gets a new one.
            .before_acquire(|connection, _| {
                Box::pin(async move {
                    // Answered after the rollback that a dropped transaction has left behind.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .map_err(failed)?;
        let database = Self { path: path.to_owned(), readers, writer };
        database
            .migrate("storage", sqlx::migrate!("./migrations/sqlite"))
            .await
            .map_err(|source| OpenError::Queue { path: path.to_owned(), source })?;
        Ok(database)
    }

    /// Runs the migrations of one owner that have not run yet.
    ///
    /// Every owner has its own list of what has run, so that crates number their files independently.
    pub async fn migrate(&self, owner: &'static str, mut migrator: Migrator) -> Result<(), MigrateError> {
        migrator.dangerous_set_table_name(format!("_{owner}_migrations"));
        migrator.run(&self.writer).await.map_err(|source| MigrateError { owner, source })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Connections for reading; each statement sees the last commit.
    pub fn reader(&self) -> &SqlitePool {
        &self.readers
    }

    /// Begins to write. Waits for the writer before, at most fifteen seconds.
    pub async fn begin(&self) -> Result<WriteTransaction, sqlx::Error> {
        // `IMMEDIATE` takes the lock at the start: a transaction that reads first could otherwise fail at its first write.
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Closes all connections after their current statement.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
