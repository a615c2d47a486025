//! Policies, images and processes of a real cluster, through a real server and its engine.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::{Cluster, Registry, RegistryMode, debian_images};

use crate::real_server::Machine;
use crate::support::{expect_code, words};

const SPEC: &str = "policy: {policyId: allow_all_and_warn}\nwebhookConfig: {enabled: false}\n";

#[test]
fn policies_and_images_of_a_cluster_are_managed_and_its_processes_watched() {
    let images = debian_images().unwrap();
    let registry = Registry::start(RegistryMode::Open).unwrap();
    registry.push(&images.vulnerable, "debian:vulnerable").unwrap();
    let image = registry.reference("debian:vulnerable");
    let cluster = Cluster::start().unwrap();
    let machine = Machine::start_with(&["--insecure-registry", &registry.host()]);
    machine.done(&["login", "-e", &machine.endpoint]);
    let kubeconfig = fs_err::read_to_string(cluster.kubeconfig("admin").unwrap()).unwrap();
    machine.done_with(&["cluster", "import", "--name", "demo", "--wait"], &kubeconfig);
    let text = machine.failed(&["policy", "list"]);
    assert!(text.contains("is not active in cluster `demo`"), "{text}");
    machine.done_with(&["cluster", "service", "securityscan", "activate", "--wait"], SPEC);

    // Policies: one of our own comes, judges and goes.
    let listed = machine.done(&["policy", "list"]);
    let active = |listed: &str| {
        let line = listed.lines().find(|line| line.contains('✔')).unwrap();
        words(line)[0].to_owned()
    };
    assert_eq!(active(&listed), "allow_all_and_warn", "{listed}");
    let bundle = json!({
        "id": "mine", "name": "Mine", "version": "1_0", "policies": [], "whitelists": [],
        "whitelisted_images": [], "blacklisted_images": [], "mappings": [],
    });
    machine.done_with(&["policy", "add", "-"], &bundle.to_string());
    assert!(machine.done(&["policy", "get", "mine"]).contains("\"name\": \"Mine\""));
    machine.done(&["policy", "activate", "mine"]);
    assert_eq!(active(&machine.done(&["policy", "list"])), "mine");
    let text = machine.failed(&["policy", "delete", "mine"]);
    assert!(text.contains("the server says 4"), "the active one stays: {text}");
    machine.done(&["policy", "activate", "allow_all_and_warn"]);
    machine.done(&["policy", "delete", "mine"]);
    assert!(machine.failed(&["policy", "get", "mine"]).contains("404"));
    let broken = expect_code(machine.program(&["policy", "add", "-"]).run(b"{\"id\": \"x\"}").unwrap(), 1);
    assert!(broken.stderr.contains("the server says 4"), "{}", broken.stderr);

    // Images.
    let scanned = machine.done(&["image", "scan", &image, "--wait"]);
    assert!(scanned.contains("analyzed") && scanned.contains(&image), "{scanned}");
    let record = machine.json(&["image", "get", &image]);
    let digest = record["imageDigest"].as_str().unwrap();
    assert!(machine.done(&["image", "get", digest]).contains(&image));
    machine.done(&["image", "vuln", &image]);
    let text = machine.failed(&["image", "get", "nosuch:1"]);
    assert!(text.contains("does not know image `nosuch:1`") || text.contains("404"), "{text}");

    // What was done.
    let processes = machine.json(&["process", "list", "--status", "all"]);
    let kinds: Vec<(&str, &str)> = processes
        .as_array()
        .unwrap()
        .iter()
        .map(|process| (process["type"].as_str().unwrap(), process["status"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds, [("service-activate", "finished"), ("cluster-import", "finished")]);
    assert_eq!(machine.json(&["process", "list"]), json!([]));
    let id = processes[0]["id"].as_str().unwrap();
    let shown = machine.done(&["process", "get", id]);
    assert!(shown.contains("policies") && shown.contains("finished"), "{shown}");
    machine.done(&["process", "tail", id]);
    let text = machine.failed(&["process", "cancel", id]);
    assert!(text.contains("409") && text.contains("finished already"), "{text}");
    let began = Instant::now();
    assert!(machine.failed(&["process", "tail", "nosuch"]).contains("404"));
    assert!(began.elapsed() >= Duration::from_secs(6), "three times it is waited for");
}
