//! `lazaret serve`: what it prints, whom it lets in, and what survives a restart.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{Engine, EngineOptions, address_in, http_status};
use testkit::{Program, RunningProgram, Scratch};

const DEADLINE: Duration = Duration::from_secs(60);

fn serve(data: &Scratch) -> Result<Program> {
    Ok(Program::lazaret()?.argument("serve").argument("--data-dir").argument(data.path()).arguments([
        "--listen",
        "127.0.0.1:0",
        "--engine-listen",
        "127.0.0.1:0",
    ]))
}

fn start(program: &Program) -> Result<(RunningProgram, String)> {
    let running = program.start()?;
    running.wait_for_line("lazaret admission --engine-url", DEADLINE)?;
    let output = running.output();
    Ok((running, output))
}

#[test]
fn the_first_start_tells_everything_that_is_needed_and_the_second_no_password() -> Result<()> {
    let data = Scratch::new("serve")?;
    let program = serve(&data)?;
    let (running, output) = start(&program)?;
    for part in [
        "control plane",
        "engine API",
        "http://127.0.0.1:",
        "admin",
        "password",
        "vulnerability data",
        "lazaret login -e http://127.0.0.1:",
        "lazaret db import",
    ] {
        ensure!(output.contains(part), "`{part}` is missing in:\n{output}");
    }
    let password = output
        .lines()
        .find_map(|line| line.split_once("password `")?.1.split_once('`'))
        .context("the password is printed")?
        .0
        .to_owned();
    ensure!(password.len() >= 16, "`{password}` is short");
    let control_plane = address_in(&running.wait_for_line("control plane", DEADLINE)?, "http://")?;
    ensure!(http_status(&control_plane, "/readyz")? == 200, "a server that listens is ready");
    running.stop()?;

    let (running, output) = start(&program)?;
    ensure!(!output.contains(&password) && !output.contains("password `"), "shown again:\n{output}");
    let (status, _) = running.stop()?;
    ensure!(status.success(), "{status}");
    Ok(())
}

#[test]
fn an_address_that_others_reach_is_refused_without_a_certificate() -> Result<()> {
    let data = Scratch::new("serve")?;
    let refused = Program::lazaret()?
        .arguments(["serve", "--engine-listen", "0.0.0.0:0", "--data-dir"])
        .argument(data.path())
        .run(b"")?
        .failure()?;
    ensure!(refused.contains("--tls-certificate") && refused.contains("--allow-plain-http"), "{refused}");
    Ok(())
}

#[test]
fn one_data_folder_has_one_server() -> Result<()> {
    let data = Scratch::new("serve")?;
    let program = serve(&data)?;
    let (running, _) = start(&program)?;
    let refused = program.run(b"")?.failure()?;
    ensure!(refused.contains(&data.path().display().to_string()), "{refused}");
    running.stop()?;
    Ok(())
}

#[test]
fn a_killed_engine_keeps_its_policy() -> Result<()> {
    let mut engine = Engine::start(EngineOptions {
        active_policy: Some("block_root".to_owned()),
        ..EngineOptions::default()
    })?;
    engine.kill()?;
    engine.resume()?;
    ensure!(engine.active_policy()? == "block_root");
    engine.stop()
}
