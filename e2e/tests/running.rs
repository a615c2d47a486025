//! Pods that run already: judged when the service becomes active and after every change, told once, never evicted.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::{EngineOptions, Method, Plane, build_database_from, feed_file};
use serde_json::{Value, json};
use testkit::{Cluster, Registry, RegistryMode, Scratch, debian_images, wait_until};

const DEADLINE: Duration = Duration::from_secs(240);

/// Who is told by webhook: refuses the first delivery, keeps the others.
struct Receiver {
    url: String,
    kept: Arc<Mutex<Vec<Value>>>,
}

impl Receiver {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}/<notification_type>", listener.local_addr()?);
        let kept: Arc<Mutex<Vec<Value>>> = Arc::default();
        let keeping = Arc::clone(&kept);
        // Ends with the process: nobody connects any more when the engine is gone.
        std::thread::spawn(move || {
            for (position, connection) in listener.incoming().flatten().enumerate() {
                let status = if position == 0 { "500 Internal Server Error" } else { "200 OK" };
                let told = read_told(&connection);
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let is_answered = (&connection).write_all(answer.as_bytes()).is_ok();
                if let (Ok(told), true, true) = (told, is_answered, position > 0) {
                    keeping.lock().unwrap_or_else(PoisonError::into_inner).push(told);
                }
            }
        });
        Ok(Self { url, kept })
    }

    /// Every Pod with its state, in the order in which they were told.
    fn told(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut told = Vec::new();
        for body in self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let payload = &body["data"]["notification_payload"];
            for change in payload["changes"].as_array().into_iter().flatten() {
                let pods = change["pods"].as_array().into_iter().flatten();
                told.extend(pods.map(|pod| (text(pod), text(&change["state"]))));
            }
        }
        told
    }

    fn wait_for(&self, expected: &[(&str, &str)]) -> Result<()> {
        let mut expected: Vec<(String, String)> =
            expected.iter().map(|(pod, state)| ((*pod).to_owned(), (*state).to_owned())).collect();
        expected.sort();
        let mut last = Vec::new();
        let waited = wait_until(DEADLINE, "the webhook to be told", || {
            last = self.told();
            last.sort();
            (last == expected).then_some(())
        });
        waited.with_context(|| format!("{last:?} is not {expected:?}"))
    }
}

/// The body of a request to the webhook.
fn read_told(connection: &TcpStream) -> Result<Value> {
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(connection);
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        line.clear();
    }
    ensure!(length < 1 << 20, "{length} bytes");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// A cluster with Pods in it, and a plane that knows it.
struct Stage {
    receiver: Receiver,
    plane: Plane,
    cluster: Cluster,
    id: i64,
    registry: Registry,
    scratch: Scratch,
}

impl Stage {
    fn start() -> Result<Self> {
        let images = debian_images()?;
        let registry = Registry::start(RegistryMode::Open)?;
        registry.push(&images.vulnerable, "debian:vulnerable")?;
        registry.push(&images.fixed, "debian:fixed")?;
        let receiver = Receiver::start()?;
        let plane = Plane::start(EngineOptions {
            insecure_registries: vec![registry.host()],
            with_database: true,
            settings: vec![
                "control-plane.running-pods-check=1s".to_owned(),
                format!("webhooks.running-pods-url={}", receiver.url),
            ],
            ..EngineOptions::default()
        })?;
        let cluster = Cluster::start()?;
        let id = plane.import("one", &cluster)?;
        Ok(Self { receiver, plane, cluster, id, registry, scratch: Scratch::new("running")? })
    }

    /// Makes a Pod whose status says which digest runs: no kubelet is here to say it.
    fn run(&self, namespace: &str, name: &str, written: &str, running: &str) -> Result<()> {
        let image = format!("--image={}", self.registry.reference(written));
        self.cluster.kubectl(&["run", name, "--namespace", namespace, &image])?.success()?;
        let digest = self.registry.find_digest(running)?;
        let status = json!({"status": {"phase": "Running", "containerStatuses": [{
            "name": name, "image": self.registry.reference(written), "ready": true, "restartCount": 0,
            "imageID": format!("{}@{digest}", self.registry.reference("debian")), "state": {"running": {}},
        }]}});
        let patch = status.to_string();
        let arguments = [
            "patch",
            "pod",
            name,
            "--namespace",
            namespace,
            "--subresource=status",
            "--type=merge",
            "-p",
            &patch,
        ];
        self.cluster.kubectl(&arguments)?.success().map(drop)
    }

    fn objects(&self, kind: &str) -> Result<Vec<Value>> {
        let text = self.cluster.kubectl(&["get", kind, "--all-namespaces", "-o", "json"])?.success()?;
        let list: Value = serde_json::from_str(&text)?;
        Ok(list["items"].as_array().context("a list has items")?.clone())
    }

