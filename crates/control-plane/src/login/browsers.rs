//! Sessions of browsers: a secret in a cookie, its hash in the tables.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use storage::{Row, WriteTransaction, from_micros, to_micros};

use super::LoginSettings;
use crate::users::{self, User};
use crate::{ControlPlane, StorageError};

const SECRET_BYTES: usize = 32;
/// Older ones of the same person end.
const SESSIONS_MAX: i64 = 50;
const BROWSER_CHARS_MAX: usize = 200;
/// The last use is noted so exactly: not every request writes.
const USE_NOTED_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// A browser that somebody is logged in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserSession {
    /// Its id, which opens nothing.
    pub id: String,
    /// What the browser calls itself.
    pub browser: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub used_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A secret for a cookie or a URL.
pub(super) fn new_secret() -> String {
    let mut bytes = [0; SECRET_BYTES];
    rand::fill(&mut bytes);
    BASE64URL_NOPAD.encode(&bytes)
}

fn hash(secret: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(secret.as_bytes()))
}

fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// Begins a session. Returns what the cookie holds.
pub(super) async fn begin(
    tx: &mut WriteTransaction,
    settings: &LoginSettings,
    user: i64,
    browser: &str,
    now: Timestamp,
) -> Result<String, StorageError> {
    let secret = new_secret();
    let browser: String =
        browser.chars().filter(|letter| !letter.is_control()).take(BROWSER_CHARS_MAX).collect();
    let end = now.saturating_add(signed(settings.session_time)).unwrap_or(Timestamp::MAX);
    storage::query("DELETE FROM plane_sessions WHERE expires_us <= $1 OR used_us <= $2")
        .bind(to_micros(now))
        .bind(to_micros(last_use(settings, now)))
        .execute(&mut *tx)
        .await
        .map_err(StorageError::at("delete ended sessions"))?;
    storage::query(
        "DELETE FROM plane_sessions WHERE user_id = $1 AND id NOT IN \
         (SELECT id FROM plane_sessions WHERE user_id = $1 ORDER BY created_us DESC, id LIMIT $2)",
    )
    .bind(user)
    .bind(SESSIONS_MAX - 1)
    .execute(&mut *tx)
    .await
    .map_err(StorageError::at("delete old sessions"))?;
    storage::query(
        "INSERT INTO plane_sessions (id, hash, user_id, browser, created_us, used_us, expires_us) \
         VALUES ($1, $2, $3, $4, $5, $5, $6)",
    )
    .bind(uuid::Uuid::new_v4().to_string())
    .bind(hash(&secret))
    .bind(user)
    .bind(browser)
    .bind(to_micros(now))
    .bind(to_micros(end))
    .execute(tx)
    .await
    .map_err(StorageError::at("store a session"))?;
    Ok(secret)
}

/// Ends all sessions of somebody.
pub(super) async fn end_all(tx: &mut WriteTransaction, user: i64) -> Result<(), StorageError> {
    storage::query("DELETE FROM plane_sessions WHERE user_id = $1")
        .bind(user)
        .execute(tx)
        .await
        .map_err(StorageError::at("end sessions"))?;
    Ok(())
}

/// Whoever used it at this time or before has been away too long.
fn last_use(settings: &LoginSettings, now: Timestamp) -> Timestamp {
    now.saturating_sub(signed(settings.idle_time)).unwrap_or(Timestamp::MIN)
}

impl ControlPlane {
    /// Whose session a cookie names; `None`: it has ended, or never was one.
    pub async fn find_session(&self, secret: &str) -> Result<Option<User>, StorageError> {
        let Some(login) = &self.login else { return Ok(None) };
        let now = self.now();
        let row = storage::query(
            "SELECT id, user_id, used_us FROM plane_sessions WHERE hash = $1 AND expires_us > $2 AND used_us > $3",
        )
        .bind(hash(secret))
        .bind(to_micros(now))
        .bind(to_micros(last_use(&login.settings, now)))
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("look for a session"))?;
        let Some(row) = row else { return Ok(None) };
        let failed = |error| StorageError::new("read a session", error);
        let (id, user): (String, i64) = (row.get("id").map_err(failed)?, row.get("user_id").map_err(failed)?);
        let used_at = from_micros(row.get("used_us").map_err(failed)?);
        if now.duration_since(used_at) >= USE_NOTED_EVERY {
            let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
            storage::query("UPDATE plane_sessions SET used_us = $1 WHERE id = $2")
                .bind(to_micros(now))
                .bind(id)
                .execute(&mut tx)
                .await
                .map_err(StorageError::at("note the use of a session"))?;
            tx.commit().await.map_err(StorageError::at("commit"))?;
        }
        users::find(&self.storage, user).await
    }

    /// The sessions of a user that count now, newest first.
    pub async fn list_sessions(&self, user: i64) -> Result<Vec<BrowserSession>, StorageError> {
        let Some(login) = &self.login else { return Ok(Vec::new()) };
        let now = self.now();
        let rows = storage::query(
            "SELECT id, browser, created_us, used_us, expires_us FROM plane_sessions \
             WHERE user_id = $1 AND expires_us > $2 AND used_us > $3 ORDER BY created_us DESC, id",
        )
        .bind(user)
        .bind(to_micros(now))
        .bind(to_micros(last_use(&login.settings, now)))
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list sessions"))?;
        rows.iter().map(read_session).collect()
    }

    /// Ends a session of a user. Returns whether there was one.
    pub async fn end_session(&self, user: i64, id: &str) -> Result<bool, StorageError> {
        let ended = storage::query("DELETE FROM plane_sessions WHERE user_id = $1 AND id = $2");
        self.delete_session(ended.bind(user).bind(id)).await
    }

    /// Ends the session of a cookie. Returns whether there was one.
    pub async fn log_out(&self, secret: &str) -> Result<bool, StorageError> {
        let ended = storage::query("DELETE FROM plane_sessions WHERE hash = $1");
        self.delete_session(ended.bind(hash(secret))).await
    }

    async fn delete_session(&self, query: storage::Query) -> Result<bool, StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let gone = query.execute(&mut tx).await.map_err(StorageError::at("end a session"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(gone > 0)
    }
}

fn read_session(row: &Row) -> Result<BrowserSession, StorageError> {
    let read = || -> Result<BrowserSession, Box<dyn std::error::Error + Send + Sync>> {
        Ok(BrowserSession {
            id: row.get("id")?,
            browser: row.get("browser")?,
            created_at: from_micros(row.get("created_us")?),
            used_at: from_micros(row.get("used_us")?),
            expires_at: from_micros(row.get("expires_us")?),
        })
    };
    read().map_err(StorageError::at("read a session"))
}
