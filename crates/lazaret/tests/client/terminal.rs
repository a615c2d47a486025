//! Questions and shells on a real pseudo-terminal.

use std::path::Path;
use std::process::Command;

use rexpect::session::{Options, PtySession, spawn_with_options};
use serde_json::json;

use crate::shell;
use crate::support::{Home, Server, TOKEN};

const DEADLINE_MS: u64 = 60_000;
const ENTER: &str = "\r";
const UP: &str = "\x1b[A";
const DOWN: &str = "\x1b[B";

/// Somebody at a terminal who typed a command.
pub(crate) struct Terminal(PtySession);

impl Terminal {
    pub(crate) fn run(home: &Home, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new("sh");
        command
            .args(["-c", "stty rows 50 cols 160; exec \"$0\" \"$@\""])
            .arg(home.program_path())
            .args(arguments);
        command.current_dir(home.folder.path()).envs(home.environment()).env("TERM", "xterm-256color");
        command.envs(environment.iter().copied());
        let options = Options::new().timeout_ms(Some(DEADLINE_MS)).strip_ansi_escape_codes(true);
        Self(spawn_with_options(command, options).unwrap())
    }

    /// Waits for a text; what came before it.
    pub(crate) fn sees(&mut self, text: &str) -> String {
        match self.0.exp_string(text) {
            Ok(before) => before,
            Err(error) => unreachable!("`{text}` does not come: {error}"),
        }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.0.send(keys).unwrap();
        self.0.flush().unwrap();
    }

    /// Answers a question.
    fn answers(&mut self, question: &str, keys: &str) {
        self.sees(question);
        self.types(keys);
        self.types(ENTER);
    }

    pub(crate) fn ends_with(mut self, code: i32) -> String {
        let rest = self.0.exp_eof().unwrap();
        // The type of it is not to be named outside of its crate.
        let status = format!("{:?}", self.0.process().wait().unwrap());
        assert!(status.starts_with("Exited(") && status.ends_with(&format!(", {code})")), "{status}: {rest}");
        rest
    }
}

#[test]
fn the_wizard_makes_a_specification() {
    let (server, home) = shell::start();
    let scan = "/pipeline/api/v1/orgs/2/clusters/7/services/securityscan";
    server.reply(&format!("POST {scan}"), 202, "", b"");
    server.json(
        "GET /pipeline/api/v1/orgs/2/secrets?type=password",
        json!([{"id": "aa", "name": "first"}, {"id": "bb", "name": "registry\u{1b}[2J"}]),
    );
    server.json(
        "GET /pipeline/api/v1/orgs/2/clusters/7/namespaces",
        json!({"namespaces": [{"name": "default"}, {"name": "kube-system"}, {"name": "shop"}]}),
    );
    let mut terminal = Terminal::run(&home, &["cluster", "service", "securityscan", "activate"], &[]);
    terminal.answers("Configure a custom anchore instance?", "");
    terminal.answers("Policy:", UP);
    terminal.answers("Add a release whitelist item?", "y");
    terminal.answers("Name of the release:", "r1");
    terminal.answers("Reason:", "known");
    terminal.answers("Regular expression", "^r1-");
    terminal.answers("Add a release whitelist item?", "n");
    terminal.answers("Add a private registry?", "y");
    terminal.answers("Registry, as", "docker.pkg.github.com");
    terminal.answers("Type:", "");
    terminal.answers("Secret with its credentials:", DOWN);
    terminal.answers("Take any certificate of it?", "");
    terminal.answers("Add a private registry?", "");
    terminal.answers("Enforce the policy in the cluster?", "");
    terminal.answers("Namespaces are to:", DOWN);
    let shown = terminal.sees("Namespaces (space marks");
    assert!(!shown.contains("kube-system"));
    // All of them is marked at first: unmarked, and the second of the namespaces marked.
    terminal.types(&format!(" {DOWN}{DOWN} {ENTER}"));
    terminal.answers("Send this for cluster demo?", "");
    terminal.sees("service \"Security scan\" started to activate");
    terminal.ends_with(0);
    assert_eq!(
        server.body_of(&format!("POST {scan}")),
        json!({"spec": {
            "customAnchore": {"enabled": false, "url": "", "secretId": ""},
            "policy": {"policyId": "deny_all", "customPolicy": {"enabled": false, "policy": null}},
            "releaseWhiteList": [{"name": "r1", "reason": "known", "regexp": "^r1-"}],
            "registry": null,
            "registries": [{"registry": "docker.pkg.github.com", "secretId": "bb", "type": "docker_v2", "insecure": false}],
            "webhookConfig": {"enabled": true, "selector": "exclude", "namespaces": ["shop"]},
        }})
    );
}

