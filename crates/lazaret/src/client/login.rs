//! `login`: which server, whom to believe that it is the server, who one is, and in which organization.

use std::path::Path;

use anyhow::{Context as _, bail};
use pipeline_client::{Call, CallError, Client, Endpoint, Fingerprint, Token, Trust, wire};
use serde_json::json;

use super::arguments::LoginArguments;
use super::session::{LOCAL_ENDPOINT, Session, find_organization, list_organizations, parse_endpoint};
use super::{ask, document, login_browser};
use crate::config;
use crate::exit::Exit;
use crate::name::program_name;
use crate::terminal;

const TOKEN_FILE_BYTES_MAX: u64 = 64 << 10;

/// Checks everything, then writes it down.
pub(super) async fn run(mut session: Session, arguments: LoginArguments) -> anyhow::Result<Exit> {
    let endpoint = endpoint(&session, arguments.endpoint.as_deref())?;
    let trust = find_trust(&session, &endpoint, arguments.skip_verify).await?;
    let stranger = session.connect(endpoint.clone(), trust.clone(), None)?;
    let (token, is_by_browser) = token(&session, &stranger, &arguments).await?;
    if let Some(end) = token.claims().expires_at.filter(|end| *end <= config::now()) {
        bail!("the token ended at {end}: get another one");
    }
    let client = session.connect(endpoint.clone(), trust.clone(), Some(token.clone()))?;
    let user = who_am_i(&client).await?;
    let organizations = list_organizations(&client).await?;
    let organization = organization(&session, &organizations)?;
    let token = if arguments.permanent { permanent(&client, token, is_by_browser).await? } else { token };

    let config = &mut session.config;
    let fingerprint = match &trust {
        Trust::Pinned(fingerprint) => fingerprint.to_string(),
        _ => String::new(),
    };
    config.set("pipeline.tls-skip-verify", json!(!fingerprint.is_empty()));
    config.set("pipeline.tls-fingerprint", json!(fingerprint));
    config.set("pipeline.basepath", json!(endpoint.to_string()));
    config.set("pipeline.token", json!(token.reveal()));
    config.set("organization.id", json!(organization.as_ref().map_or(0, |organization| organization.id)));
    config.save()?;
    let place = match &organization {
        Some(organization) => format!("organization {}", organization.name),
        None => format!("no organization selected yet: `{} organization select NAME`", program_name()),
    };
    terminal::error_line(&format!("logged in to {endpoint} as {}, {place}", user.login));
    Ok(Exit::Clean)
}

fn endpoint(session: &Session, flag: Option<&str>) -> anyhow::Result<Endpoint> {
    let known = session.config.text("pipeline.basepath");
    let text = match (flag, known) {
        (Some(text), _) => text.to_owned(),
        (None, known) if session.is_interactive => {
            ask::required_text("Address of the server:", known.as_deref().unwrap_or(LOCAL_ENDPOINT))?
        }
        (None, known) => known.unwrap_or_else(|| LOCAL_ENDPOINT.to_owned()),
    };
    parse_endpoint(&text)
}

/// Asks the server for its version, and finds out whom to believe on the way. No token is sent.
async fn find_trust(session: &Session, endpoint: &Endpoint, skip_verify: bool) -> anyhow::Result<Trust> {
    if !endpoint.is_encrypted() {
        return unencrypted(session, endpoint, skip_verify).await;
    }
    let is_same = session.config.text("pipeline.basepath").and_then(|text| text.parse().ok()).as_ref()
        == Some(endpoint);
    let pinned = session.config.text("pipeline.tls-fingerprint").filter(|_| is_same);
    let trust = match &pinned {
        Some(fingerprint) => Trust::Pinned(fingerprint.parse::<Fingerprint>().map_err(anyhow::Error::msg)?),
        None => session.authorities()?,
    };
    let problem = match version(&session.connect(endpoint.clone(), trust.clone(), None)?).await {
        Ok(()) => return Ok(trust),
        Err(error) => error,
    };
    if !matches!(problem.downcast_ref::<CallError>(), Some(CallError::Untrusted { .. })) {
        return Err(problem);
    }
    let stranger = session.connect(endpoint.clone(), Trust::Anybody, None)?;
    let found =
        stranger.find_certificate().await.context("failed to look at the certificate of the server")?;
    let found = found.context("the server shows no certificate")?;
    terminal::error_line(&format!("{}\nfingerprint of its certificate: {found}", terminal::chain(&problem)));
    let is_accepted = skip_verify
        || (session.is_interactive
            && ask::confirm("Believe this certificate, and no other from now on?", false)?);
    if !is_accepted {
        return Err(problem);
    }
    let trust = Trust::Pinned(found);
    version(&session.connect(endpoint.clone(), trust.clone(), None)?).await?;
    Ok(trust)
}

async fn unencrypted(session: &Session, endpoint: &Endpoint, skip_verify: bool) -> anyhow::Result<Trust> {
    // Within the machine nobody reads along who could not read the file with the token.
    if !endpoint.is_loopback() && !skip_verify {
        let problem = format!(
            "Pipeline endpoint is unencrypted: everybody on the way to {endpoint} can read your token"
        );
        if !session.is_interactive {
            bail!("{problem}; use https, or --skip-verify if that is fine");
        }
        terminal::error_line(&problem);
        if !ask::confirm("Go on without encryption?", false)? {
            bail!("cancelled; nothing was changed");
        }
    }
    version(&session.connect(endpoint.clone(), Trust::System, None)?).await?;
    Ok(Trust::System)
}

