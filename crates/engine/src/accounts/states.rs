//! Accounts: made, listed, enabled, disabled, marked for deletion.

use storage::{WriteTransaction, to_micros};

use super::{ACCOUNT_COLUMNS, ADMIN, Account, AccountError, AccountState, SERVICE_ACCOUNT, SYSTEM};
use super::{find_account, to_account};
use crate::policies::install_policies_of_new_account;
use crate::{Engine, StorageError};

impl Engine {
    /// The account of this name.
    pub async fn find_account(&self, name: &str) -> Result<Option<Account>, StorageError> {
        find_account(&self.storage, name).await
    }

    /// All accounts, or those in one state, oldest first; without the one of the services.
    pub async fn list_accounts(&self, state: Option<AccountState>) -> Result<Vec<Account>, StorageError> {
        let rows = storage::query_built(format!(
            "{ACCOUNT_COLUMNS} WHERE name <> $1 AND ($2 = '' OR state = $2) ORDER BY created_us, name"
        ))
        .bind(SERVICE_ACCOUNT)
        .bind(state.map_or("", AccountState::name))
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list accounts"))?;
        let accounts: Result<Vec<Account>, sqlx::Error> = rows.iter().map(to_account).collect();
        accounts.map_err(StorageError::at("list accounts"))
    }

    /// Makes an account with the policies that every account begins with. The caller has checked that the name is well formed.
    pub async fn create_account(&self, name: &str, email: Option<&str>) -> Result<Account, AccountError> {
        if [ADMIN, SERVICE_ACCOUNT, SYSTEM].contains(&name) {
            return Err(AccountError::ReservedName(name.to_owned()));
        }
        let now = self.now();
        let mut tx = self.storage.begin().await.map_err(AccountError::at("begin"))?;
        if find_account(&mut tx, name).await?.is_some() {
            return Err(AccountError::AlreadyExists);
        }
        storage::query(
            "INSERT INTO accounts (name, type, state, email, created_us, updated_us) \
             VALUES ($1, 'user', 'enabled', $2, $3, $3)",
        )
        .bind(name)
        .bind(email)
        .bind(to_micros(now))
        .execute(&mut tx)
        .await
        .map_err(AccountError::at("store an account"))?;
        install_policies_of_new_account(&mut tx, name, now).await.map_err(AccountError::Policies)?;
        tx.commit().await.map_err(AccountError::at("commit"))?;
        let made = find_account(&self.storage, name).await?;
        made.ok_or(AccountError::NotFound)
    }

    /// Enables or disables an account; the state it is in already is fine.
    pub async fn set_account_state(&self, name: &str, state: AccountState) -> Result<(), AccountError> {
        let mut tx = self.storage.begin().await.map_err(AccountError::at("begin"))?;
        let account = find_account(&mut tx, name).await?.ok_or(AccountError::NotFound)?;
        if account.is_privileged() && state != AccountState::Enabled {
            return Err(AccountError::CannotDisable);
        }
        if account.state == AccountState::Deleting {
            return Err(AccountError::StateChange { from: account.state, to: state });
        }
        if account.state != state {
            self.write_state(&mut tx, name, state).await?;
        }
        tx.commit().await.map_err(AccountError::at("commit"))
    }

    /// Marks a disabled account for deletion. Its users are gone at once, the rest with the next turn of the duty.
    pub async fn delete_account(&self, name: &str) -> Result<(), AccountError> {
        let mut tx = self.storage.begin().await.map_err(AccountError::at("begin"))?;
        let account = find_account(&mut tx, name).await?.ok_or(AccountError::NotFound)?;
        if account.is_privileged() {
            return Err(AccountError::CannotBeDeleted);
        }
        if account.state != AccountState::Disabled {
            return Err(AccountError::StateChange { from: account.state, to: AccountState::Deleting });
        }
        self.write_state(&mut tx, name, AccountState::Deleting).await?;
        super::deletion::delete_users(&mut tx, name).await?;
        tx.commit().await.map_err(AccountError::at("commit"))
    }

    async fn write_state(
        &self,
        tx: &mut WriteTransaction,
        name: &str,
        state: AccountState,
    ) -> Result<(), AccountError> {
        storage::query("UPDATE accounts SET state = $2, updated_us = $3 WHERE name = $1")
            .bind(name)
            .bind(state.name())
            .bind(to_micros(self.now()))
            .execute(tx)
            .await
            .map_err(AccountError::at("store the state of an account"))?;
        Ok(())
    }
}
