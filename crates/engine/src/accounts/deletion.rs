//! Removing accounts that were marked for deletion, with everything that belongs to them.

use std::sync::Arc;

use storage::{Database, WriteTransaction, to_micros};

use crate::{Engine, StorageError};

/// Every table whose rows belong to an account, in the order in which they go: what refers to others first.
///
/// A test compares this with the tables that there are: a new table with a column `account` needs a line here.
pub(crate) const TABLES_OF_ACCOUNTS: &[&str] = &[
    "users",
    "watch_results",
    "image_tags",
    "images",
    "image_imports",
    "evaluations",
    "archived_images",
    "archive_rules",
    "exceptions",
    "exception_revisions",
    "policies",
    "subscriptions",
    "repository_tag_failures",
    "notifications",
    "registries",
    "events",
];

/// One turn: removes the accounts that have been in the state `deleting` for a whole interval, so that clients see it.
///
/// Each table is a transaction of its own, so that others can write in between. A turn that was cut off is done again: the
/// record of the account goes last.
pub(crate) async fn delete_accounts(engine: &Arc<Engine>) -> Result<(), StorageError> {
    let marked = engine.now().checked_sub(engine.settings.intervals.account_deletion).unwrap_or_default();
    let names: Vec<(String,)> = storage::query(
        "SELECT name FROM accounts WHERE state = 'deleting' AND updated_us <= $1 ORDER BY updated_us",
    )
    .bind(to_micros(marked))
    .fetch_all_as(&engine.storage)
    .await
    .map_err(StorageError::at("look for accounts to delete"))?;
    for (name,) in names {
        for table in TABLES_OF_ACCOUNTS {
            delete_rows(&engine.storage, table, "account", &name).await?;
        }
        // What was added meanwhile would be left behind: once more, and the record, in one transaction.
        let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
        for table in TABLES_OF_ACCOUNTS {
            delete_in(&mut tx, table, "account", &name).await?;
        }
        delete_in(&mut tx, "accounts", "name", &name).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        tracing::info!(account.name = name, "account deleted");
    }
    Ok(())
}

/// The users go with the mark already.
pub(super) async fn delete_users(tx: &mut WriteTransaction, account: &str) -> Result<(), StorageError> {
    delete_in(tx, "users", "account", account).await
}

async fn delete_rows(
    database: &Database,
    table: &str,
    column: &str,
    account: &str,
) -> Result<(), StorageError> {
    let mut tx = database.begin().await.map_err(StorageError::at("begin"))?;
    delete_in(&mut tx, table, column, account).await?;
    tx.commit().await.map_err(StorageError::at("commit"))
}

async fn delete_in(
    tx: &mut WriteTransaction,
    table: &str,
    column: &str,
    account: &str,
) -> Result<(), StorageError> {
    storage::query_built(format!("DELETE FROM {table} WHERE {column} = $1"))
        .bind(account)
        .execute(tx)
        .await
        .map_err(StorageError::at("delete what belongs to an account"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[tokio::test]
    async fn every_table_of_accounts_is_in_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let location = storage::Location::File(folder.path().join("engine.db"));
        let database = Database::open(&location).await.unwrap();
        let migrations = storage::Migrations {
            owner: "engine",
            sqlite: sqlx::migrate!("./migrations/sqlite"),
            postgres: sqlx::migrate!("./migrations/postgres"),
        };
        database.migrate(migrations).await.unwrap();
        let rows: Vec<(String,)> = storage::query(
            "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name = 'account' \
             WHERE m.type = 'table'",
        )
        .fetch_all_as(&database)
        .await
        .unwrap();
        let found: BTreeSet<&str> = rows.iter().map(|(name,)| name.as_str()).collect();
        assert_eq!(found, TABLES_OF_ACCOUNTS.iter().copied().collect(), "see TABLES_OF_ACCOUNTS");
    }
}
