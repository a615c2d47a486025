//! An open database: a SQLite file of one process, or a PostgreSQL server that several share.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use crate::mark::{Changes, Commits, Mark, MarkKind};
use crate::query::Target;
use crate::transaction::Inner;
use crate::{Location, WriteTransaction};

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request waits for a free connection before it is refused.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);
const READERS_MAX: u32 = 8;
/// The lock that a writing transaction holds on a server: any number, but always the same.
const WRITE_LOCK: &str = "SELECT pg_advisory_xact_lock(7310300571)";

/// An open database.
///
/// Writers take turns, because SQLite has one writer anyway, and because rules that span several rows then hold without
/// further locks; on a server they take turns by an advisory lock. A committed transaction survives the loss of power.
#[derive(Debug, Clone)]
pub struct Database {
    location: Location,
    backend: Backend,
}

#[derive(Debug, Clone)]
enum Backend {
    Sqlite { readers: SqlitePool, writer: SqlitePool, commits: Arc<Commits> },
    Postgres { pool: PgPool },
}

/// The migrations of one owner, written for each kind of database.
#[derive(Debug)]
pub struct Migrations {
    /// Whose: the name of the table that lists what has run comes from it.
    pub owner: &'static str,
    /// For SQLite.
    pub sqlite: Migrator,
    /// For PostgreSQL; the same numbers.
    pub postgres: Migrator,
}

/// Why the database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be created or is no database; the server cannot be reached or does not let us in.
    #[error("open the database in {}", location.describe())]
    Connect {
        /// Where.
        location: Location,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The queue's own tables cannot be made.
    #[error("prepare the job queue in {}", location.describe())]
    Queue {
        /// Where.
        location: Location,
        /// Which migration.
        #[source]
        source: MigrateError,
    },
}

/// Why the tables could not be brought up to date.
#[derive(Debug, thiserror::Error)]
#[error("bring the tables of `{owner}` up to date{}", self.advice())]
pub struct MigrateError {
    owner: &'static str,
    source: sqlx::migrate::MigrateError,
}

impl Migrations {
    /// The number of the last one.
    pub fn newest(&self) -> i64 {
        self.sqlite.iter().map(|migration| migration.version).max().unwrap_or(0)
    }
}

impl MigrateError {
    pub(crate) fn new(owner: &'static str, source: sqlx::migrate::MigrateError) -> Self {
        Self { owner, source }
    }

    fn advice(&self) -> String {
        match &self.source {
            sqlx::migrate::MigrateError::VersionMissing(version) => format!(
                ": a newer program has made version {version} of them, which this program does not know; \
                 use that program, or restore a backup that was made before it"
            ),
            _ => String::new(),
        }
    }
}

/// The migrations of the job queue.
pub fn queue_migrations() -> Migrations {
    Migrations {
        owner: "storage",
        sqlite: sqlx::migrate!("./migrations/sqlite"),
        postgres: sqlx::migrate!("./migrations/postgres"),
    }
}

impl Database {
    /// Opens or creates the database and prepares the job queue in it.
    ///
    /// Errors: [`OpenError`]; a file's folder must exist, and so must a server's database.
    pub async fn open(location: &Location) -> Result<Self, OpenError> {
        let backend = match location {
            Location::File(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(BUSY_TIMEOUT)
                    .foreign_keys(true);
                open_sqlite(path, options).await
            }
            Location::Postgres(settings) => open_postgres(&settings.url, settings.connections_max).await,
        };
        let backend = backend.map_err(|source| OpenError::Connect { location: location.clone(), source })?;
        let database = Self { location: location.clone(), backend };
        database
            .migrate(queue_migrations())
            .await
            .map_err(|source| OpenError::Queue { location: location.clone(), source })?;
        Ok(database)
    }

