//! Servers that are broken, strange, or mean harm.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use pipeline_client::Fingerprint;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::support::{Home, Server, TOKEN, cluster};

/// A server with a certificate of an authority that nobody knows. Stopped when dropped.
pub(crate) struct TlsServer {
    pub(crate) address: SocketAddr,
    pub(crate) fingerprint: String,
    pub(crate) authority: String,
    tokens: Arc<AtomicUsize>,
    handle: Handle<SocketAddr>,
    thread: Option<JoinHandle<()>>,
}

impl TlsServer {
    pub(crate) fn start() -> Self {
        Self::start_at(0)
    }

    pub(crate) fn start_at(port: u16) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let leaf =
            CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();

        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let tokens = Arc::new(AtomicUsize::new(0));
        let counter = tokens.clone();
        let routes = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
            counter.fetch_add(usize::from(headers.contains_key("authorization")), Ordering::SeqCst);
            std::future::ready(axum::Json(answer(uri.path())))
        });
        let handle = Handle::new();
        let (own, der, key) = (handle.clone(), leaf.der().to_vec(), key.serialize_der());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let config = RustlsConfig::from_der(vec![der], key).await.unwrap();
                let server = axum_server::from_tcp_rustls(listener, config).unwrap();
                server.handle(own).serve(routes.into_make_service()).await.unwrap();
            });
        });
        Self {
            address,
            fingerprint: Fingerprint::of(leaf.der()).to_string(),
            authority: authority_pem,
            tokens,
            handle,
            thread: Some(thread),
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("https://{}/pipeline", self.address)
    }

    /// Requests that came with a token.
    pub(crate) fn tokens_seen(&self) -> usize {
        self.tokens.load(Ordering::SeqCst)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.handle.graceful_shutdown(Some(Duration::from_millis(10)));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(path: &str) -> Value {
    match path.trim_start_matches("/pipeline") {
        "/api/v1/me" => json!({"id": 1, "login": "ada"}),
        "/api/v1/orgs" => json!([{"id": 2, "name": "acme"}]),
        _ => json!({"version": "1"}),
    }
}

const LIST: &str = "GET /pipeline/api/v1/orgs/2/clusters";

#[test]
fn names_do_nothing_to_the_terminal_and_lead_nowhere() {
    let server = Server::start();
    let home = Home::at(&server);
    let hostile = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}../../../up";
    server.json(LIST, json!([cluster(7, hostile)]));
    server.json("GET /pipeline/api/v1/orgs/2/clusters/7", cluster(7, hostile));
    server.json("GET /pipeline/api/v1/orgs", json!([{"id": 2, "name": hostile}]));
    server.json("GET /pipeline/api/v1/orgs/2/clusters/7/config", json!({"status": 200, "data": "x: y\n"}));
    for arguments in [
        &["cluster", "list"][..],
        &["cluster", "list", "-o", "json"],
        &["cluster", "list", "-o", "yaml"],
        &["cluster", "get"],
        &["organization", "list"],
        &["cluster", "config"],
        &["cluster", "get", "other"],
        &["organization", "select", "2"],
    ] {
        let output = home.run(arguments);
        let text = format!("{}{}", output.stdout, output.stderr);
        let obeyed = text
            .chars()
            .find(|character| (character.is_control() && *character != '\n') || *character == '\u{202e}');
        assert_eq!(obeyed, None, "{arguments:?}: {text:?}");
    }
    let text = home.failed(&["cluster", "config", "-p", "."]);
    assert!(text.contains("cannot be the name of a file"), "{text}");
    assert!(!home.folder.path().parent().unwrap().join("up.yaml").exists());
    server.reply(LIST, 500, "application/json", "{\"message\":\"a\u{1b}[2Jb\"}".as_bytes());
    let text = home.failed(&["cluster", "list"]);
    assert!(!text.contains('\u{1b}') && text.contains("\\u{1b}[2J"), "{text}");
}

#[test]
fn what_is_no_answer_is_told_as_such() {
    let server = Server::start();
    let home = Home::at(&server);
    for (status, content_type, body, expected) in [
        (200, "text/html", "<html>", "answers with `text/html` instead of JSON"),
        (200, "", "{}", "instead of JSON"),
        (200, "application/json", "{\"id\":", "broken JSON"),
        (200, "application/json", "{\"id\": 1}", "not what it should be"),
        (200, "application/json", "[{\"id\": \"seven\"}]", "not what it should be"),
        (302, "text/html", "", "redirects to"),
        (
            401,
            "application/json",
            "{\"message\":\"Invalid token\",\"error\":\"\"}",
            "next: your token counts no more",
        ),
        (403, "", "", "403 Forbidden"),
        (
            404,
            "application/problem+json",
            "{\"detail\":\"no such thing\",\"status\":404}",
            "404 Not Found: no such thing",
        ),
        (
            503,
            "application/json",
            "{\"code\":\"503\",\"message\":\"service is in maintenance mode\"}",
            "maintenance mode",
        ),
        (502, "text/html", "<html>", "502 Bad Gateway"),
        (500, "application/json", "{\"message\":7}", "500 Internal Server Error"),
    ] {
        server.reply(LIST, status, content_type, body.as_bytes());
        let text = home.failed(&["cluster", "list"]);
        assert!(text.contains(expected) && text.contains("failed to list clusters"), "{expected}: {text}");
        assert!(!text.contains(TOKEN), "{text}");
    }
    server.reply(LIST, 200, "application/json", b"");
    let text = home.failed(&["cluster", "list"]);
    assert!(text.contains("not what it should be"), "{text}");
}

#[test]
fn an_endless_answer_ends() {
    let server = Server::start();
    let home = Home::at(&server);
    let mut body = b"[\"".to_vec();
    body.resize(65 << 20, b'a');
    server.reply(LIST, 200, "application/json", &body);
    let text = home.failed(&["cluster", "list"]);
    assert!(text.contains("has more than 67108864 bytes"), "{text}");
}

#[test]
fn nobody_at_the_address_is_no_crash() {
    let home = Home::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    home.write_config(&format!(
        "organization:\n  id: 2\npipeline:\n  basepath: http://127.0.0.1:{port}/pipeline\n  token: {TOKEN}\n"
    ));
    for command in [
        "cluster list",
        "cluster service securityscan get",
        "cluster service securityscan deactivate",
        "cluster service list",
        "cluster shell -- true",
        "secret list",
        "organization list",
        "audits",
        "policy list",
    ] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let text = home.failed(&arguments);
        assert!(
            text.contains("refused") && text.contains("next: see that the server runs"),
            "{command}: {text}"
        );
        assert!(!text.contains(TOKEN), "{text}");
    }
}

#[test]
fn a_configuration_that_believes_anybody_sends_no_token() {
    let (home, server) = (Home::new(), TlsServer::start());
    home.write_config(&format!(
        "organization:\n  id: 2\npipeline:\n  basepath: {}\n  tls-skip-verify: true\n  token: {TOKEN}\n",
        server.endpoint()
    ));
    let text = home.failed(&["organization", "list"]);
    assert!(text.contains("login --skip-verify"), "{text}");
    assert_eq!(server.tokens_seen(), 0);
}
