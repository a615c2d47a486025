//! One SQL text and one set of Rust types for both kinds of database.
//!
//! ```text
//! let rows = storage::query("SELECT name, size FROM things WHERE owner = $1 AND size > $2")
//!     .bind(owner)
//!     .bind(100_i64)
//!     .fetch_all(&database) // or `&mut *tx`
//!     .await?;
//! let name: String = rows[0].get("name")?;
//! ```
//!
//! Columns are `BIGINT` (numbers, times in microseconds, flags as 0 and 1), `TEXT` and `BLOB`/`BYTEA`; placeholders are
//! `$1`, `$2`, … What the SQL may not use, because the two differ: `max` and `min` of two values, `GLOB`, `INSERT OR`,
//! JSON functions, bare column names on the right side of `DO UPDATE SET`, `sum` without a cast to `BIGINT`, and `LIKE`
//! on text in mixed case.

use std::borrow::Cow;

use sqlx::postgres::{PgArguments, PgConnection, PgPool, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr as _, SqlStr, Sqlite};

use crate::row::{FromColumn, FromRow, Row};
use crate::{Database, WriteTransaction};

/// A statement written in the source.
pub fn query(sql: &'static str) -> Query {
    Query { sql: Cow::Borrowed(sql), values: Vec::new() }
}

/// A statement put together from parts of the source. What a user says is bound, never part of it.
pub fn query_built(sql: String) -> Query {
    Query { sql: Cow::Owned(sql), values: Vec::new() }
}

/// Placeholders of several values, as they stand in `IN ($2, $3)`: so many from a number on.
pub fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|place| format!("${place}")).collect();
    places.join(", ")
}

/// A statement with its values.
#[derive(Debug, Clone)]
#[must_use = "a statement does nothing until it is run"]
pub struct Query {
    sql: Cow<'static, str>,
    values: Vec<Value>,
}

/// A value in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number, a time or a flag.
    Integer(Option<i64>),
    /// A text.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}

macro_rules! values {
    ($($from:ty => $variant:ident($convert:expr),)*) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(Some(($convert)(value)))
            }
        }
        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Self {
                Self::$variant(value.map($convert))
            }
        }
    )*};
}

values! {
    i64 => Integer(|value| value),
    i32 => Integer(i64::from),
    u32 => Integer(i64::from),
    bool => Integer(i64::from),
    &str => Text(str::to_owned),
    String => Text(|value| value),
    &String => Text(String::clone),
    Vec<u8> => Bytes(|value| value),
    &[u8] => Bytes(<[u8]>::to_vec),
}

impl From<&Option<String>> for Value {
    fn from(value: &Option<String>) -> Self {
        Self::Text(value.clone())
    }
}

/// What a statement runs on: a [`Database`] for reading, a [`WriteTransaction`] for writing and for reading in it.
pub trait Executor<'c>: sealed::Sealed {
    #[doc(hidden)]
    fn target(self, sql: &str) -> Target<'c>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for &crate::Database {}
    impl Sealed for &mut crate::WriteTransaction {}
}

#[doc(hidden)]
#[derive(Debug)]
pub enum Target<'c> {
    SqlitePool(&'c SqlitePool),
    SqliteConnection(&'c mut SqliteConnection),
    PostgresPool(&'c PgPool),
    PostgresConnection(&'c mut PgConnection),
}

impl<'c> Executor<'c> for &'c Database {
    fn target(self, _sql: &str) -> Target<'c> {
        self.reading_target()
    }
}

impl<'c> Executor<'c> for &'c mut WriteTransaction {
    fn target(self, sql: &str) -> Target<'c> {
        self.target(sql)
    }
}

type SqliteQuery = sqlx::query::Query<'static, Sqlite, SqliteArguments>;
type PostgresQuery = sqlx::query::Query<'static, Postgres, PgArguments>;

