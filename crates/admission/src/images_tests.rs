//! Every place of an object that names an image is found, and the schema says that there is no other.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;
use serde_json::{Value, json};

use super::*;

fn check(kind: &str, object: Value, expected: &[&str]) {
    let text = object.to_string();
    let found = read_object(kind, &text).unwrap_or_else(|error| panic!("{kind}: {error}"));
    assert_eq!(found.images, expected, "{kind}: {text}");
}

fn spec() -> Value {
    json!({
        "containers": [{ "image": "c" }, { "image": "c2" }, { "image": "c" }],
        "initContainers": [{ "image": "i" }],
        "ephemeralContainers": [{ "image": "e" }],
        "volumes": [{ "name": "v", "emptyDir": {} }, { "image": { "reference": "v", "pullPolicy": "Always" } }],
    })
}

#[test]
fn every_place_of_a_pod_and_of_every_template_is_read() {
    let all = ["i", "c", "c2", "e", "v"];
    check("Pod", json!({ "spec": spec() }), &all);
    for kind in ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"] {
        check(kind, json!({ "spec": { "replicas": 0, "template": { "spec": spec() } } }), &all);
    }
    check(
        "CronJob",
        json!({ "spec": { "jobTemplate": { "spec": { "template": { "spec": spec() } } } } }),
        &all,
    );
    check("PodTemplate", json!({ "template": { "spec": spec() } }), &all);
    check("Pod", json!({ "spec": { "containers": null, "volumes": [] } }), &[]);
    check("Pod", json!({ "spec": { "containers": [{ "name": "x" }] } }), &[""]);
    check("Pod", json!({ "spec": { "containers": [{ "image": "a\"\u{e9}\\b" }] } }), &["a\"\u{e9}\\b"]);
}

#[test]
fn the_number_of_images_is_bounded() {
    let object = |count: usize| {
        let containers: Vec<_> = (0..count).map(|number| json!({ "image": format!("i{number}") })).collect();
        json!({ "spec": { "containers": containers } }).to_string()
    };
    for (count, is_good) in [(IMAGES_MAX - 1, true), (IMAGES_MAX, true), (IMAGES_MAX + 1, false)] {
        assert_eq!(read_object("Pod", &object(count)).is_ok(), is_good, "{count}");
    }
}

/// Walks the published schema of a Pod: a new place for images in a later version of Kubernetes fails here.
#[test]
fn no_other_place_of_a_pod_names_an_image() {
    let schema = serde_json::to_value(schemars::schema_for!(PodSpec)).unwrap();
    let mut found = BTreeSet::new();
    walk(&schema, &schema, "", &mut found, 0);
    let expected = [
        "containers[].image",
        "ephemeralContainers[].image",
        "initContainers[].image",
        "volumes[].image",
        "volumes[].image.reference",
    ];
    assert_eq!(found, expected.into_iter().map(str::to_owned).collect());
}

fn walk(root: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>, depth: usize) {
    if depth > 40 {
        return;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        walk(root, target, path, found, depth + 1);
    }
    for alternative in ["anyOf", "allOf", "oneOf"].iter().filter_map(|key| schema[*key].as_array()).flatten()
    {
        walk(root, alternative, path, found, depth + 1);
    }
    if schema["items"].is_object() {
        walk(root, &schema["items"], &format!("{path}[]"), found, depth + 1);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        // RBD and others have an `image` too: a block device, not a container image.
        let is_block_device = path.ends_with(".rbd");
        if (name == "image" && !is_block_device) || name == "reference" {
            found.insert(here.clone());
        }
        walk(root, property, &here, found, depth + 1);
    }
}
