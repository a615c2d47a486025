//! The key that signs tokens: given, or made once and kept sealed.

use std::fmt;

use storage::{Database, Sealer};

use crate::StorageError;

/// Shortest key that signs tokens.
pub const SIGNING_KEY_CHARS_MIN: usize = 32;
const TABLE: &str = "plane_keys";
const NAME: &str = "tokens";

/// A text that signs tokens; its `Debug` form hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(String);

/// The text is too short to sign with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key that signs tokens has {0} characters; it needs {SIGNING_KEY_CHARS_MIN}")]
pub struct ShortSigningKey(usize);

impl SigningKey {
    /// Takes a text of at least [`SIGNING_KEY_CHARS_MIN`] characters.
    pub fn new(text: impl Into<String>) -> Result<Self, ShortSigningKey> {
        let text = text.into();
        match text.chars().count() {
            SIGNING_KEY_CHARS_MIN.. => Ok(Self(text)),
            count => Err(ShortSigningKey(count)),
        }
    }

    /// What the signature is made with: the text in base32. Clients' tokens were always signed so.
    pub(crate) fn secret(&self) -> String {
        data_encoding::BASE32.encode(self.0.as_bytes())
    }

    /// The one that is kept; made where there is none.
    pub(crate) async fn kept(database: &Database, sealer: &Sealer) -> Result<Self, StorageError> {
        let mut tx = database.begin().await.map_err(StorageError::at("begin"))?;
        let sealed: Option<(Vec<u8>,)> = storage::query("SELECT sealed FROM plane_keys WHERE name = $1")
            .bind(NAME)
            .fetch_optional_as(&mut tx)
            .await
            .map_err(StorageError::at("read the key of tokens"))?;
        let (text, is_current) = match &sealed {
            Some((sealed,)) => {
                let opened = sealer.open(TABLE, NAME, sealed);
                let opened = opened.map_err(StorageError::at("open the key of tokens"))?;
                let text = String::from_utf8(opened).map_err(StorageError::at("read the key of tokens"))?;
                (text, sealer.is_current(sealed))
            }
            None => {
                let mut bytes = [0_u8; 32];
                rand::fill(&mut bytes);
                (data_encoding::HEXLOWER.encode(&bytes), false)
            }
        };
        if !is_current {
            let sealed = sealer.seal(TABLE, NAME, text.as_bytes());
            storage::query(
                "INSERT INTO plane_keys (name, sealed) VALUES ($1, $2) \
                 ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
            )
            .bind(NAME)
            .bind(sealed.map_err(StorageError::at("seal the key of tokens"))?)
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("keep the key of tokens"))?;
            tx.commit().await.map_err(StorageError::at("commit"))?;
        }
        Self::new(text).map_err(StorageError::at("use the kept key of tokens"))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey(…)")
    }
}
