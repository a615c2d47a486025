//! Two organizations that do not see each other's clusters, whatever is written into an address.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cluster_support::{add_cluster, add_secret, import, token_kubeconfig};
use crate::support::{TestPlane, answer, settings};

const BELOW: [(&str, &str); 20] = [
    ("GET", ""),
    ("DELETE", ""),
    ("GET", "/config"),
    ("GET", "/namespaces"),
    ("GET", "/scanlog"),
    ("GET", "/scanlog/web"),
    ("GET", "/whitelists"),
    ("POST", "/whitelists"),
    ("DELETE", "/whitelists/web"),
    ("GET", "/images"),
    ("GET", "/deployments"),
    ("GET", "/deployments/web/images"),
    ("GET", "/images/sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/deployments"),
    ("GET", "/config?field=id&x=field=name"),
    ("GET", "/anchore/policies"),
    ("POST", "/anchore/images"),
    ("GET", "/policies"),
    ("POST", "/policies"),
    ("POST", "/imagescan"),
    ("GET", "/imagescan/sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/vuln"),
];

fn path_of(organization: i64, cluster: &str, below: &str, field: &str) -> String {
    let path = format!("/api/v1/orgs/{organization}/clusters/{cluster}{below}");
    match (field, path.contains('?')) {
        ("", _) => path,
        (field, true) => format!("{path}&{field}"),
        (field, false) => format!("{path}?{field}"),
    }
}

#[tokio::test]
async fn no_trick_with_ids_and_names_opens_a_cluster_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let other = plane.add_organization(folder.path(), "other").await;
    let kubeconfig = token_kubeconfig("https://127.0.0.1:1").to_string();
    let ours = add_cluster(&plane, 1, "ours", &kubeconfig).await;
    let our_id = ours.rsplit_once('/').unwrap().1.to_owned();

    // Nothing of the first organization is there for the second, by id or name or anything that looks like one.
    for (method, below) in BELOW {
        for (cluster, field) in [
            (our_id.as_str(), ""),
            ("ours", ""),
            ("ours", "field=name"),
            (our_id.as_str(), "field=name"),
            (our_id.as_str(), "field=id"),
            (&format!("+{our_id}"), ""),
            (&format!("0{our_id}"), ""),
            (&format!("{our_id}%2Fconfig"), ""),
            (&format!("{our_id}%20"), ""),
            ("..%2F..%2F1%2Fclusters%2F1", "field=name"),
            ("99999999999999999999", ""),
        ] {
            let path = path_of(other, cluster, below, field);
            let (status, body) = answer(plane.request(method.parse::<Method>().unwrap(), &path)).await;
            assert_eq!(
                (status, &body["code"]),
                (StatusCode::NOT_FOUND, &json!(404)),
                "{method} {path}: {body:#}"
            );
        }
    }
    assert_eq!(plane.get(&ours).await.0, StatusCode::OK, "it is still there");

    // A cluster whose name is the number of another one's.
    let theirs = add_cluster(&plane, other, &our_id, &kubeconfig).await;
    let by_name = path_of(other, &our_id, "", "field=name");
    assert_eq!(plane.get(&by_name).await.1["id"], plane.get(&theirs).await.1["id"]);
    assert_eq!(plane.get(&path_of(other, &our_id, "", "")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(answer(plane.request(Method::DELETE, &by_name)).await.0, StatusCode::ACCEPTED);
    assert_eq!(
        (plane.get(&ours).await.0, plane.get(&theirs).await.0),
        (StatusCode::OK, StatusCode::NOT_FOUND)
    );

    // A secret of others opens nothing either.
    let secret = add_secret(&plane, 1, "only-ours", &kubeconfig).await;
    for id in [secret.clone(), format!("brn:1:secret:{secret}"), format!("brn:{other}:secret:{secret}")] {
        let path = format!("/api/v1/orgs/{other}/clusters");
        let (status, refused) = plane.send(Method::POST, &path, &import("x", &id)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{id}: {refused:#}");
    }
    assert_eq!(plane.get(&format!("/api/v1/orgs/{other}/clusters")).await.1, json!([]));
    plane.close().await;
}

#[tokio::test]
async fn members_look_at_clusters_and_get_no_way_in() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let kubeconfig = token_kubeconfig("https://127.0.0.1:1").to_string();
    let path = add_cluster(&plane, 1, "demo", &kubeconfig).await;
    plane.set_role(folder.path(), "member").await;
    for (method, below, field) in [
        ("GET", "/config", ""),
        ("GET", "/config", "?field=name"),
        ("DELETE", "", ""),
        ("POST", "/whitelists", ""),
        ("DELETE", "/whitelists/web", ""),
    ] {
        let (status, body) =
            answer(plane.request(method.parse::<Method>().unwrap(), &format!("{path}{below}{field}"))).await;
        assert_eq!((status, body), (StatusCode::FORBIDDEN, Value::Null), "{method} {below}");
    }
    // An escaped word is no word of the route.
    assert_eq!(plane.get(&format!("{path}/%63onfig")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(plane.get(&path).await.0, StatusCode::OK);
    let (status, _) = plane.send(Method::POST, "/api/v1/orgs/1/clusters", &import("x", "y")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    plane.close().await;
}
