//! What a command starts from: the configuration, whom it speaks to, and how it may speak to the person.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use pipeline_client::{
    Call, CallRecord, Client, ConfigFile, ConnectionSettings, Endpoint, Observer, Token, Trust, wire,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::arguments::{ClientFlags, Format};
use super::ask;
use crate::config;
use crate::name::program_name;
use crate::terminal;

/// Where `lazaret serve` listens when nothing else is said.
pub(super) const LOCAL_ENDPOINT: &str = "http://127.0.0.1:9090/pipeline";
const CERTIFICATES_BYTES_MAX: u64 = 4 << 20;

/// What a command starts from.
pub(super) struct Session {
    pub(super) config: ConfigFile,
    pub(super) format: Format,
    pub(super) is_interactive: bool,
    is_verbose: bool,
    organization: Option<String>,
}

impl Session {
    /// Reads the configuration. No connection is made yet.
    pub(super) fn open(flags: ClientFlags) -> anyhow::Result<Self> {
        let ClientFlags { config, output, organization, no_interactive, interactive, verbose, .. } = flags;
        let config = ConfigFile::load(&config_path(config)?)
            .context("failed to open the configuration of the client")?;
        let format = match output {
            Some(format) => format,
            None => match config.text("output.format").as_deref() {
                Some("json") => Format::Json,
                Some("yaml") => Format::Yaml,
                _ => Format::Default,
            },
        };
        let is_at_terminal = terminal::is_dialogue();
        let never = no_interactive || (config.flag("formatting.no-interactive") && !interactive);
        Ok(Self {
            format,
            is_interactive: (interactive || is_at_terminal) && !never,
            is_verbose: verbose || config.flag("output.verbose"),
            organization,
            config,
        })
    }

    /// A client of the server that one is logged in to.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let name = program_name();
        let token = self.config.text("pipeline.token").as_deref().and_then(Token::parse);
        let (Some(endpoint), Some(token)) = (self.config.text("pipeline.basepath"), token) else {
            bail!(
                "you are not logged in: run `{name} login` first (looked into `{}`)",
                self.config.path().display()
            );
        };
        let endpoint = parse_endpoint(&endpoint)?;
        let trust = self.trust(&endpoint)?;
        self.connect(endpoint, trust, Some(token))
    }

    /// A client of any server.
    pub(super) fn connect(
        &self,
        endpoint: Endpoint,
        trust: Trust,
        token: Option<Token>,
    ) -> anyhow::Result<Client> {
        let client = Client::new(ConnectionSettings::new(endpoint, trust, token))
            .context("failed to start the client")?;
        Ok(client.with_observer(self.is_verbose.then(observer)))
    }

    /// Whom the configuration says to believe.
    pub(super) fn trust(&self, endpoint: &Endpoint) -> anyhow::Result<Trust> {
        if let Some(fingerprint) = self.config.text("pipeline.tls-fingerprint") {
            let fingerprint = fingerprint.parse().map_err(anyhow::Error::msg)?;
            return Ok(Trust::Pinned(fingerprint));
        }
        if endpoint.is_encrypted() && self.config.flag("pipeline.tls-skip-verify") {
            bail!(
                "the configuration says to believe any certificate, which would give your token to anybody: \
                 run `{} login --skip-verify` to pin the one of the server",
                program_name()
            );
        }
        self.authorities()
    }

    /// The certificate authorities that the configuration names, or those of the machine.
    pub(super) fn authorities(&self) -> anyhow::Result<Trust> {
        if let Some(pem) = self.config.text("pipeline.tls-ca-cert") {
            return Ok(Trust::Authorities(pem));
        }
        match self.config.text("pipeline.tls-ca-file") {
            Some(path) => {
                Ok(Trust::Authorities(config::load_text(Path::new(&path), CERTIFICATES_BYTES_MAX)?))
            }
            None => Ok(Trust::System),
        }
    }

    /// The organization that the command is about: of the flag, else of a cluster shell, else the selected one, else the
    /// only one.
    pub(super) async fn organization(&self, client: &Client) -> anyhow::Result<i64> {
        if let Some(choice) = &self.organization {
            return match choice.parse() {
                Ok(id) => Ok(id),
                Err(_) => Ok(find_organization(&list_organizations(client).await?, choice)?.id),
            };
        }
        if let Some(id) = number_variable("BANZAI_CURRENT_ORG_ID")?.or(self.config.number("organization.id"))
        {
            return Ok(id);
        }
        Ok(self.choose_organization(&list_organizations(client).await?)?.id)
    }

    /// The only organization, or the one that the person says.
    pub(super) fn choose_organization(
        &self,
        organizations: &[wire::Organization],
    ) -> anyhow::Result<wire::Organization> {
        match organizations {
            [] => bail!("you are in no organization: ask an administrator of one to let you in"),
            [only] => Ok(only.clone()),
            several if self.is_interactive => {
                let names: Vec<String> =
                    several.iter().map(|organization| organization.name.clone()).collect();
                let index = ask::select("Organization:", &names, 0)?;
                several.get(index).cloned().context("no organization was chosen")
            }
            several => bail!(
                "you are in several organizations ({}): select one with `{} organization select NAME`, or give --organization",
                names(several),
                program_name()
            ),
        }
    }

    /// Whether `--organization` was given.
    pub(super) fn organization_choice(&self) -> Option<&str> {
        self.organization.as_deref()
    }

    /// Answers the question and reads the answer, both as the server sent it and in a type.
    pub(super) async fn fetch<T: DeserializeOwned>(
        &self,
        client: &Client,
        call: &Call<'_>,
        action: &str,
    ) -> anyhow::Result<(Value, T)> {
        let answer = client.send(call).await.with_context(|| format!("failed to {action}"))?;
        let typed = T::deserialize(&answer.body).with_context(|| {
            format!("failed to {action}: the answer of the server is not what it should be")
        })?;
        Ok((answer.body, typed))
    }
}

