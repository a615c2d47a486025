//! The engine in the webhook's own process: no address, no password, the same verdicts.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Webhook, WebhookOptions, build_database};
use testkit::{Cluster, Registry, RegistryMode, Scratch, debian_images, wait_until};

#[test]
fn a_webhook_with_its_own_engine_refuses_and_admits() -> Result<()> {
    let images = debian_images()?;
    let registry = Registry::start(RegistryMode::Open)?;
    registry.push(&images.vulnerable, "debian:vulnerable")?;
    registry.push(&images.fixed, "debian:fixed")?;
    let data = Scratch::new("one-process")?;
    build_database(&data.path().join("vulnerability.db"))?;
    let cluster = Cluster::start()?;
    let arguments = [
        "--data-dir".to_owned(),
        data.path().to_string_lossy().into_owned(),
        "--insecure-registry".to_owned(),
        registry.host(),
        "--policy".to_owned(),
        "reject_high".to_owned(),
    ];
    let _webhook =
        Webhook::start(&cluster, WebhookOptions { engine_url: None, arguments: arguments.into() })?;

    let run = |name: &str, image: &str| {
        cluster.kubectl(&["run", name, &format!("--image={}", registry.reference(image))])
    };
    wait_until(Duration::from_secs(60), "a refusal with reasons", || {
        let text = run("bad", "debian:vulnerable").ok()?.failure().ok()?;
        text.contains("CVE-2026-103111").then_some(())
    })?;
    wait_until(Duration::from_secs(60), "the fixed image to be admitted", || {
        run("good", "debian:fixed").ok()?.is_success().then_some(())
    })?;
    ensure!(!cluster.kubectl(&["get", "pod", "bad"])?.is_success(), "the refused Pod exists");
    Ok(())
}
