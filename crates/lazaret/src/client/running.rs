//! `cluster running`: how the Pods that run in a cluster were judged.

use anyhow::{Context as _, bail};
use pipeline_client::{Call, wire};
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::cluster_arguments::ClusterChoice;
use super::cluster_choice::choose;
use super::output;
use super::session::Session;
use crate::exit::Exit;
use crate::terminal;

/// Images of one page; the largest that servers give.
const PAGE: &str = "500";
/// A server that gives ever more pages is not followed for ever.
const PAGES_MAX: usize = 200;
/// Pods that are named in a line of the table.
const PODS_SHOWN: usize = 3;

/// Shows them, all or those in one state.
pub(super) async fn run(
    session: &Session,
    choice: &ClusterChoice,
    state: Option<&str>,
) -> anyhow::Result<Exit> {
    let chosen = choose(session, choice).await?;
    let path = chosen.path(&["podscan"]);
    let segments = path.segments();
    let mut images: Vec<Value> = Vec::new();
    let mut after = String::new();
    for _ in 0..PAGES_MAX {
        let mut query = vec![("limit", PAGE)];
        query.extend(state.map(|state| ("state", state)));
        query.extend((!after.is_empty()).then_some(("after", after.as_str())));
        let call = Call::get(&segments).with_query(&query);
        let answer = chosen.client.send(&call).await.context("failed to ask how running Pods were judged")?;
        let Value::Object(mut page) = answer.body else {
            bail!("the answer of the server is no page of images")
        };
        if let Some(Value::Array(more)) = page.remove("images") {
            images.extend(more);
        }
        match page.remove("next") {
            Some(Value::String(next)) if next != after => after = next,
            _ => {
                let summary = page.remove("summary").unwrap_or_default();
                let shown = json!({"summary": summary, "images": images});
                output::print(session.format, &shown, || text(&summary, &images))?;
                return Ok(Exit::Clean);
            }
        }
    }
    bail!("there are more than {PAGES_MAX} pages of images: ask for those of one state with --state")
}

fn text(summary: &Value, images: &[Value]) -> String {
    let summary = wire::RunningSummary::deserialize(summary).unwrap_or_default();
    let counted = |counts: &std::collections::BTreeMap<String, i64>| {
        let words: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    let finished = if summary.finished_at.is_empty() { "not finished yet" } else { &summary.finished_at };
    let mut head = format!(
        "Pods: {}; images: {}; last look: {finished}\n",
        counted(&summary.pods),
        counted(&summary.images)
    );
    if !summary.problem.is_empty() {
        head.push_str(&format!("problem: {}\n", summary.problem));
    }
    let rows: Vec<Vec<String>> =
        images.iter().filter_map(|image| wire::RunningImage::deserialize(image).ok()).map(row).collect();
    format!("{}{}", terminal::shown(&head), output::table(&["Image", "State", "Pods", "Why"], &rows))
}

fn row(image: wire::RunningImage) -> Vec<String> {
    let mut pods: Vec<String> =
        image.pods.iter().take(PODS_SHOWN).map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect();
    let more = image.pod_count - i64::try_from(pods.len()).unwrap_or(i64::MAX);
    if more > 0 {
        pods.push(format!("and {more} more"));
    }
    let first = image.reasons.first().map(|reason| match &reason.vulnerability {
        Some(vulnerability) => format!(
            "{vulnerability} {} {}",
            reason.severity.as_deref().unwrap_or_default(),
            reason.package.as_deref().unwrap_or_default()
        ),
        None => reason.message.clone(),
    });
    let why = match (image.why.as_str(), first) {
        ("", Some(first)) if image.reasons.len() > 1 => {
            format!("{first} (and {} more)", image.reasons.len() - 1)
        }
        ("", first) => first.unwrap_or_default(),
        (why, _) => why.to_owned(),
    };
    vec![image.image, image.state, pods.join(" "), why]
}
