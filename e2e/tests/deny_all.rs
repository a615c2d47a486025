//! The transcript that users of the old service know: everything is refused, though no registry can be reached.

use anyhow::{Result, ensure};
use e2e::{Engine, EngineOptions, Webhook, WebhookOptions};
use testkit::{Cluster, wait_until};

#[test]
fn busybox_is_refused_by_deny_all_and_its_audit_can_be_described() -> Result<()> {
    let engine = Engine::start(EngineOptions {
        active_policy: Some("deny_all".to_owned()),
        ..EngineOptions::default()
    })?;
    let cluster = Cluster::start()?;
    // Undecided images are let in here, so that nothing but the policy can refuse.
    cluster
        .kubectl(&["label", "namespace", "default", "security.banzaicloud.com/undecided=allow"])?
        .success()?;
    let _webhook = Webhook::start(
        &cluster,
        WebhookOptions { engine_url: Some(engine.url()), ..WebhookOptions::default() },
    )?;

    let text = cluster.kubectl(&["run", "busybox1", "--image=busybox", "--", "sleep", "3600"])?.failure()?;
    ensure!(text.starts_with("Error from server: admission webhook \""), "{text}");
    ensure!(text.contains("denied the request: Image failed policy check: busybox"), "{text}");

    let described = wait_until(std::time::Duration::from_secs(30), "the audit of busybox1", || {
        let output = cluster.kubectl(&["describe", "audits", "busybox1"]).ok()?;
        output.is_success().then_some(output.stdout)
    })?;
    for part in [
        "Name:         busybox1",
        "Labels:       fakerelease=true",
        "Kind:         Audit",
        "Action:",
        "reject",
        "busybox",
        "latest",
        "Release Name:",
        "Pod",
        "Image failed policy check: busybox",
    ] {
        ensure!(described.contains(part), "`{part}` is missing in:\n{described}");
    }
    Ok(())
}
