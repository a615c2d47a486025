//! A typed client of the Pipeline API: connections with pinned certificates, the wire, and the file in which a user's
//! endpoint, token and choices are kept.
//!
//! It knows no command and no terminal, so everything in it is tested without one. It follows no redirect, reads no answer
//! without a limit, waits for none without a deadline, and shows no token.

mod browser_login;
mod config_file;
mod error;
mod settings;
mod tls;
mod token;
mod transport;
pub mod wire;

pub use browser_login::{BrowserLogin, BrowserLoginError, LoginProvider, ProviderTokens};
pub use config_file::{ConfigFile, ConfigFileError};
pub use error::CallError;
pub use settings::{BuildClientError, ConnectionSettings, Endpoint, EndpointError, Trust};
pub use tls::Fingerprint;
pub use token::{Token, TokenClaims};
pub use transport::{Answer, Call, CallRecord, Client, Observer};