    /// Reasons of our Events, by Pod, in the order of their names.
    fn events(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in self.objects("events")? {
            if event["source"]["component"] == "lazaret" {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                found.entry(text(&event["involvedObject"]["name"])).or_default().push(text(&event["reason"]));
            }
        }
        found.values_mut().for_each(|reasons| reasons.sort());
        Ok(found)
    }

    /// Action of each Audit about a running Pod, with its version.
    fn audits(&self) -> Result<BTreeMap<String, (String, String)>> {
        let audits = self.objects("audits.security.banzaicloud.com")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let running = audits
            .iter()
            .filter(|audit| audit["metadata"]["labels"]["security.banzaicloud.com/running"] == "true");
        Ok(running
            .map(|audit| {
                let name = text(&audit["metadata"]["name"]);
                (name, (text(&audit["spec"]["action"]), text(&audit["metadata"]["resourceVersion"])))
            })
            .collect())
    }

    fn scan(&self, query: &str) -> Result<Value> {
        self.plane.ask(Method::GET, &format!("/orgs/1/clusters/{}/podscan{query}", self.id), None)
    }

    /// Waits until each Pod is known to be in a state.
    fn wait_for(&self, expected: &[(&str, &str)]) -> Result<Value> {
        let mut last = Value::Null;
        let waited = wait_until(DEADLINE, &format!("the Pods to be {expected:?}"), || {
            last = self.scan("").ok()?;
            let pods = last["images"].as_array()?.iter().flat_map(|image| image["pods"].as_array());
            let states: BTreeMap<&str, &str> = pods
                .flatten()
                .filter_map(|pod| Some((pod["name"].as_str()?, pod["state"].as_str()?)))
                .collect();
            let is_done = last["summary"]["finishedAt"].is_string();
            (is_done && expected.iter().all(|(name, state)| states.get(name) == Some(state))).then_some(())
        });
        waited.with_context(|| format!("{last:#}\n{}", self.plane.engine.output()))?;
        Ok(last)
    }

    fn wait_for_events(&self, expected: &[(&str, &[&str])]) -> Result<()> {
        let expected: BTreeMap<String, Vec<String>> = expected
            .iter()
            .map(|(pod, reasons)| ((*pod).to_owned(), reasons.iter().map(|it| (*it).to_owned()).collect()))
            .collect();
        let mut last = BTreeMap::new();
        let waited = wait_until(DEADLINE, "the Events", || {
            last = self.events().ok()?;
            (last == expected).then_some(())
        });
        waited.with_context(|| format!("{last:#?}\n{}", self.plane.engine.output()))
    }
}

const REFUSED: &str = "ImageRefusedByPolicy";
const ACCEPTED: &str = "ImageAcceptedByPolicy";

#[test]
fn pods_that_run_are_judged_told_once_and_left_alone() -> Result<()> {
    let mut stage = Stage::start()?;
    stage.run("default", "vulnerable", "debian:vulnerable", "debian:vulnerable")?;
    stage.run("default", "clean", "debian:fixed", "debian:fixed")?;
    // What runs counts, not what the tag names by now.
    stage.run("default", "moved", "debian:fixed", "debian:vulnerable")?;
    stage.run("kube-system", "system", "debian:vulnerable", "debian:vulnerable")?;
    let pods_before = names(&stage.objects("pods")?);
    let (status, inactive) =
        stage.plane.call(Method::GET, &format!("/orgs/1/clusters/{}/podscan", stage.id), None)?;
    ensure!(status == 404 && inactive.to_string().contains("activate the security scan"), "{inactive:#}");

    stage.plane.activate(stage.id, &json!({"policy": {"policyId": "reject_high"}}))?;
    let states =
        [("vulnerable", "refused"), ("moved", "refused"), ("system", "refused"), ("clean", "passed")];
    let scan = stage.wait_for(&states)?;
    let of_all: &[(&str, &[&str])] =
        &[("moved", &[REFUSED]), ("system", &[REFUSED]), ("vulnerable", &[REFUSED])];
    stage.wait_for_events(of_all)?;
    let refused = [("moved", "refused"), ("system", "refused"), ("vulnerable", "refused")];
    stage.receiver.wait_for(&refused)?;
    shown_where_people_look(&stage, &scan)?;

    // Whoever looks again, finds nothing new.
    let audits = stage.audits()?;
    let looked_at = scan["summary"]["finishedAt"].clone();
    stage.plane.engine.kill()?;
    stage.plane.engine.resume()?;
    wait_until(DEADLINE, "another look", || {
        (stage.scan("").ok()?["summary"]["finishedAt"] != looked_at).then_some(())
    })?;
    ensure!(stage.audits()? == audits, "{:#?} is not {audits:#?}", stage.audits()?);
    stage.wait_for_events(of_all)?;

    changes_are_told(&stage)?;
    let later = [
        ("clean", "refused"),
        ("clean", "exempt"),
        ("vulnerable", "passed"),
        ("moved", "passed"),
        ("system", "passed"),
    ];
    stage.receiver.wait_for(&[&refused[..], &later].concat())?;
    ensure!(names(&stage.objects("pods")?) == pods_before, "somebody was evicted");
    Ok(())
}