/// The file that is meant: of the flag, of the variable, the older client's where there is one, else ours.
fn config_path(flag: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    if let Some(path) = flag.or_else(|| config::variable("BANZAICONFIG").map(PathBuf::from)) {
        return Ok(path);
    }
    let home = config::variable("HOME").map(PathBuf::from);
    let home = home.context("there is no home folder with a configuration in it: give --config FILE")?;
    let old = home.join(".banzai/config.yaml");
    let folder = config::variable("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
    let own = folder.join("lazaret/client.yaml");
    let is_old = old.exists() || (program_name() == "banzai" && !own.exists());
    Ok(if is_old { old } else { own })
}

pub(super) fn parse_endpoint(text: &str) -> anyhow::Result<Endpoint> {
    text.parse::<Endpoint>().map_err(anyhow::Error::from)
}

/// A number in the environment; zero and nothing are none.
pub(super) fn number_variable(name: &str) -> anyhow::Result<Option<i64>> {
    let Some(text) = config::variable(name) else { return Ok(None) };
    let number =
        text.trim().parse::<i64>().with_context(|| format!("{name} is `{text}`, which is no number"))?;
    Ok(Some(number).filter(|number| *number != 0))
}

pub(super) async fn list_organizations(client: &Client) -> anyhow::Result<Vec<wire::Organization>> {
    client.get(&["api", "v1", "orgs"]).await.context("failed to list organizations")
}

/// The organization of this name or number.
pub(super) fn find_organization<'a>(
    organizations: &'a [wire::Organization],
    choice: &str,
) -> anyhow::Result<&'a wire::Organization> {
    let is_it = |organization: &&wire::Organization| {
        organization.name == choice || choice.parse() == Ok(organization.id)
    };
    organizations.iter().find(is_it).with_context(|| {
        format!(
            "organization \"{choice}\" doesn't exist, or you are not in it: yours are {}",
            names(organizations)
        )
    })
}

fn names(organizations: &[wire::Organization]) -> String {
    organizations.iter().map(|organization| organization.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn observer() -> Observer {
    Arc::new(|record: &CallRecord<'_>| {
        let status = record.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let CallRecord { method, url, duration, .. } = record;
        terminal::error_line(&format!("{method} {url} -> {status}, {} ms", duration.as_millis()));
    })
}
