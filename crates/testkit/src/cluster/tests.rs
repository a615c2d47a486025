//! Tests of the test cluster, against real ones.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;
use crate::environment::environment_variable;
use crate::process::is_process_alive;

/// Set in the process that is killed by [`a_killed_test_leaves_no_process`].
const VICTIM: &str = "TESTKIT_VICTIM";

/// One test at a time: a small machine has room for two clusters.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn assert_gone(process_ids: &[u32]) {
    for &process in process_ids {
        wait_until(Duration::from_secs(10), &format!("the end of process {process}"), || {
            (!is_process_alive(process)).then_some(())
        })
        .unwrap();
    }
}

#[test]
fn two_clusters_live_side_by_side_and_leave_nothing() {
    let _alone = alone();
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| Cluster::start().unwrap());
        let second = scope.spawn(|| Cluster::start().unwrap());
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_ne!(first.server_url(), second.server_url());

    first.kubectl(&["create", "namespace", "only-here"]).unwrap().success().unwrap();
    let refusal = second.kubectl(&["get", "namespace", "only-here"]).unwrap().failure().unwrap();
    assert!(refusal.contains("NotFound"), "{refusal}");

    let (folder, gone) = (first.folder().to_owned(), first.process_ids());
    assert_eq!(gone.len(), 3);
    drop(first);
    assert_gone(&gone);
    assert!(!folder.exists());
    assert!(second.process_ids().into_iter().all(is_process_alive));
    second.kubectl(&["get", "--raw=/readyz"]).unwrap().success().unwrap();
}

#[test]
fn pods_are_admitted_users_are_distinguished_and_a_restart_keeps_everything() {
    let _alone = alone();
    let cluster = Cluster::start().unwrap();
    let version = cluster.kubectl(&["version", "--output=json"]).unwrap().success().unwrap();
    let version: serde_json::Value = serde_json::from_str(&version).unwrap();
    assert_eq!(version["serverVersion"]["gitVersion"], version["clientVersion"]["gitVersion"]);

    let pod = br#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}"#;
    cluster.kubectl_with_stdin(&["apply", "-f", "-"], pod).unwrap().success().unwrap();

    cluster.add_user("alice", Some("readers")).unwrap();
    cluster.add_user("bob", None).unwrap();
    let who =
        cluster.kubectl_as("alice", &["auth", "whoami", "--output=json"], b"").unwrap().success().unwrap();
    assert!(who.contains("\"alice\"") && who.contains("\"readers\""), "{who}");
    let role = ["create", "clusterrolebinding", "readers", "--clusterrole=view", "--group=readers"];
    cluster.kubectl(&role).unwrap().success().unwrap();
    let read = ["get", "pod", "p", "--output=jsonpath={.status.phase}"];
    let as_alice = wait_until(Duration::from_secs(10), "the role to reach the authorizer", || {
        cluster.kubectl_as("alice", &read, b"").unwrap().success().ok()
    });
    assert_eq!(as_alice.unwrap(), "Pending");
    let refusal = cluster.kubectl_as("bob", &read, b"").unwrap().failure().unwrap();
    assert!(refusal.contains("User \"bob\" cannot get resource \"pods\""), "{refusal}");
    assert!(cluster.kubeconfig("carol").is_err());

    let url = cluster.server_url();
    cluster.stop_api_server();
    assert!(cluster.kubectl(&["get", "pods"]).unwrap().failure().unwrap().contains("refused"));
    cluster.restart_api_server().unwrap();
    assert_eq!(cluster.server_url(), url);
    assert_eq!(cluster.kubectl(&read).unwrap().success().unwrap(), "Pending");
}

/// Runs itself as a child that starts a cluster, and kills that child as nothing can prevent.
#[test]
fn a_killed_test_leaves_no_process() {
    if environment_variable(VICTIM).is_some() {
        let cluster = Cluster::start().unwrap();
        println!("\nprocesses {:?}", cluster.process_ids());
        loop {
            std::thread::park();
        }
    }
    let _alone = alone();
    let name = "cluster::tests::a_killed_test_leaves_no_process";
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let ids: Vec<u32> = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("processes ").map(|ids| serde_json::from_str(ids).unwrap()))
        .expect("the child prints its processes");
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().copied().all(is_process_alive));
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_gone(&ids);
}
