//! `audits`: what was let into a cluster, what was not, and why.

use pipeline_client::{Call, wire};
use serde::Deserialize as _;
use serde_json::Value;

use super::cluster_choice::choose;
use super::output;
use super::security_arguments::AuditArguments;
use super::session::Session;
use crate::exit::Exit;

/// Lists them.
pub(super) async fn run(session: &Session, arguments: AuditArguments) -> anyhow::Result<Exit> {
    let AuditArguments { flags: _, cluster, release, rejected } = arguments;
    let chosen = choose(session, &cluster).await?;
    let below: Vec<&str> = ["scanlog"].into_iter().chain(release.as_deref()).collect();
    let path = chosen.path(&below);
    let (answer, _) =
        session.fetch::<Value>(&chosen.client, &Call::get(&path.segments()), "read the scan log").await?;
    // Servers of one age answer to a release with the one entry instead of a list.
    let list = match answer {
        Value::Array(entries) => entries,
        Value::Null => Vec::new(),
        entry => vec![entry],
    };
    let (kept, entries): (Vec<Value>, Vec<wire::ScanLogEntry>) = list
        .into_iter()
        .filter_map(|raw| Some((wire::ScanLogEntry::deserialize(&raw).ok()?, raw)))
        .filter(|(entry, _)| !rejected || entry.action.starts_with("reject"))
        .map(|(entry, raw)| (raw, entry))
        .unzip();
    output::print(session.format, &Value::Array(kept), || table(entries))?;
    Ok(Exit::Clean)
}

fn table(entries: Vec<wire::ScanLogEntry>) -> String {
    let rows: Vec<Vec<String>> = entries
        .into_iter()
        .map(|entry| {
            let images: Vec<String> = entry.image.iter().map(image_name).collect();
            vec![entry.release_name, entry.resource, entry.action, images.join(" "), entry.result.join("; ")]
        })
        .collect();
    output::table(&["ReleaseName", "Resource", "Action", "Image", "Result"], &rows)
}

fn image_name(image: &wire::ScannedImage) -> String {
    match image.image_tag.as_str() {
        "" => image.image_name.clone(),
        tag => format!("{}:{tag}", image.image_name),
    }
}