    /// Runs the migrations of one owner that have not run yet.
    ///
    /// Every owner has its own list of what has run, so that crates number their files independently. Processes that start
    /// at the same time on one server wait for each other. Tables that a newer program has made are refused.
    pub async fn migrate(&self, migrations: Migrations) -> Result<(), MigrateError> {
        let Migrations { owner, mut sqlite, mut postgres } = migrations;
        let table = format!("_{owner}_migrations");
        let ran = match &self.backend {
            Backend::Sqlite { writer, .. } => {
                sqlite.dangerous_set_table_name(table);
                sqlite.run(writer).await
            }
            Backend::Postgres { pool } => {
                postgres.dangerous_set_table_name(table);
                postgres.run(pool).await
            }
        };
        ran.map_err(|source| MigrateError { owner, source })
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Whether other processes may work on it.
    pub fn is_shared(&self) -> bool {
        matches!(self.backend, Backend::Postgres { .. })
    }

    pub(crate) fn reading_target(&self) -> Target<'_> {
        match &self.backend {
            Backend::Sqlite { readers, .. } => Target::SqlitePool(readers),
            Backend::Postgres { pool } => Target::PostgresPool(pool),
        }
    }

    /// Begins to write. Waits for the writer before, at most fifteen seconds.
    pub async fn begin(&self) -> Result<WriteTransaction, sqlx::Error> {
        match &self.backend {
            Backend::Sqlite { writer, commits, .. } => {
                // `IMMEDIATE` takes the lock at the start: a transaction that reads first could otherwise fail at its
                // first write.
                let transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
                commits.settle();
                let changes = Changes::new(Arc::clone(commits));
                Ok(WriteTransaction::new(Inner::Sqlite(transaction), Some(changes)))
            }
            Backend::Postgres { pool } => {
                let mut transaction = pool.begin().await?;
                sqlx::query(WRITE_LOCK).execute(&mut *transaction).await?;
                Ok(WriteTransaction::new(Inner::Postgres(transaction), None))
            }
        }
    }

    /// A mark of what is committed now; `None` while that cannot be told.
    ///
    /// What is read after taking it may be kept with it, and used as long as a later mark is equal. A program that changes a
    /// SQLite file behind our back is not noticed: keep nothing for long.
    pub async fn mark(&self) -> Result<Option<Mark>, sqlx::Error> {
        match &self.backend {
            Backend::Sqlite { commits, .. } => Ok(commits.mark()),
            Backend::Postgres { .. } => {
                let done: String =
                    crate::query("SELECT CAST(pg_current_snapshot() AS TEXT)").fetch_value(self).await?;
                Ok(Some(Mark(MarkKind::Server(done))))
            }
        }
    }

    /// Names tables whose changes make no new mark where that can be told apart: nothing of them is kept by a mark.
    pub fn keep_quiet(&self, tables: &[&'static str]) {
        if let Backend::Sqlite { commits, .. } = &self.backend {
            commits.set_quiet(tables);
        }
    }

    /// Closes all connections after their current statement.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite { readers, writer, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Backend::Postgres { pool } => pool.close().await,
        }
    }
}

async fn open_sqlite(path: &Path, options: SqliteConnectOptions) -> Result<Backend, sqlx::Error> {
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
        .await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        // A connection to a file does not go stale: asking it whether it lives costs as much as a small read.
        .test_before_acquire(false)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    Ok(Backend::Sqlite { readers, writer, commits: Commits::of(path) })
}

async fn open_postgres(url: &str, connections_max: u32) -> Result<Backend, sqlx::Error> {
    let timeout = BUSY_TIMEOUT.as_millis().to_string();
    let options: PgConnectOptions = url.parse()?;
    let options = options
        .application_name("lazaret")
        // A writer that waits too long for its turn is told so, as with SQLite.
        .options([("lock_timeout", timeout.as_str())]);
    let pool = PgPoolOptions::new()
        .max_connections(connections_max.max(2))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options)
        .await?;
    Ok(Backend::Postgres { pool })
}
