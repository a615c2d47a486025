//! What is read from a real cluster: decisions, exemptions, images, releases.

use std::io::Write as _;
use std::sync::Arc;

use data_encoding::BASE64;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::Cluster;

use crate::cluster_support::{
    add_cluster, await_status, kubeconfig, kubectl, kubectl_until_done, start_cluster,
};
use crate::support::{TestPlane, answer, settings};

const GROUP: &str = "security.banzaicloud.com/v1alpha1";

/// A plane with one cluster, which answers.
struct Stage {
    cluster: Arc<Cluster>,
    plane: TestPlane,
    path: String,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let cluster = start_cluster().await;
        let folder = tempfile::tempdir().unwrap();
        let plane = TestPlane::start(settings(folder.path())).await;
        let admin = kubeconfig(&cluster.kubeconfig("admin").unwrap());
        let path = add_cluster(&plane, 1, "demo", &admin).await;
        await_status(&plane, &path, "RUNNING", "").await;
        Self { cluster, plane, path, _folder: folder }
    }

    async fn get(&self, below: &str) -> (StatusCode, Value) {
        self.plane.get(&format!("{}{below}", self.path)).await
    }

    async fn read(&self, below: &str) -> Value {
        let (status, body) = self.get(below).await;
        assert_eq!(status, StatusCode::OK, "{below}: {body:#}");
        body
    }

    async fn add_item(&self, body: &Value) -> (StatusCode, Value) {
        self.plane.send(Method::POST, &format!("{}/whitelists", self.path), body).await
    }

    async fn delete_item(&self, name: &str) -> StatusCode {
        let path = format!("{}/whitelists/{name}", self.path);
        answer(self.plane.request(Method::DELETE, &path)).await.0
    }

    async fn kubectl(&self, arguments: &str) -> String {
        kubectl(&self.cluster, &arguments.split(' ').collect::<Vec<_>>(), "").await
    }

    async fn apply(&self, objects: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        kubectl_until_done(&self.cluster, &["apply", "-f", "-"], &list.to_string()).await;
    }

    /// Makes the custom resources, and waits until they can be used.
    async fn define(&self, definitions: &[Value]) {
        self.apply(definitions).await;
        self.kubectl("wait --for=condition=Established crd --all --timeout=60s").await;
    }
}

fn audit(namespace: Option<&str>, name: &str, release: &str, action: &str) -> Value {
    let mut audit = json!({
        "apiVersion": GROUP, "kind": "Audit", "metadata": {"name": name},
        "spec": {"releaseName": release, "resource": "Pod", "action": action, "result": ["Image failed policy check: web"],
            "image": [{"imageName": "docker.io/library/web", "imageTag": "1", "imageDigest": digest('a'),
                "lastUpdated": "2026-01-02T03:04:05Z"}]},
    });
    if let Some(namespace) = namespace {
        audit["metadata"]["namespace"] = json!(namespace);
    }
    audit
}

fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_and_exemptions() {
    let stage = Stage::new().await;
    // Nothing is installed yet.
    for below in ["/scanlog", "/scanlog/web", "/whitelists"] {
        assert_eq!(stage.read(below).await, json!([]), "{below}");
    }
    let web = json!({"name": "web", "owner": "ada", "reason": "it is old", "regexp": "web-.*"});
    let (status, refused) = stage.add_item(&web).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(refused["message"].as_str().unwrap().contains("activate the security scan"), "{refused:#}");
    assert_eq!(stage.delete_item("web").await, StatusCode::NOT_FOUND);

    stage.define(&admission::crd::definition_values()).await;
    exemptions(&stage, &web).await;
    decisions(&stage).await;

    // The webhook of others keeps its Audits without a namespace.
    stage.kubectl("delete crd audits.security.banzaicloud.com").await;
    let mut definitions = admission::crd::definition_values();
    definitions.retain(|definition| definition["spec"]["names"]["kind"] == "Audit");
    definitions[0]["spec"]["scope"] = json!("Cluster");
    stage.define(&definitions).await;
    // kubectl remembers that the kind had namespaces, so it is told where to write.
    let raw = ["create", "--raw", "/apis/security.banzaicloud.com/v1alpha1/audits", "-f", "-"];
    let theirs = audit(None, "replicaset-web", "web", "reject").to_string();
    kubectl_until_done(&stage.cluster, &raw, &theirs).await;
    let log = stage.read("/scanlog/web").await;
    assert_eq!((&log[0]["action"], log[0].get("namespace")), (&json!("reject"), None), "{log:#}");
    stage.plane.close().await;
}

