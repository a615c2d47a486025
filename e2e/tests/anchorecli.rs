//! The old client `anchore-cli` 0.9.3 against `lazaret serve`, with images in a real registry: what it prints, and how it ends.

use std::path::Path;

use anyhow::{Context as _, Result};
use e2e::{ADMIN_PASSWORD, Engine, EngineOptions, OldClient};
use testkit::exchanges::ExchangeStage;
use testkit::{FileServer, Scratch};

/// Sessions about what is not served yet. Whoever serves it takes the line out.
const NOT_SERVED_YET: [&str; 0] = [];

/// Plays a session of `testdata/anchorecli`.
fn play(session: &str) -> Result<()> {
    if NOT_SERVED_YET.contains(&session) {
        return Ok(());
    }
    let stage = ExchangeStage::start()?;
    let folder = Scratch::new("anchorecli")?;
    let write = |name: &str, text: &str| fs_err::write(folder.path().join(name), text);
    write("Dockerfile", "FROM scratch\nADD x /\n")?;
    write("policy.json", &bundle("cli-1"))?;
    write("bad.json", "{\"id\": \"bad\"}")?;
    write("import.json", "[{\"image\": {\"imageId\": \"x\"}}]")?;
    let hub = FileServer::start()?;
    let index = r#"{"content": [{"type": "bundle", "name": "hub-1", "location": "sources/hub-1.json",
        "description": "a bundle of the hub"}]}"#;
    hub.put("/index.json", index);
    hub.put("/sources/hub-1.json", bundle("hub-1"));
    hub.put("/tracker.json", fs_err::read_to_string(e2e::feed_file())?);
    // Where feeds are fetched, they are the ones of this server, and nothing is there before.
    let (feeds, sources) = if session == "feeds" {
        (Vec::new(), format!("feeds.sources=debian-tracker=debian-tracker={}", hub.url("/tracker.json")))
    } else {
        (ExchangeStage::write_feeds(folder.path())?, "feeds.sources=".to_owned())
    };
    let mut engine = Engine::start(EngineOptions {
        insecure_registries: vec![stage.registry().host()],
        feeds,
        settings: vec!["feeds.disable=*".to_owned(), sources],
        ..EngineOptions::default()
    })?;
    let mut client =
        OldClient::new(&engine.url(), ADMIN_PASSWORD, folder.path(), stage.names())?.hub(&hub.url(""));
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/anchorecli").join(format!("{session}.txt"));
    let text = fs_err::read_to_string(file)?;
    client.play(&text).with_context(|| format!("{session}.txt"))?;
    engine.stop()
}

fn bundle(id: &str) -> String {
    format!(
        r#"{{"id": "{id}", "version": "1_0", "name": "{id}", "comment": "", "whitelists": [],
        "policies": [{{"id": "p1", "version": "1_0", "name": "p", "comment": "", "rules": [
            {{"id": "r1", "gate": "always", "trigger": "always", "action": "STOP", "params": []}}]}}],
        "mappings": [{{"id": "m1", "name": "all", "registry": "*", "repository": "*",
            "image": {{"type": "tag", "value": "*"}}, "policy_ids": ["p1"], "whitelist_ids": []}}],
        "whitelisted_images": [], "blacklisted_images": []}}"#
    )
}

#[test]
fn images() -> Result<()> {
    play("images")
}

#[test]
fn policies() -> Result<()> {
    play("policies")
}

#[test]
fn accounts() -> Result<()> {
    play("accounts")
}

#[test]
fn registries() -> Result<()> {
    play("registries")
}

#[test]
fn subscriptions() -> Result<()> {
    play("subscriptions")
}

#[test]
fn events() -> Result<()> {
    play("events")
}

#[test]
fn queries() -> Result<()> {
    play("queries")
}

#[test]
fn system() -> Result<()> {
    play("system")
}

#[test]
fn feeds() -> Result<()> {
    play("feeds")
}

#[test]
fn archive() -> Result<()> {
    play("archive")
}
