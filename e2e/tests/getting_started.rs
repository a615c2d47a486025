//! The page for newcomers says what is true: its steps for a cluster of one's own are taken as they stand there.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{EngineOptions, Plane, wait_for_verdict};
use testkit::{
    Cluster, KubernetesPrograms, Output, Program, Registry, RegistryMode, Scratch, debian_images, wait_until,
    workspace_folder,
};

const DEADLINE: Duration = Duration::from_secs(60);

/// How a command has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    Refused,
    /// In the end: the webhook learns within moments what was whitelisted.
    DoneSoon,
}

/// What the page lets people type, how it ends, and what it prints.
const STEPS: [(&str, End, &str); 14] = [
    ("lazaret login", End::Done, "as admin"),
    ("| lazaret cluster import --name demo --wait", End::Done, "RUNNING"),
    ("lazaret cluster service securityscan activate --wait", End::Done, "\"Security scan\": active"),
    ("lazaret secret create", End::Done, "registry"),
    ("kubectl run shop ", End::Refused, "CVE-2026-103111 High"),
    ("kubectl run good ", End::Done, "pod/good created"),
    ("lazaret whitelist create trusted ", End::Done, "release trusted is on the whitelist"),
    ("kubectl run trusted ", End::DoneSoon, "pod/trusted created"),
    ("kubectl get audits", End::Done, "reject"),
    ("kubectl describe audit shop", End::Done, "Image failed policy check: "),
    ("lazaret audits --rejected", End::Done, "shop"),
    ("lazaret cluster service securityscan get", End::Done, "ACTIVE"),
    ("lazaret cluster service securityscan deactivate --wait", End::Done, "\"Security scan\": inactive"),
    ("lazaret cluster delete demo", End::Done, "cluster demo is gone"),
];

/// Commands of the second half of the page, behind the start of the server; what follows a command belongs to it.
fn commands() -> Result<Vec<String>> {
    let page = fs_err::read_to_string(workspace_folder().join("docs/getting-started.md"))?;
    let (_, steps) = page.split_once("### 2. ").context("the page has steps")?;
    let (steps, _) = steps.split_once("\n## ").context("something follows the steps")?;
    let blocks = steps.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut commands: Vec<String> = Vec::new();
    for line in blocks.flat_map(str::lines) {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push(command.to_owned()),
            (None, Some(command)) => *command = format!("{command}\n{line}"),
            (None, None) => bail!("the page begins with no command: {line}"),
        }
    }
    Ok(commands)
}

fn check(
    command: &str,
    (_, end, text): (&str, End, &str),
    shell: &dyn Fn(&str) -> Result<Output>,
) -> Result<()> {
    let output = match end {
        End::Done | End::Refused => shell(command)?,
        End::DoneSoon => wait_until(DEADLINE, command, || shell(command).ok().filter(Output::is_success))?,
    };
    let said = format!("{}{}", output.stdout, output.stderr);
    ensure!(output.is_success() == (end != End::Refused), "{command}: {}\n{said}", output.status);
    ensure!(said.contains(text), "{command}: no `{text}` in\n{said}");
    Ok(())
}

#[test]
fn the_steps_of_the_page_can_be_taken() -> Result<()> {
    let images = debian_images()?;
    let registry = Registry::start(RegistryMode::Open)?;
    registry.push(&images.vulnerable, "debian:vulnerable")?;
    registry.push(&images.fixed, "debian:fixed")?;
    let (vulnerable, fixed) = (registry.reference("debian:vulnerable"), registry.reference("debian:fixed"));
    let plane = Plane::start(EngineOptions {
        insecure_registries: vec![registry.host()],
        with_database: true,
        ..EngineOptions::default()
    })?;
    let cluster = Cluster::start()?;

    // As on the machine of `serve`, but for its port, which is a free one here.
    let home = Scratch::new("newcomer")?;
    let client = home.path().join("client.yaml");
    fs_err::write(&client, format!("pipeline:\n  basepath: {}\n", plane.url()?))?;
    let programs = [Program::lazaret()?.path().to_owned(), KubernetesPrograms::find()?.kubectl];
    let folders = programs.iter().filter_map(|program| program.parent());
    let path = std::env::join_paths(folders.chain([Path::new("/usr/bin"), Path::new("/bin")]))?;
    let shell = |command: &str| {
        Program::at(Path::new("/bin/bash"))
            .arguments(["-o", "pipefail", "-c", command])
            .environment("HOME", home.path())
            .environment("PATH", &path)
            .environment("BANZAICONFIG", &client)
            .environment("LAZARET_DATA_DIR", plane.engine.data_folder())
            .environment("KUBECONFIG", cluster.kubeconfig("admin")?)
            .run(b"")
    };
    let commands = commands()?;
    ensure!(commands.len() == STEPS.len(), "{commands:#?}");
    for (command, step) in commands.iter().zip(STEPS) {
        ensure!(command.contains(step.0), "the page says `{command}`, this test expects `{}`", step.0);
        if step.1 == End::Refused {
            // The first question about an image may come before its analysis is done.
            wait_for_verdict(&cluster, &vulnerable, Some("CVE-"))?;
            wait_for_verdict(&cluster, &fixed, None)?;
        }
        let command =
            command.replace("IMAGE-WITH-VULNERABILITIES", &vulnerable).replace("IMAGE-WITHOUT", &fixed);
        check(&command, step, &shell)?;
    }
    Ok(())
}
