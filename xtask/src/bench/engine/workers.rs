//! Workers in processes of their own that share one PostgreSQL.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use testkit::{Image, ImageBuilder, Layer, PostgresServer, Registry, RegistryMode, Scratch, wait_until};

use super::Stage;
use super::client::{Connection, request};
use super::server::{self, PASSWORD, Role};
use super::table::Table;
use crate::progress::step;

const IMAGES: usize = 80;
const PACKAGES: usize = 300;
const FILES: usize = 2000;
const DEADLINE: Duration = Duration::from_secs(300);

pub(super) fn measure(table: &mut Table) -> Result<()> {
    let registry = step("pushing images for workers", || {
        let registry = Registry::start(RegistryMode::Open)?;
        for number in 0..IMAGES {
            registry.push_image(&image(number), &format!("bench/work:{number}"))?;
        }
        Ok(registry)
    })?;
    let postgres = PostgresServer::start()?;
    let rate = |processes: usize| {
        step(&format!("analyzing with {processes} process(es)"), || analyze(&registry, &postgres, processes))
    };
    let (one, two) = (rate(1)?, rate(2)?);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    table.add(
        &format!("analyses, 2 processes on one PostgreSQL, {cores} cores"),
        "about twice as fast as 1",
        format!("{two:.1} images/s"),
        format!("1 process: {one:.1} images/s"),
        format!("{:.2}", two / one),
    );
    Ok(())
}

/// Some work: packages to read, files to hash.
fn image(number: usize) -> Image {
    let mut status = String::new();
    for package in 0..PACKAGES {
        let _ = write!(
            status,
            "Package: package-{package}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.{number}\n\
             Description: one of many\n\n"
        );
    }
    let things = (0..FILES).fold(Layer::new(), |layer, file| {
        layer.file(&format!("usr/share/things/{file:04}"), format!("thing {file}\n").repeat(500))
    });
    let own = Layer::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n")
        .file("var/lib/dpkg/status", &status);
    ImageBuilder::new().layer(things).layer(own).build()
}

/// Images in a second, from the end of the first analysis to the end of the last.
fn analyze(registry: &Registry, postgres: &PostgresServer, processes: usize) -> Result<f64> {
    let url = postgres.create_database()?;
    let host = registry.host();
    let folders = (0..=processes).map(|_| Scratch::new("bench-work")).collect::<Result<Vec<_>>>()?;
    let role =
        |name, data, workers| Role { name, data, registry: &host, workers, storage_url: Some(&url) }.start();
    let (first, others) = folders.split_first().context("no folder")?;
    let serve = role("serve", first.path(), "0")?;
    add_all(&Stage {
        address: server::address(&serve)?,
        registry: host.clone(),
        basic: super::basic("admin", PASSWORD),
    })?;
    let mut workers = Vec::new();
    for folder in others {
        share_keys(first.path(), folder.path())?;
        workers.push(role("work", folder.path(), "1")?);
    }
    let count = "SELECT count(*) FROM images WHERE analysis_status IN ('analyzed', 'analysis_failed')";
    let wanted = format!("{IMAGES}\n");
    wait_until(DEADLINE, "all analyses", || {
        std::thread::sleep(Duration::from_millis(200));
        postgres.query(&url, count).ok().filter(|count| *count == wanted).map(drop)
    })?;
    let span = "SELECT count(*) FILTER (WHERE analysis_status = 'analyzed'), max(analyzed_us) - min(analyzed_us) FROM images";
    let answer = postgres.query(&url, span)?;
    for worker in workers {
        server::stop(worker)?;
    }
    server::stop(serve)?;
    let (analyzed, span) = answer.trim().split_once('|').context("no span")?;
    anyhow::ensure!(analyzed.parse::<usize>()? == IMAGES, "only {analyzed} images were analyzed");
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    Ok((IMAGES - 1) as f64 / (span.parse::<f64>()? / 1_000_000.0))
}

fn share_keys(from: &Path, to: &Path) -> Result<()> {
    fs_err::copy(from.join("sealing.keys"), to.join("sealing.keys"))?;
    Ok(())
}

fn add_all(stage: &Stage) -> Result<()> {
    let mut connection = Connection::open(stage.address)?;
    for number in 0..IMAGES {
        let body = json!({"tag": format!("{}/bench/work:{number}", stage.registry)}).to_string();
        let added = request("POST", "/v1/images", &stage.basic, Some(("application/json", &body)));
        connection.json(&added)?;
    }
    Ok(())
}
