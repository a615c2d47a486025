//! Users and their passwords.

use jiff::Timestamp;
use storage::{WriteTransaction, from_micros, to_micros};

use super::password::hash_password;
use super::{ADMIN, AccountError, SERVICE_ACCOUNT, USER_COLUMNS, User, find_account, find_user, to_user};
use crate::Engine;

impl Engine {
    /// The users of an account, oldest first.
    pub async fn list_users(&self, account: &str) -> Result<Vec<User>, AccountError> {
        if account == SERVICE_ACCOUNT || find_account(&self.storage, account).await?.is_none() {
            return Err(AccountError::NotFound);
        }
        let rows = storage::query_built(format!(
            "{USER_COLUMNS} WHERE u.account = $1 ORDER BY u.created_us, u.username"
        ))
        .bind(account)
        .fetch_all(&self.storage)
        .await
        .map_err(AccountError::at("list users"))?;
        rows.iter().map(|row| Ok(to_user(row).map_err(AccountError::at("list users"))?.0)).collect()
    }

    /// The user of this name, if he belongs to this account.
    pub async fn find_user(&self, account: &str, username: &str) -> Result<User, AccountError> {
        let found = find_user(&self.storage, username).await?;
        found
            .map(|(user, _)| user)
            .filter(|user| user.account.name == account)
            .ok_or(AccountError::UserNotFound)
    }

    /// Makes a user. The caller has checked that name and password are well formed.
    ///
    /// The account may be in any state: only logging in depends on that.
    pub async fn create_user(
        &self,
        account: &str,
        username: &str,
        password: &str,
    ) -> Result<User, AccountError> {
        if account == SERVICE_ACCOUNT || find_account(&self.storage, account).await?.is_none() {
            return Err(AccountError::NotFound);
        }
        if find_user(&self.storage, username).await?.is_some() || username == SERVICE_ACCOUNT {
            return Err(AccountError::UserExists);
        }
        // Hashing takes long: before the writer's turn.
        let hash = self.hash(password).await?;
        let now = to_micros(self.now());
        let mut tx = self.storage.begin().await.map_err(AccountError::at("begin"))?;
        if find_account(&mut tx, account).await?.is_none() {
            return Err(AccountError::NotFound);
        }
        let stored = storage::query(
            "INSERT INTO users (username, account, password_hash, password_us, created_us, updated_us) \
             VALUES ($1, $2, $3, $4, $4, $4) ON CONFLICT (username) DO NOTHING",
        )
        .bind(username)
        .bind(account)
        .bind(&hash)
        .bind(now)
        .execute(&mut tx)
        .await
        .map_err(AccountError::at("store a user"))?;
        if stored == 0 {
            return Err(AccountError::UserExists);
        }
        tx.commit().await.map_err(AccountError::at("commit"))?;
        self.find_user(account, username).await
    }

    /// Deletes a user; whatever he is doing, his next request is refused.
    pub async fn delete_user(&self, account: &str, username: &str, by: &str) -> Result<(), AccountError> {
        if [ADMIN, SERVICE_ACCOUNT].contains(&username) && username == account {
            return Err(AccountError::UserCannotBeDeleted);
        }
        let mut tx = self.storage.begin().await.map_err(AccountError::at("begin"))?;
        find_in(&mut tx, account, username).await?;
        if username == by {
            return Err(AccountError::DeletesHimself);
        }
        storage::query("DELETE FROM users WHERE username = $1")
            .bind(username)
            .execute(&mut tx)
            .await
            .map_err(AccountError::at("delete a user"))?;
        tx.commit().await.map_err(AccountError::at("commit"))
    }

    /// Gives a user a new password; the old one is wrong at once. Returns when that was.
    pub async fn set_password(
        &self,
        account: &str,
        username: &str,
        password: &str,
    ) -> Result<Timestamp, AccountError> {
        self.find_user(account, username).await?;
        let hash = self.hash(password).await?;
        let now = self.now();
        self.write_password(account, username, &hash, Some(now)).await?;
        Ok(from_micros(to_micros(now)))
    }

    /// Takes a user's password away, if he has one: he is still there, but cannot log in.
    pub async fn delete_password(&self, account: &str, username: &str, by: &str) -> Result<(), AccountError> {
        self.find_user(account, username).await?;
        if username == by {
            return Err(AccountError::DeletesOwnCredential);
        }
        self.write_password(account, username, "", None).await
    }

    async fn write_password(
        &self,
        account: &str,
        username: &str,
        hash: &str,
        set: Option<Timestamp>,
    ) -> Result<(), AccountError> {
        let mut tx = self.storage.begin().await.map_err(AccountError::at("begin"))?;
        find_in(&mut tx, account, username).await?;
        storage::query(
            "UPDATE users SET password_hash = $2, password_us = $3, updated_us = $4 WHERE username = $1",
        )
        .bind(username)
        .bind(hash)
        .bind(set.map(to_micros))
        .bind(to_micros(self.now()))
        .execute(&mut tx)
        .await
        .map_err(AccountError::at("store a password"))?;
        tx.commit().await.map_err(AccountError::at("commit"))
    }

    async fn hash(&self, password: &str) -> Result<String, AccountError> {
        let password = password.to_owned();
        let hashed = tokio::task::spawn_blocking(move || hash_password(&password)).await;
        hashed.map_err(AccountError::at("hash a password"))?.map_err(AccountError::Password)
    }
}

async fn find_in(tx: &mut WriteTransaction, account: &str, username: &str) -> Result<User, AccountError> {
    let found = find_user(&mut *tx, username).await?;
    found.map(|(user, _)| user).filter(|user| user.account.name == account).ok_or(AccountError::UserNotFound)
}
