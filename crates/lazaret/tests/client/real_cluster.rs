//! The client, a real `lazaret serve` and a real cluster: a cluster is brought, used through its shell, and given up.

use std::os::unix::fs::PermissionsExt as _;

use testkit::{Cluster, KubernetesPrograms};

use crate::real_server::Machine;
use crate::support::{expect_code, words};
use crate::terminal::Terminal;

/// A machine with a server, a cluster, and a kubectl on the PATH.
fn start() -> (Machine, Cluster, String) {
    let cluster = Cluster::start().unwrap();
    let machine = Machine::start();
    let kubectl = machine.home.folder.path().join("bin/kubectl");
    std::os::unix::fs::symlink(KubernetesPrograms::find().unwrap().kubectl, kubectl).unwrap();
    let path = format!("{}:/usr/bin:/bin", machine.home.folder.path().join("bin").display());
    machine.done(&["login", "-e", &machine.endpoint]);
    (machine, cluster, path)
}

#[test]
fn a_cluster_is_brought_used_and_given_up() {
    let (machine, cluster, path) = start();
    let kubeconfig = fs_err::read_to_string(cluster.kubeconfig("admin").unwrap()).unwrap();
    let imported = machine.done_with(&["cluster", "import", "--name", "image-scan", "--wait"], &kubeconfig);
    assert!(imported.contains("RUNNING"), "{imported}");
    let listed = machine.done(&["cluster", "list"]);
    assert_eq!(words(listed.lines().nth(1).unwrap())[1], "image-scan", "{listed}");

    let shell = |arguments: &[&str], input: &str| {
        let words: Vec<&str> = ["cluster", "shell"].iter().chain(arguments).copied().collect();
        let program = machine.program(&words).environment("PATH", &path).environment("SHELL", "/bin/sh");
        program.run(input.as_bytes()).unwrap()
    };
    let namespaces = expect_code(
        shell(&["--cluster-name", "image-scan", "--", "kubectl", "get", "namespaces", "-o", "name"], ""),
        0,
    );
    assert!(namespaces.stdout.contains("namespace/kube-system"), "{}", namespaces.stdout);
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-the-shell}\n";
    let applied =
        expect_code(shell(&["--cluster-name=image-scan", "--", "kubectl", "apply", "-f", "-"], object), 0);
    assert!(applied.stdout.contains("configmap/from-the-shell created"), "{}", applied.stdout);
    let piped = expect_code(shell(&["kubectl get configmaps -o name | grep -c from-the-shell"], ""), 0);
    assert_eq!(piped.stdout, "1\n");
    let missing = expect_code(shell(&["--", "kubectl", "get", "pod", "nobody"], ""), 1);
    assert!(missing.stderr.contains("NotFound"), "{}", missing.stderr);

    machine.done(&["cluster", "config", "--cluster-name", "image-scan"]);
    let file = machine.home.folder.path().join("image-scan.yaml");
    assert_eq!(fs_err::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let again = machine.program(&["cluster", "import", "--name", "image-scan"]);
    let again = expect_code(again.run(kubeconfig.as_bytes()).unwrap(), 1);
    assert!(again.stderr.contains("409"), "{}", again.stderr);
    assert!(
        machine.done(&["cluster", "get", "image-scan"]).contains("RUNNING"),
        "the first one is as it was"
    );

    machine.done(&["cluster", "delete", "image-scan"]);
    assert_eq!(machine.json(&["cluster", "list"]), serde_json::json!([]));
}

#[test]
fn a_shell_on_a_terminal_reaches_the_cluster() {
    let (machine, cluster, path) = start();
    let kubeconfig = fs_err::read_to_string(cluster.kubeconfig("admin").unwrap()).unwrap();
    machine.done_with(&["cluster", "import", "--name", "image-scan", "--wait"], &kubeconfig);
    let data = machine.data.path().display().to_string();
    let environment = [("SHELL", "/bin/sh"), ("PATH", path.as_str()), ("LAZARET_DATA_DIR", data.as_str())];
    let mut terminal =
        Terminal::run(&machine.home, &["cluster", "shell", "--cluster-name", "image-scan"], &environment);
    terminal.sees("[image-scan]$ ");
    terminal.types("kubectl create namespace from-the-terminal\n");
    terminal.sees("namespace/from-the-terminal created");
    // In the shell the cluster needs no name.
    terminal.types("banzai cluster get -o json\n");
    terminal.sees("\"name\": \"image-scan\"");
    terminal.types("exit\n");
    terminal.ends_with(0);
    let namespace = cluster.kubectl(&["get", "namespace", "from-the-terminal"]).unwrap();
    assert!(namespace.is_success(), "{}", namespace.stderr);
}
