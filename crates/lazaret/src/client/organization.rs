//! `organization`: list and select.

use anyhow::Context as _;
use pipeline_client::{Call, wire};
use serde_json::json;

use super::arguments::OrganizationCommand;
use super::output;
use super::session::{Session, find_organization, list_organizations, number_variable};
use crate::exit::Exit;
use crate::terminal;

/// Runs one of the commands.
pub(super) async fn run(session: Session, command: OrganizationCommand) -> anyhow::Result<Exit> {
    match command {
        OrganizationCommand::List => list(&session).await,
        OrganizationCommand::Select { name } => select(session, name).await,
    }
}

async fn list(session: &Session) -> anyhow::Result<Exit> {
    let client = session.client()?;
    let path = ["api", "v1", "orgs"];
    let (answer, organizations) =
        session.fetch::<Vec<wire::Organization>>(&client, &Call::get(&path), "list organizations").await?;
    let selected = number_variable("BANZAI_CURRENT_ORG_ID")?.or(session.config.number("organization.id"));
    let rows: Vec<Vec<String>> = organizations
        .into_iter()
        .map(|organization| {
            let mark = if Some(organization.id) == selected { "✔" } else { "" };
            vec![organization.id.to_string(), organization.name, mark.to_owned()]
        })
        .collect();
    output::print(session.format, &answer, || output::table(&["Id", "Name", "Selected"], &rows))?;
    Ok(Exit::Clean)
}

async fn select(mut session: Session, name: Option<String>) -> anyhow::Result<Exit> {
    let client = session.client()?;
    let organizations = list_organizations(&client).await?;
    let chosen = match name.as_deref().or(session.organization_choice()) {
        Some(name) => find_organization(&organizations, name)?.clone(),
        None => session.choose_organization(&organizations)?,
    };
    session.config.set("organization.id", json!(chosen.id));
    session.config.save().context("failed to select the organization")?;
    terminal::error_line(&format!("organization {} is selected", chosen.name));
    if let Some(other) = number_variable("BANZAI_CURRENT_ORG_ID")?.filter(|id| *id != chosen.id) {
        terminal::error_line(&format!(
            "in this shell BANZAI_CURRENT_ORG_ID says {other}, and that counts more"
        ));
    }
    Ok(Exit::Clean)
}