async fn exemptions(stage: &Stage, web: &Value) {
    let (status, body) = stage.add_item(web).await;
    assert_eq!((status, body), (StatusCode::CREATED, Value::Null));
    let item: Value = serde_json::from_str(&stage.kubectl("get whitelistitem web -o json").await).unwrap();
    assert_eq!(item["spec"], json!({"creator": "ada", "reason": "it is old", "regexp": "web-.*"}));
    let by_kubectl = json!({"apiVersion": GROUP, "kind": "WhiteListItem", "metadata": {"name": "api"},
        "spec": {"creator": "bob", "reason": "a test"}});
    stage.apply(&[by_kubectl]).await;
    assert_eq!(
        stage.read("/whitelists").await,
        json!([{"name": "api", "owner": "bob", "reason": "a test"}, web])
    );

    let with = |key: &str, value: Value| {
        let mut item = json!({"name": "new", "owner": "ada", "reason": "x"});
        item[key] = value;
        item
    };
    for (body, status, part) in [
        (web.clone(), StatusCode::CONFLICT, "`web` already exists"),
        (Value::Null, StatusCode::BAD_REQUEST, "Error parsing request"),
        (json!("text"), StatusCode::BAD_REQUEST, "Error parsing request"),
        (with("name", json!("")), StatusCode::BAD_REQUEST, "`name` is required"),
        (with("owner", json!("")), StatusCode::BAD_REQUEST, "`owner` is required"),
        (with("name", json!("Web_1")), StatusCode::UNPROCESSABLE_ENTITY, "`regexp` for others"),
        (with("name", json!("../x")), StatusCode::UNPROCESSABLE_ENTITY, "`regexp` for others"),
        (with("regexp", json!("[")), StatusCode::UNPROCESSABLE_ENTITY, "regexp"),
        (with("regexp", json!("a".repeat(2000))), StatusCode::UNPROCESSABLE_ENTITY, "limit"),
        (with("expiresAt", json!("tomorrow")), StatusCode::UNPROCESSABLE_ENTITY, "RFC 3339"),
    ] {
        let (found, refused) = stage.add_item(&body).await;
        assert_eq!((found, &refused["code"]), (status, &json!(status.as_u16())), "{body}: {refused:#}");
        assert!(refused.to_string().contains(part), "{body}: {refused:#}");
    }
    for (name, status) in [
        ("api", StatusCode::NO_CONTENT),
        ("api", StatusCode::NOT_FOUND),
        ("..%2F..%2F..%2F..%2Fapi%2Fv1%2Fnamespaces%2Fdefault", StatusCode::NOT_FOUND),
        ("web%3Fx=y", StatusCode::NOT_FOUND),
        ("web", StatusCode::NO_CONTENT),
    ] {
        assert_eq!(stage.delete_item(name).await, status, "{name}");
    }
    assert_eq!(stage.read("/whitelists").await, json!([]));
    stage.kubectl("get namespace default").await;
}

async fn decisions(stage: &Stage) {
    stage
        .apply(&[
            audit(Some("default"), "replicaset-web-1", "web", "reject"),
            audit(Some("kube-public"), "replicaset-web-2", "web", "allowed"),
            audit(Some("default"), "web", "other", "allowed"),
        ])
        .await;
    let log = stage.read("/scanlog").await;
    assert_eq!(log.as_array().unwrap().len(), 3, "{log:#}");
    let log = stage.read("/scanlog/web").await;
    let entries = log.as_array().unwrap();
    let places: Vec<_> = entries.iter().map(|entry| (&entry["namespace"], &entry["action"])).collect();
    assert_eq!(
        places,
        [(&json!("default"), &json!("reject")), (&json!("kube-public"), &json!("allowed"))],
        "by release, not by the name of the Audit"
    );
    let mut expected = audit(None, "", "web", "reject")["spec"].clone();
    expected["name"] = json!("replicaset-web-1");
    expected["namespace"] = json!("default");
    assert_eq!(entries[0], expected);
    assert_eq!(stage.read("/scanlog/nothing").await, json!([]));
}

