//! What a service leaves behind or takes away: clusters, engine and secrets before and after, and work that stops on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::Value;
use storage::{Database, Location};
use testkit::{Cluster, Output, wait_until};

use crate::plane::Plane;

/// What is compared before and after: everything that a service could leave behind.
const KINDS: &str = "namespaces,validatingwebhookconfigurations,clusterroles,clusterrolebindings,secrets,services,deployments,\
    poddisruptionbudgets,serviceaccounts,roles,rolebindings";
const REASON_TIME: Duration = Duration::from_secs(90);

/// Objects of a cluster by name, with the label that the service changes.
pub fn cluster_state(cluster: &Cluster) -> Result<BTreeMap<String, Value>> {
    let text = cluster.kubectl(&["get", KINDS, "--all-namespaces", "-o", "json"])?.success()?;
    let list: Value = serde_json::from_str(&text)?;
    let items = list["items"].as_array().context("a list has items")?;
    let name = |item: &Value| {
        let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!(
            "{}/{}/{}",
            part(&item["kind"]),
            part(&item["metadata"]["namespace"]),
            part(&item["metadata"]["name"])
        )
    };
    Ok(items.iter().map(|item| (name(item), item["metadata"]["labels"]["scan"].clone())).collect())
}

/// Accounts of the engine and secrets of the organization.
pub fn plane_state(plane: &Plane) -> Result<(Vec<String>, Vec<String>)> {
    let names = |list: &Value| {
        let mut names: Vec<String> = list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| Some(item["name"].as_str()?.to_owned()))
            .collect();
        names.sort();
        names
    };
    let (_, accounts) = plane.call_engine("admin", "/accounts")?;
    let secrets = plane.ask(Method::GET, "/orgs/1/secrets", None)?;
    Ok((names(&accounts), names(&secrets)))
}

/// Tries to run a Pod.
pub fn run_pod(cluster: &Cluster, name: &str, namespace: &str, image: &str) -> Result<Output> {
    let image = format!("--image={image}");
    cluster.kubectl(&["run", name, "--namespace", namespace, &image, "--", "sleep", "3600"])
}

/// Waits until a Pod with this image is refused with this text, or admitted where there is none. Nothing is created.
pub fn wait_for_verdict(cluster: &Cluster, image: &str, refusal: Option<&str>) -> Result<String> {
    let image = format!("--image={image}");
    let mut last = String::new();
    let waited = wait_until(REASON_TIME, "the verdict", || {
        let output = cluster.kubectl(&["run", "verdict", &image, "--dry-run=server"]).ok()?;
        let is_there = match refusal {
            Some(text) => !output.is_success() && output.stderr.contains(text),
            None => output.is_success(),
        };
        last = output.stderr;
        is_there.then_some(())
    });
    waited.with_context(|| format!("{image}, wanted {refusal:?}; the cluster said at last:\n{last}"))?;
    Ok(last)
}

/// Waits until the service of a cluster says that it waits for something, or is in error, for a reason with this text.
pub fn service_reason(plane: &Plane, cluster: i64, part: &str) -> Result<Value> {
    let mut last = Value::Null;
    let waited = wait_until(REASON_TIME, &format!("the service to say `{part}`"), || {
        last = plane.ask(Method::GET, &Plane::service(cluster), None).ok()?;
        last["output"]["reason"].as_str().filter(|reason| reason.contains(part)).map(drop)
    });
    waited.with_context(|| format!("the service says: {last:#}"))?;
    Ok(last)
}

/// Makes the work fail when this step begins, as often as it is tried.
pub fn stop_at(plane: &Plane, step: Option<&str>) -> Result<()> {
    let location = Location::File(plane.engine.data_folder().join("engine.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let database = Database::open(&location).await?;
        let mut tx = database.begin().await?;
        storage::query("DROP TRIGGER IF EXISTS stop_here").execute(&mut tx).await?;
        if let Some(step) = step {
            let trigger = format!(
                "CREATE TRIGGER stop_here BEFORE INSERT ON plane_service_steps WHEN NEW.step = '{step}' \
                 BEGIN SELECT RAISE(ABORT, 'the power is cut here'); END"
            );
            storage::query_built(trigger).execute(&mut tx).await?;
        }
        tx.commit().await?;
        database.close().await;
        Ok(())
    })
}
