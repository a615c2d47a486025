//! `cluster shell` and `cluster config` without a terminal.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use testkit::Program;

use crate::support::{Home, Server, expect_code};

const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\nclusters: []\n";
const CONFIG: &str = "GET /pipeline/api/v1/orgs/2/clusters/7/config";

/// A home with a `kubectl` that tells how it was called.
pub(crate) fn start() -> (Server, Home) {
    let server = Server::start();
    let home = Home::at(&server);
    server.json(CONFIG, json!({"status": 200, "data": KUBECONFIG}));
    let kubectl = home.folder.path().join("bin/kubectl");
    let script = "#!/bin/sh\necho \"kubectl $*\"\ncat \"$KUBECONFIG\"\necho \"$KUBECONFIG\" >\"$HOME/kubeconfig-path\"\n\
        stat -c %a \"$KUBECONFIG\"\nenv | grep ^BANZAI_CURRENT | sort\nif [ \"$3\" = - ]; then cat; fi\n";
    fs_err::write(&kubectl, script).unwrap();
    fs_err::set_permissions(&kubectl, PermissionsExt::from_mode(0o755)).unwrap();
    (server, home)
}

pub(crate) fn path_with(home: &Home) -> String {
    format!("{}:/usr/bin:/bin", home.folder.path().join("bin").display())
}

fn shell(home: &Home, arguments: &[&str]) -> Program {
    let arguments: Vec<&str> = ["cluster", "shell"].iter().chain(arguments).copied().collect();
    home.program(&arguments).environment("PATH", path_with(home)).environment("SHELL", "/bin/sh")
}

#[test]
fn several_words_are_run_as_they_are_with_the_cluster_around_them() {
    let (_server, home) = start();
    let program = shell(&home, &["--cluster-name", "demo", "--", "kubectl", "apply", "-f", "-"]);
    let output = expect_code(program.run(b"kind: WhiteListItem\n").unwrap(), 0);
    assert_eq!(
        output.stdout,
        format!(
            "kubectl apply -f -\n{KUBECONFIG}600\nBANZAI_CURRENT_CLUSTER_ID=7\nBANZAI_CURRENT_CLUSTER_NAME=demo\n\
             BANZAI_CURRENT_ORG_ID=2\nBANZAI_CURRENT_ORG_NAME=acme\nkind: WhiteListItem\n"
        )
    );
    assert!(
        output.stderr.contains("Running kubectl apply -f -") && output.stderr.contains("exited successfully"),
        "{}",
        output.stderr
    );
    let path = fs_err::read_to_string(home.folder.path().join("kubeconfig-path")).unwrap();
    assert!(path.contains("kubeconfig") && !Path::new(path.trim()).exists(), "it is gone: {path}");
}

#[test]
fn one_word_goes_through_the_shell_and_its_exit_code_comes_back() {
    let (_server, home) = start();
    let output = expect_code(shell(&home, &["kubectl get pods | head -n 1; exit 7"]).run(b"").unwrap(), 7);
    assert_eq!(output.stdout, "kubectl get pods\n");
    let output = expect_code(shell(&home, &["kill -TERM $$"]).run(b"").unwrap(), 143);
    assert!(output.stderr.contains("signal"), "{}", output.stderr);
    let output = expect_code(shell(&home, &["--", "no-such-program", "x"]).run(b"").unwrap(), 1);
    assert!(output.stderr.contains("failed to run `no-such-program`"), "{}", output.stderr);
}

#[test]
fn what_is_missing_is_told() {
    let (server, home) = start();
    let empty = home.folder.path().join("empty");
    fs_err::create_dir_all(&empty).unwrap();
    let program = shell(&home, &["--", "kubectl", "get", "pods"]).environment("PATH", &empty);
    // The helper that starts programs in tests needs the PATH as little as the program does.
    let output = expect_code(program.run(b"").unwrap(), 1);
    assert!(output.stderr.contains("kubectl is not on the PATH: install it"), "{}", output.stderr);

    server.reply(
        CONFIG,
        400,
        "application/json",
        br#"{"code":400,"message":"cluster is not ready yet","error":""}"#,
    );
    let output = expect_code(shell(&home, &["--", "true", "x"]).run(b"").unwrap(), 1);
    assert!(output.stderr.contains("cluster is not ready yet"), "{}", output.stderr);
}

#[test]
fn a_kubeconfig_is_written_for_its_owner_only() {
    let (_server, home) = start();
    let path = home.folder.path().join("demo.yaml");
    fs_err::write(&path, "old").unwrap();
    home.done(&["cluster", "config", "--cluster-name", "demo", "-p", "."]);
    assert_eq!(fs_err::read_to_string(&path).unwrap(), KUBECONFIG);
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
