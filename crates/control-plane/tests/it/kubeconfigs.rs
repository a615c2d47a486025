//! Kubeconfigs of people who mean harm: each is refused before anything is asked, with the words that help everybody else.

use control_plane::AddressRule;
use data_encoding::BASE64;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cluster_support::{add_cluster, await_status, token_kubeconfig, try_import};
use crate::support::{TestPlane, settings};

const SERVER: &str = "https://127.0.0.1:1";

/// The kubeconfig with one more thing in it.
fn with(place: &str, value: Value) -> Value {
    let mut kubeconfig = token_kubeconfig(SERVER);
    let (parent, key) = place.rsplit_once('/').unwrap();
    kubeconfig.pointer_mut(parent).unwrap()[key] = value;
    kubeconfig
}

#[tokio::test]
async fn hostile_kubeconfigs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let user = |key: &str, value: Value| with(&format!("/users/0/user/{key}"), value).to_string();
    let place = |key: &str, value: Value| with(&format!("/clusters/0/cluster/{key}"), value).to_string();
    let exec = |command: &str| {
        json!({"apiVersion": "client.authentication.k8s.io/v1", "command": command,
        "env": [{"name": "LD_PRELOAD", "value": "/tmp/x"}]})
    };
    let no_user = {
        let mut kubeconfig = token_kubeconfig(SERVER);
        kubeconfig["users"][0]["user"] = json!({});
        kubeconfig.to_string()
    };
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
        d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
        g: [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
    let rows = [
        (user("exec", exec("sh")), "`exec`"),
        (user("exec", exec("aws-iam-authenticator")), "`exec`"),
        (user("auth-provider", json!({"name": "gcp", "config": {"cmd-path": "/bin/sh"}})), "`auth-provider`"),
        (user("tokenFile", json!("/etc/shadow")), "`tokenFile`"),
        (user("client-certificate", json!("/etc/shadow")), "`client-certificate`"),
        (user("client-key", json!("../../admin.token")), "`client-key`"),
        (user("as", json!("system:admin")), "`as`"),
        (user("as-groups", json!(["system:masters"])), "`as`"),
        (user("as-user-extra", json!({"scopes": ["x"]})), "`as`"),
        (user("client-certificate-data", json!("no base64")), "`client-certificate-data`"),
        (place("certificate-authority", json!("/etc/ssl/ca.pem")), "`certificate-authority`"),
        (
            place("certificate-authority-data", json!(BASE64.encode(b"no PEM"))),
            "`certificate-authority-data`",
        ),
        (place("proxy-url", json!("http://127.0.0.1:3128")), "`proxy-url`"),
        (place("insecure-skip-tls-verify", json!(true)), "`insecure-skip-tls-verify`"),
        (place("server", json!("http://127.0.0.1:1")), "https://HOST:PORT"),
        (place("server", json!("file:///etc/passwd")), "https://HOST:PORT"),
        (place("server", json!("https://user:top-secret@127.0.0.1")), "https://HOST:PORT"),
        (place("server", json!("")), "https://HOST:PORT"),
        (place("server", json!("https://169.254.169.254/latest")), "never connected to"),
        (place("server", json!("https://[fe80::1]:6443")), "never connected to"),
        (no_user, "has no credentials"),
        (with("/current-context", json!("")).to_string(), "`current-context`"),
        (with("/current-context", json!("other")).to_string(), "no context `other`"),
        (with("/contexts/0/context/cluster", json!("other")).to_string(), "no cluster `other`"),
        (with("/contexts/0/context/user", json!("other")).to_string(), "no user `other`"),
        ("users: [top-secret-token".to_owned(), "cannot be read"),
        ("users: 7\ntoken: top-secret-token".to_owned(), "cannot be read"),
        (bomb.to_owned(), "kubeconfig"),
    ];
    for (number, (kubeconfig, part)) in rows.into_iter().enumerate() {
        let (status, refused) = try_import(&plane, 1, &format!("row-{number}"), &kubeconfig).await;
        assert_eq!((status, &refused["code"]), (StatusCode::BAD_REQUEST, &json!(400)), "{part}: {refused:#}");
        let text = refused["message"].as_str().unwrap();
        assert!(text.contains(part) && !text.contains("top-secret"), "{part}: {text}");
    }
    assert_eq!(plane.get("/api/v1/orgs/1/clusters").await.1, json!([]), "nothing half done");
    plane.close().await;
}

#[tokio::test]
async fn a_secret_is_tried_unless_nobody_wants_to() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let secrets = "/api/v1/orgs/1/secrets";
    for (kubeconfig, part) in [
        (token_kubeconfig(SERVER), "`https://127.0.0.1:1` refused the connection"),
        (with("/users/0/user/tokenFile", json!("/etc/shadow")), "`tokenFile`"),
    ] {
        let values = json!({"K8Sconfig": BASE64.encode(kubeconfig.to_string().as_bytes())});
        let body = json!({"name": "way-in", "type": "kubernetes", "values": values});
        let (status, refused) = plane.send(Method::POST, secrets, &body).await;
        assert_eq!((status, &refused["message"]), (StatusCode::BAD_REQUEST, &json!("Validation error")));
        let text = refused["error"].as_str().unwrap();
        assert!(text.contains(part) && text.contains("?validate=false"), "{text}");
    }
    assert_eq!(plane.get(secrets).await.1, json!([]));
    plane.close().await;
}

#[tokio::test]
async fn only_the_current_context_counts_and_leaves_again() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let mut kubeconfig = token_kubeconfig(SERVER);
    let exec = json!({"name": "other", "user": {"exec": {"command": "sh"}}});
    kubeconfig["users"].as_array_mut().unwrap().push(exec);
    let file = json!({"name": "other", "cluster": {"server": SERVER, "certificate-authority": "/etc/x"}});
    kubeconfig["clusters"].as_array_mut().unwrap().push(file);
    kubeconfig["clusters"][0]["cluster"]["extensions"] = json!([{"name": "x", "extension": {"run": "sh"}}]);
    let path = add_cluster(&plane, 1, "demo", &kubeconfig.to_string()).await;
    let (_, config) = plane.get(&format!("{path}/config")).await;
    let text = config["data"].as_str().unwrap();
    assert!(text.contains("top-secret-token") && text.contains(SERVER), "{text}");
    for part in ["exec", "other", "/etc/x", "extension"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    plane.close().await;
}

#[tokio::test]
async fn private_addresses_are_refused_where_the_setting_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    settings.addresses = AddressRule::PublicOnly;
    let plane = TestPlane::start(settings).await;
    for (number, host) in
        ["127.0.0.1:6443", "10.0.0.1", "192.168.1.1:6443", "172.16.3.4", "[::1]:6443", "[::ffff:10.0.0.1]"]
            .into_iter()
            .enumerate()
    {
        let kubeconfig = token_kubeconfig(&format!("https://{host}")).to_string();
        let (status, refused) = try_import(&plane, 1, &format!("row-{number}"), &kubeconfig).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{host}: {refused:#}");
        let text = refused["message"].as_str().unwrap();
        assert!(text.contains("control-plane.private-addresses"), "{host}: {text}");
    }
    // A name says where it leads only when it is asked; a number that is written in another way is no name either.
    for (name, host, part) in [
        ("by-name", "localhost", "may set `control-plane.private-addresses`"),
        ("short", "127.1", "invalid dns name"),
    ] {
        let kubeconfig = token_kubeconfig(&format!("https://{host}:1")).to_string();
        let path = add_cluster(&plane, 1, name, &kubeconfig).await;
        await_status(&plane, &path, "ERROR", part).await;
    }
    plane.close().await;
}
