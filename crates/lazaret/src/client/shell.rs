//! `cluster shell`: a shell or a command that has the cluster as its kubectl context.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context as _, bail};
use pipeline_client::{CallError, wire};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::cluster_arguments::{ClusterChoice, ShellArguments};
use super::cluster_choice::{Chosen, choose};
use super::kubeconfig;
use super::session::Session;
use crate::config;
use crate::exit::Exit;
use crate::terminal;

/// Between two questions whether a cluster that is being made is ready.
const READY_INTERVAL: Duration = Duration::from_secs(30);

/// Runs it; the exit code is that of what was run.
pub(super) async fn run(
    session: &Session,
    choice: &ClusterChoice,
    arguments: ShellArguments,
) -> anyhow::Result<Exit> {
    let ShellArguments { wrap_helm: _, command } = arguments;
    let chosen = choose(session, choice).await?;
    let text = load_when_ready(session, &chosen, command.is_empty()).await?;
    if !is_on_path("kubectl") {
        bail!("kubectl is not on the PATH: install it first, https://kubernetes.io/docs/tasks/tools");
    }
    let organization_id = chosen.organization.to_string();
    let organization: wire::Organization = chosen
        .client
        .get(&["api", "v1", "orgs", &organization_id])
        .await
        .context("failed to get the organization")?;

    // Only its owner reads it; it goes when the command ends.
    let mut file = tempfile::Builder::new()
        .prefix("kubeconfig")
        .tempfile()
        .context("failed to make a temporary file for the kubeconfig")?;
    file.write_all(text.as_bytes()).context("failed to write the kubeconfig")?;
    file.flush().context("failed to write the kubeconfig")?;

    let prompt = format!("[{}]$ ", kubeconfig::prompt_name(&chosen.cluster.name));
    let start_up = bash_start_up(&prompt)?;
    let shell = config::variable("SHELL").unwrap_or_else(|| "sh".to_owned());
    let start_up_path = start_up.path().to_string_lossy();
    let (program, words) = to_run(&shell, &start_up_path, &command);
    let shown = if command.is_empty() { program.to_owned() } else { command.join(" ") };
    terminal::error_line(&format!("Running {shown}"));
    let mut process = Command::new(program);
    process
        .args(&words)
        .env("KUBECONFIG", file.path())
        .env("PS1", &prompt)
        .env("BANZAI_CURRENT_ORG_ID", &organization_id)
        .env("BANZAI_CURRENT_ORG_NAME", printable_name(&organization.name))
        .env("BANZAI_CURRENT_CLUSTER_ID", chosen.cluster.id.to_string())
        .env("BANZAI_CURRENT_CLUSTER_NAME", printable_name(&chosen.cluster.name));
    let status = run_to_end(&mut process).await.with_context(|| format!("failed to run `{program}`"))?;
    file.close().context("failed to delete the temporary kubeconfig")?;
    Ok(exit_of(status))
}

/// The program and its words: one word goes through the shell, several are run as they are.
fn to_run<'a>(shell: &'a str, start_up: &'a str, command: &'a [String]) -> (&'a str, Vec<&'a str>) {
    match command {
        [] => match Path::new(shell).file_name().and_then(|name| name.to_str()) {
            Some("bash") => (shell, vec!["--rcfile", start_up, "-i"]),
            Some("zsh") => (shell, vec!["-i"]),
            _ => (shell, Vec::new()),
        },
        [line] => (shell, vec!["-c", line]),
        [program, words @ ..] => (program, words.iter().map(String::as_str).collect()),
    }
}

/// What bash reads when it starts: the user's own file, and behind it the prompt, which that file would take away.
fn bash_start_up(prompt: &str) -> anyhow::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new().context("failed to make a temporary file for the shell")?;
    write!(file, "if [ -r ~/.bashrc ]; then . ~/.bashrc; fi\nPS1='{prompt}'\n")
        .context("failed to write the start of the shell")?;
    file.flush().context("failed to write the start of the shell")?;
    Ok(file)
}

/// Waits while the cluster is being made, if there is somebody who waits for a shell.
async fn load_when_ready(session: &Session, chosen: &Chosen, is_for_shell: bool) -> anyhow::Result<String> {
    loop {
        let error = match kubeconfig::load(chosen).await {
            Ok(text) => return Ok(text),
            Err(error) => error,
        };
        let status = error.downcast_ref::<CallError>().and_then(CallError::status);
        if !(session.is_interactive && is_for_shell && status == Some(400)) {
            return Err(error);
        }
        terminal::error_line(&format!(
            "{}; asking again in {} seconds, Ctrl-C ends that",
            terminal::chain(&error),
            READY_INTERVAL.as_secs()
        ));
        tokio::time::sleep(READY_INTERVAL).await;
    }
}

/// Ctrl-C is for the command, which shares the terminal: this program outlives it, to clean up.
async fn run_to_end(process: &mut Command) -> std::io::Result<ExitStatus> {
    let _interrupt = signal(SignalKind::interrupt())?;
    let _quit = signal(SignalKind::quit())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut child = process.spawn()?;
    tokio::select! {
        status = child.wait() => return status,
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    child.start_kill()?;
    child.wait().await
}

fn exit_of(status: ExitStatus) -> Exit {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    if code == 0 {
        terminal::error_line("Command exited successfully");
    } else {
        terminal::error_line(&format!("the command ended with {status}"));
    }
    Exit::Of(u8::try_from(code).unwrap_or(1))
}

/// A name as a variable: a NUL in it would make starting the command fail.
fn printable_name(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).collect()
}

fn is_on_path(program: &str) -> bool {
    let path = config::variable("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| {
        let metadata = fs_err::metadata(folder.join(program));
        metadata.is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_goes_through_the_shell() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(to_run("/bin/bash", "rc", &[]), ("/bin/bash", vec!["--rcfile", "rc", "-i"]));
        assert_eq!(to_run("/bin/dash", "rc", &[]), ("/bin/dash", vec![]));
        assert_eq!(to_run("/bin/bash", "rc", &words(&["a | b"])), ("/bin/bash", vec!["-c", "a | b"]));
        assert_eq!(
            to_run("/bin/dash", "rc", &words(&["kubectl", "get", "-A"])),
            ("kubectl", vec!["get", "-A"])
        );
    }
}
