//! `…/policies` and `…/imagescan`, in the shapes of releases 0.31 to 0.33.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cluster_support::{add_cluster, token_kubeconfig};
use crate::engine_support::{RecordingEngine, active_cluster, digest, settings_with};
use crate::support::{TestPlane, answer};

#[tokio::test]
async fn policies_have_the_older_shape() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let path = active_cluster(&plane, folder.path(), 1).await;
    let record = json!({
        "createdAt": "2026-01-02T03:04:05Z", "lastUpdated": "2026-01-02T03:04:06Z", "policyId": "p1",
        "active": true, "userId": "u", "policySource": "local",
        "policybundle": {"id": "p1", "version": "1_0", "policies": [], "mappings": [{"policy_ids": ["x"]}]},
    });
    for below in ["/policies", "/policies?detail", "/policies/p1"] {
        assert_eq!(
            plane.get(&format!("{path}{below}")).await,
            (StatusCode::OK, json!([record.clone()])),
            "{below}"
        );
    }
    engine.take();
    let bundle = json!({"id": "p1", "mappings": [{"policyIds": ["x"]}]});
    for body in [bundle.clone(), json!({"policyId": "p1", "policybundle": bundle})] {
        let made = plane.send(Method::POST, &format!("{path}/policies"), &body).await;
        assert_eq!(made, (StatusCode::CREATED, record.clone()));
        let sent: Value = serde_json::from_str(engine.take()[0]["body"].as_str().unwrap()).unwrap();
        assert_eq!(sent, json!({"id": "p1", "mappings": [{"policy_ids": ["x"]}]}));
    }
    for body in
        [json!({"params": {"active": "true"}}), json!({"params": {"active": true}}), json!({"active": true})]
    {
        let (status, answer) = plane.send(Method::PUT, &format!("{path}/policies/p1"), &body).await;
        assert_eq!((status, answer), (StatusCode::OK, Value::Null));
        let asked = engine.take();
        let sent: Value = serde_json::from_str(asked[1]["body"].as_str().unwrap()).unwrap();
        assert_eq!((&asked[1]["method"], &sent["active"]), (&json!("PUT"), &json!(true)));
    }
    let deleted = answer(plane.request(Method::DELETE, &format!("{path}/policies/p1"))).await;
    assert_eq!(deleted, (StatusCode::NO_CONTENT, Value::Null));
    engine.take();
    for (method, below, body, status) in [
        ("GET", "/policies/p2", Value::Null, 404),
        ("PUT", "/policies/p2", json!({"params": {"active": "true"}}), 404),
        ("PUT", "/policies/p1", json!({"params": {"active": "yes"}}), 400),
        ("PUT", "/policies/p1", json!([]), 400),
        ("POST", "/policies", json!([]), 400),
        ("POST", "/policies", json!("x"), 400),
        ("DELETE", "/policies/p2", Value::Null, 404),
        ("GET", "/policies/..%2Faccounts", Value::Null, 404),
    ] {
        let (found, refused) = plane.send(method.parse().unwrap(), &format!("{path}{below}"), &body).await;
        assert_eq!(
            (found.as_u16(), &refused["code"]),
            (status, &json!(status)),
            "{method} {below}: {refused:#}"
        );
    }
    plane.close().await;
}

#[tokio::test]
async fn images_have_the_older_shape_and_no_base64() {
    let folder = tempfile::tempdir().unwrap();
    let engine = RecordingEngine::default();
    let plane = TestPlane::start(settings_with(folder.path(), &engine)).await;
    let path = active_cluster(&plane, folder.path(), 1).await;
    let images = json!([
        {"imageName": "nginx", "imageTag": "1"},
        {"image_name": "nginx", "image_tag": "1", "image_digest": digest()},
    ]);
    let (status, added) = plane.send(Method::POST, &format!("{path}/imagescan"), &images).await;
    assert_eq!(status, StatusCode::OK, "{added:#}");
    assert_eq!(added.as_array().unwrap().len(), 2);
    for image in added.as_array().unwrap() {
        assert_eq!(
            (&image["imageDigest"], &image["analysisStatus"], &image["imageDetail"][0]["fulltag"]),
            (&json!(digest()), &json!("not_analyzed"), &json!("docker.io/library/nginx:1")),
            "{added:#}"
        );
    }
    let sent: Vec<Value> = engine
        .take()
        .iter()
        .filter_map(|asked| serde_json::from_str(asked["body"].as_str().unwrap()).ok())
        .collect();
    assert_eq!(sent[0], json!({"tag": "nginx:1"}));
    assert_eq!(sent[1]["digest"], json!(format!("docker.io/nginx@{}", digest())));

    let (_, found) = plane.get(&format!("{path}/imagescan/{}", digest())).await;
    assert_eq!(found[0]["imageStatus"], "active", "{found:#}");
    let (_, found) = plane.get(&format!("{path}/imagescan/{}/vuln", digest())).await;
    let expected = json!({
        "vuln": "CVE-1", "fix": "2", "severity": "High", "package": null, "url": null, "feed": null,
        "feedGroup": "debian:12", "packageName": "a", "packageVersion": null, "packageType": null,
        "packageCpe": null, "packagePath": null,
    });
    assert_eq!(
        found,
        json!({"imageDigest": digest(), "vulnerabilityType": "all", "vulnerabilities": [expected]})
    );
    engine.take();
    let many = vec![json!({"imageName": "nginx"}); 21];
    for (body, status, part) in [
        (json!([{"imageName": "ok"}, {"imageName": "nosuch"}]), 400, "image `nosuch`"),
        (json!([{"imageName": "Not An Image"}]), 400, "Not An Image"),
        (json!({"imageName": "nginx"}), 400, "sequence"),
        (json!(many), 400, "at most 20"),
        (Value::Null, 400, "sequence"),
    ] {
        let (found, refused) = plane.send(Method::POST, &format!("{path}/imagescan"), &body).await;
        assert_eq!(found.as_u16(), status, "{refused:#}");
        assert!(refused.to_string().contains(part), "{refused:#}");
    }
    let (status, refused) = plane.get(&format!("{path}/imagescan/sha256:12")).await;
    assert_eq!((status.as_u16(), &refused["message"]), (400, &json!("invalid image digest format")));
    plane.close().await;
}

#[tokio::test]
async fn a_cluster_without_the_service_has_neither() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings_with(folder.path(), &RecordingEngine::default())).await;
    let kubeconfig = token_kubeconfig("https://127.0.0.1:1").to_string();
    let path = add_cluster(&plane, 1, "demo", &kubeconfig).await;
    for below in ["/policies".to_owned(), "/policies/x".to_owned(), format!("/imagescan/{}", digest())] {
        let (status, refused) = plane.get(&format!("{path}{below}")).await;
        assert_eq!(
            (status, &refused["message"]),
            (StatusCode::NOT_FOUND, &json!("security scan isn't enabled")),
            "{below}"
        );
    }
    assert_eq!(plane.get("/api/v1/securityscan").await, (StatusCode::OK, json!({"enabled": true})));
    plane.close().await;
}
