//! A server that answers what it is told to, and the program in a home folder of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use testkit::{Output, Program, Scratch};
use tokio::sync::oneshot;

/// A token as a server makes one.
pub(crate) const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJhIiwic3ViIjoiMSJ9.c2ln";

/// What came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// What goes out.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct State {
    replies: BTreeMap<String, Vec<Reply>>,
    seen: Vec<Seen>,
}

/// A server on a free port, with replies by `METHOD /path?query`; several replies follow each other, the last one stays.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// One that knows the user, one organization and one cluster, and can scan.
    pub(crate) fn start() -> Self {
        let server = Self::empty();
        server.json("GET /pipeline/version", json!({"version": "0.81.0"}));
        server.json("GET /pipeline/api/v1/me", json!({"id": 1, "login": "ada", "name": "Ada"}));
        server.json("GET /pipeline/api/v1/orgs", json!([{"id": 2, "name": "acme"}]));
        server.json("GET /pipeline/api/v1/orgs/2", json!({"id": 2, "name": "acme"}));
        server.json("GET /pipeline/api/v1/orgs/2/clusters", json!([cluster(7, "demo")]));
        server.json("GET /pipeline/api/v1/orgs/2/clusters/7", cluster(7, "demo"));
        server.json(
            "GET /pipeline/api/v1/capabilities",
            json!({"features": {"securityScan": {"enabled": true, "managed": true}, "vault": {"enabled": false}}, "helm": {"version": "3"}}),
        );
        server
    }

    /// One that knows nothing.
    pub(crate) fn empty() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let (address_sender, address) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = state.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                address_sender.send(listener.local_addr().unwrap()).unwrap();
                let routes = Router::new().fallback(move |method, uri, headers, body| {
                    std::future::ready(answer(&shared, &method, &uri, headers, &body))
                });
                tokio::select! {
                    served = async { axum::serve(listener, routes).await } => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { address: address.recv().unwrap(), state, _stop: stop }
    }

    /// Sets what is answered with status 200.
    pub(crate) fn json(&self, line: &str, body: Value) {
        self.reply(line, 200, "application/json; charset=utf-8", body.to_string().as_bytes());
    }

    /// Sets what is answered.
    pub(crate) fn reply(&self, line: &str, status: u16, content_type: &'static str, body: &[u8]) {
        let reply = Reply { status, content_type, body: body.to_vec() };
        self.state.lock().unwrap().replies.insert(line.to_owned(), vec![reply]);
    }

    /// Sets what is answered after all that was set before was answered once.
    pub(crate) fn then_json(&self, line: &str, body: Value) {
        let reply =
            Reply { status: 200, content_type: "application/json", body: body.to_string().into_bytes() };
        self.state.lock().unwrap().replies.entry(line.to_owned()).or_default().push(reply);
    }

    /// What came in so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// The body of the one request of this line.
    pub(crate) fn body_of(&self, line: &str) -> Value {
        let seen = self.seen();
        let found: Vec<&Seen> = seen.iter().filter(|seen| seen.line == line).collect();
        assert_eq!(found.len(), 1, "{line} in {:?}", seen.iter().map(|seen| &seen.line).collect::<Vec<_>>());
        found[0].body.clone()
    }

    /// Its address with the base path.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/pipeline", self.address)
    }
}

fn answer(state: &Mutex<State>, method: &Method, uri: &Uri, headers: HeaderMap, body: &Bytes) -> Response {
    let line = format!("{method} {uri}");
    let mut state = state.lock().unwrap();
    let body = serde_json::from_slice(body).unwrap_or(Value::Null);
    state.seen.push(Seen { line: line.clone(), headers, body });
    let Some(replies) = state.replies.get_mut(&line) else {
        let text = format!("nothing is set for {line}");
        let body = json!({"code": 404, "message": text, "error": ""}).to_string();
        return (StatusCode::NOT_FOUND, [("content-type", "application/json")], body).into_response();
    };
    let reply = if replies.len() > 1 { replies.remove(0) } else { replies[0].clone() };
    let status = StatusCode::from_u16(reply.status).unwrap();
    if reply.content_type.is_empty() {
        return (status, reply.body).into_response();
    }
    (status, [("content-type", reply.content_type)], reply.body).into_response()
}

