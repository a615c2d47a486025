//! Questions that make a specification of the security scan.

use anyhow::{Context as _, bail};
use pipeline_client::{Call, wire};
use serde_json::{Map, Value, json};

use super::ask;
use super::cluster_choice::Chosen;
use super::document;
use super::session::Session;
use crate::name::program_name;
use crate::terminal;

/// Id and name of what every engine has.
const POLICIES: &[(&str, &str)] = &[
    ("2c53a13c-1765-11e8-82ef-23527761d060", "Default bundle"),
    ("deny_all", "Deny all images"),
    ("reject_high", "Reject high"),
    ("reject_critical", "Reject critical"),
    ("block_root", "Block root"),
    ("allow_all_and_warn", "Allow all and warn"),
];
const OTHER_POLICY: &str = "Another policy, by its id";
const CUSTOM_POLICY: &str = "Custom (a bundle in a file)";
/// The platform itself: never enforced there.
const PROTECTED: &[&str] = &["kube-system", "pipeline-system"];
const SELECTORS: &[&str] = &["include", "exclude"];
const REGISTRY_KINDS: &[&str] = &["docker_v2", "awsecr"];

/// Asks for all of a specification, beginning with one. What is not asked for stays as it is.
pub(super) async fn ask_spec(session: &Session, chosen: &Chosen, current: &Value) -> anyhow::Result<Value> {
    check_capability(chosen).await?;
    let mut spec = current.as_object().cloned().unwrap_or_default();
    let member = |spec: &Map<String, Value>, key: &str| spec.get(key).cloned().unwrap_or(Value::Null);
    let engine = ask_engine(chosen, member(&spec, "customAnchore")).await?;
    spec.insert("customAnchore".to_owned(), engine);
    let policy = ask_policy(&member(&spec, "policy"))?;
    spec.insert("policy".to_owned(), policy);
    let whitelist = ask_whitelist(member(&spec, "releaseWhiteList"))?;
    spec.insert("releaseWhiteList".to_owned(), whitelist);
    let registries = ask_registries(chosen, &spec).await?;
    spec.insert("registry".to_owned(), Value::Null);
    spec.insert("registries".to_owned(), registries);
    let webhook = ask_webhook(chosen, member(&spec, "webhookConfig")).await?;
    spec.insert("webhookConfig".to_owned(), webhook);
    let spec = Value::Object(spec);
    let shown = serde_json::to_string_pretty(&spec).context("failed to show the specification")?;
    terminal::error_line(&shown);
    let question = format!("Send this for cluster {}?", report_formats::printable(&chosen.cluster.name));
    if !(session.is_interactive && ask::confirm(&question, true)?) {
        bail!("cancelled; nothing was changed");
    }
    Ok(spec)
}

/// The wizard offers the engine that the server brings; a server without one is told about.
async fn check_capability(chosen: &Chosen) -> anyhow::Result<()> {
    let capabilities: wire::Capabilities =
        chosen.client.get(&["api", "v1", "capabilities"]).await.context("failed to retrieve capabilities")?;
    let feature = capabilities.features.get("securityScan").context("no securityscan capabilities found")?;
    if !feature.managed {
        terminal::error_line("this server brings no engine: configure your own in the next question");
    }
    Ok(())
}

async fn ask_engine(chosen: &Chosen, current: Value) -> anyhow::Result<Value> {
    let is_own = current["enabled"].as_bool().unwrap_or_default();
    if !ask::confirm("Configure a custom anchore instance?", is_own)? {
        return Ok(json!({"enabled": false, "url": "", "secretId": ""}));
    }
    let url = ask::required_text("Custom anchore URL:", current["url"].as_str().unwrap_or_default())?;
    let secret =
        ask_secret(chosen, "password", "Secret with its user and password:", &current["secretId"]).await?;
    let mut engine = current.as_object().cloned().unwrap_or_default();
    engine.extend([
        ("enabled".to_owned(), json!(true)),
        ("url".to_owned(), json!(url)),
        ("secretId".to_owned(), json!(secret)),
    ]);
    Ok(Value::Object(engine))
}

/// The id of a secret of a type, chosen by name.
async fn ask_secret(chosen: &Chosen, kind: &str, question: &str, current: &Value) -> anyhow::Result<String> {
    let organization = chosen.organization.to_string();
    let path = ["api", "v1", "orgs", &organization, "secrets"];
    let query = [("type", kind)];
    let secrets: Vec<wire::Secret> = chosen
        .client
        .read(&Call::get(&path).with_query(&query))
        .await
        .context("failed to retrieve secrets")?;
    if secrets.is_empty() {
        bail!(
            "there are no secrets with type \"{kind}\": make one with `{} secret create --type {kind}`",
            program_name()
        );
    }
    let names: Vec<String> = secrets.iter().map(|secret| secret.name.clone()).collect();
    let start =
        secrets.iter().position(|secret| Some(secret.id.as_str()) == current.as_str()).unwrap_or_default();
    let index = ask::select(question, &names, start)?;
    Ok(secrets.into_iter().nth(index).context("no secret was chosen")?.id)
}