fn pod(name: &str, labels: &Value, images: &[(&str, &str)]) -> Value {
    let containers: Vec<_> =
        images.iter().map(|(name, image)| json!({"name": name, "image": image})).collect();
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": labels},
        "spec": {"containers": &containers[1..], "initContainers": &containers[..1]},
    })
}

fn status(name: &str, image: &str, image_id: &str) -> Value {
    json!({"name": name, "image": image, "imageID": image_id, "ready": true, "restartCount": 0})
}

/// Makes a Pod, and says what a kubelet would say about it.
async fn run_pod(stage: &Stage, pod: Value, phase: &str, init: Value, container: Value) {
    let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
    stage.apply(&[pod]).await;
    let status = json!({"status": {"phase": phase, "initContainerStatuses": [init], "containerStatuses": [container]}});
    let patch = status.to_string();
    let arguments = ["patch", "pod", &name, "--subresource=status", "--type=merge", "-p", &patch];
    kubectl(&stage.cluster, &arguments, "").await;
}

/// A record as helm writes it.
fn helm_record(name: &str, revision: i64, status: &str, tags: &[&str]) -> Value {
    let body = json!({
        "name": name, "namespace": "default", "version": revision,
        "info": {"first_deployed": "2026-01-02T03:04:05.123456789+01:00",
            "last_deployed": "2026-01-03T03:04:05Z", "status": status},
        "chart": {"metadata": {"name": "shop", "version": format!("1.0.{revision}")}, "templates": []},
        "config": {"banzaicloud": {"tags": tags}},
    });
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body.to_string().as_bytes()).unwrap();
    let packed = BASE64.encode(&encoder.finish().unwrap());
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": format!("sh.helm.release.v1.{name}.v{revision}"), "namespace": "default",
            "labels": {"owner": "helm", "name": name, "status": status, "version": revision.to_string()}},
        "data": {"release": BASE64.encode(packed.as_bytes())},
    })
}

async fn run_things(stage: &Stage) {
    let shop = json!({"app.kubernetes.io/instance": "shop", "release": "older-name"});
    let images = [("migrate", "registry.test:5000/team/migrate"), ("web", "nginx:1.27")];
    let init = status("migrate", "x", &format!("registry.test:5000/team/migrate@{}", digest('b')));
    let web = status("web", "nginx:1.27", &format!("docker-pullable://nginx@{}", digest('a')));
    run_pod(stage, pod("shop-1", &shop, &images), "Running", init.clone(), web.clone()).await;
    run_pod(stage, pod("shop-2", &shop, &images), "Running", init.clone(), web).await;
    let images = [("migrate", "registry.test:5000/team/migrate"), ("old", "old:1")];
    let old = status("old", "old:1", &format!("docker.io/library/old@{}", digest('c')));
    let old_labels = json!({"release": "old", "chart": "old-stuff-0.1.0"});
    run_pod(stage, pod("old-1", &old_labels, &images), "Running", init.clone(), old.clone()).await;
    let ended = status("old", "old:1", &format!("docker.io/library/old@{}", digest('d')));
    run_pod(stage, pod("ended", &old_labels, &images), "Succeeded", init, ended).await;
    stage
        .apply(&[
            helm_record("shop", 9, "superseded", &[]),
            helm_record("shop", 10, "deployed", &["ours"]),
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "api", "namespace": "kube-public", "labels":
                    {"app.kubernetes.io/instance": "api", "helm.sh/chart": "api-v2.0.0"}},
                "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
                    "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}},
            }),
        ])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn images_and_releases() {
    let stage = Stage::new().await;
    assert_eq!(stage.read("/images").await, json!([]));
    assert_eq!(stage.read("/deployments").await, json!([]));
    run_things(&stage).await;

    let image = |name: &str, tag: &str, letter: char| json!({"imageName": name, "imageTag": tag, "imageDigest": digest(letter)});
    let migrate = image("registry.test:5000/team/migrate", "latest", 'b');
    let (web, old) =
        (image("docker.io/library/nginx", "1.27", 'a'), image("docker.io/library/old", "1", 'c'));
    for (below, expected) in [
        ("/images", json!([migrate, old, web])),
        ("/deployments/shop/images", json!([migrate, web])),
        ("/deployments/old/images", json!([migrate, old])),
        ("/deployments/nothing/images", json!([])),
        ("/deployments/shop,release=old/images", json!([])),
    ] {
        assert_eq!(stage.read(below).await, expected, "{below}");
    }
    releases(&stage).await;
    judged_releases(&stage).await;
    without_secrets(&stage).await;
    stage.plane.close().await;
}

