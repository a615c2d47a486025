//! `cluster service securityscan`: get, activate, update, deactivate.

use anyhow::{Context as _, bail};
use http::Method;
use pipeline_client::{Call, CallError, Client, wire};
use serde_json::{Map, Value, json};

use super::cluster_arguments::{
    ClusterChoice, SecurityscanArguments, SecurityscanCommand, SpecArguments, Waiting,
};
use super::cluster_choice::{Chosen, choose};
use super::session::Session;
use super::waiting::{Outlook, wait_until};
use super::{document, output, wizard};
use crate::exit::Exit;
use crate::name::program_name;
use crate::terminal;

const NAME: &str = "securityscan";
/// The keys of a specification.
const KEYS: &[&str] =
    &["customAnchore", "policy", "releaseWhiteList", "webhookConfig", "registry", "registries"];

/// Runs one of the commands; without one, `get`.
pub(super) async fn run(
    session: &Session,
    choice: &ClusterChoice,
    arguments: SecurityscanArguments,
) -> anyhow::Result<Exit> {
    let command = arguments.command.unwrap_or(SecurityscanCommand::Get);
    // What is wrong with a file is told before anybody is asked for anything.
    let spec = match &command {
        SecurityscanCommand::Activate(spec) | SecurityscanCommand::Update(spec)
            if spec.file.is_some() || !session.is_interactive =>
        {
            Some(read_spec(spec)?)
        }
        _ => None,
    };
    let chosen = choose(session, choice).await?;
    check_capability(&chosen.client).await?;
    match command {
        SecurityscanCommand::Get => get(session, &chosen).await,
        SecurityscanCommand::Activate(arguments) => {
            let spec = match spec {
                Some(spec) => spec,
                None => wizard::ask_spec(session, &chosen, &Value::Null).await?,
            };
            send(&chosen, Method::POST, "activate", &spec, &arguments.waiting).await
        }
        SecurityscanCommand::Update(arguments) => {
            let spec = match spec {
                Some(spec) => spec,
                None => wizard::ask_spec(session, &chosen, &details(&chosen).await?.spec).await?,
            };
            send(&chosen, Method::PUT, "update", &spec, &arguments.waiting).await
        }
        SecurityscanCommand::Deactivate { remove_resources, waiting } => {
            deactivate(&chosen, remove_resources, &waiting).await
        }
    }
}

/// Whether the server offers the service at all.
async fn check_capability(client: &Client) -> anyhow::Result<()> {
    let capabilities: wire::Capabilities =
        client.get(&["api", "v1", "capabilities"]).await.context("failed to check service")?;
    let feature = capabilities.features.iter().find(|(name, _)| name.eq_ignore_ascii_case(NAME));
    if !feature.is_some_and(|(_, feature)| feature.enabled) {
        bail!(
            "failed to check service: {NAME} service disabled; the administrator of the server can enable it"
        );
    }
    Ok(())
}

async fn details(chosen: &Chosen) -> anyhow::Result<wire::Service> {
    let path = chosen.path(&["services", NAME]);
    chosen.client.get(&path.segments()).await.context("failed to get the service")
}

async fn get(session: &Session, chosen: &Chosen) -> anyhow::Result<Exit> {
    let path = chosen.path(&["services", NAME]);
    let segments = path.segments();
    let fetched =
        session.fetch::<wire::Service>(&chosen.client, &Call::get(&segments), "get the service").await;
    let (answer, service) = match fetched {
        Err(error) if error.downcast_ref::<CallError>().and_then(CallError::status) == Some(404) => {
            bail!("cluster service \"{NAME}\" not found")
        }
        fetched => fetched?,
    };
    output::print(session.format, &answer, || table(&service))?;
    Ok(Exit::Clean)
}

fn table(service: &wire::Service) -> String {
    let mut header = Vec::new();
    let mut row = Vec::new();
    for (name, key) in [("AnchoreVersion", "anchore"), ("ImageValidatorVersion", "imageValidator")] {
        if let Some(version) = service.output[key]["version"].as_str() {
            header.push(name);
            row.push(version.to_owned());
        }
    }
    header.push("Status");
    row.push(service.status.clone());
    if let Some(policy) = service.spec["policy"]["policyId"].as_str().filter(|policy| !policy.is_empty()) {
        header.push("Policy");
        row.push(policy.to_owned());
    }
    let mut text = format!("\nSecurity_scan\n----\n{}", output::table(&header, &[row]));
    if let Some(reason) = reason(service) {
        text.push_str(&format!("\n{}", terminal::shown(&reason)));
    }
    if service.status != "ACTIVE" {
        text.push_str(&steps_table(service));
    }
    text
}

/// Why the service is as it is, where the server says so.
fn reason(service: &wire::Service) -> Option<String> {
    let texts = [service.output["reason"].as_str(), service.status_message.as_deref()];
    texts.into_iter().flatten().find(|text| !text.is_empty()).map(str::to_owned)
}