#[test]
fn the_wizard_of_an_update_keeps_what_it_does_not_ask_for() {
    let (server, home) = shell::start();
    let scan = "/pipeline/api/v1/orgs/2/clusters/7/services/securityscan";
    let spec = json!({
        "customAnchore": {"enabled": true, "url": "https://anchore.example.org", "secretId": "bb", "insecure": true, "policyPath": "/p"},
        "policy": {"policyId": "own-bundle"},
        "webhookConfig": {"enabled": true, "selector": "include", "namespaces": ["*"]},
    });
    server.json(&format!("GET {scan}"), json!({"status": "ACTIVE", "spec": spec}));
    server.reply(&format!("PUT {scan}"), 202, "", b"");
    server.json(
        "GET /pipeline/api/v1/orgs/2/secrets?type=password",
        json!([{"id": "aa", "name": "first"}, {"id": "bb", "name": "second"}]),
    );
    let mut terminal = Terminal::run(&home, &["cluster", "service", "securityscan", "update"], &[]);
    terminal.answers("Configure a custom anchore instance?", "");
    terminal.answers("Custom anchore URL:", "");
    terminal.answers("Secret with its user", "");
    terminal.answers("Policy:", "");
    terminal.answers("Id of the policy:", "");
    terminal.answers("Add a release whitelist item?", "");
    terminal.answers("Add a private registry?", "");
    terminal.answers("Enforce the policy in the cluster?", "");
    terminal.answers("Namespaces are to:", "");
    terminal.answers("Namespaces (space marks", "");
    terminal.answers("Send this for cluster demo?", "");
    terminal.ends_with(0);
    let sent = server.body_of(&format!("PUT {scan}"));
    assert_eq!(sent["spec"]["customAnchore"], spec["customAnchore"]);
    assert_eq!(sent["spec"]["policy"]["policyId"], "own-bundle");
    assert_eq!(sent["spec"]["webhookConfig"], spec["webhookConfig"]);
}

#[test]
fn a_question_that_is_cancelled_changes_nothing() {
    let (server, home) = shell::start();
    let mut terminal = Terminal::run(&home, &["cluster", "service", "securityscan", "activate"], &[]);
    terminal.sees("Configure a custom anchore instance?");
    terminal.0.send_control('c').unwrap();
    terminal.sees("cancelled; nothing was changed");
    terminal.ends_with(1);
    let mut terminal = Terminal::run(&home, &["cluster", "delete", "demo"], &[]);
    terminal.answers("Give cluster demo up?", "");
    terminal.sees("deletion cancelled");
    terminal.ends_with(1);
    assert!(server.seen().iter().all(|seen| seen.line.starts_with("GET ")));
}

#[test]
fn a_login_asks_for_what_is_missing_and_hides_the_token() {
    let (server, home) = (Server::start(), Home::new());
    server.json("GET /pipeline/api/v1/orgs", json!([{"id": 2, "name": "acme"}, {"id": 3, "name": "other"}]));
    let mut terminal = Terminal::run(&home, &["login"], &[]);
    terminal.sees("Address of the server:");
    terminal.types(&format!("{}{ENTER}", server.endpoint()));
    terminal.answers("Token:", TOKEN);
    let shown = terminal.sees("Organization:");
    assert!(!shown.contains(&TOKEN[..20]), "{shown}");
    terminal.types(&format!("{DOWN}{ENTER}"));
    terminal.sees("as ada, organization other");
    terminal.ends_with(0);
    assert!(home.config().contains("id: 3"), "{}", home.config());
}

