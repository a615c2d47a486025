//! Releases of the real helm: refused with a refused image, installed once they are whitelisted, and shown as what they are.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{EngineOptions, Helm, Method, Plane, wait_for_verdict, write_chart};
use serde_json::{Value, json};
use testkit::{Cluster, Registry, RegistryMode, debian_images, wait_until};

const DEADLINE: Duration = Duration::from_secs(60);
const VULNERABILITY: &str = "CVE-2026-103111";

fn release(plane: &Plane, cluster: i64, name: &str) -> Result<Value> {
    let releases = plane.ask(Method::GET, &format!("/orgs/1/clusters/{cluster}/deployments"), None)?;
    let found = releases.as_array().into_iter().flatten().find(|release| release["releaseName"] == name);
    found.cloned().with_context(|| format!("no release `{name}` in {releases:#}"))
}

/// The audit of a decision is written a moment after it.
fn await_flags(
    plane: &Plane,
    cluster: i64,
    name: &str,
    is_whitelisted: bool,
    is_rejected: bool,
) -> Result<Value> {
    let mut last = Value::Null;
    let waited = wait_until(DEADLINE, "the release to be shown", || {
        last = release(plane, cluster, name).ok()?;
        (last["whiteListed"] == is_whitelisted && last["rejected"] == is_rejected).then_some(())
    });
    waited.with_context(|| format!("{last:#}"))?;
    Ok(last)
}

/// The webhook learns of a new item within moments.
fn await_exemption(cluster: &Cluster, release: &str, image: &str) -> Result<()> {
    let (image, label) =
        (format!("--image={image}"), format!("--labels=app.kubernetes.io/instance={release}"));
    wait_until(DEADLINE, "the exemption to count", || {
        let output = cluster.kubectl(&["run", "exempt", &image, &label, "--dry-run=server"]).ok()?;
        output.is_success().then_some(())
    })
}

#[test]
fn a_release_is_refused_until_it_is_whitelisted() -> Result<()> {
    let images = debian_images()?;
    let registry = Registry::start(RegistryMode::Open)?;
    registry.push(&images.vulnerable, "debian:vulnerable")?;
    let image = registry.reference("debian:vulnerable");
    let plane = Plane::start(EngineOptions {
        insecure_registries: vec![registry.host()],
        with_database: true,
        ..EngineOptions::default()
    })?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    plane.activate(id, &json!({"policy": {"policyId": "reject_high"}}))?;
    wait_for_verdict(&cluster, &image, Some(VULNERABILITY))?;

    let helm = Helm::new(&cluster)?;
    let chart = write_chart(helm.folder())?.display().to_string();
    let value = format!("image={image}");
    let install = |release: &str| helm.run(&["install", release, &chart, "--set", &value]);
    let item = "apiVersion: security.banzaicloud.com/v1alpha1\nkind: WhiteListItem\nmetadata: {name: books}\n\
                spec: {creator: ada, reason: until the fix is out}\n";
    for release in ["shop", "books"] {
        let text = install(release)?.failure()?;
        ensure!(text.contains("INSTALLATION FAILED") && text.contains("denied the request"), "{text}");
        ensure!(text.contains(&format!("Image failed policy check: {image}")), "{text}");
        ensure!(text.contains(VULNERABILITY), "{text}");
        let shown = await_flags(&plane, id, release, false, true)?;
        ensure!(shown["status"] == "failed" && shown["chart"] == "shop-0.1.0", "{shown:#}");

        if release == "shop" {
            let item = json!({"name": release, "owner": "ada", "reason": "until the fix is out"});
            let path = format!("/orgs/1/clusters/{id}/whitelists");
            plane.ask(Method::POST, &path, Some(&item))?;
        } else {
            cluster.kubectl_with_stdin(&["apply", "-f", "-"], item.as_bytes())?.success()?;
        }
        await_exemption(&cluster, release, &image)?;
        helm.run(&["uninstall", release])?.success()?;
        let text = install(release)?.success()?;
        ensure!(text.contains("STATUS: deployed"), "{text}");
        let shown = await_flags(&plane, id, release, true, false)?;
        ensure!(shown["status"] == "deployed" && shown["namespace"] == "default", "{shown:#}");
    }
    let items = plane.ask(Method::GET, &format!("/orgs/1/clusters/{id}/whitelists"), None)?;
    ensure!(items.as_array().is_some_and(|items| items.len() == 2), "{items:#}");

    // What would run before the release is refused as well.
    let arguments = ["install", "early", &chart, "--set", &value, "--set", "kind=Hook"];
    let text = helm.run(&arguments)?.failure()?;
    ensure!(text.contains("failed pre-install") && text.contains(VULNERABILITY), "{text}");

    // A Deployment is installed, and it is its Pods that are refused.
    let arguments = ["install", "desk", &chart, "--set", &value, "--set", "kind=Deployment"];
    helm.run(&arguments)?.success()?;
    wait_until(DEADLINE, "the event of the ReplicaSet", || {
        let events =
            cluster.kubectl(&["get", "events", "--field-selector", "reason=FailedCreate"]).ok()?.stdout;
        (events.contains("replicaset/desk-") && events.contains("Image failed policy check")).then_some(())
    })?;
    await_flags(&plane, id, "desk", false, true)?;
    Ok(())
}