fn ask_policy(current: &Value) -> anyhow::Result<Value> {
    let is_custom = current["customPolicy"]["enabled"].as_bool().unwrap_or_default();
    let id = current["policyId"].as_str().unwrap_or_default();
    let mut options: Vec<String> = POLICIES.iter().map(|(id, name)| format!("{name} ({id})")).collect();
    options.extend([OTHER_POLICY.to_owned(), CUSTOM_POLICY.to_owned()]);
    let (other, custom) = (POLICIES.len(), POLICIES.len() + 1);
    let start = match POLICIES.iter().position(|(known, _)| *known == id) {
        _ if is_custom => custom,
        Some(index) => index,
        None if id.is_empty() => {
            POLICIES.iter().position(|(known, _)| *known == "reject_high").unwrap_or_default()
        }
        None => other,
    };
    let index = ask::select("Policy:", &options, start)?;
    if index == custom {
        let file = ask::required_text("File with the bundle, JSON:", "")?;
        let (bundle, place) = document::read(Some(file.as_ref()))?;
        if !bundle.is_object() {
            bail!("{place} is no policy bundle");
        }
        return Ok(json!({"policyId": "", "customPolicy": {"enabled": true, "policy": bundle}}));
    }
    let id = match POLICIES.get(index) {
        Some((id, _)) => (*id).to_owned(),
        None => ask::required_text("Id of the policy:", id)?,
    };
    Ok(json!({"policyId": id, "customPolicy": {"enabled": false, "policy": null}}))
}

fn ask_whitelist(current: Value) -> anyhow::Result<Value> {
    let mut items = current.as_array().cloned().unwrap_or_default();
    if !items.is_empty() {
        let names: Vec<String> =
            items.iter().map(|item| item["name"].as_str().unwrap_or_default().to_owned()).collect();
        let all: Vec<usize> = (0..names.len()).collect();
        let kept = ask::select_several("Release whitelist items to keep:", &names, &all)?;
        items = kept.into_iter().filter_map(|index| items.get(index).cloned()).collect();
    }
    while ask::confirm("Add a release whitelist item?", false)? {
        let name = ask::required_text("Name of the release:", "")?;
        let reason = ask::required_text("Reason:", "")?;
        let regexp = ask::text("Regular expression for more releases (may be empty):", "")?;
        let mut item = json!({"name": name, "reason": reason});
        if !regexp.is_empty() {
            item["regexp"] = json!(regexp);
        }
        items.push(item);
    }
    Ok(Value::Array(items))
}

async fn ask_registries(chosen: &Chosen, spec: &Map<String, Value>) -> anyhow::Result<Value> {
    let mut items = spec.get("registries").and_then(Value::as_array).cloned().unwrap_or_default();
    if items.is_empty() {
        // One that was given alone counts only where there is no list.
        items.extend(spec.get("registry").filter(|registry| registry.is_object()).cloned());
    }
    if !items.is_empty() {
        let names: Vec<String> =
            items.iter().map(|item| item["registry"].as_str().unwrap_or_default().to_owned()).collect();
        let all: Vec<usize> = (0..names.len()).collect();
        let kept = ask::select_several("Registries to keep:", &names, &all)?;
        items = kept.into_iter().filter_map(|index| items.get(index).cloned()).collect();
    }
    while ask::confirm("Add a private registry?", false)? {
        let registry = ask::required_text("Registry, as registry.example.org:", "")?;
        let kinds: Vec<String> = REGISTRY_KINDS.iter().map(|kind| (*kind).to_owned()).collect();
        let kind = REGISTRY_KINDS.get(ask::select("Type:", &kinds, 0)?).copied().unwrap_or_default();
        let secret_kind = if kind == "awsecr" { "amazon" } else { "password" };
        let secret = ask_secret(chosen, secret_kind, "Secret with its credentials:", &Value::Null).await?;
        let insecure = ask::confirm("Take any certificate of it?", false)?;
        items.push(json!({"registry": registry, "secretId": secret, "type": kind, "insecure": insecure}));
    }
    Ok(if items.is_empty() { Value::Null } else { Value::Array(items) })
}

async fn ask_webhook(chosen: &Chosen, current: Value) -> anyhow::Result<Value> {
    let is_new = !current.is_object();
    if !ask::confirm(
        "Enforce the policy in the cluster?",
        is_new || current["enabled"].as_bool().unwrap_or_default(),
    )? {
        return Ok(json!({"enabled": false, "selector": "", "namespaces": []}));
    }
    let selectors: Vec<String> = SELECTORS.iter().map(|selector| (*selector).to_owned()).collect();
    let start = SELECTORS.iter().position(|selector| current["selector"] == **selector).unwrap_or_default();
    let selector =
        SELECTORS.get(ask::select("Namespaces are to:", &selectors, start)?).copied().unwrap_or_default();
    let before: Vec<&str> =
        current["namespaces"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut options = vec!["*".to_owned()];
    options.extend(namespaces(chosen).await);
    options.extend(
        before
            .iter()
            .filter(|name| !options.iter().any(|known| known == *name))
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>(),
    );
    let marked: Vec<usize> = match before.as_slice() {
        [] => vec![0],
        before => (0..options.len()).filter(|index| before.contains(&options[*index].as_str())).collect(),
    };
    loop {
        let indices = ask::select_several("Namespaces (space marks, enter ends):", &options, &marked)?;
        let names: Vec<&String> = indices.iter().filter_map(|index| options.get(*index)).collect();
        match names.as_slice() {
            [] => terminal::error_line("mark at least one"),
            names if names.len() > 1 && names.iter().any(|name| *name == "*") => {
                terminal::error_line("* is all of them and stands alone: unmark it, or the others");
            }
            names => return Ok(json!({"enabled": true, "selector": selector, "namespaces": names})),
        }
    }
}

/// The namespaces that can be marked; where the cluster does not tell, the one that every cluster has.
async fn namespaces(chosen: &Chosen) -> Vec<String> {
    let path = chosen.path(&["namespaces"]);
    let found: Result<wire::Namespaces, _> = chosen.client.get(&path.segments()).await;
    match found {
        Ok(found) => {
            let names = found.namespaces.into_iter().map(|namespace| namespace.name);
            names.filter(|name| !PROTECTED.contains(&name.as_str())).collect()
        }
        Err(_) => vec!["default".to_owned()],
    }
}