async fn version(client: &Client) -> anyhow::Result<()> {
    match client.get::<wire::Version>(&["version"]).await {
        Ok(_) => Ok(()),
        Err(CallError::Refused { status: 404, .. }) => bail!(
            "there is no Pipeline server at {}: see that its base path is right, as in {LOCAL_ENDPOINT}",
            client.endpoint()
        ),
        Err(error) => Err(error).context("failed to log in"),
    }
}

/// The token to log in with, and whether a browser brought it.
async fn token(
    session: &Session,
    stranger: &Client,
    arguments: &LoginArguments,
) -> anyhow::Result<(Token, bool)> {
    if let Some(token) = given_token(stranger.endpoint(), arguments)? {
        return Ok((token, false));
    }
    if session.is_interactive || arguments.no_browser {
        let provider = stranger
            .find_login_provider()
            .await
            .context("failed to ask the server where its people log in")?;
        if let Some(provider) = provider {
            let authorities = match session.authorities()? {
                Trust::Authorities(pem) => Some(pem),
                _ => None,
            };
            let opens_browser = !arguments.no_browser;
            let token = login_browser::run(stranger, provider, authorities.as_deref(), opens_browser).await?;
            return Ok((token, true));
        }
        if arguments.no_browser {
            bail!("the server has no provider that people log in with: give --token TOKEN");
        }
        let token = Token::parse(&ask::hidden("Token:")?);
        return Ok((token.with_context(|| unusable("what was typed"))?, false));
    }
    bail!(
        "a token is needed: give --token TOKEN, or `--token -` and the token on standard input, or --no-browser to log in by a \
         browser elsewhere; on the machine of the server, `login` finds `admin.token` in its data folder (LAZARET_DATA_DIR) by \
         itself"
    )
}

/// The token that the flag gives, or the one of the first user where this is the machine of the server.
fn given_token(endpoint: &Endpoint, arguments: &LoginArguments) -> anyhow::Result<Option<Token>> {
    match arguments.token.as_deref() {
        Some("-") => {
            let (text, place) = document::read_text(None)?;
            return Token::parse(&text).with_context(|| unusable(&place)).map(Some);
        }
        Some(text) => return Token::parse(text).with_context(|| unusable("--token")).map(Some),
        None if arguments.no_browser => return Ok(None),
        None => {}
    }
    let Some(path) = config::token_file().filter(|path| endpoint.is_loopback() && path.is_file()) else {
        return Ok(None);
    };
    let text = read_token_file(&path)?;
    terminal::error_line(&format!("using the token of the first user in {}", path.display()));
    Token::parse(&text).with_context(|| unusable(&format!("`{}`", path.display()))).map(Some)
}

fn unusable(place: &str) -> String {
    format!("{place} holds no token: a token is one word")
}

fn read_token_file(path: &Path) -> anyhow::Result<String> {
    config::load_text(path, TOKEN_FILE_BYTES_MAX).with_context(|| {
        format!(
            "failed to read the token of the first user: are you the user who runs `lazaret serve`? (`{}`)",
            path.display()
        )
    })
}

async fn who_am_i(client: &Client) -> anyhow::Result<wire::User> {
    match client.get::<wire::User>(&["api", "v1", "me"]).await {
        Err(CallError::Refused { status: 401, message, .. }) => {
            bail!("the server does not take the token: {message}\nnothing was changed")
        }
        answer => answer.context("failed to ask the server who you are"),
    }
}

/// A token without an end, in place of one that has one; what only the browser brought is ended then.
async fn permanent(client: &Client, token: Token, is_by_browser: bool) -> anyhow::Result<Token> {
    if token.claims().expires_at.is_none() {
        return Ok(token);
    }
    let user = config::variable("USER").unwrap_or_else(|| "user".to_owned());
    let host = config::machine_name().unwrap_or_else(|| "host".to_owned());
    let body = json!({"name": format!("cli-{host}-{user}")});
    let path = ["api", "v1", "tokens"];
    let call = Call::new(http::Method::POST, &path, Some(&body));
    let made: wire::TokenItem = client.read(&call).await.context("failed to create permanent token")?;
    let text = made.token.context("the server made a token and did not send it")?;
    let made = Token::parse(&text).context("the server made a token that is none")?;
    if let Some(id) = token.claims().id.filter(|_| is_by_browser) {
        let path = ["api", "v1", "tokens", id.as_str()];
        if let Err(error) = client.send(&Call::new(http::Method::DELETE, &path, None)).await {
            let error = anyhow::Error::from(error);
            terminal::error_line(&format!(
                "the token of the login counts until its end: {}",
                terminal::chain(&error)
            ));
        }
    }
    Ok(made)
}

/// The organization to select: as the flag says, the one selected before if one is still in it, the only one, or as the
/// person says. A login never takes the selection away.
fn organization(
    session: &Session,
    organizations: &[wire::Organization],
) -> anyhow::Result<Option<wire::Organization>> {
    if let Some(choice) = session.organization_choice() {
        return find_organization(organizations, choice).map(|found| Some(found.clone()));
    }
    let selected = session.config.number("organization.id");
    let kept = organizations.iter().find(|organization| Some(organization.id) == selected);
    match (kept, organizations) {
        (_, [only]) => Ok(Some(only.clone())),
        (Some(kept), _) => Ok(Some(kept.clone())),
        (None, []) => Ok(None),
        (None, _) if session.is_interactive => session.choose_organization(organizations).map(Some),
        (None, _) => Ok(None),
    }
}
