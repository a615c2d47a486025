//! `whitelist`: the releases that are let in whatever their images hold.

use anyhow::{Context as _, bail};
use http::Method;
use pipeline_client::{Call, wire};
use serde_json::json;

use super::cluster_arguments::ClusterChoice;
use super::cluster_choice::{Chosen, choose};
use super::output;
use super::security_arguments::WhitelistCommand;
use super::session::Session;
use crate::exit::Exit;
use crate::terminal;

/// Runs one of the commands.
pub(super) async fn run(
    session: &Session,
    choice: &ClusterChoice,
    command: WhitelistCommand,
) -> anyhow::Result<Exit> {
    let chosen = choose(session, choice).await?;
    match command {
        WhitelistCommand::List => list(session, &chosen).await,
        WhitelistCommand::Create { name, reason, owner, regexp } => {
            let owner = match owner {
                Some(owner) => owner,
                None => {
                    let user: wire::User = chosen
                        .client
                        .get(&["api", "v1", "me"])
                        .await
                        .context("failed to ask the server who you are")?;
                    user.login
                }
            };
            create(&chosen, wire::WhitelistItem { name, owner, reason, regexp }).await
        }
        WhitelistCommand::Delete { names } => delete(&chosen, &names).await,
    }
}

async fn list(session: &Session, chosen: &Chosen) -> anyhow::Result<Exit> {
    let path = chosen.path(&["whitelists"]);
    let (answer, items) = session
        .fetch::<Vec<wire::WhitelistItem>>(&chosen.client, &Call::get(&path.segments()), "list the whitelist")
        .await?;
    let rows: Vec<Vec<String>> = items
        .into_iter()
        .map(|item| vec![item.name, item.owner, item.reason, item.regexp.unwrap_or_default()])
        .collect();
    output::print(session.format, &answer, || output::table(&["Name", "Owner", "Reason", "Regexp"], &rows))?;
    Ok(Exit::Clean)
}

async fn create(chosen: &Chosen, item: wire::WhitelistItem) -> anyhow::Result<Exit> {
    let wire::WhitelistItem { name, owner, reason, regexp } = item;
    let path = chosen.path(&["whitelists"]);
    let mut body = json!({"name": name, "owner": owner, "reason": reason});
    if let Some(regexp) = regexp {
        body["regexp"] = json!(regexp);
    }
    chosen
        .client
        .send(&Call::new(Method::POST, &path.segments(), Some(&body)))
        .await
        .with_context(|| format!("failed to whitelist `{name}`"))?;
    terminal::error_line(&format!("release {name} is on the whitelist of cluster {}", chosen.cluster.name));
    Ok(Exit::Clean)
}

async fn delete(chosen: &Chosen, names: &[String]) -> anyhow::Result<Exit> {
    let mut failed = 0;
    for name in names {
        let path = chosen.path(&["whitelists", name]);
        match chosen.client.send(&Call::new(Method::DELETE, &path.segments(), None)).await {
            Ok(_) => terminal::error_line(&format!("release {name} is off the whitelist")),
            Err(error) => {
                let error =
                    anyhow::Error::from(error).context(format!("failed to take `{name}` off the whitelist"));
                if names.len() == 1 {
                    return Err(error);
                }
                failed += 1;
                terminal::error_line(&format!("error: {}", terminal::chain(&error)));
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} releases are still on the whitelist", names.len());
    }
    Ok(Exit::Clean)
}
