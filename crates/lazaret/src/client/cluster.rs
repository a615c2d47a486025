//! `cluster`: list, get, import, config, shell, delete.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use http::Method;
use pipeline_client::{Call, Client, wire};
use private_files::write_private;
use serde_json::{Value, json};

use super::cluster_arguments::{ClusterChoice, ClusterCommand, ImportArguments};
use super::cluster_choice::{Chosen, choose};
use super::session::Session;
use super::waiting::{Outlook, wait_until};
use super::{ask, document, kubeconfig, output, running, service, shell};
use crate::config;
use crate::exit::Exit;
use crate::terminal;

/// Runs one of the commands.
pub(super) async fn run(
    session: &Session,
    choice: &ClusterChoice,
    command: ClusterCommand,
) -> anyhow::Result<Exit> {
    match command {
        ClusterCommand::List => list(session).await,
        ClusterCommand::Get { name } => get(session, &choice.clone().or_name(name)).await,
        ClusterCommand::Import(arguments) => import(session, arguments).await,
        ClusterCommand::Config { name, path } => {
            write_config(session, &choice.clone().or_name(name), &path).await
        }
        ClusterCommand::Shell(arguments) => shell::run(session, choice, arguments).await,
        ClusterCommand::Delete { name, force, yes } => {
            delete(session, &choice.clone().or_name(name), force, yes).await
        }
        ClusterCommand::Running { name, state } => {
            running::run(session, &choice.clone().or_name(name), state.as_deref()).await
        }
        ClusterCommand::Service(arguments) => service::run(session, choice, arguments).await,
    }
}

fn table(clusters: Vec<wire::Cluster>) -> String {
    let header = [
        "Id",
        "Name",
        "Distribution",
        "Location",
        "Version",
        "CreatorName",
        "CreatedAt",
        "Status",
        "StatusMessage",
    ];
    let rows: Vec<Vec<String>> = clusters
        .into_iter()
        .map(|cluster| {
            let wire::Cluster {
                id,
                name,
                distribution,
                location,
                version,
                creator_name,
                created_at,
                status,
                status_message,
            } = cluster;
            vec![
                id.to_string(),
                name,
                distribution,
                location,
                version,
                creator_name,
                created_at,
                status,
                status_message,
            ]
        })
        .collect();
    output::table(&header, &rows)
}

async fn list(session: &Session) -> anyhow::Result<Exit> {
    let client = session.client()?;
    let organization = session.organization(&client).await?.to_string();
    let path = ["api", "v1", "orgs", &organization, "clusters"];
    let (answer, clusters) =
        session.fetch::<Vec<wire::Cluster>>(&client, &Call::get(&path), "list clusters").await?;
    output::print(session.format, &answer, || table(clusters))?;
    Ok(Exit::Clean)
}

async fn get(session: &Session, choice: &ClusterChoice) -> anyhow::Result<Exit> {
    show(session, &choose(session, choice).await?).await
}

async fn show(session: &Session, chosen: &Chosen) -> anyhow::Result<Exit> {
    let path = chosen.path(&[]);
    let (answer, cluster) = session
        .fetch::<wire::Cluster>(&chosen.client, &Call::get(&path.segments()), "get the cluster")
        .await?;
    output::print(session.format, &answer, || table(vec![cluster]))?;
    Ok(Exit::Clean)
}

async fn import(session: &Session, arguments: ImportArguments) -> anyhow::Result<Exit> {
    let ImportArguments { name, kubeconfig: file, waiting } = arguments;
    let client = session.client()?;
    let organization = session.organization(&client).await?.to_string();
    let file = match file {
        None if session.is_interactive => {
            Some(PathBuf::from(ask::required_text("Kubeconfig file:", &kubeconfig_default())?))
        }
        file => file,
    };
    let (text, place) = document::read_text(file.as_deref())?;
    kubeconfig::check_sendable(&text).with_context(|| format!("{place} cannot be used as a kubeconfig"))?;
    let name = match name {
        Some(name) => name,
        None if session.is_interactive => ask::required_text("Cluster name:", "")?,
        None => bail!("cluster name must be specified: give --name"),
    };
    let id = create(&client, &organization, &name, &text).await?;
    terminal::error_line(&format!("cluster {name} is being imported"));
    let choice = ClusterChoice { cluster: Some(id), cluster_name: None };
    if waiting.wait {
        let chosen = choose(session, &choice).await?;
        wait_until(&waiting, &format!("cluster {name}"), async || {
            let cluster: wire::Cluster =
                chosen.client.get(&chosen.path(&[]).segments()).await.map_err(anyhow::Error::from)?;
            Ok(match cluster.status.as_str() {
                "RUNNING" | "WARNING" => Outlook::Done(cluster.status_message),
                "ERROR" => Outlook::Failed(cluster.status_message),
                status => Outlook::Going(status.to_owned()),
            })
        })
        .await?;
        return show(session, &chosen).await;
    }
    let answer = json!({"id": id, "name": name});
    output::print(session.format, &answer, || {
        output::table(&["Id", "Name"], &[vec![id.to_string(), name.clone()]])
    })?;
    Ok(Exit::Clean)
}

