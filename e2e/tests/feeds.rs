//! Vulnerability data that changes while a cluster runs: a real image that was admitted is refused from then on.

#![expect(clippy::print_stdout, reason = "what the user sees before and after is shown with --nocapture")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::{ADMIN_PASSWORD, Engine, EngineOptions, Webhook, WebhookOptions};
use serde_json::{Value, json};
use testkit::exchanges::http;
use testkit::{Behaviour, Cluster, FileServer, Output, Registry, RegistryMode, debian_images, wait_until};

const DEADLINE: Duration = Duration::from_secs(60);
/// How long a webhook may go on with verdicts of old data while its engine answers: `docs/admission.md` says 3 seconds and
/// the time of an answer. The rest is for a machine that is busy. The cache keeps tags for 30 seconds and digests for ten
/// minutes, so neither of these ends in time by itself.
const STALE_MAX: Duration = Duration::from_secs(12);
const TRACKER: &str = "/tracker.json";
const SECDB: &str = "/secdb.json";
/// What the feed says about the image: the advisory about it is in this repository's small feed.
const PACKAGE: &str = "pcre2";
const VULNERABILITY: &str = "CVE-2026-103111";

/// The small feed of this repository without what concerns the image, and with it. Both have as many records, so that
/// nothing but their content tells them apart.
fn feeds() -> Result<(String, String)> {
    let whole: Value = serde_json::from_str(&fs_err::read_to_string(e2e::feed_file())?)?;
    let mut silent = whole.clone();
    let packages = silent.as_object_mut().context("the feed is an object")?;
    let records = packages.remove(PACKAGE).context("the feed speaks about the image")?;
    packages.insert("nobody-has-this".to_owned(), records);
    Ok((silent.to_string(), whole.to_string()))
}

fn alpine_feed() -> String {
    let package = json!({"pkg": {"name": "zlib", "secfixes": {"1.2.11-r4": ["CVE-2018-25032"]}}});
    json!({"distroversion": "v3.18", "reponame": "main", "packages": [package]}).to_string()
}

fn show(name: &str, image: &str, output: &Output) {
    println!("$ kubectl run {name} --image={image}\n{}{}", output.stdout, output.stderr);
}

fn out_of_order() -> Behaviour {
    Behaviour::Status(503, vec![("Retry-After", "1000".to_owned())])
}

struct Stage {
    cluster: Cluster,
    server: FileServer,
    by_tag: String,
    by_digest: String,
    // Dropped after the cluster, so that nobody calls a webhook that is gone.
    _webhook: Webhook,
    engine: Engine,
    _registry: Registry,
}

impl Stage {
    fn start(tracker: String) -> Result<Self> {
        let images = debian_images()?;
        let registry = Registry::start(RegistryMode::Open)?;
        registry.push(&images.vulnerable, "debian:vulnerable")?;
        let digest = registry.find_digest("debian:vulnerable")?;
        let server = FileServer::start()?;
        server.put(TRACKER, tracker);
        server.put(SECDB, alpine_feed());
        server.behave(TRACKER, Behaviour::Held);
        let variable = |name: &str, value: String| (format!("LAZARET_FEEDS_{name}"), value);
        let sources = format!(
            "debian-tracker=debian-tracker={},alpine=alpine-secdb={}",
            server.url(TRACKER),
            server.url(SECDB)
        );
        let engine = Engine::start(EngineOptions {
            insecure_registries: vec![registry.host()],
            active_policy: Some("reject_high".to_owned()),
            environment: vec![
                variable("FETCH", "true".to_owned()),
                variable("DISABLE", "*".to_owned()),
                variable("SOURCES", sources),
            ],
            ..EngineOptions::default()
        })?;
        wait_until(DEADLINE, "the engine to say whom it asks", || {
            engine.output().contains("vulnerability data, which 2 sources are asked for now").then_some(())
        })
        .with_context(|| engine.output())?;
        server.behave(TRACKER, Behaviour::Honest);
        let cluster = Cluster::start()?;
        let options = WebhookOptions { engine_url: Some(engine.url()), ..WebhookOptions::default() };
        let webhook = Webhook::start(&cluster, options)?;
        Ok(Self {
            cluster,
            server,
            by_tag: registry.reference("debian:vulnerable"),
            by_digest: format!("{}@{digest}", registry.reference("debian")),
            _webhook: webhook,
            engine,
            _registry: registry,
        })
    }

    fn kubectl_run(&self, name: &str, image: &str) -> Result<Output> {
        self.cluster.kubectl(&["run", name, "--image", image])
    }

    /// Runs a Pod that is admitted, as a user would, and shows what he sees.
    fn run_admitted(&self, name: &str, image: &str) -> Result<()> {
        let output = self.kubectl_run(name, image)?;
        show(name, image, &output);
        output.success().map(drop)
    }

