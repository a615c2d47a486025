//! The security scan service in real clusters: what it adds, what it takes away, and what it survives.

use anyhow::{Result, ensure};
use e2e::{EngineOptions, Method, Plane, cluster_state, plane_state, run_pod, stop_at};
use serde_json::json;
use testkit::{Cluster, Registry, RegistryMode, debian_images, wait_until};

const CRASH_POINTS: [&str; 12] = [
    "cluster",
    "engine",
    "registries",
    "policies",
    "policy",
    "definitions",
    "whitelist",
    "namespaces",
    "server",
    "webhook",
    "ready",
    "former engines",
];

#[test]
fn activation_adds_and_deactivation_removes_exactly_that() -> Result<()> {
    let plane = Plane::start(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    cluster.kubectl(&["create", "namespace", "shop"])?.success()?;
    cluster.kubectl(&["label", "namespace", "shop", "scan=noscan"])?.success()?;
    let id = plane.import("one", &cluster)?;
    let (cluster_before, plane_before) = (cluster_state(&cluster)?, plane_state(&plane)?);

    // Nothing is deployed for a policy that nobody knows.
    let unknown = json!({"spec": {"policy": {"policyId": "97b33e2c-3b57-4a3f-a12b-a8c0daa472a0"}}});
    let (status, refused) = plane.call(Method::POST, &Plane::service(id), Some(&unknown))?;
    ensure!(
        status == 422 && refused["detail"].to_string().contains("does not exist in the engine"),
        "{refused:#}"
    );
    // What the old client makes of a document that is not wrapped.
    let (status, refused) = plane.call(Method::POST, &Plane::service(id), Some(&json!({"spec": null})))?;
    ensure!(status == 422 && refused["detail"].to_string().contains("policyId is required"), "{refused:#}");
    ensure!(refused["detail"].to_string().contains("inside `spec`"), "{refused:#}");
    ensure!(
        (cluster_state(&cluster)?, plane_state(&plane)?) == (cluster_before.clone(), plane_before.clone())
    );
    let inactive = plane.ask(Method::GET, &Plane::service(id), None)?;
    ensure!(inactive == json!({"status": "INACTIVE"}), "{inactive:#}");

    let spec = json!({
        "policy": {"policyId": "deny_all"},
        "webhookConfig": {"enabled": true, "selector": "include", "namespaces": ["*"]},
        "releaseWhiteList": [{"name": "trusted", "reason": "checked by hand"}],
    });
    plane.activate(id, &spec)?;
    let details = plane.wait_for(id, "ACTIVE")?;
    ensure!(details["spec"] == spec, "{details:#}");
    let (status, again) = plane.call(Method::POST, &Plane::service(id), Some(&json!({ "spec": spec })))?;
    ensure!(status == 409 && again["detail"] == "Service \"securityscan\" is already active.", "{again:#}");

    let text = run_pod(&cluster, "busybox1", "default", "busybox")?.failure()?;
    ensure!(text.contains("denied the request: Image failed policy check: busybox"), "{text}");
    run_pod(&cluster, "busybox1", "shop", "busybox")?.failure()?;
    run_pod(&cluster, "trusted", "default", "busybox")?.success()?;
    run_pod(&cluster, "busybox1", "kube-system", "busybox")?.success()?;
    let audits = wait_until(std::time::Duration::from_secs(60), "the audit", || {
        let audits = cluster.kubectl(&["get", "audits", "-o", "name"]).ok()?.stdout;
        audits.contains("busybox1").then_some(audits)
    })?;
    ensure!(audits.contains("busybox1"), "{audits}");

    plane.deactivate(id)?;
    let cluster_after = cluster_state(&cluster)?;
    let changed: Vec<_> =
        cluster_after.iter().filter(|(name, label)| cluster_before.get(*name) != Some(label)).collect();
    ensure!(changed.is_empty() && cluster_after.len() == cluster_before.len(), "{changed:#?}");
    wait_until(std::time::Duration::from_secs(60), "the account to be gone", || {
        (plane_state(&plane).ok()? == plane_before).then_some(())
    })?;
    let kept = cluster.kubectl(&["get", "audits", "-o", "name"])?.success()?;
    ensure!(kept.contains("busybox1"), "audits are kept: {kept}");
    ensure!(cluster.kubectl(&["get", "whitelistitems", "-o", "name"])?.success()?.is_empty());
    run_pod(&cluster, "busybox2", "default", "busybox")?.success()?;
    let (status, gone) = plane.call(Method::DELETE, &Plane::service(id), None)?;
    let text = format!(
        "failed to retrieve integrated service details: IntegratedService \"securityscan\" not found for cluster {id}"
    );
    ensure!(status == 404 && gone["detail"] == text.as_str(), "{gone:#}");
    Ok(())
}

#[test]
fn two_clusters_with_different_policies_judge_the_same_image_differently() -> Result<()> {
    let images = debian_images()?;
    let registry = Registry::start(RegistryMode::Open)?;
    registry.push(&images.vulnerable, "debian:vulnerable")?;
    let image = registry.reference("debian:vulnerable");
    let plane = Plane::start(EngineOptions {
        insecure_registries: vec![registry.host()],
        with_database: true,
        ..EngineOptions::default()
    })?;
    let (strict, lenient) = (Cluster::start()?, Cluster::start()?);
    let (strict_id, lenient_id) = (plane.import("strict", &strict)?, plane.import("lenient", &lenient)?);
    plane.activate(strict_id, &json!({"policy": {"policyId": "reject_high"}}))?;
    plane.activate(lenient_id, &json!({"policy": {"policyId": "allow_all_and_warn"}}))?;
    let text = wait_until(std::time::Duration::from_secs(90), "the vulnerable image to be refused", || {
        let output = run_pod(&strict, "web", "default", &image).ok()?;
        output.stderr.contains("CVE-2026-103111").then_some(output.stderr)
    })?;
    ensure!(text.contains(&format!("Image failed policy check: {image}")), "{text}");
    wait_until(std::time::Duration::from_secs(90), "the same image to be admitted", || {
        run_pod(&lenient, "web", "default", &image).ok()?.is_success().then_some(())
    })?;
    // Another policy for the strict cluster, and the same image comes in.
    let spec = json!({"spec": {"policy": {"policyId": "allow_all_and_warn"}}});
    plane.ask(Method::PUT, &Plane::service(strict_id), Some(&spec))?;
    plane.wait_for(strict_id, "ACTIVE")?;
    wait_until(std::time::Duration::from_secs(60), "the new policy to be in force", || {
        run_pod(&strict, "web", "default", &image).ok()?.is_success().then_some(())
    })
}

#[test]
fn a_crash_at_each_step_is_survived() -> Result<()> {
    let mut plane = Plane::start(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    let before = cluster_state(&cluster)?;
    let spec = json!({
        "policy": {"policyId": "deny_all"},
        "releaseWhiteList": [{"name": "trusted", "reason": "checked by hand"}],
    });
    let mut done = None;
    for (position, step) in CRASH_POINTS.into_iter().enumerate() {
        stop_at(&plane, Some(step))?;
        let method = if position == 0 { Method::POST } else { Method::PUT };
        plane.ask(method, &Plane::service(id), Some(&json!({ "spec": spec })))?;
        wait_until(std::time::Duration::from_secs(60), &format!("the work to stop at `{step}`"), || {
            let details = plane.ask(Method::GET, &Plane::service(id), None).ok()?;
            let steps = details["output"]["steps"].as_array()?.clone();
            let is_waiting = details["output"]["reason"].as_str().is_some_and(|reason| !reason.is_empty());
            (is_waiting && steps.len() == position).then_some(())
        })?;
        plane.engine.kill()?;
        stop_at(&plane, None)?;
        plane.engine.resume()?;
        plane.wait_for(id, "ACTIVE")?;
        let state = cluster_state(&cluster)?;
        ensure!(*done.get_or_insert_with(|| state.clone()) == state, "after a crash at `{step}`");
        let text = run_pod(&cluster, "busybox1", "default", "busybox")?.failure()?;
        ensure!(text.contains("Image failed policy check: busybox"), "after a crash at `{step}`: {text}");
    }
    for step in ["webhook", "namespaces", "whitelist", "release", "engine"] {
        stop_at(&plane, Some(step))?;
        plane.ask(Method::DELETE, &Plane::service(id), None)?;
        wait_until(std::time::Duration::from_secs(60), &format!("the work to stop at `{step}`"), || {
            let details = plane.ask(Method::GET, &Plane::service(id), None).ok()?;
            details["output"]["reason"].as_str().filter(|reason| !reason.is_empty()).map(drop)
        })?;
        plane.engine.kill()?;
        stop_at(&plane, None)?;
        plane.engine.resume()?;
        plane.wait_for(id, "INACTIVE")?;
        ensure!(cluster_state(&cluster)? == before, "after a crash at `{step}`");
        plane.activate(id, &spec)?;
    }
    Ok(())
}
