//! `image`: what runs in a cluster, and what its engine knows about images.

use anyhow::{Context as _, bail};
use http::Method;
use pipeline_client::{Call, wire};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::cluster_arguments::{ClusterChoice, Waiting};
use super::cluster_choice::{Chosen, choose};
use super::output;
use super::security_arguments::ImageCommand;
use super::session::Session;
use super::waiting::{Outlook, wait_until};
use crate::exit::Exit;
use crate::terminal;

/// Runs one of the commands.
pub(super) async fn run(
    session: &Session,
    choice: &ClusterChoice,
    command: ImageCommand,
) -> anyhow::Result<Exit> {
    let chosen = choose(session, choice).await?;
    match command {
        ImageCommand::List => list(session, &chosen).await,
        ImageCommand::Scan { image, waiting } => scan(session, &chosen, &image, &waiting).await,
        ImageCommand::Get { image } => {
            let record = load(&chosen, &image).await?;
            show(session, &record)
        }
        ImageCommand::Vuln { image } => vulnerabilities(session, &chosen, &image).await,
    }
}

async fn list(session: &Session, chosen: &Chosen) -> anyhow::Result<Exit> {
    let path = chosen.path(&["images"]);
    let (answer, images) = session
        .fetch::<Vec<wire::ScannedImage>>(&chosen.client, &Call::get(&path.segments()), "list the images")
        .await?;
    let rows: Vec<Vec<String>> =
        images.into_iter().map(|image| vec![image.image_name, image.image_tag, image.image_digest]).collect();
    output::print(session.format, &answer, || output::table(&["Name", "Tag", "Digest"], &rows))?;
    Ok(Exit::Clean)
}

async fn scan(session: &Session, chosen: &Chosen, image: &str, waiting: &Waiting) -> anyhow::Result<Exit> {
    let path = chosen.path(&["anchore", "images"]);
    let segments = path.segments();
    let body = json!({"tag": image});
    let call = Call::new(Method::POST, &segments, Some(&body));
    let answer =
        chosen.client.send(&call).await.with_context(|| format!("failed to have `{image}` looked at"))?;
    let mut record = first(answer.body).context("the engine took the image and does not say which it is")?;
    if waiting.wait {
        let digest = typed(&record)?.image_digest;
        wait_until(waiting, &format!("image {image}"), async || {
            let record = typed(&load(chosen, &digest).await?)?;
            Ok(match record.analysis_status.as_str() {
                "analyzed" => Outlook::Done("analyzed".to_owned()),
                "analysis_failed" => Outlook::Failed("the engine cannot read it".to_owned()),
                status => Outlook::Going(status.to_owned()),
            })
        })
        .await?;
        record = load(chosen, &digest).await?;
    }
    show(session, &record)
}

fn show(session: &Session, record: &Value) -> anyhow::Result<Exit> {
    let image = typed(record)?;
    output::print(session.format, record, || {
        let names: Vec<&str> = image.image_detail.iter().map(|detail| detail.full_tag.as_str()).collect();
        let row = vec![
            image.image_digest.clone(),
            names.join(" "),
            image.analysis_status.clone(),
            image.last_updated.clone(),
        ];
        output::table(&["Digest", "Names", "Analysis", "UpdatedAt"], &[row])
    })?;
    Ok(Exit::Clean)
}

fn typed(record: &Value) -> anyhow::Result<wire::ImageRecord> {
    wire::ImageRecord::deserialize(record).context("the answer of the server is no image")
}

/// What the engine knows about an image: engines answer with a list of one.
async fn load(chosen: &Chosen, image: &str) -> anyhow::Result<Value> {
    let is_digest = image.starts_with("sha256:");
    let path = if is_digest {
        chosen.path(&["anchore", "images", image])
    } else {
        chosen.path(&["anchore", "images"])
    };
    let segments = path.segments();
    let query = [("fulltag", image)];
    let call = Call::get(&segments);
    let call = if is_digest { call } else { call.with_query(&query) };
    let answer = chosen.client.send(&call).await.with_context(|| format!("failed to get image `{image}`"))?;
    first(answer.body).with_context(|| {
        format!("the engine does not know image `{image}`: have it looked at with `image scan`")
    })
}

fn first(answer: Value) -> Option<Value> {
    match answer {
        Value::Array(records) => records.into_iter().next(),
        Value::Null => None,
        record => Some(record),
    }
}

async fn vulnerabilities(session: &Session, chosen: &Chosen, image: &str) -> anyhow::Result<Exit> {
    let digest = match image.starts_with("sha256:") {
        true => image.to_owned(),
        false => {
            let record = typed(&load(chosen, image).await?)?;
            if record.analysis_status != "analyzed" {
                bail!("image `{image}` is `{}`: nothing is known about it yet", record.analysis_status);
            }
            record.image_digest
        }
    };
    let path = chosen.path(&["anchore", "images", &digest, "vuln", "all"]);
    let segments = path.segments();
    let (answer, report) = session
        .fetch::<wire::VulnerabilityReport>(&chosen.client, &Call::get(&segments), "list the vulnerabilities")
        .await?;
    output::print(session.format, &answer, || {
        if report.vulnerabilities.is_empty() {
            return terminal::shown(&format!("no vulnerabilities are known of {image}"));
        }
        let rows: Vec<Vec<String>> = report
            .vulnerabilities
            .into_iter()
            .map(|found| vec![found.vuln, found.severity, found.package, found.fix])
            .collect();
        output::table(&["Vulnerability", "Severity", "Package", "FixedIn"], &rows)
    })?;
    Ok(Exit::Clean)
}