/// The secret first, then the cluster; without the cluster the secret goes again.
async fn create(client: &Client, organization: &str, name: &str, text: &str) -> anyhow::Result<i64> {
    let secrets = ["api", "v1", "orgs", organization, "secrets"];
    let body = json!({
        "name": format!("{name}-kubeconfig"),
        "type": "kubernetes",
        "values": {"K8Sconfig": kubeconfig::encode(text)},
    });
    let secret: wire::Secret = client
        .read(&Call::new(Method::POST, &secrets, Some(&body)))
        .await
        .with_context(|| format!("failed to keep the kubeconfig as secret `{name}-kubeconfig`"))?;
    let clusters = ["api", "v1", "orgs", organization, "clusters"];
    let body = json!({
        "name": name,
        "secretId": secret.id,
        "cloud": "kubernetes",
        "properties": {"kubernetes": {}},
    });
    let made: Result<wire::Cluster, _> = client.read(&Call::new(Method::POST, &clusters, Some(&body))).await;
    match made {
        Ok(cluster) => Ok(cluster.id),
        Err(error) => {
            let path = ["api", "v1", "orgs", organization, "secrets", &secret.id];
            if client.send(&Call::new(Method::DELETE, &path, None)).await.is_err() {
                terminal::error_line(&format!(
                    "secret `{name}-kubeconfig` was made and could not be deleted again"
                ));
            }
            Err(error).with_context(|| format!("failed to import cluster `{name}`"))
        }
    }
}

fn kubeconfig_default() -> String {
    config::variable("KUBECONFIG")
        .or_else(|| config::variable("HOME").map(|home| format!("{home}/.kube/config")))
        .unwrap_or_default()
}

async fn write_config(session: &Session, choice: &ClusterChoice, folder: &Path) -> anyhow::Result<Exit> {
    let chosen = choose(session, choice).await?;
    let text = kubeconfig::load(&chosen).await?;
    let path = folder.join(format!("{}.yaml", kubeconfig::file_name(&chosen.cluster.name)?));
    write_private(&path, text.as_bytes()).with_context(|| format!("failed to write `{}`", path.display()))?;
    terminal::error_line(&format!("kubeconfig of cluster {} is in {}", chosen.cluster.name, path.display()));
    Ok(Exit::Clean)
}

async fn delete(session: &Session, choice: &ClusterChoice, force: bool, yes: bool) -> anyhow::Result<Exit> {
    let chosen = choose(session, choice).await?;
    let name = &chosen.cluster.name;
    if session.is_interactive && !yes {
        terminal::error_line(table(vec![chosen.cluster.clone()]).trim_end());
        if !ask::confirm(&format!("Give cluster {name} up?"), false)? {
            bail!("deletion cancelled");
        }
    }
    let path = chosen.path(&[]);
    let segments = path.segments();
    let force = force.to_string();
    let query = [("force", force.as_str())];
    let call = Call::new(Method::DELETE, &segments, None).with_query(&query);
    chosen.client.send(&call).await.with_context(|| format!("failed to delete cluster {name}"))?;
    terminal::error_line(&format!("cluster {name} is being given up"));
    match chosen.client.get::<Value>(&segments).await {
        Ok(answer) => {
            let cluster: wire::Cluster = serde_json::from_value(answer.clone()).unwrap_or_default();
            output::print(session.format, &answer, || table(vec![cluster]))?;
        }
        Err(error) if error.status() == Some(404) => terminal::error_line(&format!("cluster {name} is gone")),
        Err(error) => {
            let error = anyhow::Error::from(error).context("failed to see how far it is");
            terminal::error_line(&terminal::chain(&error));
        }
    }
    Ok(Exit::Clean)
}