fn names(objects: &[Value]) -> Vec<Value> {
    objects.iter().map(|object| object["metadata"]["uid"].clone()).collect()
}

fn shown_where_people_look(stage: &Stage, scan: &Value) -> Result<()> {
    ensure!(scan["summary"]["pods"]["refused"] == 3 && scan["summary"]["pods"]["passed"] == 1, "{scan:#}");
    let refused = stage.scan("?state=refused&limit=1")?;
    let image = &refused["images"][0];
    ensure!(image["reasons"].to_string().contains("CVE-2026-103111"), "{image:#}");
    ensure!(
        image["imageDigest"] == stage.registry.find_digest("debian:vulnerable")?.to_string(),
        "{image:#}"
    );
    ensure!(refused["images"].as_array().map(Vec::len) == Some(1), "{refused:#}");
    let next = refused["next"].as_str().context("there is a second page")?;
    let second = stage.scan(&format!("?state=refused&limit=1&after={}", next.replace(':', "%3A")))?;
    ensure!(second["images"][0]["image"] != image["image"] && second["next"].is_null(), "{second:#}");
    let details = stage.plane.ask(Method::GET, &Plane::service(stage.id), None)?;
    ensure!(details["output"]["runningPods"]["pods"]["refused"] == 3, "{details:#}");

    let actions: Vec<(String, String)> =
        stage.audits()?.into_iter().map(|(name, (action, _))| (name, action)).collect();
    let rejected = |name: &str| (name.to_owned(), "reject".to_owned());
    ensure!(actions == [rejected("moved"), rejected("system"), rejected("vulnerable")], "{actions:?}");
    let text = stage.cluster.kubectl(&["describe", "audit", "vulnerable"])?.success()?;
    for part in
        ["Running Pod: refused by the policy, not evicted", "CVE-2026-103111", "Image failed policy check"]
    {
        ensure!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
    let text = stage.cluster.kubectl(&["get", "events", "--field-selector", "type=Warning"])?.success()?;
    ensure!(text.contains("Runs, not evicted. Image failed policy check"), "{text}");
    Ok(())
}

fn changes_are_told(stage: &Stage) -> Result<()> {
    // The data says now that the other image is not fixed either.
    let whole = fs_err::read_to_string(feed_file())?;
    let later = whole.replace("10.42-1+deb12u2", "10.42-1+deb12u99");
    ensure!(whole != later, "the feed speaks about the image");
    let feed = stage.scratch.path().join("later.json");
    fs_err::write(&feed, later)?;
    let database = stage.plane.engine.data_folder().join("vulnerability.db");
    build_database_from(&[("debian-tracker", feed)], &database)?;
    stage.wait_for(&[("clean", "refused"), ("vulnerable", "refused")])?;
    stage.wait_for_events(&[
        ("clean", &[REFUSED]),
        ("moved", &[REFUSED]),
        ("system", &[REFUSED]),
        ("vulnerable", &[REFUSED]),
    ])?;

    let item = json!({"name": "clean", "owner": "ada", "reason": "checked by hand"});
    let path = format!("/orgs/1/clusters/{}/whitelists", stage.id);
    stage.plane.ask(Method::POST, &path, Some(&item))?;
    stage.wait_for(&[("clean", "exempt"), ("vulnerable", "refused")])?;
    let text = wait_until(DEADLINE, "the Audit of the exempt Pod", || {
        let text = stage.cluster.kubectl(&["describe", "audit", "clean"]).ok()?.stdout;
        text.contains("Whitelisted release: clean").then_some(text)
    })?;
    ensure!(text.contains("allowed"), "{text}");

    let spec = json!({"spec": {"policy": {"policyId": "allow_all_and_warn"}}});
    stage.plane.ask(Method::PUT, &Plane::service(stage.id), Some(&spec))?;
    stage.plane.wait_for(stage.id, "ACTIVE")?;
    stage.wait_for(&[("vulnerable", "passed"), ("moved", "passed"), ("system", "passed")])?;
    let both: &[&str] = &[ACCEPTED, REFUSED];
    stage.wait_for_events(&[("clean", both), ("moved", both), ("system", both), ("vulnerable", both)])?;
    let audits = stage.audits()?;
    ensure!(audits.len() == 4 && audits.values().all(|(action, _)| action == "allowed"), "{audits:#?}");
    Ok(())
}
