//! The security scan service when something goes wrong on the way, or is changed behind its back.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{ADMIN_PASSWORD, Engine, EngineOptions, Method, Plane, stop_at};
use serde_json::{Value, json};
use testkit::{Cluster, Registry, RegistryMode, wait_until};

const DEADLINE: Duration = Duration::from_secs(90);
const REFUSED: &str = "Image failed policy check";
/// What `deny_all` says.
const DENIES_ALL: &str = "Unconditional trigger match";

fn run(cluster: &Cluster, name: &str) -> Result<testkit::Output> {
    cluster.kubectl(&["run", name, "--image=busybox", "--dry-run=server", "--", "sleep", "3600"])
}

#[test]
fn the_live_webhook_asks_the_former_engine_until_the_new_one_is_prepared() -> Result<()> {
    let mut plane = Plane::start(EngineOptions::default())?;
    let other = Engine::start(EngineOptions {
        active_policy: Some("allow_all_and_warn".to_owned()),
        ..EngineOptions::default()
    })?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    plane.activate(id, &json!({"policy": {"policyId": "deny_all"}}))?;
    let first = run(&cluster, "first")?.failure()?;
    ensure!(first.contains(DENIES_ALL), "{first}");

    // The other engine is chosen and reached, and nothing is in it yet.
    let secret =
        plane.add_secret("other", "password", &json!({"username": "admin", "password": ADMIN_PASSWORD}))?;
    stop_at(&plane, Some("policies"))?;
    let spec = json!({
        "policy": {"policyId": "allow_all_and_warn"},
        "customAnchore": {"enabled": true, "url": other.url(), "secretId": secret},
    });
    plane.update(id, &spec)?;
    plane.await_reason(id, "the power is cut here")?;
    // A process that begins now joins the cluster to what the tables say.
    plane.engine.kill()?;
    plane.engine.resume()?;
    let text = wait_until(DEADLINE, "the webhook to be back", || {
        let output = run(&cluster, "second").ok()?;
        output.stderr.contains(REFUSED).then_some(output.stderr)
    })?;
    ensure!(text.contains(DENIES_ALL), "the engine that is not prepared was asked: {text}");
    stop_at(&plane, None)?;
    plane.wait_for(id, "ACTIVE")?;
    // The other engine would have to see the image.
    let text = run(&cluster, "third")?.failure()?;
    ensure!(text.contains("not decided"), "{text}");
    Ok(())
}

#[test]
fn a_rotated_kubeconfig_reaches_the_webhook() -> Result<()> {
    let plane = Plane::start(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    let bind = |user: &str| -> Result<()> {
        let arguments = ["create", "clusterrolebinding", user, "--clusterrole=cluster-admin", "--user", user];
        cluster.kubectl(&arguments)?.success().map(drop)
    };
    let kubeconfig = |user: &str| -> Result<String> {
        let path = cluster.add_user(user, None)?;
        bind(user)?;
        Ok(fs_err::read_to_string(path)?)
    };
    let id = plane.import_with("one", &kubeconfig("first")?)?;
    plane.activate(id, &json!({"policy": {"policyId": "deny_all"}}))?;
    let secrets = plane.ask(Method::GET, "/orgs/1/secrets", None)?;
    let secret = secrets.as_array().into_iter().flatten().find(|secret| secret["name"] == "one-kubeconfig");
    let secret = secret.and_then(|secret| secret["id"].as_str()).context("the secret of the kubeconfig")?;
    let body = json!({
        "name": "one-kubeconfig", "type": "kubernetes", "values": {"K8Sconfig": kubeconfig("second")?},
    });
    plane.ask(Method::PUT, &format!("/orgs/1/secrets/{secret}?validate=false"), Some(&body))?;
    wait_until(DEADLINE, "the webhook to be joined again", || {
        plane.engine.output().contains("webhook of a cluster has a new way in").then_some(())
    })?;

    // Who has the former kubeconfig learns nothing any more; connections that were open are cut.
    cluster.kubectl(&["delete", "clusterrolebinding", "first"])?.success()?;
    cluster.restart_api_server()?;
    wait_until(DEADLINE, "the webhook to be asked", || {
        run(&cluster, "newcomer").ok()?.stderr.contains(REFUSED).then_some(())
    })?;
    let item = json!({
        "apiVersion": "security.banzaicloud.com/v1alpha1", "kind": "WhiteListItem",
        "metadata": {"name": "newcomer"}, "spec": {"creator": "me", "reason": "checked by hand"},
    });
    cluster.kubectl_with_stdin(&["apply", "-f", "-"], item.to_string().as_bytes())?.success()?;
    wait_until(DEADLINE, "the new item to be known", || {
        run(&cluster, "newcomer").ok()?.is_success().then_some(())
    })
}

/// The account that the service made in the engine.
fn account_of_cluster(plane: &Plane) -> Result<String> {
    let (_, accounts) = plane.call_engine("admin", "/accounts")?;
    let names = accounts.as_array().into_iter().flatten().filter_map(|account| account["name"].as_str());
    let name = names.into_iter().find(|name| name.ends_with("-anchore-user"));
    Ok(name.context("the account of the cluster")?.to_owned())
}

/// What is said about a step that was done.
fn message_of<'a>(details: &'a Value, step: &str) -> &'a str {
    let steps = details["output"]["steps"].as_array().into_iter().flatten();
    let found = steps.into_iter().find(|found| found["name"] == step);
    found.and_then(|found| found["message"].as_str()).unwrap_or_default()
}