#[test]
fn a_secret_is_asked_for_by_its_type() {
    let (server, home) = shell::start();
    server.json(
        "GET /pipeline/api/v1/secret-types",
        json!({"generic": {"fields": []}, "password": {"fields": [
            {"name": "username", "required": true, "isSafeToDisplay": true, "description": "user"},
            {"name": "password", "required": false, "description": ""}]}}),
    );
    server.reply(
        "POST /pipeline/api/v1/orgs/2/secrets?validate=true",
        201,
        "application/json",
        br#"{"id":"cc","name":"n","type":"password"}"#,
    );
    let mut terminal = Terminal::run(&home, &["secret", "create", "--name", "n"], &[]);
    terminal.answers("Secret type:", "");
    terminal.answers("username (user):", "ada");
    terminal.answers("password (may be empty):", "s3cret");
    let shown = terminal.sees("Tags, split by comma");
    assert!(!shown.contains("s3cret"), "{shown}");
    terminal.types(&format!("a, b{ENTER}"));
    terminal.sees("cc");
    terminal.ends_with(0);
    assert_eq!(
        server.body_of("POST /pipeline/api/v1/orgs/2/secrets?validate=true"),
        json!({"name": "n", "type": "password", "values": {"username": "ada", "password": "s3cret"}, "tags": ["a", "b"]})
    );
}

#[test]
fn a_shell_has_the_cluster_and_leaves_nothing_behind() {
    let (_server, home) = shell::start();
    let path = shell::path_with(&home);
    let environment = [("SHELL", "/bin/sh"), ("PATH", path.as_str())];
    let mut terminal = Terminal::run(&home, &["cluster", "shell", "--cluster-name", "demo"], &environment);
    terminal.sees("[demo]$ ");
    terminal.types("echo $BANZAI_CURRENT_CLUSTER_NAME-$((40+2))\n");
    terminal.sees("demo-42");
    terminal.types("kubectl get pods\n");
    terminal.sees("kind: Config");
    terminal.sees("BANZAI_CURRENT_ORG_NAME=acme");
    // Ctrl-C ends what runs in the shell, not the shell and not the program around it.
    terminal.types("echo be''gun; sleep 1000\n");
    terminal.sees("begun");
    terminal.0.send_control('c').unwrap();
    terminal.types("echo a''live\n");
    terminal.sees("alive");
    terminal.types("exit 3\n");
    terminal.ends_with(3);
    let kubeconfig = fs_err::read_to_string(home.folder.path().join("kubeconfig-path")).unwrap();
    assert!(!Path::new(kubeconfig.trim()).exists());
}

#[test]
fn bash_keeps_its_own_start_and_says_which_cluster_it_is_about() {
    let (_server, home) = shell::start();
    fs_err::write(home.folder.path().join(".bashrc"), "PS1='mine> '\nalias k='kubectl get'\n").unwrap();
    let path = shell::path_with(&home);
    let environment = [("SHELL", "/bin/bash"), ("PATH", path.as_str())];
    let mut terminal = Terminal::run(&home, &["cluster", "shell"], &environment);
    terminal.sees("[demo]$ ");
    terminal.types("k pods\n");
    terminal.sees("kubectl get pods");
    terminal.sees("[demo]$ ");
    terminal.types("exit\n");
    terminal.ends_with(0);
}

#[test]
fn nothing_is_asked_where_nobody_wants_to_be() {
    let (server, home) = shell::start();
    server.json(
        "GET /pipeline/api/v1/orgs/2/clusters",
        json!([{"id": 7, "name": "demo"}, {"id": 8, "name": "two"}]),
    );
    let mut terminal = Terminal::run(&home, &["cluster", "get", "--no-interactive"], &[]);
    terminal.sees("several clusters");
    terminal.ends_with(1);
    let mut terminal = Terminal::run(&home, &["cluster", "get"], &[]);
    terminal.answers("Cluster:", "");
    terminal.sees("Cluster is running");
    terminal.ends_with(0);
}