async fn releases(stage: &Stage) {
    let all = stage.read("/deployments").await;
    let names: Vec<_> =
        all.as_array().unwrap().iter().map(|release| release["releaseName"].clone()).collect();
    assert_eq!(names, [json!("old"), json!("shop"), json!("api")], "{all:#}");
    let shop = json!({
        "releaseName": "shop", "chart": "shop-1.0.10", "chartName": "shop", "chartVersion": "1.0.10", "version": 10,
        "updatedAt": "2026-01-03T03:04:05Z", "createdAt": "2026-01-02T02:04:05Z", "status": "deployed",
        "namespace": "default", "supported": true, "whiteListed": false, "rejected": false,
    });
    assert_eq!(all[1], shop);
    let charts: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|release| [&release["chartName"], &release["chartVersion"]])
        .collect();
    assert_eq!(charts[0], [&json!("old-stuff"), &json!("0.1.0")]);
    assert_eq!(charts[2], [&json!("api"), &json!("v2.0.0")]);

    let (a, b, d) = (digest('a'), digest('b'), digest('d'));
    for (below, expected) in [
        ("/deployments?tag=ours", &["shop"][..]),
        ("/deployments?tag=others", &[]),
        ("/deployments?filter=^.h", &["shop"]),
        (&format!("/images/{a}/deployments"), &["shop"]),
        (&format!("/images/{b}/deployments"), &["old", "shop"]),
        (&format!("/images/{b}/deployments?tag=ours"), &["shop"]),
        (&format!("/images/{d}/deployments"), &[]),
    ] {
        let found = stage.read(below).await;
        let names: Vec<_> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|release| release["releaseName"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected, "{below}");
    }
    for below in ["/images/sha256:abc/deployments", "/images/nginx/deployments", "/deployments?filter=["] {
        let (status, refused) = stage.get(below).await;
        assert_eq!(
            (status, &refused["code"]),
            (StatusCode::BAD_REQUEST, &json!(400)),
            "{below}: {refused:#}"
        );
    }
}

async fn judged_releases(stage: &Stage) {
    stage.define(&admission::crd::definition_values()).await;
    stage
        .apply(&[
            audit(Some("default"), "replicaset-shop", "shop", "reject"),
            audit(Some("default"), "replicaset-api", "api", "reject"),
        ])
        .await;
    let item = json!({"name": "anything", "owner": "ada", "reason": "x", "regexp": "o.*"});
    assert_eq!(stage.add_item(&item).await.0, StatusCode::CREATED);
    let found = stage.read("/deployments").await;
    let judged: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|release| (release["whiteListed"].as_bool().unwrap(), release["rejected"].as_bool().unwrap()))
        .collect();
    // The refused `api` is one of another namespace.
    assert_eq!(judged, [(true, false), (false, true), (false, false)], "{found:#}");
}

/// Who may not read Secrets learns from labels.
async fn without_secrets(stage: &Stage) {
    let path = stage.cluster.add_user("reader", None).unwrap();
    stage
        .kubectl("create clusterrole reader --verb=list --resource=pods,deployments.apps,statefulsets.apps,daemonsets.apps,\
            namespaces,audits.security.banzaicloud.com,whitelistitems.security.banzaicloud.com")
        .await;
    stage.kubectl("create clusterrolebinding reader --clusterrole=reader --user=reader").await;
    let path = add_cluster(&stage.plane, 1, "read", &kubeconfig(&path)).await;
    await_status(&stage.plane, &path, "RUNNING", "").await;
    let (status, found) = stage.plane.get(&format!("{path}/deployments")).await;
    assert_eq!(status, StatusCode::OK, "{found:#}");
    let shop = found.as_array().unwrap().iter().find(|release| release["releaseName"] == "shop").unwrap();
    assert_eq!((&shop["status"], &shop["version"]), (&json!("unknown"), &json!(0)), "{shop:#}");
}
