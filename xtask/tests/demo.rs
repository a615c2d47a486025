//! `cargo xtask demo` as a newcomer meets it: what it prints is pasted, and nothing is left when it ends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testkit::{Output, Program, RunningProgram, Scratch, is_process_alive, wait_until};

/// A machine that builds other things beside it takes its time.
const START_TIME: Duration = Duration::from_secs(240);
const END_TIME: Duration = Duration::from_secs(60);

fn demo() -> Program {
    Program::at(Path::new(env!("CARGO_BIN_EXE_xtask"))).argument("demo")
}

/// The lines that are there to be pasted.
fn commands(output: &str) -> Vec<String> {
    let is_command = |line: &&str| line.starts_with("  ") && !line.starts_with("    ");
    output.lines().filter(is_command).map(|line| line.trim().to_owned()).collect()
}

/// Runs a line in a shell that has read the file before.
fn paste(source: &str, command: &str) -> Result<Output> {
    Program::at(Path::new("/bin/bash")).argument("-c").argument(format!("{source}\n{command}")).run(b"")
}

/// All processes that this one started, and those that they started.
fn descendants(process: u32) -> Result<BTreeSet<u32>> {
    let mut found = BTreeSet::from([process]);
    loop {
        let before = found.len();
        for entry in fs_err::read_dir("/proc")?.flatten() {
            let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let stat = fs_err::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
            if parent.is_some_and(|parent: u32| found.contains(&parent)) {
                found.insert(id);
            }
        }
        if found.len() == before {
            found.remove(&process);
            return Ok(found);
        }
    }
}

/// Ends it by a signal and sees that nothing is left.
fn end(mut demo: RunningProgram, signal: &str, folders: &[PathBuf]) -> Result<bool> {
    let children = descendants(demo.id())?;
    demo.signal(signal)?;
    let status = demo.wait(END_TIME)?;
    for child in children {
        wait_until(END_TIME, &format!("the end of process {child}"), || {
            (!is_process_alive(child)).then_some(())
        })?;
    }
    for folder in folders {
        ensure!(!folder.exists(), "`{}` is left", folder.display());
    }
    Ok(status.success())
}

#[test]
fn four_commands_show_what_lazaret_does() -> Result<()> {
    let demo = demo().start()?;
    demo.wait_for_line("Ctrl-C stops all of it", START_TIME)?;
    // What is to be pasted comes through another pipe, and this is its last line.
    demo.wait_for_line("kubectl describe audit", START_TIME)?;
    let output = demo.output();
    let commands = commands(&output);
    let [source, refused, admitted, whitelisted, audits] = &commands[..] else {
        anyhow::bail!("not one line to begin with and four commands: {commands:#?}")
    };
    let children = descendants(demo.id())?;
    ensure!(children.len() >= 5, "registry, etcd, API server, controller manager, lazaret: {children:?}");

    let text = paste(source, refused)?.failure()?;
    ensure!(text.contains("denied the request: Image failed policy check: 127.0.0.1:"), "{text}");
    ensure!(text.contains("CVE-2026-103111 High libpcre2-8-0"), "{text}");
    let text = paste(source, admitted)?.success()?;
    ensure!(text.contains("pod/good created"), "{text}");
    let text = paste(source, whitelisted)?.success()?;
    ensure!(text.contains("pod/trusted created"), "{text}");
    // Audits are written beside the answer; a person is not that quick.
    let text = wait_until(END_TIME, "the audits", || {
        let text = paste(source, audits).ok()?.success().ok()?;
        text.contains("trusted").then_some(text)
    })?;
    ensure!(text.contains("reject") && text.contains("good") && text.contains("CVE-2026-103111"), "{text}");

    let shell_file = Path::new(source.strip_prefix("source ").context("the first line is `source`")?);
    let folder = shell_file.parent().context("a file is in a folder")?.to_owned();
    let kubeconfig = output.lines().find_map(|line| line.strip_prefix("    ")).context("a kubeconfig")?;
    let cluster = Path::new(kubeconfig).parent().context("a file is in a folder")?.to_owned();
    ensure!(folder.exists() && cluster.exists());
    ensure!(end(demo, "INT", &[folder, cluster])?, "Ctrl-C is how it ends, and no failure");
    Ok(())
}

#[test]
fn a_beginning_can_be_given_up() -> Result<()> {
    let scratch = Scratch::new("interrupted")?;
    let demo = demo().environment("TMPDIR", scratch.path()).start()?;
    demo.wait_for_line("starting a Kubernetes cluster", START_TIME)?;
    end(demo, "TERM", &[])?;
    let left: Vec<_> = fs_err::read_dir(scratch.path())?
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| name != "owner.lock")
        .collect();
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

#[test]
fn a_machine_that_is_not_ready_is_told_what_to_do() -> Result<()> {
    let empty = Scratch::new("no-cache")?;
    let text = demo().environment("LAZARET_CACHE_DIR", empty.path()).run(b"")?.failure()?;
    ensure!(text.contains("run `cargo xtask setup` first"), "{text}");
    ensure!(text.contains("kube-apiserver") && text.contains("debian-12-vulnerable"), "{text}");
    Ok(())
}