/// A cluster as the contract shows it.
pub(crate) fn cluster(id: i64, name: &str) -> Value {
    json!({
        "id": id, "name": name, "status": "RUNNING", "statusMessage": "Cluster is running", "cloud": "kubernetes",
        "distribution": "unknown", "location": "", "version": "v1.33.1", "oidc": {"enabled": false},
        "createdAt": "2026-01-02T03:04:05Z", "creatorName": "ada", "creatorId": 1,
    })
}

/// The program, in a home of its own.
pub(crate) struct Home {
    pub(crate) folder: Scratch,
    program: PathBuf,
}

impl Home {
    /// A home where nobody is logged in, and the program under the name of the older client.
    pub(crate) fn new() -> Self {
        let folder = Scratch::new("client").unwrap();
        let program = folder.path().join("bin/banzai");
        fs_err::create_dir_all(program.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(lazaret(), &program).unwrap();
        Self { folder, program }
    }

    /// One where somebody is logged in, with a file as the older client writes it.
    pub(crate) fn at(server: &Server) -> Self {
        let home = Self::new();
        home.write_config(&format!(
            "organization:\n  id: 2\noutput:\n  format: default\npipeline:\n  basepath: {}\n  tls-skip-verify: false\n  token: {TOKEN}\n",
            server.endpoint()
        ));
        home
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.folder.path().join(".banzai/config.yaml")
    }

    pub(crate) fn write_config(&self, text: &str) {
        let path = self.config_path();
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }

    pub(crate) fn config(&self) -> String {
        fs_err::read_to_string(self.config_path()).unwrap_or_default()
    }

    pub(crate) fn program_path(&self) -> &Path {
        &self.program
    }

    /// The program with these arguments.
    pub(crate) fn program(&self, arguments: &[&str]) -> Program {
        self.named(&self.program, arguments)
    }

    /// The same under its own name.
    pub(crate) fn own_program(&self, arguments: &[&str]) -> Program {
        self.named(&lazaret(), arguments)
    }

    fn named(&self, path: &Path, arguments: &[&str]) -> Program {
        let mut program = Program::at(path).arguments(arguments).in_folder(self.folder.path());
        for (name, value) in self.environment() {
            program = program.environment(name, value);
        }
        program
    }

    /// Nothing of the machine's own settings counts.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        let home = self.folder.path().display().to_string();
        let mut environment = vec![("HOME", home), ("LAZARET_FEEDS_FETCH", "false".to_owned())];
        for name in [
            "BANZAICONFIG",
            "BANZAI_CURRENT_ORG_ID",
            "BANZAI_CURRENT_CLUSTER_ID",
            "BANZAI_CURRENT_CLUSTER_NAME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "LAZARET_DATA_DIR",
            "KUBECONFIG",
        ] {
            environment.push((name, String::new()));
        }
        environment
    }

    /// Runs it without a terminal.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "")
    }

    /// Runs it with something on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        self.program(arguments).run(input.as_bytes()).unwrap()
    }

    /// Runs it and expects that it does what it is told.
    pub(crate) fn done(&self, arguments: &[&str]) -> Output {
        expect_code(self.run(arguments), 0)
    }

    /// Runs it and expects that it fails; what it says.
    pub(crate) fn failed(&self, arguments: &[&str]) -> String {
        let output = expect_code(self.run(arguments), 1);
        assert_eq!(output.stdout, "", "{}", output.stderr);
        output.stderr
    }
}

pub(crate) fn expect_code(output: Output, code: i32) -> Output {
    let found = output.status.code();
    assert_eq!(found, Some(code), "{}\n{}{}", output.command, output.stdout, output.stderr);
    output
}

pub(crate) fn lazaret() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_lazaret"))
}

/// The words of a line, however the table is spaced.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}
