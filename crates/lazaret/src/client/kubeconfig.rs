//! Kubeconfigs on their way to and from the server.

use anyhow::{Context as _, bail};
use base64::Engine as _;
use pipeline_client::wire;
use report_formats::printable;
use serde_json::Value;

use super::cluster_choice::Chosen;

const NAME_CHARS_MAX: usize = 253;

/// The text as the secret store wants it.
pub(super) fn encode(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Members of a kubeconfig that name files of the machine on which it is read.
const FILES: &[(&str, &str, &[&str])] = &[
    ("clusters", "cluster", &["certificate-authority"]),
    ("users", "user", &["client-certificate", "client-key", "tokenFile"]),
];
/// The one program that kubeconfigs of servers may have run: the login of Amazon's clusters.
const LOGIN_PROGRAM: &str = "aws-iam-authenticator";

/// Whether the text is a kubeconfig that means the same on another machine. The server looks closer.
pub(super) fn check_sendable(text: &str) -> anyhow::Result<()> {
    let document = parse(text)?;
    for list in ["clusters", "users", "contexts"] {
        if document.get(list).and_then(Value::as_array).is_none_or(Vec::is_empty) {
            bail!("it has no `{list}`: `kubectl config view --minify --raw --flatten` makes one that has");
        }
    }
    if let Some(key) = find_file(&document) {
        bail!(
            "its `{key}` is a file of this machine: `kubectl config view --minify --raw --flatten` puts the content in"
        );
    }
    Ok(())
}

/// Whether kubectl may be given the text: it would send a named file away and run a named program, and whoever answered
/// may not be who he should be.
fn check_usable(text: &str) -> anyhow::Result<()> {
    let document = parse(text)?;
    if let Some(key) = find_file(&document) {
        bail!("its `{key}` is a file of this machine, which would be sent away");
    }
    for user in document["users"].as_array().into_iter().flatten() {
        if !user["user"]["auth-provider"].is_null() {
            bail!("it has an `auth-provider`, which would run a program on this machine");
        }
        let program = &user["user"]["exec"]["command"];
        if !user["user"]["exec"].is_null() && program != LOGIN_PROGRAM {
            bail!("it would run {} on this machine", printable(&program.to_string()));
        }
    }
    Ok(())
}

fn parse(text: &str) -> anyhow::Result<Value> {
    serde_saphyr::from_str::<Value>(text).ok().filter(Value::is_object).context("it is not YAML")
}

/// The first member that names a file.
fn find_file(document: &Value) -> Option<&'static str> {
    FILES.iter().find_map(|(list, member, keys)| {
        let mut entries = document[*list].as_array().into_iter().flatten();
        let names =
            |entry: &Value, key: &str| entry[*member][key].as_str().is_some_and(|path| !path.is_empty());
        entries.find_map(|entry| keys.iter().copied().find(|key| names(entry, key)))
    })
}

/// The kubeconfig of a cluster, as the server keeps it.
pub(super) async fn load(chosen: &Chosen) -> anyhow::Result<String> {
    let config: wire::ClusterConfig = chosen
        .client
        .get(&chosen.path(&["config"]).segments())
        .await
        .with_context(|| format!("failed to get the kubeconfig of cluster {}", chosen.cluster.name))?;
    if config.data.trim().is_empty() {
        bail!("the server has no kubeconfig of cluster {}", chosen.cluster.name);
    }
    check_usable(&config.data).with_context(|| {
        format!("the kubeconfig that the server has of cluster {} is not used", chosen.cluster.name)
    })?;
    Ok(config.data)
}

/// The name of a cluster as the name of a file: nothing that leads into another folder.
pub(super) fn file_name(name: &str) -> anyhow::Result<&str> {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
    if name.is_empty() || name.len() > NAME_CHARS_MAX || name.starts_with('.') || !name.chars().all(is_plain)
    {
        bail!("cluster name `{}` cannot be the name of a file", printable(name));
    }
    Ok(name)
}

/// The name of a cluster for a prompt: a shell expands what is in one.
pub(super) fn prompt_name(name: &str) -> String {
    let keep = |character: char| match character {
        character if character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-') => character,
        _ => '_',
    };
    name.chars().take(64).map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_and_run_nothing() {
        assert_eq!(file_name("demo-1.x_y").unwrap(), "demo-1.x_y");
        for wrong in ["", "../a", "a/b", ".ssh", "a\u{1b}b", "ä", &"a".repeat(300)] {
            assert!(file_name(wrong).is_err(), "{wrong}");
        }
        assert_eq!(prompt_name("a$(id)`b`\\u\u{1b}[0m"), "a__id__b__u__0m");
    }

    #[test]
    fn a_kubeconfig_of_a_server_runs_nothing_and_reads_nothing() {
        let user = |user: &str| format!("clusters: []\nusers: [{{name: u, user: {user}}}]\n");
        for good in [
            "{token: t}",
            "{exec: {command: aws-iam-authenticator}}",
            "{client-key: ''}",
            "{client-key-data: eA==}",
        ] {
            check_usable(&user(good)).unwrap();
        }
        for (wrong, expected) in [
            ("{exec: {command: /bin/sh}}", "run \"/bin/sh\""),
            ("{exec: {args: [a]}}", "run null"),
            ("{auth-provider: {name: gcp}}", "`auth-provider`"),
            ("{tokenFile: /home/ada/.ssh/id}", "`tokenFile` is a file"),
        ] {
            let error = check_usable(&user(wrong)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(check_usable("no").is_err());
    }

    #[test]
    fn a_kubeconfig_must_mean_the_same_elsewhere() {
        let good = "clusters: [{name: a, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {token: t}}]\n\
            contexts: [{name: c, context: {cluster: a, user: u}}]\n";
        check_sendable(good).unwrap();
        for (text, expected) in [
            ("{", "not YAML"),
            ("a: b", "no `clusters`"),
            (&good.replace("{token: t}", "{client-key: /home/ada/key}"), "`client-key` is a file"),
            (
                &good.replace("{server:", "{certificate-authority: ca.crt, server:"),
                "`certificate-authority` is a file",
            ),
        ] {
            let error = check_sendable(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
