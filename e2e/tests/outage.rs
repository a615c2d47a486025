//! What goes on when a part is gone: the engine, the API server, the webhook.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::{Engine, EngineOptions, Webhook, WebhookOptions};
use serde_json::Value;
use testkit::{Cluster, ImageBuilder, Layer, Registry, RegistryMode, wait_until};

const DEADLINE: Duration = Duration::from_secs(60);
/// The webhook's timeout is 10 s; the rest is kubectl itself on a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(15);

struct Stage {
    cluster: Cluster,
    webhook: Webhook,
    engine: Engine,
    registry: Registry,
}

impl Stage {
    fn start() -> Result<Self> {
        let registry = Registry::start(RegistryMode::Open)?;
        let os_release = "ID=debian\nVERSION_ID=12\n";
        for name in ["app:one", "app:two", "app:three", "app:four"] {
            let layer = Layer::new().file("etc/os-release", os_release).file("name", name);
            registry.push_image(&ImageBuilder::new().layer(layer).build(), name)?;
        }
        let engine = Engine::start(EngineOptions {
            insecure_registries: vec![registry.host()],
            active_policy: Some("allow_all_and_warn".to_owned()),
            with_database: true,
            ..EngineOptions::default()
        })?;
        let cluster = Cluster::start()?;
        for (name, label) in [("open", "allow"), ("closed", "deny")] {
            cluster.kubectl(&["create", "namespace", name])?.success()?;
            let label = format!("security.banzaicloud.com/undecided={label}");
            cluster.kubectl(&["label", "namespace", name, &label])?.success()?;
        }
        let webhook = Webhook::start(
            &cluster,
            WebhookOptions { engine_url: Some(engine.url()), ..WebhookOptions::default() },
        )?;
        Ok(Self { cluster, webhook, engine, registry })
    }

    fn run(&self, namespace: &str, name: &str, image: &str) -> Result<testkit::Output> {
        let image = format!("--image={}", self.registry.reference(image));
        let began = Instant::now();
        let output = self.cluster.kubectl(&["run", name, &image, "--namespace", namespace])?;
        ensure!(began.elapsed() < ANSWER_MAX, "`{}` took {:?}", output.command, began.elapsed());
        Ok(output)
    }

    fn wait_until_admitted(&self, namespace: &str, name: &str, image: &str) -> Result<()> {
        wait_until(DEADLINE, &format!("`{name}` to be admitted"), || {
            self.run(namespace, name, image).ok()?.is_success().then_some(())
        })
    }

    fn audit_names(&self, namespace: &str) -> Result<Vec<String>> {
        let text =
            self.cluster.kubectl(&["get", "audits", "--namespace", namespace, "-o", "json"])?.success()?;
        let list = serde_json::from_str::<Value>(&text)?;
        Ok(list["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|audit| audit["metadata"]["name"].as_str().map(str::to_owned))
            .collect())
    }

    fn wait_for_audits(&self, namespace: &str, expected: &[&str]) -> Result<()> {
        wait_until(DEADLINE, &format!("the audits {expected:?}"), || {
            (self.audit_names(namespace).ok()? == expected).then_some(())
        })
    }
}

#[test]
fn decisions_go_on_through_outages_and_audits_are_neither_lost_nor_doubled() -> Result<()> {
    let mut stage = Stage::start()?;
    stage.wait_until_admitted("default", "before", "app:one")?;
    stage.wait_for_audits("default", &["before"])?;

    an_image_nobody_has_seen_can_be_named_by_digest(&stage)?;
    without_the_engine_the_namespace_decides(&mut stage)?;
    the_api_server_comes_back(&mut stage)?;
    the_webhook_comes_back(&mut stage)?;
    without_the_webhook_only_who_asked_for_it_is_locked(&mut stage)
}

fn an_image_nobody_has_seen_can_be_named_by_digest(stage: &Stage) -> Result<()> {
    let digest = stage.registry.find_digest("app:four")?;
    stage.wait_until_admitted("open", "by-digest", &format!("app@{digest}"))?;
    stage.wait_for_audits("open", &["by-digest"])?;
    let text =
        stage.cluster.kubectl(&["get", "audit", "by-digest", "-n", "open", "-o", "json"])?.success()?;
    let audit = serde_json::from_str::<Value>(&text)?;
    ensure!(audit["spec"]["image"][0]["imageDigest"] == digest.to_string(), "{audit:#}");
    Ok(())
}

fn without_the_engine_the_namespace_decides(stage: &mut Stage) -> Result<()> {
    stage.engine.kill()?;
    let refused = stage.run("closed", "during", "app:two")?.failure()?;
    ensure!(refused.contains("Image failed policy check") && refused.contains("not decided"), "{refused}");
    stage.run("open", "during", "app:two")?.success()?;
    // No label: the webhook's own default, which is to refuse.
    stage.run("default", "during", "app:two")?.failure()?;
    // The system's namespace does not even ask.
    stage.run("kube-system", "during", "app:two")?.success()?;

    stage.engine.resume()?;
    stage.wait_until_admitted("closed", "after", "app:two")
}

fn the_api_server_comes_back(stage: &mut Stage) -> Result<()> {
    stage.cluster.restart_api_server()?;
    stage.wait_until_admitted("default", "restarted", "app:one")?;
    stage.wait_for_audits("default", &["before", "during", "restarted"])
}

fn the_webhook_comes_back(stage: &mut Stage) -> Result<()> {
    stage.run("default", "just-before", "app:one")?.success()?;
    stage.webhook.stop()?;
    stage.webhook.resume()?;
    stage.wait_until_admitted("default", "just-after", "app:three")?;
    stage.wait_for_audits("default", &["before", "during", "just-after", "just-before", "restarted"])
}

fn without_the_webhook_only_who_asked_for_it_is_locked(stage: &mut Stage) -> Result<()> {
    stage.webhook.stop()?;
    let refused = stage.run("closed", "dead", "app:one")?.failure()?;
    ensure!(refused.contains("failed calling webhook"), "{refused}");
    stage.run("open", "dead", "app:one")?.success()?;
    stage.run("default", "dead", "app:one")?.success()?;
    stage.run("kube-system", "dead", "app:one")?.success()?;
    stage.webhook.resume()
}
