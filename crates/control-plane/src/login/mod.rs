//! People log in with an OpenID Connect provider: the way there and back, what an id token must be, who is let in, and the
//! sessions of browsers.
//!
//! The provider says who somebody is; issuer and subject are his name here, never his e-mail address, which others can get.

mod browsers;
mod error;
mod flow;
mod id_token;
mod people;
mod provider;
mod redirect;
mod settings;

pub use browsers::BrowserSession;
pub use error::LoginError;
pub use flow::{BegunLogin, FinishedLogin, LoginAnswer};
pub use id_token::IdTokenError;
pub(crate) use provider::Provider;
pub use provider::ProviderError;
pub use settings::{Grant, LoginSettings};

use std::sync::Arc;

use storage::Sealer;

/// What logins need: the provider, and the keys that seal what a browser carries while somebody is at the provider.
pub(crate) struct Login {
    pub(crate) settings: LoginSettings,
    pub(crate) provider: Provider,
    sealer: Arc<Sealer>,
}

impl Login {
    pub(crate) fn new(settings: &LoginSettings, sealer: Arc<Sealer>) -> Result<Self, ProviderError> {
        Ok(Self { provider: Provider::new(settings)?, settings: settings.clone(), sealer })
    }
}
