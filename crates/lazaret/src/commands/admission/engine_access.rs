//! How the engine is reached, out of flags and the environment; the names of the original webhook are known too.

use std::path::PathBuf;

use admission::engine_source::EngineClientSource;
use anyhow::{Context as _, bail};
use engine_client::{Client, ClientSettings};

use super::arguments::EngineArguments;
use crate::config;

const PASSWORD_BYTES_MAX: u64 = 4096;

/// An engine elsewhere.
pub(super) struct EngineAddress {
    pub(super) url: String,
    pub(super) user: String,
    pub(super) certificate_authority: Option<PathBuf>,
    pub(super) is_insecure: bool,
}

/// The engine that the arguments name; `None` asks for one in this process.
pub(super) fn find_address(arguments: &EngineArguments) -> Option<EngineAddress> {
    let url = arguments.engine_url.clone().or_else(|| config::variable("ANCHORE_ENGINE_URL"))?;
    let user = arguments
        .engine_user
        .clone()
        .or_else(|| config::variable("ANCHORE_ENGINE_USERNAME"))
        .unwrap_or_else(|| "admin".to_owned());
    let is_insecure = arguments.engine_insecure.unwrap_or_else(|| {
        config::variable("ANCHORE_ENGINE_INSECURE").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    });
    Some(EngineAddress { url, user, certificate_authority: arguments.engine_ca.clone(), is_insecure })
}

/// The engine's password.
///
/// Errors: it is neither in a file nor in the environment.
pub(super) fn load_password(arguments: &EngineArguments) -> anyhow::Result<String> {
    if let Some(path) = &arguments.engine_password_file {
        let text =
            config::load_text(path, PASSWORD_BYTES_MAX).context("failed to read the engine's password")?;
        return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    match ["LAZARET_ENGINE_PASSWORD", "ANCHORE_ENGINE_PASSWORD"].into_iter().find_map(config::variable) {
        Some(password) => Ok(password),
        None => {
            bail!(
                "the engine's password is missing: set LAZARET_ENGINE_PASSWORD or give --engine-password-file"
            )
        }
    }
}

/// Verdicts from the engine at this address.
///
/// Errors: the address is none, or the certificate authority cannot be read.
pub(super) fn client_source(address: &EngineAddress, password: &str) -> anyhow::Result<EngineClientSource> {
    let EngineAddress { url, user, certificate_authority, is_insecure } = address;
    let settings = ClientSettings {
        ca_certificates: certificate_authority.clone(),
        is_insecure: *is_insecure,
        ..ClientSettings::new(url.as_str(), user.as_str(), password)
    };
    Ok(EngineClientSource::new(Client::new(&settings)?, config::now))
}
