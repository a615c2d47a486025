//! Pods that run in a real cluster, judged by an engine that says what the test wants. The whole chain is in `e2e`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use admission::{SourceState, Verdict, VerdictError, VerdictQuestion, VerdictReason, VerdictSource};
use async_trait::async_trait;
use control_plane::{ControlPlaneSettings, EngineAccess, RunningSettings, ServiceSettings, Urgency};
use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::Cluster;
use tokio_util::sync::CancellationToken;

use crate::cluster_support::{
    DEADLINE, add_cluster, await_status, kubeconfig, kubectl, kubectl_until_done, start_cluster,
};
use crate::engine_support::set_service;
use crate::support::{TestPlane, clock, open, settings};

const REGISTRY: &str = "registry.test";
const REFUSED: &str = "ImageRefusedByPolicy";
const ACCEPTED: &str = "ImageAcceptedByPolicy";

/// What the engine says about a repository.
#[derive(Clone)]
enum Says {
    Passes,
    Refuses,
    NotFound,
    /// So often that it is being analyzed, then that it passes.
    Later(usize),
}

#[derive(Default)]
struct Script {
    says: BTreeMap<&'static str, Says>,
    revision: u32,
    is_away: bool,
    bundle: Option<Arc<policy::Bundle>>,
    /// Every question, in order.
    asked: Vec<String>,
    /// What webhooks were told.
    told: Vec<Value>,
}

/// An engine by a script.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.0.lock().unwrap());
    }

    fn asked(&self, part: &str) -> usize {
        self.0.lock().unwrap().asked.iter().filter(|asked| asked.contains(part)).count()
    }

    /// Names of Pods that webhooks were told about, with the state.
    fn told(&self) -> BTreeSet<(String, String)> {
        let script = self.0.lock().unwrap();
        let changes = script.told.iter().flat_map(|told| told["changes"].as_array().unwrap().clone());
        let of_change = |change: Value| {
            let state = change["state"].as_str().unwrap().to_owned();
            let pods = change["pods"].as_array().unwrap().clone();
            pods.into_iter().map(move |pod| (pod.as_str().unwrap().to_owned(), state.clone()))
        };
        let all: Vec<_> = changes.flat_map(of_change).collect();
        let distinct: BTreeSet<_> = all.iter().cloned().collect();
        assert_eq!(all.len(), distinct.len(), "told twice: {all:?}");
        distinct
    }

    fn settings(&self, folder: &Path) -> ControlPlaneSettings {
        let (judge, telling) = (self.clone(), self.clone());
        let engine = EngineAccess {
            router: axum::Router::new(),
            url: "http://127.0.0.1:1".to_owned(),
            verdicts: Arc::new(move |account, urgency| {
                assert_eq!((account, urgency), ("technical", Urgency::Unhurried));
                Arc::new(judge.clone())
            }),
            notify_running: Arc::new(move |_, account, payload| {
                assert_eq!(account, "technical");
                telling.change(|script| script.told.push(Value::Object(payload)));
                Box::pin(async { Ok(()) })
            }),
        };
        ControlPlaneSettings {
            services: ServiceSettings { engine: Some(engine), ..ServiceSettings::default() },
            running: RunningSettings {
                every: Duration::from_secs(3600),
                check_every: Duration::from_millis(300),
            },
            ..settings(folder)
        }
    }
}

#[async_trait]
impl VerdictSource for Scripted {
    async fn verdict(&self, question: &VerdictQuestion) -> Result<Verdict, VerdictError> {
        let mut script = self.0.lock().unwrap();
        let reference = &question.reference;
        script.asked.push(reference.to_string());
        let revision = script.revision.to_string();
        let is_pass = match script.says.get_mut(reference.repository()) {
            Some(Says::Passes) => true,
            Some(Says::Refuses) => false,
            Some(Says::Later(0)) => true,
            Some(Says::Later(times)) => {
                *times -= 1;
                return Err(VerdictError::NotYet);
            }
            Some(Says::NotFound) | None => return Err(VerdictError::NotFound),
        };
        let reason = VerdictReason {
            gate: "vulnerabilities".to_owned(),
            trigger: "package".to_owned(),
            message: "HIGH Vulnerability found".to_owned(),
            vulnerability: Some("CVE-1".to_owned()),
            ..VerdictReason::default()
        };
        Ok(Verdict {
            digest: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
            resolved_at: clock(),
            is_pass,
            policy_id: "p".to_owned(),
            policy_revision: revision,
            database_revision: "d".to_owned(),
            reasons: if is_pass { Vec::new() } else { vec![reason] },
            warnings: Vec::new(),
            evaluated_at: clock(),
        })
    }

    async fn state(&self) -> Result<SourceState, VerdictError> {
        let script = self.0.lock().unwrap();
        if script.is_away {
            return Err(VerdictError::Unreachable("it is away".to_owned()));
        }
        Ok(SourceState {
            policy_revision: script.revision.to_string(),
            database_revision: "d".to_owned(),
            bundle: script.bundle.clone(),
        })
    }
}

