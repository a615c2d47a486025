//! Every route there is, asked by somebody to whom the organization or the cluster in it does not belong; and ids of others in
//! what is sent.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cluster_support::{add_cluster, add_secret, token_kubeconfig};
use crate::engine_support::{RecordingEngine, active_cluster, set_service, settings_with};
use crate::support::{TestPlane, answer, change_database, settings};

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
const ORGANIZATION: &str = "/orgs/{organization}";
const CLUSTER: &str = "/orgs/{organization}/clusters/{cluster}";

/// Paths of all routes below an organization, out of the source that registers them: a route that is added is asked too.
fn routes() -> BTreeSet<String> {
    let source = include_str!("../../src/http/mod.rs");
    let of_clusters = source.split_once("fn cluster()").unwrap().1.split_once("\n}").unwrap().0;
    let literals =
        |text: &'static str| text.split('"').skip(1).step_by(2).filter(|text| !text.contains("{{"));
    let mut found: BTreeSet<String> =
        literals(source).filter(|path| path.starts_with(ORGANIZATION)).map(str::to_owned).collect();
    let is_below = |path: &&str| path.is_empty() || path.starts_with('/');
    found.extend(literals(of_clusters).filter(is_below).map(|path| format!("{CLUSTER}{path}")));
    for word in ["services", "features"] {
        found.extend([format!("{CLUSTER}/{word}"), format!("{CLUSTER}/{word}/{{service}}")]);
    }
    assert!(found.len() >= 26, "{found:#?}");
    for known in ["", "/config", "/anchore/{*path}", "/imagescan/{digest}/vuln"] {
        assert!(found.contains(&format!("{CLUSTER}{known}")), "{known}: {found:#?}");
    }
    found
}

/// A path with words that something could be called.
fn fill(route: &str, organization: &str, cluster: &str) -> String {
    let digest = format!("sha256:{}", "a".repeat(64));
    let filled = [
        ("{organization}", organization),
        ("{cluster}", cluster),
        ("{digest}", &digest),
        ("{*path}", "v1/policies"),
        ("{service}", "securityscan"),
        ("{release}", "web"),
        ("{name}", "web"),
        ("{id}", "web"),
    ]
    .into_iter()
    .fold(route.to_owned(), |path, (name, value)| path.replace(name, value));
    assert!(!filled.contains('{'), "what stands for the word in {route}?");
    format!("/api/v1{filled}")
}

#[tokio::test]
async fn every_route_is_closed_to_who_is_not_in_the_organization() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let kubeconfig = token_kubeconfig("https://127.0.0.1:1").to_string();
    let other = plane.add_organization(folder.path(), "other").await;
    let path = add_cluster(&plane, other, "theirs", &kubeconfig).await;
    let cluster = path.rsplit_once('/').unwrap().1;
    change_database(folder.path(), "DELETE FROM plane_members WHERE organization_id = $1", other).await;
    let mut asked = 0;
    for route in routes() {
        for method in METHODS {
            for organization in [other.to_string(), format!("0{other}"), "77".to_owned()] {
                for query in ["", "?field=name"] {
                    let path = format!("{}{query}", fill(&route, &organization, cluster));
                    let (status, body) = answer(plane.request(method.clone(), &path)).await;
                    if status != StatusCode::METHOD_NOT_ALLOWED {
                        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {body:#}");
                        asked += 1;
                    }
                    let (status, _) = answer(plane.anonymous(method.clone(), &path)).await;
                    let is_closed =
                        matches!(status, StatusCode::UNAUTHORIZED | StatusCode::METHOD_NOT_ALLOWED);
                    assert!(is_closed, "{method} {path} without a token: {status}");
                }
            }
        }
    }
    assert!(asked > 200, "{asked} requests came to a handler");
    plane.close().await;
}

#[tokio::test]
async fn every_route_below_a_cluster_is_closed_to_other_organizations() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let other = plane.add_organization(folder.path(), "other").await;
    let ours = active_cluster(&plane, folder.path(), 1).await;
    let our_id = ours.rsplit_once('/').unwrap().1;
    let before = plane.get(&ours).await;
    engine.take();
    for route in routes().iter().filter(|route| route.starts_with(CLUSTER)) {
        for method in METHODS {
            for (cluster, query) in [
                (our_id, ""),
                (our_id, "?field=name"),
                ("demo", "?field=name"),
                (&format!("0{our_id}"), ""),
                (&format!("{our_id}%20"), "?field=name"),
            ] {
                let path = format!("{}{query}", fill(route, &other.to_string(), cluster));
                let (status, body) = answer(plane.request(method.clone(), &path)).await;
                let is_closed = status == StatusCode::METHOD_NOT_ALLOWED
                    || (status == StatusCode::NOT_FOUND && body["code"] == 404);
                assert!(is_closed, "{method} {path}: {status} {body:#}");
            }
        }
    }
    assert_eq!(engine.take(), Vec::<Value>::new(), "the engine was asked");
    assert_eq!(plane.get(&ours).await, before);
    plane.close().await;
}

/// P15: a cluster that is called like the number of another tenant's.
#[tokio::test]
async fn a_cluster_named_like_the_number_of_another_opens_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let other = plane.add_organization(folder.path(), "other").await;
    let ours = active_cluster(&plane, folder.path(), 1).await;
    let our_id = ours.rsplit_once('/').unwrap().1.to_owned();
    let kubeconfig = token_kubeconfig("https://127.0.0.1:1").to_string();
    add_cluster(&plane, other, &our_id, &kubeconfig).await;
    let theirs = format!("/api/v1/orgs/{other}/clusters/{our_id}");
    engine.take();

    let active = json!({"securityscan": {"status": "ACTIVE"}});
    for word in ["services", "features"] {
        assert_eq!(plane.get(&format!("{ours}/{word}")).await, (StatusCode::OK, active.clone()));
        let (status, list) = plane.get(&format!("{theirs}/{word}?field=name")).await;
        assert_eq!((status, list), (StatusCode::OK, json!({})));
        let service = format!("{theirs}/{word}/securityscan?field=name");
        assert_eq!(plane.get(&service).await.1, json!({"status": "INACTIVE"}));
        assert_eq!(answer(plane.request(Method::DELETE, &service)).await.0, StatusCode::NOT_FOUND);
    }
    for below in ["/anchore/policies", "/policies", "/imagescan/sha256:aa"] {
        let (status, body) = plane.get(&format!("{theirs}{below}?field=name")).await;
        assert!(status.is_client_error(), "{below}: {status} {body:#}");
    }
    assert_eq!(engine.take(), Vec::<Value>::new(), "nobody acts in the account of the other cluster");
    assert_eq!(plane.get(&format!("{ours}/services")).await.1, active, "it is as it was");
    plane.close().await;
}

