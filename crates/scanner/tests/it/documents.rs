//! Manifest and configuration of an image that nobody pulls.

use scanner::{ScanErrorKind, describe_image};
use serde_json::{Value, json};

fn documents() -> (Vec<u8>, Vec<u8>) {
    let config = json!({
        "architecture": "arm64", "os": "linux", "created": "2024-01-01T00:00:00Z",
        "config": {"User": "app", "Env": ["A=b"], "ExposedPorts": {"80/tcp": {}}, "Cmd": ["run"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(b"layer")]},
        "history": [{"created_by": "RUN make"}],
    })
    .to_string()
    .into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": config.len(),
                   "digest": digest(&config)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": 5, "digest": digest(b"blob")}],
    });
    (manifest.to_string().into_bytes(), config)
}

fn digest(bytes: &[u8]) -> String {
    crate::support::image::digest(bytes).to_string()
}

#[test]
fn facts_are_those_of_the_documents() {
    let (manifest, config) = documents();
    let facts = describe_image(&manifest, &config).unwrap();
    assert_eq!((facts.digest.to_string(), facts.image_id.to_string()), (digest(&manifest), digest(&config)));
    assert_eq!(facts.parent_digest, facts.digest);
    assert_eq!((facts.platform.architecture.as_str(), facts.user.as_deref()), ("arm64", Some("app")));
    assert_eq!(facts.layers.len(), 1);
    assert_eq!(facts.layers[0].digest.as_ref().unwrap().to_string(), digest(b"blob"));
    assert_eq!((facts.layers[0].diff_id.to_string(), facts.layers[0].size_bytes), (digest(b"layer"), 5));
    assert_eq!(facts.layers[0].unpacked_bytes, 0, "nobody unpacked it");
}

#[test]
fn documents_that_are_of_no_image_are_refused() {
    let (manifest, config) = documents();
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_slice(&manifest).unwrap();
        edit(&mut value);
        value.to_string().into_bytes()
    };
    let index = json!({"schemaVersion": 2, "manifests": []}).to_string().into_bytes();
    let deep = format!("{{\"config\": {}", "[".repeat(100_000)).into_bytes();
    for (what, manifest, config) in [
        ("a configuration of another image", manifest.clone(), b"{}".to_vec()),
        ("no manifest", Vec::new(), config.clone()),
        ("a manifest that is no object", b"[]".to_vec(), config.clone()),
        ("nesting", deep, config.clone()),
        ("an index", index, config.clone()),
        (
            "a layer too many",
            edited(&|manifest| {
                let layer = manifest["layers"][0].clone();
                manifest["layers"].as_array_mut().unwrap().push(layer);
            }),
            config.clone(),
        ),
        (
            "a bad digest of a layer",
            edited(&|manifest| manifest["layers"][0]["digest"] = json!("x")),
            config.clone(),
        ),
    ] {
        let error = describe_image(&manifest, &config).unwrap_err();
        assert_eq!(error.kind(), ScanErrorKind::BadImage, "{what}: {error}");
    }
}
