//! `lazaret serve` is killed again and again while images are added and analyzed: nothing is lost, and nothing is there twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::{ADMIN_PASSWORD, Engine, EngineOptions};
use serde_json::Value;
use testkit::exchanges::{ExchangeStage, http};
use testkit::{ImageBuilder, Layer, Registry, RegistryMode, Scratch, wait_until};

const KILLS: usize = 50;
const IMAGES: usize = 12;
/// Added once more under a second tag by half of the requests: one digest, one analysis, two tags.
const TAGS: [&str; 2] = ["1", "2"];
const SETTLE_DEADLINE: Duration = Duration::from_secs(120);

struct Client {
    address: String,
}

impl Client {
    fn call(&self, method: &str, path: &str, body: &str) -> Result<(u16, Value)> {
        let credentials = http::basic("admin", ADMIN_PASSWORD);
        let headers = [("authorization", credentials.as_str()), ("content-type", "application/json")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let answer = http::send(&self.address, method, path, &headers, body.as_bytes())?;
        Ok((answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null)))
    }
}

/// Adds the images over and over until told to stop; remembers which were answered with 200.
fn add_images(client: &Client, registry: &Registry, stop: &AtomicBool, added: &[AtomicUsize]) {
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        let (image, tag) = (turn % IMAGES, TAGS[turn / IMAGES % TAGS.len()]);
        let body = format!(r#"{{"tag": "{}"}}"#, registry.reference(&format!("lib/image-{image}:{tag}")));
        if let Ok((200, _)) = client.call("POST", "/v1/images", &body) {
            added[image].fetch_add(1, Ordering::Relaxed);
        }
        turn += 1;
        // Not a wait for something: a client that asks as fast as it can would only measure itself.
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn check(storage_url: Option<String>) -> Result<()> {
    let registry = Registry::start(RegistryMode::Open)?;
    let mut digests = Vec::new();
    for number in 0..IMAGES {
        let content = format!("image {number}\n").repeat(20_000);
        let image = ImageBuilder::new().layer(Layer::new().file("data", &content)).build();
        for tag in TAGS {
            registry.push_image(&image, &format!("lib/image-{number}:{tag}"))?;
        }
        digests.push(image.digest().to_string());
    }
    let folder = Scratch::new("kill")?;
    let feeds = ExchangeStage::write_feeds(folder.path())?;
    let mut engine = Engine::start(EngineOptions {
        insecure_registries: vec![registry.host()],
        feeds,
        // What a killed process held is taken over soon.
        settings: vec!["analysis.lease=3s".to_owned()],
        storage_url,
        ..EngineOptions::default()
    })?;
    let client = Client { address: engine.url().trim_start_matches("http://").to_owned() };
    let stop = AtomicBool::new(false);
    let added: Vec<AtomicUsize> = (0..IMAGES).map(|_| AtomicUsize::new(0)).collect();
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| add_images(&client, &registry, &stop, &added));
        let outcome = kill_repeatedly(&mut engine);
        stop.store(true, Ordering::Relaxed);
        outcome
    });
    outcome?;
    ensure!(
        added.iter().all(|count| count.load(Ordering::Relaxed) > 0),
        "not all images were added: {added:?}"
    );
    wait_until_settled(&client)?;
    check_records(&client, &registry, &digests)?;
    engine.stop()
}

/// Kills the server at moments spread over its start and its work.
fn kill_repeatedly(engine: &mut Engine) -> Result<()> {
    let begin = Instant::now();
    for number in 0..KILLS {
        // From right behind the start to well behind an analysis; the same moments in every run.
        let delay = Duration::from_millis((number * 37 % 100) as u64 * 15);
        std::thread::sleep(delay);
        engine.kill().with_context(|| format!("kill {number}"))?;
        engine.resume().with_context(|| format!("start after kill {number}, {:?} in", begin.elapsed()))?;
    }
    Ok(())
}

fn wait_until_settled(client: &Client) -> Result<()> {
    let mut last = Value::Null;
    wait_until(SETTLE_DEADLINE, "all analyses", || {
        let (status, images) = client.call("GET", "/v1/images", "").ok()?;
        last = images;
        let images = last.as_array()?;
        let is_settled = status == 200
            && images.len() == IMAGES
            && images.iter().all(|image| image["analysis_status"] == "analyzed");
        is_settled.then_some(())
    })
    .with_context(|| format!("{last:#}"))
}

fn check_records(client: &Client, registry: &Registry, digests: &[String]) -> Result<()> {
    let (_, images) = client.call("GET", "/v1/images", "")?;
    let images = images.as_array().context("a list of images")?;
    let mut found: Vec<&str> = images.iter().filter_map(|image| image["imageDigest"].as_str()).collect();
    found.sort_unstable();
    let mut wanted: Vec<&str> = digests.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    ensure!(found == wanted, "images {found:?} instead of {wanted:?}");
    for image in images {
        let tags = image["image_detail"].as_array().context("tags")?;
        let mut names: Vec<&str> = tags.iter().filter_map(|tag| tag["fulltag"].as_str()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        ensure!(count == names.len(), "a tag is there twice: {image:#}");
    }
    // Each tag has its four subscriptions, once.
    let (_, subscriptions) = client.call("GET", "/v1/subscriptions", "")?;
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in subscriptions.as_array().context("a list of subscriptions")? {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        kinds.entry(text("subscription_key")).or_default().push(text("subscription_type"));
    }
    for (key, mut types) in kinds {
        types.sort();
        ensure!(
            types == ["analysis_update", "policy_eval", "tag_update", "vuln_update"],
            "{key} has the subscriptions {types:?}"
        );
    }
    // However often an analysis began anew, it ended once: one event for each image and tag it had then.
    let path = "/v1/events?event_type=user.image.analysis.completed&limit=1000";
    let (_, events) = client.call("GET", path, "")?;
    let mut completed: BTreeMap<String, usize> = BTreeMap::new();
    for event in events["results"].as_array().context("a list of events")? {
        let id = event["event"]["resource"]["id"].as_str().unwrap_or_default().to_owned();
        *completed.entry(id).or_default() += 1;
    }
    ensure!(completed.values().all(|count| *count == 1), "analyses ended more than once: {completed:?}");
    for number in 0..digests.len() {
        let name = registry.reference(&format!("lib/image-{number}:"));
        ensure!(completed.keys().any(|id| id.starts_with(&name)), "no event about {name}: {completed:?}");
    }
    Ok(())
}

#[test]
fn on_sqlite() -> Result<()> {
    check(None)
}

#[test]
fn on_postgres() -> Result<()> {
    let database = testkit::postgres_database()?;
    check(Some(database.url.clone()))
}
