//! `process`: what a server does about clusters and services, watched, looked up and stopped.

use std::time::Duration;

use anyhow::{Context as _, bail};
use http::Method;
use pipeline_client::{Call, CallError, Client, wire};
use serde::Deserialize as _;
use serde_json::Value;

use super::arguments::{Format, ProcessCommand};
use super::output;
use super::session::Session;
use crate::exit::Exit;
use crate::terminal;

const TAIL_PAUSE: Duration = Duration::from_secs(2);
/// A process that was just begun may not be there yet.
const TAIL_MISSES_MAX: u32 = 3;
const RUNNING: &str = "running";

/// The processes of an organization.
struct Processes {
    client: Client,
    organization: String,
}

impl Processes {
    fn path<'a>(&'a self, below: &[&'a str]) -> Vec<&'a str> {
        ["api", "v1", "orgs", &self.organization, "processes"]
            .into_iter()
            .chain(below.iter().copied())
            .collect()
    }

    async fn get(&self, id: &str) -> Result<Value, CallError> {
        Ok(self.client.send(&Call::get(&self.path(&[id]))).await?.body)
    }
}

/// Runs one of the commands.
pub(super) async fn run(session: &Session, command: ProcessCommand) -> anyhow::Result<Exit> {
    let client = session.client()?;
    let organization = session.organization(&client).await?.to_string();
    let processes = Processes { client, organization };
    match command {
        ProcessCommand::List { status } => list(session, &processes, &status).await,
        ProcessCommand::Get { id } => {
            let process =
                processes.get(&id).await.with_context(|| format!("failed to get process `{id}`"))?;
            let typed = typed(&process)?;
            output::print(session.format, &process, || {
                format!("{}\n{}", table(std::slice::from_ref(&typed)), events(&typed))
            })?;
            Ok(Exit::Clean)
        }
        ProcessCommand::Cancel { id } => {
            let path = processes.path(&[&id, "cancel"]);
            let sent = processes.client.send(&Call::new(Method::POST, &path, None)).await;
            sent.with_context(|| format!("failed to cancel process `{id}`"))?;
            terminal::error_line(&format!("process {id} stops before its next step"));
            Ok(Exit::Clean)
        }
        ProcessCommand::Tail { id } => tail(session, &processes, &id).await,
    }
}

async fn list(session: &Session, processes: &Processes, status: &str) -> anyhow::Result<Exit> {
    let path = processes.path(&[]);
    let query = [("status", status)];
    let call = Call::get(&path);
    let call = if status == "all" { call } else { call.with_query(&query) };
    let (answer, listed) =
        session.fetch::<Vec<wire::Process>>(&processes.client, &call, "list processes").await?;
    output::print(session.format, &answer, || table(&listed))?;
    Ok(Exit::Clean)
}

/// Tells each event once, until the process ends.
async fn tail(session: &Session, processes: &Processes, id: &str) -> anyhow::Result<Exit> {
    let (mut told, mut misses) = (0, 0);
    let process = loop {
        match processes.get(id).await {
            Ok(process) => {
                let read = typed(&process)?;
                if session.format == Format::Default {
                    read.events.iter().skip(told).for_each(|event| terminal::error_line(&line(event)));
                }
                told = told.max(read.events.len());
                if read.status != RUNNING {
                    break process;
                }
            }
            Err(CallError::Refused { status: 404, .. }) if misses < TAIL_MISSES_MAX => misses += 1,
            Err(error) => return Err(error).with_context(|| format!("failed to get process `{id}`")),
        }
        tokio::time::sleep(TAIL_PAUSE).await;
    };
    let read = typed(&process)?;
    output::print(session.format, &process, || table(std::slice::from_ref(&read)))?;
    if read.status != "finished" {
        bail!("process {id} is {}: {}", read.status, read.log);
    }
    Ok(Exit::Clean)
}

fn typed(process: &Value) -> anyhow::Result<wire::Process> {
    wire::Process::deserialize(process).context("the answer of the server is no process")
}

fn line(event: &wire::ProcessEvent) -> String {
    let wire::ProcessEvent { kind, log, status, timestamp } = event;
    let log = if log.is_empty() { String::new() } else { format!(": {log}") };
    terminal::shown(&format!("{timestamp} {kind} {status}{log}")).trim_end().to_owned()
}

fn table(processes: &[wire::Process]) -> String {
    let rows: Vec<Vec<String>> = processes
        .iter()
        .map(|process| {
            vec![
                process.id.clone(),
                process.kind.clone(),
                format!("{} {}", process.resource_type, process.resource_id),
                process.status.clone(),
                process.started_at.clone(),
                process.finished_at.clone().unwrap_or_default(),
                process.log.clone(),
            ]
        })
        .collect();
    output::table(&["Id", "Type", "Resource", "Status", "StartedAt", "FinishedAt", "Log"], &rows)
}

fn events(process: &wire::Process) -> String {
    let row = |event: &wire::ProcessEvent| {
        let wire::ProcessEvent { kind, log, status, timestamp } = event.clone();
        vec![timestamp, kind, status, log]
    };
    let rows: Vec<Vec<String>> = process.events.iter().map(row).collect();
    output::table(&["Timestamp", "Type", "Status", "Log"], &rows)
}
