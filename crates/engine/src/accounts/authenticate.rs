//! Who somebody is.
//!
//! A password is checked against its argon2 hash, which costs tens of milliseconds and 19 MiB by design. A check that
//! succeeded is remembered for a minute under a keyed hash of the password *and* of the stored hash, so a changed
//! password is wrong at once, in this and in every other process.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::password::{PASSWORD_BYTES_MAX, generate_password, hash_password, verify_password};
use super::{HashPasswordError, User};
use crate::StorageError;

const REMEMBERED_FOR: Duration = Duration::from_secs(60);
const REMEMBERED_MAX: u64 = 10_000;
/// Checks that run at the same time: each takes 19 MiB and a core.
const CHECKS_MAX: usize = 2;
/// How long a check may wait for its turn before the caller is told to come back.
const CHECK_WAIT: Duration = Duration::from_secs(10);

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

    /// The user that was found under this name, with the hash of his password, if the password is his.
    pub(crate) async fn authenticate(
        &self,
        found: Option<(User, String)>,
        username: &str,
        password: &str,
    ) -> Result<User, AuthenticateError> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(AuthenticateError::Wrong);
        }
        let found = found.filter(|(_, hash)| !hash.is_empty());
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
