//! `bench engine`: the targets of the server, each beside a baseline of the same run.

mod bare;
mod client;
mod data;
mod pages;
mod server;
mod table;
mod verdicts;
mod workers;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use testkit::{Registry, RegistryMode, RunningProgram, Scratch};

use self::client::{Connection, request};
use self::server::{PASSWORD, Role};
use self::table::Table;
use crate::progress::{say, step};
use crate::run::{cargo, command};

const ANALYSIS_TIME: Duration = Duration::from_secs(300);
/// How long the server is left alone before its memory is read.
const IDLE_TIME: Duration = Duration::from_secs(10);
const MEMORY_TARGET: &str = "< 100 MiB";
/// Where the templates are in the registry, and so their copies.
const REPOSITORY: &str = "bench/app";

/// Measures; optimized, which this program may not be yet.
pub(super) fn bench() -> Result<()> {
    if cfg!(debug_assertions) {
        say("\nbenchmark of the engine: building and running");
        let build = ["build", "--release", "--package", "lazaret", "--package", "xtask"];
        let built = command(cargo()).args(build).status()?;
        ensure!(built.success(), "the build ended with {built}");
        let program = testkit::workspace_folder().join("target/release/xtask");
        let measured = command(program).args(["bench", "engine"]).status()?;
        ensure!(measured.success(), "the benchmark ended with {measured}");
        return Ok(());
    }
    let mut table = Table::default();
    measure_one_server(&mut table)?;
    workers::measure(&mut table)?;
    table.print();
    Ok(())
}

/// What the parts of the benchmark ask.
struct Stage {
    address: SocketAddr,
    registry: String,
    basic: String,
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn measure_one_server(table: &mut Table) -> Result<()> {
    let scratch = Scratch::new("bench-engine")?;
    let registry = step("pushing images", || {
        let registry = Registry::start(RegistryMode::Open)?;
        for number in 0..data::TEMPLATES {
            registry.push_image(&data::template(number), &format!("{REPOSITORY}:template-{number}"))?;
        }
        Ok(registry)
    })?;
    let data = scratch.path();
    step("building the vulnerability database", || server::build_database(&data::feed(), data))?;
    let host = registry.host();
    let serve = Role { name: "serve", data, registry: &host, workers: "2", storage_url: None };
    let basic = basic("admin", PASSWORD);
    let start = || -> Result<(RunningProgram, Stage)> {
        let program = serve.start()?;
        let address = server::address(&program)?;
        Ok((program, Stage { address, registry: host.clone(), basic: basic.clone() }))
    };
    let (program, stage) = start()?;
    step("analyzing the images", || analyze(&stage))?;
    server::stop(program)?;
    let title = format!("copying their rows: {} images, {} events", data::IMAGES, data::EVENTS);
    step(&title, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(data::fill(&data.join("engine.db")))
    })?;

    let (program, stage) = start()?;
    let memory = |figure: &str, table: &mut Table| -> Result<()> {
        std::thread::sleep(IDLE_TIME);
        let measured = format!("{:.1} MiB", server::resident(&program)?);
        table.add(figure, MEMORY_TARGET, measured, String::new(), String::new());
        Ok(())
    };
    memory("memory after the start, idle", table)?;
    step("asking for verdicts", || verdicts::measure(&stage, table))?;
    memory("memory after the verdicts, idle", table)?;
    step("asking for pages", || pages::measure(&stage, table))?;
    memory("memory after the pages, idle", table)?;
    server::stop(program)
}

/// Adds the images and waits until all are analyzed.
fn analyze(stage: &Stage) -> Result<()> {
    let mut connection = Connection::open(stage.address)?;
    let mut digests = Vec::new();
    for number in 0..data::TEMPLATES {
        let tag = format!("{}/{REPOSITORY}:template-{number}", stage.registry);
        let body = json!({"tag": tag}).to_string();
        let added = request("POST", "/v1/images", &stage.basic, Some(("application/json", &body)));
        let record = connection.json(&added)?;
        digests.push(record[0]["imageDigest"].as_str().context("no digest")?.to_owned());
    }
    let deadline = Instant::now() + ANALYSIS_TIME;
    for digest in digests {
        loop {
            let path = format!("/v1/images/{digest}");
            let record = connection.json(&request("GET", &path, &stage.basic, None))?;
            match record[0]["analysis_status"].as_str() {
                Some("analyzed") => break,
                Some("analysis_failed") => anyhow::bail!("an image was not analyzed: {record:#}"),
                _ => ensure!(Instant::now() < deadline, "images were not analyzed in time"),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}