/// What is being done, where the server says so.
fn current_step(service: &wire::Service) -> Option<String> {
    let step = service.output["steps"].as_array()?.last()?;
    let texts = [step["name"].as_str(), step["state"].as_str(), step["message"].as_str()];
    let texts: Vec<&str> = texts.into_iter().flatten().filter(|text| !text.is_empty()).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// How far it is.
fn going(service: &wire::Service, otherwise: &str) -> String {
    current_step(service).or_else(|| reason(service)).unwrap_or_else(|| otherwise.to_owned())
}

/// What was done, as a table; empty where the server does not tell.
fn steps_table(service: &wire::Service) -> String {
    let steps = service.output["steps"].as_array().into_iter().flatten();
    let text = |step: &Value, key: &str| step[key].as_str().unwrap_or_default().to_owned();
    let rows: Vec<Vec<String>> =
        steps.map(|step| ["name", "state", "message"].map(|key| text(step, key)).to_vec()).collect();
    match rows.as_slice() {
        [] => String::new(),
        rows => format!("\n{}", output::table(&["Step", "State", "Message"], rows)),
    }
}

async fn send(
    chosen: &Chosen,
    method: Method,
    action: &str,
    spec: &Value,
    waiting: &Waiting,
) -> anyhow::Result<Exit> {
    let path = chosen.path(&["services", NAME]);
    let body = json!({"spec": spec});
    let call = path.segments();
    let sent = chosen.client.send(&Call::new(method, &call, Some(&body))).await;
    if let Err(CallError::Refused { status: 409, .. }) = &sent {
        terminal::error_line(&format!(
            "to change it, use `{} cluster service securityscan update`",
            program_name()
        ));
    }
    sent.with_context(|| format!("failed to {action} {NAME}"))?;
    terminal::error_line(&format!("service \"Security scan\" started to {action}"));
    if waiting.wait {
        wait_until(waiting, "service \"Security scan\"", async || {
            let service = details(chosen).await?;
            Ok(match service.status.as_str() {
                "ACTIVE" => Outlook::Done("active".to_owned()),
                "ERROR" => Outlook::Failed(
                    reason(&service).unwrap_or_else(|| "the server does not say why".to_owned()),
                ),
                "INACTIVE" => Outlook::Failed("it was deactivated".to_owned()),
                _ => Outlook::Going(going(&service, "pending")),
            })
        })
        .await?;
    }
    Ok(Exit::Clean)
}

async fn deactivate(chosen: &Chosen, remove_resources: bool, waiting: &Waiting) -> anyhow::Result<Exit> {
    let path = chosen.path(&["services", NAME]);
    let segments = path.segments();
    let query: &[(&str, &str)] = if remove_resources { &[("removeResources", "true")] } else { &[] };
    let call = Call::new(Method::DELETE, &segments, None).with_query(query);
    chosen.client.send(&call).await.with_context(|| format!("failed to deactivate {NAME}"))?;
    terminal::error_line("service \"Security scan\" started to deactivate");
    if waiting.wait {
        wait_until(waiting, "service \"Security scan\"", async || {
            let service = details(chosen).await?;
            Ok(match service.status.as_str() {
                "INACTIVE" => Outlook::Done("inactive".to_owned()),
                "ERROR" => Outlook::Failed(
                    reason(&service).unwrap_or_else(|| "the server does not say why".to_owned()),
                ),
                _ => Outlook::Going(going(&service, "being taken away")),
            })
        })
        .await?;
    }
    Ok(Exit::Clean)
}

fn read_spec(arguments: &SpecArguments) -> anyhow::Result<Value> {
    let (document, place) = document::read(arguments.file.as_deref())?;
    unwrap(document).with_context(|| format!("failed to read the specification from {place}"))
}

/// The specification itself, whether it stands alone or below `spec`.
fn unwrap(document: Value) -> anyhow::Result<Value> {
    let Value::Object(mut document) = document else {
        bail!("it should hold keys and values: {}", KEYS.join(", "));
    };
    let has_bare_keys = document.keys().any(|key| is_known(key));
    let spec = match document.remove("spec") {
        Some(_) if has_bare_keys => {
            bail!("it has `spec` and beside it keys that belong into it: put them all below `spec`")
        }
        Some(Value::Object(spec)) => {
            warn_of_unknown(&document, "beside `spec`");
            spec
        }
        Some(_) => bail!("its `spec` should hold keys and values: {}", KEYS.join(", ")),
        None => document,
    };
    if !spec.keys().any(|key| is_known(key)) {
        bail!("it has none of the keys of a specification: {}", KEYS.join(", "));
    }
    warn_of_unknown(&spec, "in the specification");
    Ok(Value::Object(spec))
}

/// Servers take keys in any case.
fn is_known(key: &str) -> bool {
    KEYS.iter().any(|known| known.eq_ignore_ascii_case(key))
}

fn warn_of_unknown(keys: &Map<String, Value>, place: &str) {
    for key in keys.keys().filter(|key| !is_known(key)) {
        let nearest = KEYS.iter().max_by(|a, b| strsim::jaro(key, a).total_cmp(&strsim::jaro(key, b)));
        let hint = nearest.filter(|nearest| strsim::jaro(key, nearest) > 0.8);
        let hint = hint.map(|nearest| format!("; did you mean `{nearest}`?")).unwrap_or_default();
        terminal::error_line(&format!("warning: key `{key}` {place} has no meaning{hint}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_stands_alone_or_wrapped() {
        let spec = json!({"policy": {"policyId": "deny_all"}});
        assert_eq!(unwrap(spec.clone()).unwrap(), spec);
        assert_eq!(unwrap(json!({"spec": spec.clone()})).unwrap(), spec);
        assert!(unwrap(json!({"Policy": {}, "other": 1})).is_ok());
        for (wrong, expected) in [
            (json!({"spec": spec.clone(), "policy": {}}), "beside it"),
            (json!({"spec": null}), "should hold keys"),
            (json!({}), "none of the keys"),
            (json!({"spec": {}}), "none of the keys"),
            (json!({"polcy": {}}), "none of the keys"),
            (json!([]), "should hold keys"),
            (json!("policy"), "should hold keys"),
        ] {
            let error = unwrap(wrong.clone()).unwrap_err().to_string();
            assert!(error.contains(expected), "{wrong}: {error}");
        }
    }
}