struct Stage {
    cluster: Arc<Cluster>,
    plane: TestPlane,
    path: String,
    engine: Scripted,
    stop: CancellationToken,
    watching: Vec<tokio::task::JoinHandle<()>>,
    folder: tempfile::TempDir,
}

impl Stage {
    /// A cluster with the definitions, whose service is active.
    async fn new() -> Self {
        let cluster = start_cluster().await;
        let list = json!({"apiVersion": "v1", "kind": "List", "items": admission::crd::definition_values()});
        kubectl(&cluster, &["apply", "-f", "-"], &list.to_string()).await;
        kubectl(&cluster, &["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "")
            .await;
        let (folder, engine) = (tempfile::tempdir().unwrap(), Scripted::default());
        let plane = TestPlane::start(engine.settings(folder.path())).await;
        let admin = kubeconfig(&cluster.kubeconfig("admin").unwrap());
        let path = add_cluster(&plane, 1, "demo", &admin).await;
        await_status(&plane, &path, "RUNNING", "").await;
        let stop = CancellationToken::new();
        Self { cluster, plane, path, engine, stop, watching: Vec::new(), folder }
    }

    async fn activate(&self) {
        let id: i64 = self.path.rsplit_once('/').unwrap().1.parse().unwrap();
        set_service(self.folder.path(), 1, id, "ACTIVE", Some(&json!({"own": {"account": "technical"}})))
            .await;
    }

    /// One more process that looks.
    async fn start_process(&mut self) {
        let (plane, _) = open(self.engine.settings(self.folder.path())).await;
        self.watching.push(tokio::spawn(plane.watch_running_pods(self.stop.clone())));
    }

    async fn stop_processes(&mut self) {
        self.stop.cancel();
        for watching in self.watching.drain(..) {
            watching.await.unwrap();
        }
        self.stop = CancellationToken::new();
    }

    async fn run(&self, name: &str, repository: &str) {
        let image = format!("--image={REGISTRY}/{repository}:1");
        kubectl_until_done(&self.cluster, &["run", name, &image], "").await;
    }

    async fn scan(&self) -> Value {
        self.plane.get(&format!("{}/podscan", self.path)).await.1
    }

    /// Waits until something is so.
    async fn until<T>(&self, what: &str, mut is_so: impl AsyncFnMut(&Self) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            if let Some(found) = is_so(self).await {
                return found;
            }
            let is_late = tokio::time::Instant::now() > deadline;
            assert!(!is_late, "{what}: {:#}\n{:#?}", self.scan().await, self.events().await);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn until_states(&self, expected: &[(&str, i64)]) {
        let expected: BTreeMap<&str, i64> = expected.iter().copied().collect();
        self.until(&format!("{expected:?}"), async |stage| {
            let scan = stage.scan().await;
            let pods = scan["summary"]["pods"].as_object()?.clone();
            let found: BTreeMap<&str, i64> =
                pods.iter().filter_map(|(state, count)| Some((state.as_str(), count.as_i64()?))).collect();
            (found == expected).then_some(())
        })
        .await;
    }

    /// How often each reason was told about each Pod.
    async fn events(&self) -> BTreeMap<(String, String), usize> {
        let text = kubectl(&self.cluster, &["get", "events", "-A", "-o", "json"], "").await;
        let list: Value = serde_json::from_str(&text).unwrap();
        let mut found = BTreeMap::new();
        for event in list["items"].as_array().unwrap() {
            if event["source"]["component"] == "lazaret" {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let key = (text(&event["involvedObject"]["name"]), text(&event["reason"]));
                *found.entry(key).or_default() += 1;
            }
        }
        found
    }

    async fn until_told(&self, events: usize, told: usize) {
        self.until(&format!("{events} Events, {told} told"), async |stage| {
            let found = stage.events().await;
            assert!(found.values().all(|count| *count == 1), "told twice: {found:#?}");
            (found.len() == events && stage.engine.told().len() == told).then_some(())
        })
        .await;
    }

    /// Action and last line of an Audit.
    async fn audit(&self, name: &str) -> (String, String) {
        let audit: Value = serde_json::from_str(
            &kubectl(&self.cluster, &["get", "audits.security.banzaicloud.com", name, "-o", "json"], "")
                .await,
        )
        .unwrap();
        assert_eq!(audit["metadata"]["labels"]["security.banzaicloud.com/running"], "true", "{audit:#}");
        let lines = audit["spec"]["result"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&audit["spec"]["action"]), lines.iter().map(text).collect::<Vec<_>>().join("; "))
    }

    async fn audits(&self) -> Vec<String> {
        let text =
            kubectl(&self.cluster, &["get", "audits.security.banzaicloud.com", "-A", "-o", "name"], "").await;
        text.lines().map(|line| line.rsplit_once('/').unwrap().1.to_owned()).collect()
    }
}

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