#[test]
fn a_technical_user_that_somebody_broke_is_repaired() -> Result<()> {
    const REPAIRED: &str = "the technical user got another password";
    let plane = Plane::start(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    let spec = json!({"policy": {"policyId": "deny_all"}});
    plane.activate(id, &spec)?;
    let account = account_of_cluster(&plane)?;
    let user = format!("/accounts/{account}/users/{account}");

    // The secret is there and the user is not: he comes back with the password of the secret, with which he gets in.
    let (status, answer) = plane.change_engine(Method::DELETE, "admin", &user, None)?;
    ensure!(status < 300, "{answer:#}");
    plane.update_and_wait(id, &spec)?;
    ensure!(plane.call_engine("admin", &user)?.0 == 200);
    let details = plane.update_and_wait(id, &spec)?;
    ensure!(!message_of(&details, "engine").contains(REPAIRED), "{details:#}");

    // Both are there, and the password is another one.
    let other = json!({"type": "password", "value": "of-somebody-else"});
    let (status, answer) =
        plane.change_engine(Method::POST, "admin", &format!("{user}/credentials"), Some(&other))?;
    ensure!(status < 300, "{answer:#}");
    let details = plane.update_and_wait(id, &spec)?;
    ensure!(message_of(&details, "engine").contains(REPAIRED), "{details:#}");
    let details = plane.update_and_wait(id, &spec)?;
    ensure!(!message_of(&details, "engine").contains(REPAIRED), "{details:#}");

    // The secret is somebody's who wants to delete it.
    let secrets = plane.ask(Method::GET, "/orgs/1/secrets", None)?;
    let secret = secrets.as_array().into_iter().flatten().find(|secret| secret["name"] == account.as_str());
    let secret = secret.and_then(|secret| secret["id"].as_str()).context("the secret of the user")?;
    let (status, refused) = plane.call(Method::DELETE, &format!("/orgs/1/secrets/{secret}"), None)?;
    ensure!(status == 400 && refused.to_string().contains("running cluster uses it"), "{refused:#}");
    Ok(())
}

#[test]
fn an_update_that_fails_leaves_what_was_in_force_and_says_why() -> Result<()> {
    let registry =
        Registry::start(RegistryMode::Htpasswd { user: "ada".to_owned(), password: "right".to_owned() })?;
    let plane = Plane::start(EngineOptions {
        insecure_registries: vec![registry.host()],
        settings: vec![
            "control-plane.service-attempts=2".to_owned(),
            "registries.private-hosts=127.0.0.1".to_owned(),
        ],
        ..EngineOptions::default()
    })?;
    let secret = |name: &str, password: &str| {
        plane.add_secret(name, "password", &json!({"username": "ada", "password": password}))
    };
    let (right, wrong) = (secret("right", "right")?, secret("wrong", "not-right")?);
    let spec = |policy: &str, host: &str, secret: &str| {
        json!({
            "policy": {"policyId": policy},
            "registries": [{"registry": host, "secretId": secret, "insecure": true}],
        })
    };
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    plane.activate(id, &spec("deny_all", &registry.host(), &right))?;
    let account = account_of_cluster(&plane)?;
    let registries = || -> Result<Vec<String>> {
        let (_, found) = plane.call_engine(&account, "/registries")?;
        let names = found.as_array().into_iter().flatten().filter_map(|found| found["registry"].as_str());
        Ok(names.map(str::to_owned).collect())
    };
    for (host, secret) in [(registry.host(), &wrong), ("127.0.0.1:9".to_owned(), &right)] {
        plane.update(id, &spec("allow_all_and_warn", &host, secret))?;
        let details = wait_until(DEADLINE, "the update to fail", || {
            let details = plane.ask(Method::GET, &Plane::service(id), None).ok()?;
            (details["status"] == "ERROR").then_some(details)
        })?;
        let reason = details["output"]["reason"].as_str().unwrap_or_default();
        ensure!(reason.contains(&format!("the registry `{host}`")), "{reason}");
        // The advice is for who writes the spec, not for who calls the engine himself.
        let has_advice = reason.contains("take the registry out of the service");
        ensure!(has_advice && !reason.contains("validate="), "{reason}");
        ensure!(registries()?.contains(&registry.host()), "{:?}", registries()?);
        let text = run(&cluster, "web")?.failure()?;
        ensure!(text.contains(DENIES_ALL), "{text}");
    }
    // A secret that is in use cannot be deleted, others can.
    let (status, _) = plane.call(Method::DELETE, &format!("/orgs/1/secrets/{wrong}"), None)?;
    ensure!(status == 204, "{status}");
    plane.update_and_wait(id, &spec("deny_all", &registry.host(), &right))?;
    let (status, refused) = plane.call(Method::DELETE, &format!("/orgs/1/secrets/{right}"), None)?;
    ensure!(status == 400 && refused.to_string().contains("running cluster uses it"), "{refused:#}");
    // Only what works takes the former one's place.
    plane.update_and_wait(id, &json!({"policy": {"policyId": "deny_all"}}))?;
    ensure!(registries()?.is_empty(), "{:?}", registries()?);
    Ok(())
}

#[test]
fn a_bundle_that_the_administrator_changed_is_copied_again() -> Result<()> {
    let plane = Plane::start(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    plane.activate(id, &json!({"policy": {"policyId": "deny_all"}}))?;
    let account = account_of_cluster(&plane)?;
    let bundle_in = |account: &str, bundle: &str| -> Result<Value> {
        let (_, found) = plane.call_engine(account, &format!("/policies/{bundle}?detail=true"))?;
        Ok(found[0]["policybundle"].clone())
    };
    let publish = |original: &str| -> Result<Value> {
        let mut bundle = bundle_in(&account, original)?;
        bundle["id"] = json!("house");
        let (status, answer) = plane.change_engine(Method::POST, "admin", "/policies", Some(&bundle))?;
        ensure!(status < 300, "{answer:#}");
        Ok(bundle)
    };
    let spec = json!({"policy": {"policyId": "house"}});
    for original in ["deny_all", "allow_all_and_warn"] {
        let published = publish(original)?;
        plane.update_and_wait(id, &spec)?;
        let copied = bundle_in(&account, "house")?;
        ensure!(copied["policies"] == published["policies"], "{copied:#}");
    }
    Ok(())
}

#[test]
fn a_cluster_that_dies_on_the_way_is_gone_on_with_when_it_is_back() -> Result<()> {
    const ITEMS: usize = 900;
    let plane = Plane::start(EngineOptions::default())?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    let items: Vec<Value> =
        (0..ITEMS).map(|number| json!({"name": format!("item-{number}"), "reason": "many"})).collect();
    let spec = json!({"policy": {"policyId": "deny_all"}, "releaseWhiteList": items});
    plane.ask(Method::POST, &Plane::service(id), Some(&json!({ "spec": spec })))?;
    wait_until(DEADLINE, "the first items", || {
        let items = cluster.kubectl(&["get", "whitelistitems", "-o", "name"]).ok()?.stdout;
        items.contains("item-").then_some(())
    })?;
    cluster.stop_api_server();
    let details = plane.await_reason(id, "WhiteListItem `item-")?;
    ensure!(details["status"] == "PENDING", "{details:#}");
    cluster.restart_api_server()?;
    plane.wait_for(id, "ACTIVE")?;
    let items = cluster.kubectl(&["get", "whitelistitems", "-o", "name"])?.success()?;
    ensure!(items.lines().count() == ITEMS, "{}", items.lines().count());
    let text = run(&cluster, "web")?.failure()?;
    ensure!(text.contains(DENIES_ALL), "{text}");
    Ok(())
}