    fn ask(&self, method: &str, path: &str) -> Result<Value> {
        let url = self.engine.url();
        let address = url.strip_prefix("http://").context("an engine of tests speaks plain HTTP")?;
        let headers = [("authorization".to_owned(), http::basic("admin", ADMIN_PASSWORD))];
        let answer = http::send(address, method, path, &headers, b"")?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(answer.status == 200, "{method} {path}: {} {text}", answer.status);
        Ok(serde_json::from_str(&text)?)
    }

    /// Asks the engine for new data at once, and waits until the images are judged by it.
    fn sync(&self) -> Result<Value> {
        self.ask("POST", "/v1/system/feeds")
    }

    /// When a source was asked last with success.
    fn accepted_at(&self, feed: &str) -> Result<Value> {
        let feeds = self.ask("GET", "/v1/system/feeds")?;
        let found = feeds.as_array().and_then(|feeds| feeds.iter().find(|shown| shown["name"] == feed));
        Ok(found.with_context(|| format!("`{feed}` is no feed of {feeds:#}"))?["last_full_sync"].clone())
    }
}

#[test]
fn an_image_that_was_admitted_is_refused_when_the_data_says_so() -> Result<()> {
    let (silent, whole) = feeds()?;
    let stage = Stage::start(silent)?;
    for (name, image) in [("before", &stage.by_tag), ("before-by-digest", &stage.by_digest)] {
        wait_until(DEADLINE, "the image to be admitted", || {
            let output = stage.kubectl_run(name, image).ok()?;
            output.is_success().then(|| show(name, image, &output))
        })?;
    }

    // A server that is out of order changes nothing.
    stage.server.put(TRACKER, whole);
    stage.server.behave(TRACKER, out_of_order());
    let failed = stage.sync()?;
    ensure!(failed[0]["status"] == "failure", "{failed:#}");
    println!("# the server of the feed is out of order:");
    stage.run_admitted("between", &stage.by_digest)?;

    accepted_but_not_in_force(&stage)?;
    in_force(&stage)
}

/// The new files are accepted while another source keeps everybody waiting, in vain in the end, so no database is made of
/// them yet. Verdicts that are given now are of the old data, and must not outlive it.
fn accepted_but_not_in_force(stage: &Stage) -> Result<()> {
    stage.server.behave(SECDB, Behaviour::Held);
    stage.server.behave(TRACKER, Behaviour::Honest);
    let before = stage.accepted_at("debian-tracker")?;
    std::thread::scope(|scope| {
        let syncing = scope.spawn(|| stage.sync());
        let during = wait_until(DEADLINE, "the new files to be accepted", || {
            (stage.accepted_at("debian-tracker").ok()? != before).then_some(())
        })
        // Long enough for the webhook to have heard of it, whatever it makes of that.
        .and_then(|()| {
            let begun = Instant::now();
            wait_until(DEADLINE, "the webhook to ask for the state of feeds", || {
                (begun.elapsed() > Duration::from_secs(4)).then_some(())
            })
        })
        .and_then(|()| {
            println!("# the new files are accepted, and no database is made of them yet:");
            stage.run_admitted("during", &stage.by_tag)?;
            stage.run_admitted("during-by-digest", &stage.by_digest)
        });
        stage.server.behave(SECDB, out_of_order());
        let results = syncing.join().map_err(|_| anyhow::anyhow!("the synchronisation broke off"))??;
        during?;
        let of_tracker =
            results.as_array().and_then(|all| all.iter().find(|it| it["feed"] == "debian-tracker"));
        ensure!(of_tracker.is_some_and(|result| result["status"] == "success"), "{results:#}");
        ensure!(results[0]["judgement"]["images_changed"] == 1, "{results:#}");
        println!("# the new data is in force: {}", results[0]["judgement"]);
        Ok(())
    })
}

fn in_force(stage: &Stage) -> Result<()> {
    let begun = Instant::now();
    for (name, image) in [("after", &stage.by_tag), ("after-by-digest", &stage.by_digest)] {
        let mut attempts = 0;
        let refused = wait_until(STALE_MAX, "the image to be refused", || {
            attempts += 1;
            let output = stage.kubectl_run(&format!("{name}-{attempts}"), image).ok()?;
            (!output.is_success()).then_some(output)
        })?;
        println!("# refused {} ms after the new data was in force:", begun.elapsed().as_millis());
        show(&format!("{name}-{attempts}"), image, &refused);
        for part in [VULNERABILITY, "libpcre2-8-0", "10.42-1+deb12u2"] {
            ensure!(refused.stderr.contains(part), "`{part}` is missing in:\n{}", refused.stderr);
        }
    }
    let pods = stage.cluster.kubectl(&["get", "pods", "before", "before-by-digest"])?;
    println!("$ kubectl get pods before before-by-digest\n{}", pods.stdout);
    pods.success().map(drop).context("what runs is left alone")
}
