//! The client against a real `lazaret serve`: nothing between them is pretended.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;
use testkit::{Program, RunningProgram, Scratch};

use crate::support::{Home, expect_code, lazaret};

const START_DEADLINE: Duration = Duration::from_secs(60);

/// A running server and the home of somebody on its machine.
pub(crate) struct Machine {
    _server: RunningProgram,
    pub(crate) data: Scratch,
    pub(crate) endpoint: String,
    pub(crate) home: Home,
}

impl Machine {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// One that runs the webhooks of its clusters itself: a cluster of the tests has no nodes for them.
    pub(crate) fn start_with_webhooks() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_with(&["--admission-listen", &format!("127.0.0.1:{port}")])
    }

    pub(crate) fn start_with(more: &[&str]) -> Self {
        let data = Scratch::new("client-serve").unwrap();
        let server = Program::at(&lazaret())
            .environment("LAZARET_FEEDS_FETCH", "false")
            .arguments(["serve", "--listen", "127.0.0.1:0", "--engine-listen", "127.0.0.1:0", "--data-dir"])
            .argument(data.path())
            .arguments(more)
            .start()
            .unwrap();
        let line = server.wait_for_line("control plane  ", START_DEADLINE).unwrap();
        let endpoint = line.split_whitespace().last().unwrap().to_owned();
        assert!(endpoint.starts_with("http://127.0.0.1:") && endpoint.ends_with("/pipeline"), "{line}");
        Self { _server: server, data, endpoint, home: Home::new() }
    }

    pub(crate) fn program(&self, arguments: &[&str]) -> Program {
        self.home.program(arguments).environment("LAZARET_DATA_DIR", self.data.path())
    }

    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        self.done_with(arguments, "")
    }

    pub(crate) fn done_with(&self, arguments: &[&str], input: &str) -> String {
        expect_code(self.program(arguments).run(input.as_bytes()).unwrap(), 0).stdout
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[arguments, &["-o", "json"]].concat())).unwrap()
    }

    pub(crate) fn failed(&self, arguments: &[&str]) -> String {
        expect_code(self.program(arguments).run(b"").unwrap(), 1).stderr
    }
}

#[test]
fn the_first_user_logs_in_and_makes_tokens_for_others() {
    let machine = Machine::start();
    let text = machine.failed(&["login", "-e", &machine.endpoint, "-t", "e30.e30.wrong"]);
    assert!(text.contains("the server does not take the token"), "{text}");

    machine.done(&["login", "-e", &machine.endpoint]);
    assert!(machine.done(&["organization", "list"]).contains("✔"));
    assert_eq!(machine.json(&["cluster", "list"]), Value::Array(Vec::new()));
    assert!(machine.failed(&["cluster", "get"]).contains("there are no clusters in the organization"));

    let token = machine.done(&["token", "create", "--name", "other"]);
    let other = Home::new();
    let login = other.program(&["login", "-e", &machine.endpoint, "-t", "-"]);
    expect_code(login.run(token.as_bytes()).unwrap(), 0);
    other.done(&["organization", "list"]);
    let tokens = machine.json(&["token", "list"]);
    let made = tokens.as_array().unwrap().iter().find(|item| item["name"] == "other").unwrap();
    machine.done(&["token", "delete", made["id"].as_str().unwrap()]);
    let text = other.failed(&["organization", "list"]);
    assert!(text.contains("401") && text.contains("next: your token counts no more"), "{text}");
}

#[test]
fn secrets_are_kept_shown_and_deleted() {
    let machine = Machine::start();
    machine.done(&["login", "-e", &machine.endpoint]);
    let document =
        "name: registry\ntype: password\nvalues:\n  username: ada\n  password: s3cret\ntags: [cli]\n";
    let made = machine.done_with(&["secret", "create"], document);
    assert!(made.contains("registry") && !made.contains("s3cret"), "{made}");
    let listed = machine.json(&["secret", "list", "--type", "password"]);
    assert_eq!(listed[0]["name"], "registry");
    assert_eq!(listed[0]["values"]["password"], "<hidden>");
    assert!(machine.done(&["secret", "get", "registry"]).contains("s3cret"));
    let again = expect_code(machine.program(&["secret", "create"]).run(document.as_bytes()).unwrap(), 1);
    assert!(again.stderr.contains("409"), "{}", again.stderr);
    let broken = "name: other\ntype: nonsense\nvalues: {a: s3cret}\n";
    let refused = expect_code(machine.program(&["secret", "create"]).run(broken.as_bytes()).unwrap(), 1);
    assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
    machine.done(&["secret", "delete", "--name", "registry"]);
    assert!(machine.failed(&["secret", "get", "registry"]).contains("could not find secret named"));
}
