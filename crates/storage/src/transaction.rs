//! A transaction that may write: one at a time in a database, whichever kind it is.

use sqlx::{Postgres, Sqlite, Transaction};

use crate::mark::Changes;
use crate::query::Target;

/// A transaction that may write; dropped without `commit`, it never happened.
///
/// Only one is open in a database at a time, over all its processes: what is read in it stays true until it ends.
#[derive(Debug)]
pub struct WriteTransaction {
    pub(crate) inner: Inner,
    /// Where commits are counted.
    changes: Option<Changes>,
}

#[derive(Debug)]
pub(crate) enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl WriteTransaction {
    pub(crate) fn new(inner: Inner, changes: Option<Changes>) -> Self {
        Self { inner, changes }
    }

    /// Makes it so. What was committed survives the loss of power.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        let open = self.changes.and_then(Changes::begin_commit);
        let committed = match self.inner {
            Inner::Sqlite(transaction) => transaction.commit().await,
            Inner::Postgres(transaction) => transaction.commit().await,
        };
        if let Some(open) = open {
            open.end();
        }
        committed
    }

    /// Undoes it, and waits until that is done.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        match self.inner {
            Inner::Sqlite(transaction) => transaction.rollback().await,
            Inner::Postgres(transaction) => transaction.rollback().await,
        }
    }

    pub(crate) fn target(&mut self, sql: &str) -> Target<'_> {
        if let Some(changes) = &mut self.changes {
            changes.note(sql);
        }
        match &mut self.inner {
            Inner::Sqlite(transaction) => Target::SqliteConnection(transaction),
            Inner::Postgres(transaction) => Target::PostgresConnection(transaction),
        }
    }
}