impl Query {
    /// Gives the next placeholder its value.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Runs the statement. Returns how many rows it changed.
    pub async fn execute<'c>(self, on: impl Executor<'c>) -> Result<u64, sqlx::Error> {
        Ok(match on.target(&self.sql) {
            Target::SqlitePool(pool) => self.sqlite().execute(pool).await?.rows_affected(),
            Target::SqliteConnection(connection) => self.sqlite().execute(connection).await?.rows_affected(),
            Target::PostgresPool(pool) => self.postgres().execute(pool).await?.rows_affected(),
            Target::PostgresConnection(connection) => {
                self.postgres().execute(connection).await?.rows_affected()
            }
        })
    }

    /// All rows.
    pub async fn fetch_all<'c>(self, on: impl Executor<'c>) -> Result<Vec<Row>, sqlx::Error> {
        let sqlite = |rows: Vec<SqliteRow>| rows.into_iter().map(Row::from).collect();
        let postgres = |rows: Vec<PgRow>| rows.into_iter().map(Row::from).collect();
        match on.target(&self.sql) {
            Target::SqlitePool(pool) => self.sqlite().fetch_all(pool).await.map(sqlite),
            Target::SqliteConnection(connection) => self.sqlite().fetch_all(connection).await.map(sqlite),
            Target::PostgresPool(pool) => self.postgres().fetch_all(pool).await.map(postgres),
            Target::PostgresConnection(connection) => {
                self.postgres().fetch_all(connection).await.map(postgres)
            }
        }
    }

    /// The first row, if there is one.
    pub async fn fetch_optional<'c>(self, on: impl Executor<'c>) -> Result<Option<Row>, sqlx::Error> {
        Ok(match on.target(&self.sql) {
            Target::SqlitePool(pool) => self.sqlite().fetch_optional(pool).await?.map(Row::from),
            Target::SqliteConnection(connection) => {
                self.sqlite().fetch_optional(connection).await?.map(Row::from)
            }
            Target::PostgresPool(pool) => self.postgres().fetch_optional(pool).await?.map(Row::from),
            Target::PostgresConnection(connection) => {
                self.postgres().fetch_optional(connection).await?.map(Row::from)
            }
        })
    }

    /// The first row; none is an error.
    pub async fn fetch_one<'c>(self, on: impl Executor<'c>) -> Result<Row, sqlx::Error> {
        self.fetch_optional(on).await?.ok_or(sqlx::Error::RowNotFound)
    }

    /// All rows as tuples.
    pub async fn fetch_all_as<'c, T: FromRow>(self, on: impl Executor<'c>) -> Result<Vec<T>, sqlx::Error> {
        self.fetch_all(on).await?.iter().map(T::from_row).collect()
    }

    /// The first row as a tuple, if there is one.
    pub async fn fetch_optional_as<'c, T: FromRow>(
        self,
        on: impl Executor<'c>,
    ) -> Result<Option<T>, sqlx::Error> {
        self.fetch_optional(on).await?.as_ref().map(T::from_row).transpose()
    }

    /// The first row as a tuple; none is an error.
    pub async fn fetch_one_as<'c, T: FromRow>(self, on: impl Executor<'c>) -> Result<T, sqlx::Error> {
        T::from_row(&self.fetch_one(on).await?)
    }

    /// The first column of the first row; no row is an error.
    pub async fn fetch_value<'c, T: FromColumn>(self, on: impl Executor<'c>) -> Result<T, sqlx::Error> {
        self.fetch_one(on).await?.get_at(0)
    }

    /// The first column of the first row, if there is one.
    pub async fn fetch_optional_value<'c, T: FromColumn>(
        self,
        on: impl Executor<'c>,
    ) -> Result<Option<T>, sqlx::Error> {
        self.fetch_optional(on).await?.map(|row| row.get_at(0)).transpose()
    }

    fn sql(sql: Cow<'static, str>) -> (SqlStr, bool) {
        match sql {
            Cow::Borrowed(text) => (text.into_sql_str(), true),
            // Built from parts of the source; the values are bound.
            Cow::Owned(text) => (AssertSqlSafe(text).into_sql_str(), false),
        }
    }

    fn sqlite(self) -> SqliteQuery {
        let (sql, is_kept) = Self::sql(self.sql);
        let query = sqlx::query::<Sqlite>(sql).persistent(is_kept);
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Integer(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    }

    fn postgres(self) -> PostgresQuery {
        let (sql, is_kept) = Self::sql(self.sql);
        let query = sqlx::query::<Postgres>(sql).persistent(is_kept);
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Integer(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    }
}
