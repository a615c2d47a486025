//! What every installation begins with: the administrator, and the account of the services.

use jiff::Timestamp;
use storage::{Database, to_micros};

use super::password::{generate_password, hash_password};
use super::{ADMIN, HashPasswordError, SERVICE_ACCOUNT, find_account, find_user};
use crate::StorageError;

/// Why the administrator could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The tables cannot be read or written.
    #[error("store the account `{ADMIN}`")]
    Storage(#[source] StorageError),
    /// The password cannot be hashed.
    #[error("prepare the password of `{ADMIN}`")]
    Password(#[source] HashPasswordError),
}

/// Makes account and user `admin` if they are missing, with the given password or one that is made up.
///
/// A user that is there keeps his password: a variable that is left set must not undo a change of it.
///
/// Returns the made-up password, and whether the account is new.
pub(crate) async fn bootstrap(
    database: &Database,
    given: Option<&str>,
    now: Timestamp,
) -> Result<(Option<String>, bool), BootstrapError> {
    let storage = |action| move |source| BootstrapError::Storage(StorageError::new(action, source));
    store_service_account(database, now).await.map_err(BootstrapError::Storage)?;
    let existing = find_user(database, ADMIN).await.map_err(BootstrapError::Storage)?;
    if existing.is_some() {
        return Ok((None, false));
    }
    let (password, generated) = match given {
        Some(given) => (given.to_owned(), None),
        None => {
            let password = generate_password();
            (password.clone(), Some(password))
        }
    };
    let hash = hash_password(&password).map_err(BootstrapError::Password)?;
    let mut tx = database.begin().await.map_err(storage("begin"))?;
    storage::query(
        "INSERT INTO accounts (name, type, state, email, created_us, updated_us) \
         VALUES ($1, 'admin', 'enabled', NULL, $2, $2) ON CONFLICT (name) DO NOTHING",
    )
    .bind(ADMIN)
    .bind(to_micros(now))
    .execute(&mut tx)
    .await
    .map_err(storage("store an account"))?;
    storage::query(
        "INSERT INTO users (username, account, password_hash, password_us, created_us, updated_us) \
         VALUES ($1, $1, $2, $3, $3, $3) ON CONFLICT (username) DO NOTHING",
    )
    .bind(ADMIN)
    .bind(&hash)
    .bind(to_micros(now))
    .execute(&mut tx)
    .await
    .map_err(storage("store a user"))?;
    tx.commit().await.map_err(storage("commit"))?;
    Ok((generated, existing.is_none()))
}

async fn store_service_account(database: &Database, now: Timestamp) -> Result<(), StorageError> {
    if find_account(database, SERVICE_ACCOUNT).await?.is_some() {
        return Ok(());
    }
    let mut tx = database.begin().await.map_err(StorageError::at("begin"))?;
    storage::query(
        "INSERT INTO accounts (name, type, state, email, created_us, updated_us) \
         VALUES ($1, 'service', 'enabled', NULL, $2, $2) ON CONFLICT (name) DO NOTHING",
    )
    .bind(SERVICE_ACCOUNT)
    .bind(to_micros(now))
    .execute(&mut tx)
    .await
    .map_err(StorageError::at("store an account"))?;
    tx.commit().await.map_err(StorageError::at("commit"))
}