/// P14: ids of secrets of others, in every form and place.
#[tokio::test]
async fn secrets_of_others_are_of_no_use() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let other = plane.add_organization(folder.path(), "other").await;
    let secret = json!({"name": "registry", "type": "password", "values": {"username": "u", "password": "ours-alone"}});
    let (status, made) = plane.send(Method::POST, "/api/v1/orgs/1/secrets", &secret).await;
    assert_eq!(status, StatusCode::CREATED, "{made:#}");
    let id = made["id"].as_str().unwrap();
    let kubeconfig = token_kubeconfig("https://127.0.0.1:1").to_string();
    let theirs = add_cluster(&plane, other, "theirs", &kubeconfig).await;
    let cluster: i64 = theirs.rsplit_once('/').unwrap().1.parse().unwrap();
    set_service(folder.path(), other, cluster, "ERROR", None).await;

    for id in [id.to_owned(), format!("brn:1:secret:{id}"), format!("brn:{other}:secret:{id}")] {
        for (method, body) in [(Method::GET, None), (Method::PUT, Some(&secret)), (Method::DELETE, None)] {
            let path = format!("/api/v1/orgs/{other}/secrets/{id}");
            let request = plane.request(method.clone(), &path);
            let (status, body) = answer(match body {
                Some(body) => request.json(body),
                None => request,
            })
            .await;
            let text = body.to_string();
            assert!(
                status.is_client_error() && !text.contains("ours-alone"),
                "{method} {path}: {status} {text}"
            );
        }
        let registry = json!({"registry": "registry.example.org", "secretId": id});
        let foreign = json!({"enabled": true, "url": "http://127.0.0.1:1", "secretId": id});
        for spec in [
            json!({"policy": {"policyId": "deny_all"}, "registry": registry}),
            json!({"policy": {"policyId": "deny_all"}, "registries": [registry]}),
            json!({"policy": {"policyId": "deny_all"}, "customAnchore": foreign}),
        ] {
            for method in [Method::POST, Method::PUT] {
                let path = format!("{theirs}/services/securityscan");
                let (status, refused) = plane.send(method, &path, &json!({"spec": spec})).await;
                assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{id}: {refused:#}");
                assert!(
                    refused["violations"].to_string().contains("there is no secret"),
                    "{id}: {refused:#}"
                );
            }
        }
    }
    let listed = plane.get(&format!("/api/v1/orgs/{other}/secrets?values=true")).await.1;
    assert!(!listed.to_string().contains("ours-alone"), "{listed:#}");
    let kept = plane.get(&format!("/api/v1/orgs/1/secrets/{id}")).await.1;
    assert_eq!(kept["values"]["password"], "ours-alone", "{kept:#}");

    // A secret that they have themselves is another one, even if it has the same name and so the same id.
    let same = add_secret(&plane, other, "registry", &kubeconfig).await;
    assert_eq!(same, id);
    assert_eq!(plane.get(&format!("/api/v1/orgs/1/secrets/{id}")).await.1, kept);
    plane.close().await;
}
