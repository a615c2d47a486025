//! Rows of either kind of database, read into the same Rust types.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, ColumnIndex, Row as _, TypeInfo as _, ValueRef as _};

use crate::Value;

/// One row of a result.
#[derive(Debug)]
pub struct Row(Inner);

#[derive(Debug)]
enum Inner {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self(Inner::Sqlite(row))
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self(Inner::Postgres(row))
    }
}

impl Row {
    /// The column of this name.
    ///
    /// Errors: there is no such column, or it holds another type.
    pub fn get<T: FromColumn>(&self, column: &str) -> Result<T, sqlx::Error> {
        match &self.0 {
            Inner::Sqlite(row) => T::from_sqlite(row, column),
            Inner::Postgres(row) => T::from_postgres(row, column),
        }
    }

    /// The column at this position, counted from 0.
    pub fn get_at<T: FromColumn>(&self, position: usize) -> Result<T, sqlx::Error> {
        match &self.0 {
            Inner::Sqlite(row) => T::from_sqlite(row, position),
            Inner::Postgres(row) => T::from_postgres(row, position),
        }
    }

    /// Every column that holds something, with its name: what a copy of the row needs, whichever kind of database it goes to.
    ///
    /// Errors: a column of a type that this project does not use.
    pub fn named_values(&self) -> Result<Vec<(String, Value)>, sqlx::Error> {
        let named = match &self.0 {
            Inner::Sqlite(row) => row
                .columns()
                .iter()
                .map(|column| {
                    // SQLite tells the type of the value, not of the column.
                    let raw = row.try_get_raw(column.ordinal())?;
                    let kind = raw.type_info().name().to_owned();
                    Ok((column.name().to_owned(), self.value_at(column.ordinal(), &kind)?))
                })
                .collect::<Result<Vec<_>, sqlx::Error>>()?,
            Inner::Postgres(row) => row
                .columns()
                .iter()
                .map(|column| {
                    let kind = column.type_info().name();
                    Ok((column.name().to_owned(), self.value_at(column.ordinal(), kind)?))
                })
                .collect::<Result<Vec<_>, sqlx::Error>>()?,
        };
        Ok(named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }

    fn value_at(&self, position: usize, kind: &str) -> Result<Option<Value>, sqlx::Error> {
        Ok(match kind {
            "NULL" => None,
            "INTEGER" | "INT8" => self.get_at::<Option<i64>>(position)?.map(Value::from),
            "TEXT" => self.get_at::<Option<String>>(position)?.map(Value::from),
            "BLOB" | "BYTEA" => self.get_at::<Option<Vec<u8>>>(position)?.map(Value::from),
            other => return Err(sqlx::Error::Decode(format!("a column has the type {other}").into())),
        })
    }
}

/// A Rust type that a column is read into.
pub trait FromColumn: Sized {
    #[doc(hidden)]
    fn from_sqlite(row: &SqliteRow, at: impl ColumnIndex<SqliteRow>) -> Result<Self, sqlx::Error>;
    #[doc(hidden)]
    fn from_postgres(row: &PgRow, at: impl ColumnIndex<PgRow>) -> Result<Self, sqlx::Error>;
}

macro_rules! columns {
    ($($type:ty),*) => {$(
        impl FromColumn for $type {
            fn from_sqlite(row: &SqliteRow, at: impl ColumnIndex<SqliteRow>) -> Result<Self, sqlx::Error> {
                row.try_get(at)
            }
            fn from_postgres(row: &PgRow, at: impl ColumnIndex<PgRow>) -> Result<Self, sqlx::Error> {
                row.try_get(at)
            }
        }
    )*};
}

columns!(i64, String, Vec<u8>, Option<i64>, Option<String>, Option<Vec<u8>>);

/// A flag: a column of 0 and 1, or the result of a comparison, which PostgreSQL has a type of its own for.
impl FromColumn for bool {
    fn from_sqlite(row: &SqliteRow, at: impl ColumnIndex<SqliteRow>) -> Result<Self, sqlx::Error> {
        row.try_get::<i64, _>(at).map(|value| value != 0)
    }

    fn from_postgres(row: &PgRow, at: impl ColumnIndex<PgRow>) -> Result<Self, sqlx::Error> {
        let position = at.index(row)?;
        if row.column(position).type_info().name() == "BOOL" {
            row.try_get(position)
        } else {
            row.try_get::<i64, _>(position).map(|value| value != 0)
        }
    }
}

/// A Rust type that a whole row is read into, column by column.
pub trait FromRow: Sized {
    /// Errors: the row has fewer columns, or other types.
    fn from_row(row: &Row) -> Result<Self, sqlx::Error>;
}

macro_rules! tuples {
    ($(($($name:ident $position:tt),+)),+) => {$(
        impl<$($name: FromColumn),+> FromRow for ($($name,)+) {
            fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
                Ok(($(row.get_at::<$name>($position)?,)+))
            }
        }
    )+};
}

tuples!(
    (A 0),
    (A 0, B 1),
    (A 0, B 1, C 2),
    (A 0, B 1, C 2, D 3),
    (A 0, B 1, C 2, D 3, E 4),
    (A 0, B 1, C 2, D 3, E 4, F 5),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6),
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
);
