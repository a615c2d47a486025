//! Accounts, users and who somebody is.
//!
//! A password is checked against its argon2 hash, which costs tens of milliseconds and 19 MiB by design. A check that
//! succeeded is remembered for a minute under a keyed hash of the password *and* of the stored hash, so a changed
//! password is wrong at once, in this and in every other process.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use jiff::Timestamp;
use rand::RngExt;
use sha2::{Digest as _, Sha256};
use storage::{Database, from_micros, to_micros};
use tokio::sync::Semaphore;

use crate::StorageError;

/// The administrator, and the account he belongs to.
pub const ADMIN: &str = "admin";

const PASSWORD_LENGTH: usize = 20;
/// Without characters that look like others: it is read from a screen.
const PASSWORD_ALPHABET: &[u8] = b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// A longer password is refused before it is hashed: hashing is what costs.
const PASSWORD_BYTES_MAX: usize = 1024;
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
const REMEMBERED_MAX: u64 = 10_000;
/// Checks that run at the same time: each takes 19 MiB and a core.
const CHECKS_MAX: usize = 2;
/// How long a check may wait for its turn before the caller is told to come back.
const CHECK_WAIT: Duration = Duration::from_secs(10);

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// `admin`, `user` or `service`.
    pub kind: String,
    /// `enabled`, `disabled` or `deleting`.
    pub state: String,
    /// Whom to write to.
    pub email: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
}

/// Somebody who has proved who he is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The login.
    pub username: String,
    /// The account the login belongs to.
    pub account: Account,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
}

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// No such user, or another password.
    #[error("user or password is wrong")]
    Wrong,
    /// Too many checks are waiting.
    #[error("too many passwords are being checked")]
    Busy,
    /// The users cannot be read.
    #[error("read the user")]
    Storage(#[source] StorageError),
}

/// Checks who somebody is.
#[derive(Debug)]
pub(crate) struct Authenticator {
    remembered: moka::sync::Cache<[u8; 32], ()>,
    key: [u8; 32],
    checks: Arc<Semaphore>,
    /// A hash of no known password, so that unknown users cost as much time as known ones.
    decoy: String,
}

impl Authenticator {
    pub(crate) fn new() -> Result<Self, HashPasswordError> {
        let mut key = [0; 32];
        rand::fill(&mut key);
        Ok(Self {
            remembered: moka::sync::Cache::builder()
                .max_capacity(REMEMBERED_MAX)
                .time_to_live(REMEMBERED_FOR)
                .build(),
            key,
            checks: Arc::new(Semaphore::new(CHECKS_MAX)),
            decoy: hash_password(&generate_password())?,
        })
    }

    /// The user of this name, if the password is his.
    pub(crate) async fn authenticate(
        &self,
        database: &Database,
        username: &str,
        password: &str,
    ) -> Result<User, AuthenticateError> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(AuthenticateError::Wrong);
        }
        let found = find_user(database, username).await.map_err(AuthenticateError::Storage)?;
        let hash = found.as_ref().map_or(&self.decoy, |(_, hash)| hash).clone();
        let mark = self.mark(username, password, &hash);
        let is_right = self.remembered.contains_key(&mark) || self.check(password.to_owned(), hash).await?;
        match found {
            Some((user, _)) if is_right => {
                self.remembered.insert(mark, ());
                Ok(user)
            }
            _ => Err(AuthenticateError::Wrong),
        }
    }

    async fn check(&self, password: String, hash: String) -> Result<bool, AuthenticateError> {
        let permit = tokio::time::timeout(CHECK_WAIT, self.checks.clone().acquire_owned())
            .await
            .map_err(|_| AuthenticateError::Busy)?
            .map_err(|_| AuthenticateError::Busy)?;
        let checked = tokio::task::spawn_blocking(move || {
            let is_right = verify_password(&password, &hash);
            drop(permit);
            is_right
        });
        checked.await.map_err(|_| AuthenticateError::Busy)
    }

    /// Every part is preceded by its length, so no two different triples make the same bytes.
    fn mark(&self, username: &str, password: &str, hash: &str) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.key);
        for part in [username, password, hash] {
            hasher.update(part.len().to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize().into()
    }
}

/// A password could not be hashed: out of memory or of random bytes.
#[derive(Debug, thiserror::Error)]
#[error("hash a password: {0}")]
pub struct HashPasswordError(String);

/// Argon2id with 19 MiB, two passes, one lane, as the OWASP advises; the salt is random.
pub(crate) fn hash_password(password: &str) -> Result<String, HashPasswordError> {
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| HashPasswordError(error.to_string()))?;
    Ok(hash.to_string())
}

pub(crate) fn verify_password(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|parsed| Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
}

/// 20 characters of 56: more than 115 bits.
pub(crate) fn generate_password() -> String {
    let mut random = rand::rng();
    (0..PASSWORD_LENGTH)
        .map(|_| char::from(PASSWORD_ALPHABET[random.random_range(0..PASSWORD_ALPHABET.len())]))
        .collect()
}

/// The account of this name.
pub(crate) async fn find_account(database: &Database, name: &str) -> Result<Option<Account>, StorageError> {
    let row: Option<(String, String, String, Option<String>, i64, i64)> = storage::query(
        "SELECT name, type, state, email, created_us, updated_us FROM accounts WHERE name = $1",
    )
    .bind(name)
    .fetch_optional_as(database)
    .await
    .map_err(StorageError::at("read an account"))?;
    Ok(row.map(|(name, kind, state, email, created, updated)| Account {
        name,
        kind,
        state,
        email,
        created_at: from_micros(created),
        updated_at: from_micros(updated),
    }))
}

async fn find_user(database: &Database, username: &str) -> Result<Option<(User, String)>, StorageError> {
    let row: Option<(String, String, String, i64, i64)> = storage::query(
        "SELECT username, account, password_hash, created_us, updated_us FROM users WHERE username = $1",
    )
    .bind(username)
    .fetch_optional_as(database)
    .await
    .map_err(StorageError::at("read a user"))?;
    let Some((username, account, hash, created, updated)) = row else { return Ok(None) };
    let Some(account) = find_account(database, &account).await? else { return Ok(None) };
    let user = User { username, account, created_at: from_micros(created), updated_at: from_micros(updated) };
    Ok(Some((user, hash)))
}

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
        "INSERT INTO users (username, account, password_hash, created_us, updated_us) VALUES ($1, $1, $2, $3, $3) \
         ON CONFLICT (username) DO NOTHING",
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
