//! Secrets over HTTP: what is kept, what is shown to whom, what is refused.

use std::path::Path;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{TestPlane, answer, settings};
use crate::vault_support::in_both_places;

const SECRETS: &str = "/api/v1/orgs/1/secrets";
/// SHA-256 of `registry`.
const ID: &str = "872491a30d60d598962de6e7b834ab76b2aa65fbab102c6ebaaae6acdc238822";

fn registry() -> Value {
    json!({"name": "registry", "type": "password", "tags": ["b", "a"],
        "values": {"username": "ada", "password": "hunter2"}})
}

async fn delete(plane: &TestPlane, path: &str) -> (StatusCode, Value) {
    answer(plane.request(Method::DELETE, path)).await
}

#[tokio::test]
async fn a_secret_is_kept_shown_changed_and_deleted() {
    in_both_places(async |plane: &TestPlane, _folder: &Path| {
        let (status, made) = plane.send(Method::POST, SECRETS, &registry()).await;
        assert_eq!(status, StatusCode::CREATED, "{made:#}");
        let shape = json!({"id": ID, "name": "registry", "type": "password", "tags": ["a", "b"], "version": 1,
        "updatedBy": "ada", "updatedAt": made["updatedAt"]});
        assert_eq!(made, shape);
        assert!(made["updatedAt"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());

        let one = format!("{SECRETS}/{ID}");
        let (_, shown) = plane.get(&one).await;
        assert_eq!(shown["values"], json!({"username": "ada", "password": "hunter2"}));
        let hidden = json!({"username": "<hidden>", "password": "<hidden>"});
        for (query, count, values) in [
            ("", 1, &hidden),
            ("?type=password&tags=a&tags=b", 1, &hidden),
            ("?values=true", 1, &shown["values"]),
            (&format!("?ids={ID}"), 1, &hidden),
            ("?ids=abc", 0, &hidden),
            ("?type=amazon", 0, &hidden),
            ("?tags=c", 0, &hidden),
        ] {
            let (status, list) = plane.get(&format!("{SECRETS}{query}")).await;
            assert_eq!(
                (status, list.as_array().unwrap().len()),
                (StatusCode::OK, count),
                "{query}: {list:#}"
            );
            assert!(count == 0 || list[0]["values"] == *values, "{query}: {list:#}");
        }

        let mut changed = registry();
        changed["values"]["password"] = json!("hunter3");
        changed["version"] = json!(1);
        let (status, kept) = plane.send(Method::PUT, &one, &changed).await;
        assert_eq!((status, &kept["version"]), (StatusCode::OK, &json!(2)), "{kept:#}");
        // Who did not see the second version does not write over it.
        let (status, refused) = plane.send(Method::PUT, &one, &changed).await;
        assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!(409)), "{refused:#}");
        changed["version"] = json!(0);
        assert_eq!(plane.send(Method::PUT, &one, &changed).await.1["version"], json!(3));
        assert_eq!(plane.get(&one).await.1["values"]["password"], json!("hunter3"));

        assert_eq!(delete(plane, &one).await, (StatusCode::NO_CONTENT, Value::Null));
        for (status, body) in [plane.get(&one).await, delete(plane, &one).await] {
            assert_eq!((status, &body["code"]), (StatusCode::NOT_FOUND, &json!(404)), "{body:#}");
        }
        assert_eq!(plane.get(SECRETS).await.1, json!([]));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_with_its_reason() {
    in_both_places(async |plane: &TestPlane, _folder: &Path| {
        let secret =
            |name: &str, kind: &str, values: Value| json!({"name": name, "type": kind, "values": values});
        for (body, error) in [
            (secret("a", "password", json!({"password": "x"})), "missing key: username"),
            (secret("a", "kubernetes", json!({})), "missing key: K8Sconfig"),
            (secret("a", "passwords", json!({})), "wrong secret type: passwords"),
            (secret("", "generic", json!({})), "missing key: name"),
            (secret("A_b", "generic", json!({})), "a lowercase RFC 1123 subdomain must"),
            (secret("a", "generic", json!({"k": "<hidden>"})), "the value of `k` is `<hidden>`"),
            (
                secret("a", "password", json!({"username": "u", "password": "randAlpha,0"})),
                "1 to 256 characters",
            ),
            (json!({"name": "a", "type": "generic", "tags": ["KubeConfig"]}), "the tag `KubeConfig`"),
        ] {
            let (status, refused) = plane.send(Method::POST, SECRETS, &body).await;
            assert_eq!(
                (status, &refused["message"]),
                (StatusCode::BAD_REQUEST, &json!("Validation error")),
                "{refused:#}"
            );
            assert!(refused["error"].as_str().unwrap().contains(error), "{refused:#}");
        }
        for body in [json!(null), json!([]), json!({"values": {"a": 1}}), json!("x")] {
            let (status, refused) = plane.send(Method::POST, SECRETS, &body).await;
            assert_eq!(
                (status, &refused["code"]),
                (StatusCode::BAD_REQUEST, &json!(400)),
                "{body}: {refused:#}"
            );
        }
        for query in ["?type=alibaba", "?values=perhaps"] {
            assert_eq!(plane.get(&format!("{SECRETS}{query}")).await.0, StatusCode::BAD_REQUEST, "{query}");
        }
        assert_eq!(plane.get(SECRETS).await.1, json!([]), "nothing was kept");

        assert_eq!(plane.send(Method::POST, SECRETS, &registry()).await.0, StatusCode::CREATED);
        let (status, refused) = plane.send(Method::POST, SECRETS, &registry()).await;
        assert_eq!(
            (status, &refused["message"]),
            (StatusCode::CONFLICT, &json!("Secret with this name already exists"))
        );
        let one = format!("{SECRETS}/{ID}");
        let (mut renamed, mut retyped, mut emptied) = (registry(), registry(), registry());
        renamed["name"] = json!("other");
        retyped["type"] = json!("htpasswd");
        retyped["values"]["htpasswd"] = json!("ada:x");
        emptied["values"]["password"] = json!("");
        for (body, error) in [
            (renamed, "Secret name cannot be changed"),
            (retyped, "Secret type cannot be changed"),
            (emptied, "missing key: password"),
        ] {
            let (status, refused) = plane.send(Method::PUT, &one, &body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{refused:#}");
            assert!(refused["error"].as_str().unwrap().contains(error), "{refused:#}");
        }
        assert_eq!(plane.get(&one).await.1["values"]["password"], json!("hunter2"));
    })
    .await;
}

#[tokio::test]
async fn a_password_is_generated_for_who_asks() {
    in_both_places(async |plane: &TestPlane, _folder: &Path| {
        for (number, (values, length)) in [
            (json!({"username": "u"}), 12),
            (json!({"username": "u", "password": ""}), 12),
            (json!({"username": "u", "password": "randAscii,33"}), 33),
            (json!({"username": "u", "password": "a,bc"}), 4),
        ]
        .into_iter()
        .enumerate()
        {
            let body = json!({"name": format!("p{number}"), "type": "password", "values": values});
            let (_, made) = plane.send(Method::POST, &format!("{SECRETS}?validate=false"), &body).await;
            let (_, shown) = plane.get(&format!("{SECRETS}/{}", made["id"].as_str().unwrap())).await;
            assert_eq!(shown["values"]["password"].as_str().unwrap().len(), length, "{values}");
        }
    })
    .await;
}

#[tokio::test]
async fn technical_users_and_kubeconfigs_are_not_shown_and_protected_secrets_stay() {
    in_both_places(async |plane: &TestPlane, _folder: &Path| {
        let mut paths = Vec::new();
        for (name, kind, tag, values) in [
            (
                "technical",
                "password",
                json!(["banzai:hidden"]),
                json!({"username": "u", "password": "hunter2"}),
            ),
            ("way-in", "kubernetes", json!([]), json!({"K8Sconfig": "hunter2: x"})),
            ("fixed", "generic", json!(["banzai:readonly"]), json!({"k": "v"})),
        ] {
            let body = json!({"name": name, "type": kind, "tags": tag, "values": values});
            let (status, made) = plane.send(Method::POST, &format!("{SECRETS}?validate=false"), &body).await;
            assert_eq!(status, StatusCode::CREATED, "{made:#}");
            paths.push((format!("{SECRETS}/{}", made["id"].as_str().unwrap()), body));
        }
        let (_, listed) = plane.get(&format!("{SECRETS}?values=true")).await;
        let mut seen = vec![listed];
        for (path, _) in &paths[..2] {
            seen.push(plane.get(path).await.1);
        }
        for answer in &seen {
            let text = answer.to_string();
            // The kubeconfig is kept in base64.
            assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMj"), "{text}");
            assert!(text.contains("<hidden>"), "{text}");
        }
        let (path, body) = &paths[2];
        for (status, refused) in [delete(plane, path).await, plane.send(Method::PUT, path, body).await] {
            assert_eq!(status, StatusCode::BAD_REQUEST);
            assert!(refused["message"].as_str().unwrap().contains("banzai:readonly"), "{refused:#}");
        }
    })
    .await;
}

#[tokio::test]
async fn no_id_leads_to_a_secret_of_another_organization() {
    in_both_places(async |plane: &TestPlane, folder: &Path| {
        let other = plane.add_organization(folder, "other").await;
        assert_eq!(plane.send(Method::POST, SECRETS, &registry()).await.0, StatusCode::CREATED);
        let there = format!("/api/v1/orgs/{other}/secrets");
        for id in [
            ID.to_owned(),
            format!("brn:1:secret:{ID}"),
            format!("brn:{other}:secret:{ID}"),
            format!("..%2F1%2F{ID}"),
        ] {
            let path = format!("{there}/{id}");
            let answers = [
                plane.get(&path).await,
                delete(plane, &path).await,
                plane.send(Method::PUT, &path, &registry()).await,
            ];
            for (status, body) in answers {
                assert_eq!(status, StatusCode::NOT_FOUND, "{id}: {body:#}");
                assert!(!body.to_string().contains("hunter2"));
            }
            let (_, listed) = plane.get(&format!("{there}?values=true&ids={id}")).await;
            assert_eq!(listed, json!([]), "{id}");
        }
        // The same name is another secret there.
        let mut own = registry();
        own["values"]["password"] = json!("own");
        assert_eq!(plane.send(Method::POST, &there, &own).await.0, StatusCode::CREATED);
        assert_eq!(
            plane.get(&format!("{there}/brn:{other}:secret:{ID}")).await.1["values"]["password"],
            json!("own")
        );
        assert_eq!(plane.get(&format!("{SECRETS}/{ID}")).await.1["values"]["password"], json!("hunter2"));
    })
    .await;
}

#[tokio::test]
async fn the_kinds_say_what_they_need() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let (status, kinds) = plane.get("/api/v1/secret-types").await;
    assert_eq!((status, kinds.as_object().unwrap().len()), (StatusCode::OK, 17));
    let username = &kinds["password"]["fields"][0];
    assert_eq!((&username["name"], &username["required"]), (&json!("username"), &json!(true)));
    assert_eq!(
        (&username["isSafeToDisplay"], &kinds["password"]["fields"][1]["isSafeToDisplay"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(plane.get("/api/v1/secret-types/password").await.1, kinds["password"]);
    assert_eq!(plane.get("/api/v1/secret-types/alibaba").await.0, StatusCode::NOT_FOUND);
    plane.close().await;
}
