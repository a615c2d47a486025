//! A registry that lets in only who has a password, by a secret of the organization.

use anyhow::{Context as _, Result, ensure};
use e2e::{EngineOptions, Method, Plane, service_reason, wait_for_verdict};
use serde_json::{Value, json};
use testkit::{Cluster, Registry, RegistryMode, debian_images};

/// The registry's password, first and later.
const PASSWORDS: [&str; 2] = ["the-former-password", "the-later-password"];
const VULNERABILITY: &str = "CVE-2026-103111";

fn values(password: &str) -> Value {
    json!({"username": "robot", "password": password})
}

#[test]
fn images_of_a_private_registry_are_judged_with_the_login_of_a_secret() -> Result<()> {
    let images = debian_images()?;
    let first_password = PASSWORDS[0].to_owned();
    let mut registry =
        Registry::start(RegistryMode::Htpasswd { user: "robot".to_owned(), password: first_password })?;
    registry.push(&images.vulnerable, "debian:vulnerable")?;
    registry.push(&images.fixed, "debian:fixed")?;
    let (vulnerable, fixed) = (registry.reference("debian:vulnerable"), registry.reference("debian:fixed"));
    let plane = Plane::start(EngineOptions {
        insecure_registries: vec![registry.host()],
        with_database: true,
        ..EngineOptions::default()
    })?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    let secret = plane.add_secret("registry", "password", &values("wrong-password"))?;
    let entry = json!({"registry": registry.host(), "secretId": secret, "insecure": true});
    let set_secret = |password: &str| {
        let body = json!({"name": "registry", "type": "password", "values": values(password)});
        plane.ask(Method::PUT, &format!("/orgs/1/secrets/{secret}"), Some(&body))
    };

    // One registry under the older key, and a password that the registry does not take: nothing is enforced, and it is said why.
    let spec = json!({"spec": {"policy": {"policyId": "reject_high"}, "registry": entry}});
    plane.ask(Method::POST, &Plane::service(id), Some(&spec))?;
    let refused = service_reason(&plane, id, "it refuses the user or the password")?;
    ensure!(refused["status"] == "ERROR", "{refused:#}");
    ensure!(!refused.to_string().contains("wrong-password"), "{refused:#}");
    ensure!(cluster.kubectl(&["run", "early", &format!("--image={vulnerable}")])?.is_success());

    // With the right one the same spec works.
    set_secret(PASSWORDS[0])?;
    plane.ask(Method::POST, &Plane::service(id), Some(&spec))?;
    plane.wait_for(id, "ACTIVE")?;
    let text = wait_for_verdict(&cluster, &vulnerable, Some(VULNERABILITY))?;
    ensure!(text.contains(&format!("Image failed policy check: {vulnerable}")), "{text}");

    // The registry has another password, and nobody told us: what is not known yet is refused, and it is said why.
    registry.change_password(PASSWORDS[1])?;
    let text = wait_for_verdict(&cluster, &fixed, Some("refused access to `debian` (status 401)"))?;
    ensure!(!text.contains(PASSWORDS[0]), "{text}");

    // The secret is set anew, and the service is told.
    set_secret(PASSWORDS[1])?;
    let spec = json!({"spec": {"policy": {"policyId": "reject_high"}, "registries": [entry]}});
    plane.ask(Method::PUT, &Plane::service(id), Some(&spec))?;
    let details = plane.wait_for(id, "ACTIVE")?;
    wait_for_verdict(&cluster, &fixed, None)?;
    cluster.kubectl(&["run", "good", &format!("--image={fixed}")])?.success()?;
    for password in PASSWORDS {
        ensure!(!details.to_string().contains(password), "{details:#}");
        ensure!(!plane.engine.output().contains(password), "a log holds the password");
    }

    // What the engine was told is in the account of the cluster only.
    let account = technical_account(&plane)?;
    let (_, registries) = plane.call_engine(&account, "/registries")?;
    ensure!(registries[0]["registry"] == registry.host().as_str(), "{registries:#}");
    ensure!(!registries.to_string().contains(PASSWORDS[1]), "{registries:#}");
    ensure!(plane.call_engine("admin", "/registries")?.1 == json!([]));
    Ok(())
}

fn technical_account(plane: &Plane) -> Result<String> {
    let (_, accounts) = plane.call_engine("admin", "/accounts")?;
    let names = accounts.as_array().into_iter().flatten().filter_map(|account| account["name"].as_str());
    let mut ours = names.filter(|name| name.ends_with("-anchore-user"));
    Ok(ours.next().context("the cluster has an account")?.to_owned())
}

/// `insecure` of a spec: a registry whose certificate nobody vouches for.
#[test]
fn an_unknown_certificate_is_told_and_may_be_accepted() -> Result<()> {
    let password = PASSWORDS[0].to_owned();
    let registry = Registry::start(RegistryMode::HtpasswdTls { user: "robot".to_owned(), password })?;
    registry.push(&debian_images()?.vulnerable, "debian:vulnerable")?;
    let plane = Plane::start(EngineOptions {
        with_database: true,
        settings: vec!["registries.private-hosts=127.0.0.1".to_owned()],
        ..EngineOptions::default()
    })?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    let secret = plane.add_secret("registry", "password", &values(PASSWORDS[0]))?;
    let spec = |is_insecure: bool| {
        let registry = json!({"registry": registry.host(), "secretId": secret, "insecure": is_insecure});
        json!({"spec": {"policy": {"policyId": "reject_high"}, "registries": [registry]}})
    };
    plane.ask(Method::POST, &Plane::service(id), Some(&spec(false)))?;
    let refused = service_reason(&plane, id, "certificate")?;
    ensure!(refused["status"] == "ERROR", "{refused:#}");
    plane.ask(Method::POST, &Plane::service(id), Some(&spec(true)))?;
    plane.wait_for(id, "ACTIVE")?;
    wait_for_verdict(&cluster, &registry.reference("debian:vulnerable"), Some(VULNERABILITY)).map(drop)
}

#[test]
fn a_secret_that_is_none_for_registries_is_told_before_anything_is_deployed() -> Result<()> {
    let plane = Plane::start(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    let generic = plane.add_secret("words", "generic", &json!({"word": "x"}))?;
    let unknown = "0".repeat(64);
    for (secret, told) in [
        (unknown.as_str(), "there is no secret"),
        (&generic, "one of type password is needed"),
        ("", "both registry and secretId are required"),
    ] {
        let registry = json!({"registry": "127.0.0.1:5000", "secretId": secret});
        let spec = json!({"spec": {"policy": {"policyId": "deny_all"}, "registries": [registry]}});
        let (status, refused) = plane.call(Method::POST, &Plane::service(id), Some(&spec))?;
        ensure!(status == 422 && refused["detail"].to_string().contains(told), "{told}: {refused:#}");
    }
    let inactive = plane.ask(Method::GET, &Plane::service(id), None)?;
    ensure!(inactive == json!({"status": "INACTIVE"}), "{inactive:#}");
    Ok(())
}
