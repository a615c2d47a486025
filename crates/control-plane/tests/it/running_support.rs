//! What tests of running Pods share: a real cluster, and an engine that says what the test wants.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use admission::{SourceState, Verdict, VerdictError, VerdictQuestion, VerdictReason, VerdictSource};
use async_trait::async_trait;
use control_plane::{ControlPlaneSettings, EngineAccess, RunningSettings, ServiceSettings, Urgency};
use serde_json::{Value, json};
use testkit::Cluster;
use tokio_util::sync::CancellationToken;

use crate::cluster_support::{
    DEADLINE, add_cluster, await_status, kubeconfig, kubectl, kubectl_until_done, start_cluster,
};
use crate::engine_support::set_service;
use crate::support::{TestPlane, clock, open, settings};

pub(crate) const REGISTRY: &str = "registry.test";
pub(crate) const REFUSED: &str = "ImageRefusedByPolicy";
pub(crate) const ACCEPTED: &str = "ImageAcceptedByPolicy";

/// What the engine says about a repository.
#[derive(Clone)]
pub(crate) enum Says {
    Passes,
    Refuses,
    NotFound,
    /// So often that it is being analyzed, then that it passes.
    Later(usize),
}

#[derive(Default)]
pub(crate) struct Script {
    pub(crate) says: BTreeMap<&'static str, Says>,
    pub(crate) revision: u32,
    pub(crate) is_away: bool,
    /// A process that starts ends each look after the first image.
    pub(crate) has_no_time: bool,
    /// Whether a question about the state waits at the gate.
    is_held: bool,
    pub(crate) bundle: Option<Arc<policy::Bundle>>,
    /// Every question, in order.
    pub(crate) asked: Vec<String>,
    /// What webhooks were told.
    pub(crate) told: Vec<Value>,
}

/// An engine by a script.
#[derive(Clone, Default)]
pub(crate) struct Scripted {
    script: Arc<Mutex<Script>>,
    /// Closed, nobody hears the state, which is what every check begins with.
    gate: Arc<tokio::sync::Mutex<()>>,
}

impl Scripted {
    pub(crate) fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// Returns when the next check has begun, which goes on when what is returned is dropped.
    pub(crate) async fn hold(&self) -> tokio::sync::OwnedMutexGuard<()> {
        self.change(|script| script.is_held = false);
        let held = Arc::clone(&self.gate).lock_owned().await;
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while !self.script.lock().unwrap().is_held {
            assert!(tokio::time::Instant::now() < deadline, "nobody asks for the state");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        held
    }

    pub(crate) fn asked(&self, part: &str) -> usize {
        self.script.lock().unwrap().asked.iter().filter(|asked| asked.contains(part)).count()
    }

    /// Names of Pods that webhooks were told about, with the state.
    pub(crate) fn told(&self) -> BTreeSet<(String, String)> {
        let script = self.script.lock().unwrap();
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

    pub(crate) fn settings(&self, folder: &Path) -> ControlPlaneSettings {
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
        let mut running =
            RunningSettings { check_every: Duration::from_millis(300), ..RunningSettings::default() };
        if self.script.lock().unwrap().has_no_time {
            running.judge_time = Duration::ZERO;
        }
        ControlPlaneSettings {
            services: ServiceSettings { engine: Some(engine), ..ServiceSettings::default() },
            running,
            ..settings(folder)
        }
    }
}

#[async_trait]
impl VerdictSource for Scripted {
    async fn verdict(&self, question: &VerdictQuestion) -> Result<Verdict, VerdictError> {
        let mut script = self.script.lock().unwrap();
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
        if self.gate.try_lock().is_err() {
            self.change(|script| script.is_held = true);
            drop(self.gate.lock().await);
        }
        let script = self.script.lock().unwrap();
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

pub(crate) struct Stage {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) plane: TestPlane,
    pub(crate) path: String,
    pub(crate) engine: Scripted,
    stop: CancellationToken,
    watching: Vec<tokio::task::JoinHandle<()>>,
    pub(crate) folder: tempfile::TempDir,
}

impl Stage {
    /// A cluster with the definitions, whose service is active.
    pub(crate) async fn new() -> Self {
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

    pub(crate) async fn activate(&self) {
        let id: i64 = self.path.rsplit_once('/').unwrap().1.parse().unwrap();
        set_service(self.folder.path(), 1, id, "ACTIVE", Some(&json!({"own": {"account": "technical"}})))
            .await;
    }

    /// One more process that looks.
    pub(crate) async fn start_process(&mut self) {
        let (plane, _) = open(self.engine.settings(self.folder.path())).await;
        self.watching.push(tokio::spawn(plane.watch_running_pods(self.stop.clone())));
    }

    pub(crate) async fn stop_processes(&mut self) {
        self.stop.cancel();
        for watching in self.watching.drain(..) {
            watching.await.unwrap();
        }
        self.stop = CancellationToken::new();
    }

    pub(crate) async fn run(&self, name: &str, repository: &str) {
        let image = format!("--image={REGISTRY}/{repository}:1");
        kubectl_until_done(&self.cluster, &["run", name, &image], "").await;
    }

    pub(crate) async fn scan(&self) -> Value {
        self.plane.get(&format!("{}/podscan", self.path)).await.1
    }

    /// Waits until something is so.
    pub(crate) async fn until<T>(&self, what: &str, mut is_so: impl AsyncFnMut(&Self) -> Option<T>) -> T {
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

    pub(crate) async fn until_states(&self, expected: &[(&str, i64)]) {
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
    pub(crate) async fn events(&self) -> BTreeMap<(String, String), usize> {
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

    pub(crate) async fn until_told(&self, events: usize, told: usize) {
        self.until(&format!("{events} Events, {told} told"), async |stage| {
            let found = stage.events().await;
            assert!(found.values().all(|count| *count == 1), "told twice: {found:#?}");
            (found.len() == events && stage.engine.told().len() == told).then_some(())
        })
        .await;
    }

    /// Action and last line of an Audit.
    pub(crate) async fn audit(&self, name: &str) -> (String, String) {
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

    pub(crate) async fn audits(&self) -> Vec<String> {
        let text =
            kubectl(&self.cluster, &["get", "audits.security.banzaicloud.com", "-A", "-o", "name"], "").await;
        text.lines().map(|line| line.rsplit_once('/').unwrap().1.to_owned()).collect()
    }
}
