//! The first user, his organization, and the file with his token.

use std::path::PathBuf;

use private_files::write_private;

use crate::organizations::Role;
use crate::tokens::NewToken;
use crate::users::NewUser;
use crate::{ControlPlane, StorageError, TokenError};

/// Name of the file in the data folder.
pub const TOKEN_FILE: &str = "admin.token";

/// What happened when the control plane was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstStart {
    /// Login of the first user.
    pub user: String,
    /// The file that his token was written to just now; `None`: he had been there.
    pub token_file: Option<PathBuf>,
}

/// Why the first user cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// The tables cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// His token cannot be made.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The file cannot be written.
    #[error("write the token of the first user to `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

pub(crate) async fn first_start(plane: &ControlPlane) -> Result<FirstStart, FirstStartError> {
    let login = plane.settings.first_user.clone();
    let mut tx = plane.storage.begin().await.map_err(StorageError::at("begin"))?;
    let (users,): (i64,) = storage::query("SELECT count(*) FROM plane_users")
        .fetch_one_as(&mut tx)
        .await
        .map_err(StorageError::at("count users"))?;
    if users > 0 {
        return Ok(FirstStart { user: login, token_file: None });
    }
    let now = plane.now();
    let user = crate::users::add(&mut tx, &NewUser::with_login(&login), now).await?;
    let organization = crate::organizations::add(&mut tx, &plane.settings.first_organization, now).await?;
    crate::organizations::set_role(&mut tx, organization.id, user.id, Role::Admin, now).await?;
    let new = NewToken { name: "first user".to_owned(), expires_at: None };
    let (_, token) = plane.token_keys.issue(&mut tx, &user, &new, now).await?;
    // Written before the commit: a user without a way in would be worse than a file without a user.
    let path = plane.settings.data_dir.join(TOKEN_FILE);
    write_private(&path, format!("{token}\n").as_bytes())
        .map_err(|source| FirstStartError::File { path: path.clone(), source })?;
    tx.commit().await.map_err(StorageError::at("commit"))?;
    Ok(FirstStart { user: login, token_file: Some(path) })
}
