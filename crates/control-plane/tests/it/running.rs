//! Pods that run in a real cluster, judged by an engine that says what the test wants. The whole chain is in `e2e`.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::cluster_support::kubectl;
use crate::running_support::{ACCEPTED, REFUSED, REGISTRY, Says, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_is_told_once_by_one_of_several_processes() {
    let mut stage = Stage::new().await;
    stage.engine.change(|script| {
        script.says = BTreeMap::from([
            ("bad", Says::Refuses),
            ("good", Says::Passes),
            ("gone", Says::NotFound),
            ("slow", Says::Later(1)),
        ]);
    });
    let image = format!("--image={REGISTRY}/bad:1");
    kubectl(&stage.cluster, &["create", "deployment", "web", &image, "--replicas=3"], "").await;
    for (name, repository) in [("good", "good"), ("gone", "gone"), ("slow", "slow")] {
        stage.run(name, repository).await;
    }
    stage.start_process().await;
    stage.start_process().await;
    let (status, body) = stage.plane.get(&format!("{}/podscan", stage.path)).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{body:#}");
    stage.activate().await;
    stage.until_states(&[("refused", 3), ("undecided", 1), ("passed", 2)]).await;
    stage.until_told(3, 3).await;
    assert_eq!((stage.engine.asked("/bad:1"), stage.engine.asked("/slow:1")), (1, 2));
    let audits = stage.audits().await;
    let web = audits.iter().find(|name| name.starts_with("replicaset-web-")).unwrap().clone();
    assert_eq!(audits.len(), 2, "one for the owner, one for what nobody knows: {audits:?}");
    let (action, lines) = stage.audit(&web).await;
    assert_eq!(action, "reject");
    assert!(lines.ends_with("Running Pod: refused by the policy, not evicted"), "{lines}");
    let (action, lines) = stage.audit("gone").await;
    assert_eq!(action, "allowed");
    assert!(lines.contains("not decided") && lines.contains("no such image"), "{lines}");

    // Another process takes over, and has nothing to tell.
    stage.stop_processes().await;
    stage.start_process().await;
    engine_that_is_away(&stage).await;
    stage.until_told(3, 3).await;

    // A Pod of the owner goes, and another one comes: only that is news.
    let of_web = async |stage: &Stage| {
        kubectl(&stage.cluster, &["get", "pods", "-l", "app=web", "-o", "name"], "").await
    };
    let pods = of_web(&stage).await;
    let first = pods.lines().next().unwrap();
    kubectl(&stage.cluster, &["delete", first, "--force", "--grace-period=0"], "").await;
    stage
        .until("the next Pod", async |stage| {
            let pods = of_web(stage).await;
            (pods.lines().count() == 3 && !pods.contains(first)).then_some(())
        })
        .await;
    stage.engine.change(|script| script.revision += 1);
    stage.until_told(4, 4).await;
    stage.until_states(&[("refused", 3), ("undecided", 1), ("passed", 2)]).await;

    stage.engine.change(|script| {
        script.says.insert("bad", Says::Passes);
        script.says.insert("good", Says::Refuses);
        script.revision += 1;
    });
    stage.until_states(&[("refused", 1), ("undecided", 1), ("passed", 4)]).await;
    stage.until_told(8, 8).await;
    let events = stage.events().await;
    assert_eq!(events.keys().filter(|(_, reason)| reason == ACCEPTED).count(), 3, "{events:#?}");
    assert!(events.contains_key(&("good".to_owned(), REFUSED.to_owned())), "{events:#?}");
    assert_eq!(stage.audit(&web).await.0, "allowed");
    let running = kubectl(&stage.cluster, &["get", "pods", "-o", "name"], "").await;
    assert_eq!(running.lines().count(), 6, "nobody is evicted: {running}");
    stage.stop_processes().await;
    stage.plane.close().await;
}

/// What is known stays known, and why there is nothing newer is shown.
async fn engine_that_is_away(stage: &Stage) {
    stage.engine.change(|script| script.is_away = true);
    stage
        .until("the problem", async |stage| {
            let scan = stage.scan().await;
            let problem = scan["summary"]["problem"].as_str()?.to_owned();
            (problem.contains("it is away") && scan["summary"]["pods"]["refused"] == 3).then_some(())
        })
        .await;
    stage.engine.change(|script| {
        script.is_away = false;
        script.revision += 1;
    });
    stage
        .until("no problem", async |stage| {
            stage.scan().await["summary"].get("problem").is_none().then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_pods_are_listed_page_by_page_and_their_image_is_judged_once() {
    let mut stage = Stage::new().await;
    stage.engine.change(|script| {
        script.says =
            BTreeMap::from([("bad", Says::Refuses), ("good", Says::Passes), ("worse", Says::Refuses)]);
    });
    let pod = |number: usize| {
        let image = format!("{REGISTRY}/good:1");
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("many-{number:03}"), "namespace": "default"},
            "spec": {"containers": [{"name": "one", "image": image}]},
        })
    };
    let items: Vec<Value> = (0..300).map(pod).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    kubectl(&stage.cluster, &["create", "-f", "-"], &list).await;
    stage.run("zz-last", "bad").await;
    stage.activate().await;
    stage.start_process().await;
    stage.until_states(&[("passed", 300), ("refused", 1)]).await;
    stage.until_told(1, 1).await;
    // One that comes later is not left to the next look at everything, which is an hour away; nothing else is asked again.
    stage.run("late", "worse").await;
    stage.until_states(&[("passed", 300), ("refused", 2)]).await;
    stage.until_told(2, 2).await;
    assert_eq!((stage.engine.asked("/good:1"), stage.engine.asked("/worse:1")), (1, 1));
    let scan = stage.scan().await;
    let good = scan["images"].as_array().unwrap().iter().find(|image| image["state"] == "passed").unwrap();
    assert_eq!((good["podCount"].as_i64(), good["pods"].as_array().map(Vec::len)), (Some(300), Some(100)));
    for (query, status) in [
        ("?state=refused", StatusCode::OK),
        ("?state=bad", StatusCode::BAD_REQUEST),
        ("?limit=0", StatusCode::BAD_REQUEST),
        ("?limit=501", StatusCode::BAD_REQUEST),
        ("?limit=x", StatusCode::BAD_REQUEST),
    ] {
        let (found, body) = stage.plane.get(&format!("{}/podscan{query}", stage.path)).await;
        assert_eq!(found, status, "{query}: {body:#}");
    }
    stage.stop_processes().await;
    stage.plane.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_unseen_and_what_the_whitelist_exempts() {
    let mut stage = Stage::new().await;
    let deny_all = policy::predefined_bundles().iter().find(|bundle| bundle.id == "deny_all").unwrap().json;
    let bundle = policy::Bundle::load(&serde_json::from_str(deny_all).unwrap()).unwrap();
    stage.engine.change(|script| script.bundle = Some(Arc::new(bundle)));
    stage.run("unseen", "gone").await;
    stage.run("trusted", "gone").await;
    stage.activate().await;
    stage.start_process().await;
    stage.until_states(&[("refused", 2)]).await;
    stage.until_told(2, 2).await;

    let item = json!({
        "apiVersion": "security.banzaicloud.com/v1alpha1", "kind": "WhiteListItem", "metadata": {"name": "trusted"},
        "spec": {"creator": "ada", "reason": "a test"},
    });
    kubectl(&stage.cluster, &["apply", "-f", "-"], &item.to_string()).await;
    stage.until_states(&[("refused", 1), ("exempt", 1)]).await;
    stage.until_told(3, 3).await;
    let (action, lines) = stage.audit("trusted").await;
    assert_eq!(action, "allowed");
    assert!(lines.starts_with("Whitelisted release: trusted; Image failed policy check:"), "{lines}");
    kubectl(&stage.cluster, &["delete", "whitelistitem", "trusted"], "").await;
    stage.until_states(&[("refused", 2)]).await;
    assert_eq!(
        stage
            .until("the Audit", async |stage| {
                let (action, _) = stage.audit("trusted").await;
                (action == "reject").then_some(action)
            })
            .await,
        "reject"
    );

    // The service goes, and with it all that is known.
    stage.engine.change(|script| script.told.clear());
    let sql = "DELETE FROM plane_services WHERE cluster_id = $1";
    crate::support::change_database(stage.folder.path(), sql, 1).await;
    stage
        .until("nothing", async |stage| {
            let (status, _) = stage.plane.get(&format!("{}/podscan", stage.path)).await;
            (status == StatusCode::NOT_FOUND).then_some(())
        })
        .await;
    stage.stop_processes().await;
    stage.plane.close().await;
}
