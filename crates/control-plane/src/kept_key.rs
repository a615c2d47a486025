//! Keys that are made once and kept sealed, and the one by which this installation is told from others.

use std::fmt;

use aws_lc_rs::hmac;
use storage::{Database, Sealer};

use crate::StorageError;

const TABLE: &str = "plane_keys";
const INSTALLATION: &str = "installation";
const ID_CHARS: usize = 16;

/// The text of the key of this name; made where there is none.
pub(crate) async fn kept_text(
    database: &Database,
    sealer: &Sealer,
    name: &str,
) -> Result<String, StorageError> {
    let mut tx = database.begin().await.map_err(StorageError::at("begin"))?;
    let sealed: Option<(Vec<u8>,)> = storage::query("SELECT sealed FROM plane_keys WHERE name = $1")
        .bind(name)
        .fetch_optional_as(&mut tx)
        .await
        .map_err(StorageError::at("read a kept key"))?;
    let (text, is_current) = match &sealed {
        Some((sealed,)) => {
            let opened = sealer.open(TABLE, name, sealed);
            let opened = opened.map_err(StorageError::at("open a kept key"))?;
            let text = String::from_utf8(opened).map_err(StorageError::at("read a kept key"))?;
            (text, sealer.is_current(sealed))
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

/// What only this installation knows. Marks made with it tell secrets apart without giving anything away that can be tried out.
pub(crate) struct InstallationKey(hmac::Key);

impl InstallationKey {
    /// The one that is kept; made where there is none.
    pub(crate) async fn kept(database: &Database, sealer: &Sealer) -> Result<Self, StorageError> {
        let text = kept_text(database, sealer, INSTALLATION).await?;
        Ok(Self::new(&text))
    }

    fn new(text: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))
    }

    /// By which objects in clusters say whose they are; the same for ever, and no secret.
    pub(crate) fn installation_id(&self) -> String {
        let mut id = self.mark("installation", "");
        id.truncate(ID_CHARS);
        id
    }

    /// Another one for another text, or for another purpose.
    pub(crate) fn mark(&self, purpose: &str, text: &str) -> String {
        let mark = hmac::sign(&self.0, format!("{purpose}\0{text}").as_bytes());
        data_encoding::HEXLOWER.encode(mark.as_ref())
    }
}

impl fmt::Debug for InstallationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InstallationKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::InstallationKey;

    #[test]
    fn marks_depend_on_the_installation_the_purpose_and_the_text() {
        let (one, other) = (InstallationKey::new("one"), InstallationKey::new("other"));
        assert_eq!(one.mark("password", "secret"), InstallationKey::new("one").mark("password", "secret"));
        for different in [
            one.mark("password", "secret2"),
            one.mark("passwords", "ecret"),
            other.mark("password", "secret"),
        ] {
            assert_ne!(one.mark("password", "secret"), different);
        }
        assert_eq!(one.installation_id().len(), 16);
        assert_ne!(one.installation_id(), other.installation_id());
    }
}
