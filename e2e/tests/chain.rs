//! The main job on real parts: a real Debian image, a real registry, real advisories, a real API server.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{Engine, EngineOptions, Webhook, WebhookOptions};
use serde_json::Value;
use testkit::{Cluster, Registry, RegistryMode, debian_images, wait_until};

const ANALYSIS_DEADLINE: Duration = Duration::from_secs(60);
const COLLECTOR_DEADLINE: Duration = Duration::from_secs(60);
const EVENT_DEADLINE: Duration = Duration::from_secs(40);

struct Stage {
    cluster: Cluster,
    vulnerable: String,
    fixed: String,
    // Dropped after the cluster, so that nobody calls a webhook that is gone.
    _webhook: Webhook,
    _engine: Engine,
    _registry: Registry,
}

impl Stage {
    fn start() -> Result<Self> {
        let images = debian_images()?;
        let registry = Registry::start(RegistryMode::Open)?;
        registry.push(&images.vulnerable, "debian:vulnerable")?;
        registry.push(&images.fixed, "debian:fixed")?;
        let engine = Engine::start(EngineOptions {
            insecure_registries: vec![registry.host()],
            active_policy: Some("reject_high".to_owned()),
            with_database: true,
            ..EngineOptions::default()
        })?;
        let cluster = Cluster::start()?;
        let webhook = Webhook::start(
            &cluster,
            WebhookOptions { engine_url: Some(engine.url()), ..WebhookOptions::default() },
        )?;
        Ok(Self {
            cluster,
            vulnerable: registry.reference("debian:vulnerable"),
            fixed: registry.reference("debian:fixed"),
            _webhook: webhook,
            _engine: engine,
            _registry: registry,
        })
    }

    /// Refuses with the whole reason: image, vulnerability, package, fixed version.
    fn assert_refused(&self, what: &str, text: &str) -> Result<()> {
        for part in [
            &format!("Image failed policy check: {}", self.vulnerable) as &str,
            "CVE-2026-103111",
            "libpcre2-8-0",
            "10.42-1+deb12u2",
        ] {
            ensure!(text.contains(part), "{what}: `{part}` is missing in:\n{text}");
        }
        Ok(())
    }

    fn apply(&self, object: &Value) -> Result<testkit::Output> {
        self.cluster.kubectl_with_stdin(&["apply", "-f", "-"], object.to_string().as_bytes())
    }

    fn get(&self, arguments: &[&str]) -> Result<Value> {
        let arguments = [&["get", "-o", "json"], arguments].concat();
        Ok(serde_json::from_str(&self.cluster.kubectl(&arguments)?.success()?)?)
    }

    fn audits(&self) -> Result<Vec<Value>> {
        Ok(self.get(&["audits"])?["items"].as_array().cloned().unwrap_or_default())
    }

    /// The audit of a Deployment's ReplicaSet or of a Pod: its name, with the ReplicaSet's hash left out.
    fn wait_for_audit(&self, name: &str) -> Result<Value> {
        wait_until(EVENT_DEADLINE, &format!("the audit {name}"), || {
            let audits = self.audits().ok()?;
            audits.into_iter().find(|audit| {
                audit["metadata"]["name"].as_str().is_some_and(|found| {
                    found == name || found.rsplit_once('-').is_some_and(|(start, _)| start == name)
                })
            })
        })
    }
}

#[test]
fn a_vulnerable_image_never_runs_and_its_fix_does() -> Result<()> {
    let stage = Stage::start()?;
    an_analysed_image_is_refused_with_reasons(&stage)?;
    the_fixed_image_is_admitted(&stage)?;
    init_and_ephemeral_containers_are_checked(&stage)?;
    a_deployment_gets_no_pod_and_says_why(&stage)?;
    a_white_list_item_lets_its_release_in(&stage)?;
    the_collector_removes_audits_with_their_parent(&stage)
}

fn an_analysed_image_is_refused_with_reasons(stage: &Stage) -> Result<()> {
    let image = format!("--image={}", stage.vulnerable);
    // The first look may be undecided, which is a refusal as well; the analysis goes on meanwhile.
    let text = wait_until(ANALYSIS_DEADLINE, "a refusal with reasons", || {
        let text = stage.cluster.kubectl(&["run", "bad", &image]).ok()?.failure().ok()?;
        text.contains("CVE-").then_some(text)
    })?;
    stage.assert_refused("kubectl run", &text)?;
    ensure!(!stage.cluster.kubectl(&["get", "pod", "bad"])?.is_success(), "the refused Pod exists");
    let audit = stage.wait_for_audit("bad")?;
    ensure!(audit["spec"]["action"] == "reject", "{audit:#}");
    ensure!(audit["metadata"]["ownerReferences"].is_null(), "a Pod that never was owns nothing: {audit:#}");
    Ok(())
}

