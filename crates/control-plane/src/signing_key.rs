//! The key that signs tokens: given, or made once and kept sealed.

use std::fmt;

use storage::{Database, Sealer};

use crate::StorageError;
use crate::kept_key::{Lost, kept_text};

/// Shortest key that signs tokens.
pub const SIGNING_KEY_CHARS_MIN: usize = 32;
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
        let text = kept_text(database, sealer, NAME, Lost::Told).await?;
        Self::new(text).map_err(StorageError::at("use the kept key of tokens"))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey(…)")
    }
}
