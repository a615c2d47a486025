//! What the documentation of the older client shows, typed letter by letter into a shell, with a real server and a real
//! cluster behind it.

use std::time::Duration;

use testkit::{Cluster, KubernetesPrograms, Output, Program, wait_until};

use crate::real_server::Machine;
use crate::support::expect_code;

const DEADLINE: Duration = Duration::from_secs(60);

/// Somebody in a shell of a machine where `banzai` and `kubectl` are installed.
struct Operator {
    machine: Machine,
    _cluster: Cluster,
    path: String,
}

impl Operator {
    fn start() -> Self {
        let cluster = Cluster::start().unwrap();
        let machine = Machine::start_with_webhooks();
        let bin = machine.home.folder.path().join("bin");
        std::os::unix::fs::symlink(KubernetesPrograms::find().unwrap().kubectl, bin.join("kubectl")).unwrap();
        machine.done(&["login", "-e", &machine.endpoint]);
        let kubeconfig = fs_err::read_to_string(cluster.kubeconfig("admin").unwrap()).unwrap();
        machine.done_with(&["cluster", "import", "--name", "image-scan", "--wait"], &kubeconfig);
        Self { machine, _cluster: cluster, path: format!("{}:/usr/bin:/bin", bin.display()) }
    }

    fn types(&self, script: &str) -> Output {
        let mut program = Program::at("/bin/bash".as_ref()).arguments(["-c", script]);
        for (name, value) in self.machine.home.environment() {
            program = program.environment(name, value);
        }
        program.environment("PATH", &self.path).environment("SHELL", "/bin/bash").run(b"").unwrap()
    }

    fn done(&self, script: &str) -> Output {
        expect_code(self.types(script), 0)
    }
}

#[test]
fn the_transcripts_of_the_documentation_work() {
    let operator = Operator::start();
    let unknown = operator.types(
        r#"banzai cluster service securityscan activate <<EOF
{
  "policy": {
    "policyId": "97b33e2c-3b57-4a3f-a12b-a8c0daa472a0"
  }
}
EOF"#,
    );
    let unknown = expect_code(unknown, 1).stderr;
    assert!(
        unknown.contains("97b33e2c-3b57-4a3f-a12b-a8c0daa472a0") && unknown.contains("does not exist"),
        "{unknown}"
    );

    operator.done(
        r#"banzai cluster service securityscan activate --wait <<EOF
{
    "policy": {
        "policyId": "allow_all_and_warn"
    },
    "webhookConfig": {
        "enabled": true,
        "selector": "include",
        "namespaces": [
            "*"
        ]
    }
}
EOF"#,
    );
    let shown = operator.done("banzai cluster service securityscan get; banzai cluster service list").stdout;
    assert!(shown.contains("Security_scan") && shown.matches("ACTIVE").count() == 2, "{shown}");

    operator.done(
        "banzai cluster service securityscan update --wait <<EOF\npolicy: {policyId: deny_all}\nwebhookConfig:\n  enabled: true\n  \
         selector: include\n  namespaces: ['*']\nEOF",
    );
    let in_shell = "banzai cluster shell --cluster-name image-scan -- kubectl";
    let refused =
        expect_code(operator.types(&format!("{in_shell} run busybox1 --image=busybox -- sleep 3600")), 1)
            .stderr;
    assert!(refused.contains("Error from server") && refused.contains("admission webhook"), "{refused}");
    assert!(refused.contains("denied the request: Image failed policy check: busybox"), "{refused}");

    let described = wait_until(DEADLINE, "the audit", || {
        let output = operator.types(&format!("{in_shell} describe audits busybox1"));
        output.is_success().then_some(output.stdout)
    })
    .unwrap();
    // The registry of busybox is beyond this machine, and the last line of the audit says so.
    for part in [
        "Name:         busybox1",
        "fakerelease=true",
        "Kind:         Audit",
        "Action:      reject",
        "Image Name:    docker.io/library/busybox",
        "Release Name:  busybox1",
        "Resource:      Pod",
    ] {
        assert!(squeezed(&described).contains(&squeezed(part)), "`{part}` is missing in:\n{described}");
    }
    let audits = operator.done("banzai audits --rejected").stdout;
    assert!(audits.contains("busybox1"), "{audits}");

    operator.done("banzai whitelist create busybox1 --reason 'known to be good'");
    wait_until(DEADLINE, "the whitelisted release", || {
        operator
            .types(&format!("{in_shell} run busybox1 --image=busybox -- sleep 3600"))
            .is_success()
            .then_some(())
    })
    .unwrap();

    operator.done("banzai cluster service securityscan deactivate --wait");
    let gone = operator.done("banzai cluster service securityscan get").stdout;
    assert!(gone.contains("INACTIVE"), "{gone}");
}

/// Without the blanks that align columns.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
