//! Keys that are made once and kept sealed, and the one by which this installation is told from others.

use std::fmt;

use aws_lc_rs::hmac;
use storage::{Database, Sealer};

use crate::StorageError;
use crate::storage_error::chain;

const TABLE: &str = "plane_keys";
const INSTALLATION: &str = "installation";
const ID_CHARS: usize = 16;

/// What becomes of a key that was sealed with a key that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It is an error: others hold what was made with it.
    Told,
    /// Another one takes its place.
    Replaced,
}

/// The text of the key of this name; made where there is none.
pub(crate) async fn kept_text(
    database: &Database,
    sealer: &Sealer,
    name: &str,
    lost: Lost,
) -> Result<String, StorageError> {
    let mut tx = database.begin().await.map_err(StorageError::at("begin"))?;
    let sealed: Option<(Vec<u8>,)> = storage::query("SELECT sealed FROM plane_keys WHERE name = $1")
        .bind(name)
        .fetch_optional_as(&mut tx)
        .await
        .map_err(StorageError::at("read a kept key"))?;
    let opened = match &sealed {
        None => None,
        Some((sealed,)) => match (sealer.open(TABLE, name, sealed), lost) {
            (Ok(opened), _) => Some((opened, sealer.is_current(sealed))),
            (Err(error), Lost::Told) => return Err(StorageError::at("open a kept key")(error)),
            (Err(error), Lost::Replaced) => {
                tracing::warn!(key = name, error = chain(&error), "a kept key is lost and made anew");
                None
            }
        },
    };
    let (text, is_current) = match opened {
        Some((opened, is_current)) => {
            let text = String::from_utf8(opened).map_err(StorageError::at("read a kept key"))?;
            (text, is_current)
        }
        None => {
            let mut bytes = [0_u8; 32];
            rand::fill(&mut bytes);
            (data_encoding::HEXLOWER.encode(&bytes), false)
        }
    };
    if !is_current {
        let sealed = sealer.seal(TABLE, name, text.as_bytes());
        storage::query(
            "INSERT INTO plane_keys (name, sealed) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
        )
        .bind(name)
        .bind(sealed.map_err(StorageError::at("seal a kept key"))?)
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("keep a key"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
    }
    Ok(text)
}

/// What tells this installation from others: an id that everybody may read, and a key that nobody else has. Marks made with the
/// key tell secrets apart without giving anything away that can be tried out.
pub(crate) struct Installation {
    id: String,
    key: hmac::Key,
}

impl Installation {
    /// The one that is kept; made where there is none.
    pub(crate) async fn kept(database: &Database, sealer: &Sealer) -> Result<Self, StorageError> {
        let text = kept_text(database, sealer, INSTALLATION, Lost::Replaced).await?;
        let mut tx = database.begin().await.map_err(StorageError::at("begin"))?;
        let mut id = uuid::Uuid::new_v4().simple().to_string();
        id.truncate(ID_CHARS);
        storage::query(
            "INSERT INTO plane_installation (one, id) VALUES (1, $1) ON CONFLICT (one) DO NOTHING",
        )
        .bind(id)
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("name the installation"))?;
        let id: String = storage::query("SELECT id FROM plane_installation")
            .fetch_value(&mut tx)
            .await
            .map_err(StorageError::at("read the name of the installation"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(Self::new(id, &text))
    }

    fn new(id: String, text: &str) -> Self {
        Self { id, key: hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()) }
    }

    /// By which objects in clusters say whose they are; the same for ever, and no secret.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Another one for another text, or for another purpose.
    pub(crate) fn mark(&self, purpose: &str, text: &str) -> String {
        let mark = hmac::sign(&self.key, format!("{purpose}\0{text}").as_bytes());
        data_encoding::HEXLOWER.encode(mark.as_ref())
    }
}

impl fmt::Debug for Installation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Installation").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Installation;

    #[test]
    fn marks_depend_on_the_key_the_purpose_and_the_text() {
        let with_key = |key: &str| Installation::new("one".to_owned(), key);
        let (one, other) = (with_key("one"), with_key("other"));
        assert_eq!(one.mark("password", "secret"), with_key("one").mark("password", "secret"));
        for different in [
            one.mark("password", "secret2"),
            one.mark("passwords", "ecret"),
            other.mark("password", "secret"),
        ] {
            assert_ne!(one.mark("password", "secret"), different);
        }
        assert!(!format!("{one:?}").contains("key"));
    }
}
