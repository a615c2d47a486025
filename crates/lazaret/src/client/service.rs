//! `cluster service`: which services a cluster has.

use std::collections::BTreeMap;

use pipeline_client::{Call, wire};

use super::cluster_arguments::{ClusterChoice, ServiceArguments, ServiceCommand};
use super::cluster_choice::choose;
use super::session::Session;
use super::{output, security_scan};
use crate::exit::Exit;

/// Runs one of the commands; without one, the list.
pub(super) async fn run(
    session: &Session,
    choice: &ClusterChoice,
    arguments: ServiceArguments,
) -> anyhow::Result<Exit> {
    match arguments.command {
        None => list(session, choice).await,
        Some(ServiceCommand::List { name }) => list(session, &choice.clone().or_name(name)).await,
        Some(ServiceCommand::Securityscan(arguments)) => security_scan::run(session, choice, arguments).await,
    }
}

async fn list(session: &Session, choice: &ClusterChoice) -> anyhow::Result<Exit> {
    let chosen = choose(session, choice).await?;
    let path = chosen.path(&["services"]);
    let (answer, services) = session
        .fetch::<BTreeMap<String, wire::Service>>(
            &chosen.client,
            &Call::get(&path.segments()),
            "list services",
        )
        .await?;
    let rows: Vec<Vec<String>> =
        services.into_iter().map(|(name, service)| vec![name, service.status]).collect();
    output::print(session.format, &answer, || output::table(&["Name", "Status"], &rows))?;
    Ok(Exit::Clean)
}
