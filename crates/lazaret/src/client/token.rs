//! `token`: create, list, delete.

use anyhow::{Context as _, bail};
use http::Method;
use pipeline_client::{Call, wire};
use serde_json::json;

use super::arguments::{Format, TokenCommand};
use super::output;
use super::session::Session;
use crate::config;
use crate::exit::Exit;
use crate::terminal;

const TOKENS: [&str; 3] = ["api", "v1", "tokens"];

/// Runs one of the commands.
pub(super) async fn run(session: &Session, command: TokenCommand) -> anyhow::Result<Exit> {
    match command {
        TokenCommand::Create { name, expires_at, virtual_user } => {
            create(session, name, expires_at, virtual_user).await
        }
        TokenCommand::List => list(session).await,
        TokenCommand::Delete { ids } => delete(session, &ids).await,
    }
}

/// The token alone goes to standard output, so that it can be piped where it is needed.
async fn create(
    session: &Session,
    name: Option<String>,
    expires_at: Option<jiff::Timestamp>,
    virtual_user: Option<String>,
) -> anyhow::Result<Exit> {
    let client = session.client()?;
    let name = name.unwrap_or_else(|| format!("cli-{}", config::machine_name().unwrap_or_default()));
    let mut body = json!({"name": name});
    if let Some(end) = expires_at {
        body["expiresAt"] = json!(end.to_string());
    }
    if let Some(virtual_user) = virtual_user {
        body["virtualUser"] = json!(virtual_user);
    }
    let call = Call::new(Method::POST, &TOKENS, Some(&body));
    let (answer, made) = session.fetch::<wire::TokenItem>(&client, &call, "create a token").await?;
    let token = made.token.context("the server made a token and did not send it")?;
    if session.format == Format::Default {
        terminal::error_line(&format!("token {name} has id {}; it is shown this once", made.id));
    }
    output::print(session.format, &answer, || terminal::shown(&token))?;
    Ok(Exit::Clean)
}

async fn list(session: &Session) -> anyhow::Result<Exit> {
    let client = session.client()?;
    let (answer, tokens) =
        session.fetch::<Vec<wire::TokenItem>>(&client, &Call::get(&TOKENS), "list tokens").await?;
    let rows: Vec<Vec<String>> = tokens
        .into_iter()
        .map(|token| {
            let end = token.expires_at.unwrap_or_else(|| "never".to_owned());
            vec![token.id, token.name, token.created_at.unwrap_or_default(), end]
        })
        .collect();
    output::print(session.format, &answer, || {
        output::table(&["Id", "Name", "CreatedAt", "ExpiresAt"], &rows)
    })?;
    Ok(Exit::Clean)
}

async fn delete(session: &Session, ids: &[String]) -> anyhow::Result<Exit> {
    let client = session.client()?;
    let mut failed = 0;
    for id in ids {
        let path = ["api", "v1", "tokens", id];
        match client.send(&Call::new(Method::DELETE, &path, None)).await {
            Ok(_) => terminal::error_line(&format!("token {id} ended")),
            Err(error) if ids.len() == 1 => {
                return Err(error).with_context(|| format!("failed to end token `{id}`"));
            }
            Err(error) => {
                failed += 1;
                let error = anyhow::Error::from(error).context(format!("failed to end token `{id}`"));
                terminal::error_line(&format!("error: {}", terminal::chain(&error)));
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} tokens were not ended", ids.len());
    }
    Ok(Exit::Clean)
}
