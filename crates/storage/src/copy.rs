//! Whole databases, read and written value by value: what a copy needs that goes into either kind.

use futures_util::TryStreamExt as _;
use sqlx::migrate::Migrate;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::query::Target;
use crate::transaction::Inner;
use crate::{
    Location, MigrateError, Migrations, OpenError, Row, Value, WriteTransaction, query, query_built,
};

/// Names in SQL that was built; they come from a file, so nothing else is let in.
const NAME_LETTERS: &str = "abcdefghijklmnopqrstuvwxyz0123456789_";
/// Values in one statement; SQLite takes 32 766.
const VALUES_MAX: usize = 8_000;

/// A table and its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableForm {
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<String>,
}

/// The values of one row, in the order of the columns.
pub type Values = Vec<Option<Value>>;

/// A database as it is at one moment, or one that is made anew; all in one transaction on a connection of its own.
///
/// Neither creates tables by itself nor brings them up to date.
#[derive(Debug)]
pub struct Copy(WriteTransaction);

impl Copy {
    /// Begins to read; what others write from now on is not seen. A file must exist.
    pub async fn read(location: &Location) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Connect { location: location.clone(), source };
        let transaction = match location {
            Location::File(path) => {
                let options = SqliteConnectOptions::new().filename(path).foreign_keys(true);
                let pool = SqlitePoolOptions::new()
                    .max_connections(1)
                    .connect_with(options)
                    .await
                    .map_err(failed)?;
                Inner::Sqlite(pool.begin().await.map_err(failed)?)
            }
            Location::Postgres(settings) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Inner::Postgres(postgres(&settings.url, begin).await.map_err(failed)?)
            }
        };
        let mut copy = Self(WriteTransaction::new(transaction, None));
        // The moment is that of the first read.
        copy.tables().await.map_err(failed)?;
        Ok(copy)
    }

    /// Begins to write. A file is created if it is not there.
    pub async fn write(location: &Location) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Connect { location: location.clone(), source };
        let transaction = match location {
            Location::File(path) => {
                let options =
                    SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(true);
                let pool = SqlitePoolOptions::new()
                    .max_connections(1)
                    .connect_with(options)
                    .await
                    .map_err(failed)?;
                Inner::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?)
            }
            Location::Postgres(settings) => {
                Inner::Postgres(postgres(&settings.url, "BEGIN").await.map_err(failed)?)
            }
        };
        Ok(Self(WriteTransaction::new(transaction, None)))
    }

    /// Makes everything that was written so.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.0.commit().await
    }

    fn is_sqlite(&self) -> bool {
        matches!(self.0.inner, Inner::Sqlite(_))
    }

    /// Whose tables there are, and up to which migration, by owner.
    pub async fn versions(&mut self) -> Result<Vec<(String, i64)>, sqlx::Error> {
        let mut versions = Vec::new();
        for name in self.table_names().await? {
            let owner = name.strip_prefix('_').and_then(|name| name.strip_suffix("_migrations"));
            let Some(owner) = owner.filter(|_| is_name(&name)) else { continue };
            let sql = format!("SELECT max(version) FROM {name} WHERE success = true");
            let version: Option<i64> = query_built(sql).fetch_value(&mut self.0).await?;
            versions.extend(version.map(|version| (owner.to_owned(), version)));
        }
        Ok(versions)
    }

    /// All tables but those of migrations, each behind those that it refers to.
    pub async fn tables(&mut self) -> Result<Vec<TableForm>, sqlx::Error> {
        let mut waiting = Vec::new();
        for name in self.table_names().await? {
            if name.starts_with('_') || !is_name(&name) {
                continue;
            }
            let columns = self.columns(&name).await?;
            let mut parents = self.parents(&name).await?;
            parents.retain(|parent| *parent != name);
            waiting.push((TableForm { name, columns }, parents));
        }
        let mut ordered: Vec<TableForm> = Vec::new();
        while !waiting.is_empty() {
            let is_ready = |(_, parents): &(TableForm, Vec<String>)| {
                parents.iter().all(|parent| ordered.iter().any(|table| table.name == *parent))
            };
            // A circle of references would have no order; take any, and the database will say what is wrong.
            let position = waiting.iter().position(is_ready).unwrap_or(0);
            ordered.push(waiting.remove(position).0);
        }
        Ok(ordered)
    }

    /// Hands over every row of a table.
    pub async fn each_row<E: From<sqlx::Error>>(
        &mut self,
        table: &TableForm,
        mut take: impl FnMut(Values) -> Result<(), E>,
    ) -> Result<(), E> {
        if !is_name(&table.name) {
            return Err(sqlx::Error::Protocol(format!("`{}` is no name of a table", table.name)).into());
        }
        let sql = sqlx::AssertSqlSafe(format!("SELECT * FROM {}", table.name));
        let mut hand_over = |row: Row| {
            let mut named: std::collections::BTreeMap<_, _> = row.named_values()?.into_iter().collect();
            take(table.columns.iter().map(|column| named.remove(column)).collect())
        };
        // One after the other: a table may be larger than the memory.
        match self.0.target("") {
            Target::SqliteConnection(connection) => {
                let mut rows = sqlx::query::<sqlx::Sqlite>(sql).fetch(connection);
                while let Some(row) = rows.try_next().await? {
                    hand_over(Row::from(row))?;
                }
            }
            Target::PostgresConnection(connection) => {
                let mut rows = sqlx::query::<sqlx::Postgres>(sql).fetch(connection);
                while let Some(row) = rows.try_next().await? {
                    hand_over(Row::from(row))?;
                }
            }
            Target::SqlitePool(_) | Target::PostgresPool(_) => {}
        }
        Ok(())
    }

    /// Whether one of these tables has a row.
    pub async fn has_rows(&mut self, tables: &[TableForm]) -> Result<bool, sqlx::Error> {
        for table in tables.iter().filter(|table| is_name(&table.name)) {
            let sql = format!("SELECT 1 FROM {} LIMIT 1", table.name);
            if query_built(sql).fetch_optional(&mut self.0).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes tables with all their rows, and the lists of these owners' migrations.
    pub async fn drop_tables(&mut self, tables: &[TableForm], owners: &[&str]) -> Result<(), sqlx::Error> {
        let lists = owners.iter().map(|owner| format!("_{owner}_migrations"));
        let names = tables.iter().rev().map(|table| table.name.clone()).chain(lists);
        for name in names.filter(|name| is_name(name)) {
            query_built(format!("DROP TABLE IF EXISTS {name}")).execute(&mut self.0).await?;
        }
        Ok(())
    }

    /// Runs one owner's migrations, up to a version or all.
    pub async fn migrate(&mut self, migrations: Migrations, to: Option<i64>) -> Result<(), MigrateError> {
        let Migrations { owner, mut sqlite, mut postgres } = migrations;
        let table = format!("_{owner}_migrations");
        let ran = match self.0.target("") {
            Target::SqliteConnection(connection) => {
                sqlite.dangerous_set_table_name(table);
                run(&mut sqlite, connection, to).await
            }
            Target::PostgresConnection(connection) => {
                postgres.dangerous_set_table_name(table);
                run(&mut postgres, connection, to).await
            }
            Target::SqlitePool(_) | Target::PostgresPool(_) => Ok(()),
        };
        ran.map_err(|source| MigrateError::new(owner, source))
    }

    /// Removes what migrations have put into these tables.
    pub async fn delete_rows(&mut self, tables: &[TableForm]) -> Result<(), sqlx::Error> {
        for table in tables.iter().rev().filter(|table| is_name(&table.name)) {
            query_built(format!("DELETE FROM {}", table.name)).execute(&mut self.0).await?;
        }
        Ok(())
    }

    /// Adds rows to a table, ids included.
    pub async fn insert(&mut self, table: &TableForm, rows: Vec<Values>) -> Result<(), sqlx::Error> {
        if !is_name(&table.name)
            || table.columns.is_empty()
            || !table.columns.iter().all(|name| is_name(name))
        {
            return Err(sqlx::Error::Protocol(format!("`{}` has names that no table has", table.name)));
        }
        let overriding = if self.is_sqlite() { "" } else { "OVERRIDING SYSTEM VALUE " };
        for some in rows.chunks((VALUES_MAX / table.columns.len()).max(1)) {
            let mut sql =
                format!("INSERT INTO {} ({}) {overriding}VALUES ", table.name, table.columns.join(", "));
            let mut bound = Vec::new();
            for (number, row) in some.iter().enumerate() {
                sql.push_str(if number == 0 { "(" } else { ", (" });
                for (column, value) in row.iter().enumerate() {
                    sql.push_str(if column == 0 { "" } else { ", " });
                    match value {
                        // Bound, it would need the type of its column.
                        None => sql.push_str("NULL"),
                        Some(value) => {
                            bound.push(value.clone());
                            sql.push_str(&format!("${}", bound.len()));
                        }
                    }
                }
                sql.push(')');
            }
            let statement =
                bound.into_iter().fold(query_built(sql), |statement, value| statement.bind(value));
            statement.execute(&mut self.0).await?;
        }
        Ok(())
    }

    /// Lets new ids begin behind those that were inserted; SQLite does so by itself.
    pub async fn continue_ids(&mut self, tables: &[TableForm]) -> Result<(), sqlx::Error> {
        if self.is_sqlite() {
            return Ok(());
        }
        for table in tables.iter().filter(|table| is_name(&table.name)) {
            let columns: Vec<(String,)> = query(
                "SELECT CAST(column_name AS TEXT) FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = $1 AND is_identity = 'YES'",
            )
            .bind(&table.name)
            .fetch_all_as(&mut self.0)
            .await?;
            for (column,) in columns.into_iter().filter(|(column,)| is_name(column)) {
                let name = &table.name;
                query_built(format!(
                    "SELECT setval(pg_get_serial_sequence('{name}', '{column}'), (SELECT max({column}) FROM {name})) \
                     FROM {name} LIMIT 1"
                ))
                .execute(&mut self.0)
                .await?;
            }
        }
        Ok(())
    }

    async fn table_names(&mut self) -> Result<Vec<String>, sqlx::Error> {
        let statement = if self.is_sqlite() {
            query(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
            )
        } else {
            query(
                "SELECT CAST(table_name AS TEXT) FROM information_schema.tables \
                 WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY table_name",
            )
        };
        let names: Vec<(String,)> = statement.fetch_all_as(&mut self.0).await?;
        Ok(names.into_iter().map(|(name,)| name).collect())
    }

    async fn columns(&mut self, table: &str) -> Result<Vec<String>, sqlx::Error> {
        let statement = if self.is_sqlite() {
            query("SELECT name FROM pragma_table_info($1) ORDER BY cid")
        } else {
            query(
                "SELECT CAST(column_name AS TEXT) FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position",
            )
        };
        let names: Vec<(String,)> = statement.bind(table).fetch_all_as(&mut self.0).await?;
        Ok(names.into_iter().map(|(name,)| name).collect())
    }

    async fn parents(&mut self, table: &str) -> Result<Vec<String>, sqlx::Error> {
        let statement = if self.is_sqlite() {
            query("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)")
        } else {
            query(
                "SELECT DISTINCT CAST(parent.relname AS TEXT) FROM pg_constraint \
                 JOIN pg_class child ON child.oid = conrelid JOIN pg_class parent ON parent.oid = confrelid \
                 WHERE contype = 'f' AND child.relname = $1 \
                   AND child.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())",
            )
        };
        let names: Vec<(String,)> = statement.bind(table).fetch_all_as(&mut self.0).await?;
        Ok(names.into_iter().map(|(name,)| name).collect())
    }
}

async fn postgres(
    url: &str,
    begin: &'static str,
) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options.application_name("lazaret copy"))
        .await?;
    pool.begin_with(begin).await
}

async fn run<C: Migrate>(
    migrator: &mut sqlx::migrate::Migrator,
    connection: &mut C,
    to: Option<i64>,
) -> Result<(), sqlx::migrate::MigrateError> {
    // The transaction around it is alone already.
    migrator.set_locking(false);
    migrator.run_direct(to, connection, false).await
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() < 64 && name.chars().all(|letter| NAME_LETTERS.contains(letter))
}
