//! `policy` of a cluster's engine: list, get, add, activate, delete, through the server's way to the engine.

use anyhow::{Context as _, bail};
use http::Method;
use pipeline_client::{Call, wire};
use serde_json::{Value, json};

use super::arguments::LeadingFlags;
use super::cluster_choice::{Chosen, choose};
use super::security_arguments::{RemoteFlags, RemotePolicyCommand};
use super::session::Session;
use super::{document, output};
use crate::exit::Exit;
use crate::terminal;

/// Runs one of the commands.
pub(super) async fn run(leading: LeadingFlags, command: RemotePolicyCommand) -> anyhow::Result<Exit> {
    let open = async |remote: RemoteFlags| {
        let session = Session::open(leading.under(remote.flags))?;
        let chosen = choose(&session, &remote.cluster).await?;
        anyhow::Ok((session, chosen))
    };
    match command {
        RemotePolicyCommand::List(remote) => {
            let (session, chosen) = open(remote).await?;
            list(&session, &chosen).await
        }
        RemotePolicyCommand::Get { id, remote } => {
            let (session, chosen) = open(remote).await?;
            get(&session, &chosen, &id).await
        }
        RemotePolicyCommand::Add { file, remote } => {
            let bundle = load_bundle(&file)?;
            let (session, chosen) = open(remote).await?;
            add(&session, &chosen, &bundle).await
        }
        RemotePolicyCommand::Activate { id, remote } => {
            let (_, chosen) = open(remote).await?;
            activate(&chosen, &id).await
        }
        RemotePolicyCommand::Delete { id, remote } => {
            let (_, chosen) = open(remote).await?;
            let path = chosen.path(&["anchore", "policies", &id]);
            let call = path.segments();
            let sent = chosen.client.send(&Call::new(Method::DELETE, &call, None)).await;
            sent.with_context(|| format!("failed to delete policy `{id}`"))?;
            terminal::error_line(&format!("policy {id} deleted"));
            Ok(Exit::Clean)
        }
    }
}

/// A file, or a predefined bundle.
fn load_bundle(file: &std::path::Path) -> anyhow::Result<Value> {
    let name = file.to_string_lossy();
    match policy::predefined_bundles().iter().find(|bundle| bundle.id == name) {
        Some(bundle) => serde_json::from_str(bundle.json).context("failed to read a predefined bundle"),
        None => Ok(document::read(Some(file))?.0),
    }
}

fn table(records: Vec<wire::PolicyRecord>) -> String {
    let rows: Vec<Vec<String>> = records
        .into_iter()
        .map(|record| {
            let name = record.policybundle["name"].as_str().unwrap_or_default().to_owned();
            let mark = if record.active { "✔" } else { "" };
            vec![record.policy_id, name, record.last_updated, mark.to_owned()]
        })
        .collect();
    output::table(&["Id", "Name", "UpdatedAt", "Active"], &rows)
}

async fn list(session: &Session, chosen: &Chosen) -> anyhow::Result<Exit> {
    let path = chosen.path(&["anchore", "policies"]);
    let segments = path.segments();
    let call = Call::get(&segments).with_query(&[("detail", "true")]);
    let (answer, records) =
        session.fetch::<Vec<wire::PolicyRecord>>(&chosen.client, &call, "list policies").await?;
    output::print(session.format, &answer, || table(records))?;
    Ok(Exit::Clean)
}

/// Engines answer with a list of one.
async fn load(chosen: &Chosen, id: &str) -> anyhow::Result<Value> {
    let path = chosen.path(&["anchore", "policies", id]);
    let segments = path.segments();
    let call = Call::get(&segments).with_query(&[("detail", "true")]);
    let answer = chosen.client.send(&call).await.with_context(|| format!("failed to get policy `{id}`"))?;
    match answer.body {
        Value::Array(records) => {
            records.into_iter().next().with_context(|| format!("the engine has no policy `{id}`"))
        }
        record => Ok(record),
    }
}

async fn get(session: &Session, chosen: &Chosen, id: &str) -> anyhow::Result<Exit> {
    let record = load(chosen, id).await?;
    let typed: wire::PolicyRecord =
        serde_json::from_value(record.clone()).context("the answer of the server is no policy")?;
    output::print(session.format, &record, || {
        let bundle = &typed.policybundle;
        let mut text = table(vec![typed.clone()]);
        if bundle.is_object() {
            text.push_str(&format!("\n{}", terminal::shown(&format!("{bundle:#}"))));
        }
        text
    })?;
    Ok(Exit::Clean)
}

async fn add(session: &Session, chosen: &Chosen, bundle: &Value) -> anyhow::Result<Exit> {
    if !bundle.is_object() {
        bail!(
            "a policy bundle holds keys and values; `lazaret policy check FILE` lists what is wrong with one"
        );
    }
    let path = chosen.path(&["anchore", "policies"]);
    let segments = path.segments();
    let call = Call::new(Method::POST, &segments, Some(bundle));
    let (answer, record) = session
        .fetch::<wire::PolicyRecord>(&chosen.client, &call, "add the policy")
        .await
        .context("`lazaret policy check FILE` lists all that is wrong with a bundle")?;
    output::print(session.format, &answer, || table(vec![record]))?;
    Ok(Exit::Clean)
}

async fn activate(chosen: &Chosen, id: &str) -> anyhow::Result<Exit> {
    let mut record = load(chosen, id).await?;
    record["active"] = json!(true);
    let path = chosen.path(&["anchore", "policies", id]);
    let segments = path.segments();
    let call = Call::new(Method::PUT, &segments, Some(&record)).with_query(&[("active", "true")]);
    chosen.client.send(&call).await.with_context(|| format!("failed to activate policy `{id}`"))?;
    terminal::error_line(&format!("policy {id} judges the images of cluster {}", chosen.cluster.name));
    Ok(Exit::Clean)
}