fn the_fixed_image_is_admitted(stage: &Stage) -> Result<()> {
    let image = format!("--image={}", stage.fixed);
    wait_until(ANALYSIS_DEADLINE, "the fixed image to be admitted", || {
        stage.cluster.kubectl(&["run", "good", &image]).ok()?.is_success().then_some(())
    })?;
    let audit = stage.wait_for_audit("good")?;
    ensure!(audit["spec"]["action"] == "allowed", "{audit:#}");
    let described = &audit["spec"]["image"][0];
    ensure!(
        described["imageTag"] == "fixed"
            && described["imageDigest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")),
        "{audit:#}"
    );
    ensure!(audit["metadata"]["ownerReferences"][0]["kind"] == "Pod", "{audit:#}");
    Ok(())
}

fn init_and_ephemeral_containers_are_checked(stage: &Stage) -> Result<()> {
    let pod = serde_json::json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "init"},
        "spec": {
            "initContainers": [{"name": "first", "image": stage.vulnerable}],
            "containers": [{"name": "main", "image": stage.fixed}],
        },
    });
    stage.assert_refused("init container", &stage.apply(&pod)?.failure()?)?;

    let debug = ["debug", "good", "--image", &stage.vulnerable, "--target", "good", "--attach=false"];
    stage.assert_refused("ephemeral container", &stage.cluster.kubectl(&debug)?.failure()?)
}

fn deployment(name: &str, release: Option<&str>, image: &str) -> Value {
    let mut labels = serde_json::json!({"app": name});
    if let Some(release) = release {
        labels["app.kubernetes.io/instance"] = release.into();
    }
    serde_json::json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    })
}

fn a_deployment_gets_no_pod_and_says_why(stage: &Stage) -> Result<()> {
    stage.apply(&deployment("web", None, &stage.vulnerable))?.success()?;
    let message = wait_until(EVENT_DEADLINE, "the event of the ReplicaSet", || {
        let events = stage.get(&["events"]).ok()?;
        events["items"].as_array()?.iter().find_map(|event| {
            let is_ours =
                event["involvedObject"]["kind"] == "ReplicaSet" && event["reason"] == "FailedCreate";
            is_ours.then(|| event["message"].as_str().map(str::to_owned)).flatten()
        })
    })?;
    stage.assert_refused("event", &message)?;
    let pods = stage.get(&["pods", "-l", "app=web"])?;
    ensure!(pods["items"].as_array().is_some_and(Vec::is_empty), "a Pod exists: {pods:#}");
    let audit = stage.wait_for_audit("replicaset-web")?;
    ensure!(audit["spec"]["action"] == "reject", "{audit:#}");
    ensure!(audit["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet", "{audit:#}");
    ensure!(audit["metadata"]["labels"]["fakerelease"] == "true", "{audit:#}");
    Ok(())
}

fn a_white_list_item_lets_its_release_in(stage: &Stage) -> Result<()> {
    let item = serde_json::json!({
        "apiVersion": "security.banzaicloud.com/v1alpha1", "kind": "WhiteListItem",
        "metadata": {"name": "shop"}, "spec": {"creator": "ada", "reason": "until the fix is out"},
    });
    stage.apply(&item)?.success()?;
    // The item's name is only a part of this release's name: still refused.
    stage.apply(&deployment("shop-two", Some("shop-two"), &stage.vulnerable))?.success()?;
    stage.apply(&deployment("shop", Some("shop"), &stage.vulnerable))?.success()?;
    wait_until(EVENT_DEADLINE, "the Pod of the exempted release", || {
        let pods = stage.get(&["pods", "-l", "app=shop"]).ok()?;
        (pods["items"].as_array()?.len() == 1).then_some(())
    })?;
    let audit = stage.wait_for_audit("replicaset-shop")?;
    ensure!(audit["metadata"]["labels"]["fakerelease"] == "false", "{audit:#}");
    let two = stage.wait_for_audit("replicaset-shop-two")?;
    ensure!(two["spec"]["action"] == "reject" && two["spec"]["releaseName"] == "shop-two", "{two:#}");
    let pods = stage.get(&["pods", "-l", "app=shop-two"])?;
    ensure!(pods["items"].as_array().is_some_and(Vec::is_empty), "a part of a name was enough: {pods:#}");
    Ok(())
}

fn the_collector_removes_audits_with_their_parent(stage: &Stage) -> Result<()> {
    let table = stage.cluster.kubectl(&["get", "audits"])?.success()?;
    ensure!(table.contains("replicaset-web-") && table.contains("reject"), "{table}");
    let name = stage.wait_for_audit("replicaset-web")?["metadata"]["name"]
        .as_str()
        .context("an audit has a name")?
        .to_owned();
    let described = stage.cluster.kubectl(&["describe", "audit", &name])?.success()?;
    for part in
        ["Release Name:", "Action:", "reject", "Image Name:", "Image Tag:", "Image failed policy check: "]
    {
        ensure!(described.contains(part), "`{part}` is missing in:\n{described}");
    }
    stage.cluster.kubectl(&["delete", "deployment", "web"])?.success()?;
    wait_until(COLLECTOR_DEADLINE, "the collector to remove the audit", || {
        let audits = stage.audits().ok()?;
        (!audits.iter().any(|audit| audit["metadata"]["name"] == name.as_str())).then_some(())
    })?;
    ensure!(!stage.audits()?.is_empty(), "only the audits of the deleted Deployment go");
    Ok(())
}
