//! `…/processes`: what was done about clusters and services, and how it is stopped.

use std::path::Path;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::cluster_support::{
    DEADLINE, add_cluster, await_status, kubeconfig, start_cluster, token_kubeconfig,
};
use crate::engine_support::{RecordingEngine, settings_with};
use crate::support::{TestPlane, answer, database, open};

const PROCESSES: &str = "/api/v1/orgs/1/processes";

/// Somebody who works on services, beside the listener.
struct Worker {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Worker {
    async fn start(folder: &Path, engine: &RecordingEngine) -> Self {
        let (plane, _) = open(settings_with(folder, engine)).await;
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(plane.run_services(async { drop(stopped.await) }));
        Self { stop, task }
    }

    async fn end(self) {
        drop(self.stop);
        self.task.await.unwrap();
    }
}

/// Waits for a value that satisfies.
async fn wait_for(plane: &TestPlane, path: &str, is_there: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let (_, found) = plane.get(path).await;
        if is_there(&found) {
            return found;
        }
        assert!(Instant::now() < deadline, "{path}: {found:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn activate(plane: &TestPlane, cluster: &str) -> String {
    let spec = json!({"policy": {"policyId": "deny_all"}, "webhookConfig": {"enabled": false}});
    let path = format!("{cluster}/services/securityscan");
    let (status, refused) = plane.send(Method::POST, &path, &json!({ "spec": spec })).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{refused:#}");
    path
}

#[tokio::test]
async fn what_is_done_is_written_down_and_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let worker = Worker::start(folder.path(), &engine).await;
    let other = plane.add_organization(folder.path(), "other").await;
    let kubeconfig = token_kubeconfig("https://127.0.0.1:1").to_string();
    let cluster = add_cluster(&plane, 1, "demo", &kubeconfig).await;
    let id = cluster.rsplit_once('/').unwrap().1;
    let import = wait_for(&plane, PROCESSES, |list| list[0]["status"] == "failed").await;
    let expected = json!({
        "id": import[0]["id"], "parentId": "", "orgId": 1, "type": "cluster-import", "log": import[0]["log"],
        "resourceId": id, "resourceType": "cluster", "status": "failed", "startedAt": import[0]["startedAt"],
        "finishedAt": import[0]["finishedAt"], "events": [],
    });
    assert_eq!(import, json!([expected]));
    assert!(!import[0]["log"].as_str().unwrap().is_empty(), "{import:#}");

    // An activation that waits for its cluster is stopped although nobody works on it.
    let service = activate(&plane, &cluster).await;
    let running = format!("{PROCESSES}?status=running");
    let list = wait_for(&plane, &running, |list| list[0]["events"][1]["status"] == "failed").await;
    let process = &list[0];
    assert_eq!((&process["type"], &list[1]), (&json!("service-activate"), &Value::Null), "{list:#}");
    let kinds: Vec<_> = process["events"].as_array().unwrap().iter().take(2).collect();
    assert_eq!((&kinds[0]["type"], &kinds[0]["status"]), (&json!("cluster"), &json!("running")));
    assert_eq!((&kinds[1]["id"], &kinds[1]["processId"]), (&json!(2), &process["id"]));
    let one = format!("{PROCESSES}/{}", process["id"].as_str().unwrap());
    let cancel = async || answer(plane.request(Method::POST, &format!("{one}/cancel"))).await.0;
    plane.set_role(folder.path(), "member").await;
    assert_eq!(cancel().await, StatusCode::FORBIDDEN);
    assert_eq!(plane.get(&one).await.0, StatusCode::OK, "members look");
    plane.set_role(folder.path(), "admin").await;
    let foreign = one.replace("/orgs/1/", &format!("/orgs/{other}/"));
    assert_eq!(
        answer(plane.request(Method::POST, &format!("{foreign}/cancel"))).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(plane.get(&foreign).await.0, StatusCode::NOT_FOUND);
    assert_eq!(plane.get(&format!("/api/v1/orgs/{other}/processes")).await.1, json!([]));
    assert_eq!(cancel().await, StatusCode::ACCEPTED);
    let details = wait_for(&plane, &service, |details| details["status"] == "ERROR").await;
    assert_eq!(details["output"]["reason"], "canceled by ada", "{details:#}");
    let (_, process) = plane.get(&one).await;
    assert_eq!((&process["status"], &process["log"]), (&json!("canceled"), &json!("canceled by ada")));
    assert_eq!(cancel().await, StatusCode::CONFLICT);

    // What is newer ends what is older; a part names the whole.
    activate(&plane, &cluster).await;
    let (status, _) = answer(plane.request(Method::DELETE, &format!("{cluster}?force=true"))).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let list = wait_for(&plane, PROCESSES, |list| {
        list.as_array().unwrap().iter().all(|process| process["status"] != "running")
    })
    .await;
    let found: Vec<(&str, &str)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|process| (process["type"].as_str().unwrap(), process["status"].as_str().unwrap()))
        .collect();
    let expected = [
        ("service-deactivate", "finished"),
        ("cluster-delete", "finished"),
        ("service-activate", "canceled"),
        ("service-activate", "canceled"),
        ("cluster-import", "failed"),
    ];
    assert_eq!(found, expected, "{list:#}");
    assert_eq!(list[0]["parentId"], list[1]["id"]);
    let deletion = format!("{PROCESSES}/{}/cancel", list[1]["id"].as_str().unwrap());
    assert_eq!(answer(plane.request(Method::POST, &deletion)).await.0, StatusCode::CONFLICT);
    for (query, count) in [
        ("status=finished", 2),
        ("status=canceled&type=service-activate", 2),
        ("resourceType=cluster&resourceId=1", 5),
        ("resourceId=2", 0),
        ("resourceId=x", 0),
        ("resourceType=node", 0),
    ] {
        let (_, list) = plane.get(&format!("{PROCESSES}?{query}")).await;
        assert_eq!(list.as_array().unwrap().len(), count, "{query}: {list:#}");
    }
    for (path, status) in [("?status=done", 400), ("/nosuch", 404), ("/..%2F1", 404)] {
        assert_eq!(plane.get(&format!("{PROCESSES}{path}")).await.0.as_u16(), status, "{path}");
    }
    worker.end().await;
    plane.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canceled_activation_stops_before_its_next_step_and_takes_back_what_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let cluster = start_cluster().await;
    let path = add_cluster(&plane, 1, "demo", &kubeconfig(&cluster.kubeconfig("admin").unwrap())).await;
    await_status(&plane, &path, "RUNNING", "").await;
    let (_, import) = plane.get(&format!("{PROCESSES}?type=cluster-import")).await;
    assert_eq!(import[0]["status"], "finished", "{import:#}");
    engine.hold(true);
    let worker = Worker::start(folder.path(), &engine).await;
    let service = activate(&plane, &path).await;
    let deadline = Instant::now() + DEADLINE;
    while !engine.was_asked("/accounts/") {
        assert!(Instant::now() < deadline, "the engine is asked for the account");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (_, list) = plane.get(&format!("{PROCESSES}?status=running")).await;
    let one = format!("{PROCESSES}/{}", list[0]["id"].as_str().unwrap());
    assert_eq!(answer(plane.request(Method::POST, &format!("{one}/cancel"))).await.0, StatusCode::ACCEPTED);
    assert_eq!(plane.get(&service).await.1["status"], "PENDING", "the step goes on");
    engine.hold(false);
    let details = wait_for(&plane, &service, |details| details["status"] == "ERROR").await;
    assert_eq!(details["output"]["reason"], "canceled by ada", "{details:#}");
    let (_, process) = plane.get(&one).await;
    assert_eq!(process["status"], "canceled", "{process:#}");
    let steps: Vec<&str> = process["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["status"] != "running")
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["cluster", "engine", "roll back the cluster", "roll back the engine"], "{process:#}");
    let secrets = plane.get("/api/v1/orgs/1/secrets").await.1.to_string();
    assert!(!secrets.contains("-anchore-user"), "{secrets}");
    worker.end().await;
    plane.close().await;
}

#[tokio::test]
async fn old_processes_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let database = database(folder.path()).await;
    let mut tx = database.begin().await.unwrap();
    for number in 0..600_i64 {
        storage::query(
            "INSERT INTO plane_processes (id, parent_id, organization_id, cluster_id, subject, kind, status, log, started_by, \
                canceled_by, started_us, finished_us) \
             VALUES ($1, '', 1, 99, 'cluster', 'cluster-import', 'finished', '', 'ada', '', $2, $2)",
        )
        .bind(format!("old-{number}"))
        .bind(number)
        .execute(&mut tx)
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
    add_cluster(&plane, 1, "demo", &token_kubeconfig("https://127.0.0.1:1").to_string()).await;
    let ended: i64 = storage::query("SELECT count(*) FROM plane_processes WHERE cluster_id = 99")
        .fetch_value(&database)
        .await
        .unwrap();
    assert_eq!(ended, 500);
    let (_, listed) = plane.get(PROCESSES).await;
    assert_eq!(listed.as_array().unwrap().len(), 100);
    plane.close().await;
}
