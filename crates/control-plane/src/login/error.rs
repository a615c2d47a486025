//! Why somebody is not logged in.

use super::{IdTokenError, ProviderError};
use crate::{StorageError, TokenError};

/// Why somebody is not logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// There is no provider.
    #[error(
        "nobody logs in by browser here: whoever runs this installation sets `login.issuer`; until then, use a token"
    )]
    Off,
    /// The place to go to afterwards is not ours.
    #[error("`redirect` must be a path of this server, as `/`; there is no login for other places")]
    Redirect,
    /// The browser carries no login that was begun here, or another one, or an old one.
    #[error(
        "this login was not begun in this browser, or more than ten minutes ago: begin again at `/auth/oidc/login`"
    )]
    NotBegun,
    /// What came back is no answer of the provider.
    #[error("the answer of the provider has {0}: begin again at `/auth/oidc/login`")]
    BadAnswer(&'static str),
    /// The provider says no.
    #[error("the provider refuses the login: {0}")]
    Refused(String),
    /// The provider cannot be asked.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The id token does not count.
    #[error("the id token does not count: {0}")]
    IdToken(#[from] IdTokenError),
    /// He is who he says, and may not come in.
    #[error("{0}")]
    NotAllowed(String),
    /// What the browser carries cannot be sealed.
    #[error("seal a login")]
    Seal(#[source] storage::KeyFileError),
    /// His token cannot be made.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The tables cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
