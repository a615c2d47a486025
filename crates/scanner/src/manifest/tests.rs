//! Tests of `manifest`: which documents are images, and which image of an index is taken.

use serde_json::json;

use super::*;
use crate::ScanErrorKind;

fn descriptor(media_type: &str) -> serde_json::Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{}", "1".repeat(64)), "size": 3})
}

fn parse(document: &serde_json::Value, stated: Option<&str>) -> Result<Manifest, ScanError> {
    parse_manifest(document.to_string().as_bytes(), stated, "manifest")
}

#[test]
fn a_document_is_exactly_one_kind() {
    let image = json!({"schemaVersion": 2, "config": descriptor(OCI_CONFIG), "layers": []});
    let index = json!({"schemaVersion": 2, "manifests": []});
    assert!(matches!(parse(&image, None), Ok(Manifest::Image(_))));
    assert!(matches!(parse(&image, Some(OCI_MANIFEST)), Ok(Manifest::Image(_))));
    assert!(matches!(parse(&index, Some(DOCKER_INDEX)), Ok(Manifest::Index(_))));
    assert!(matches!(
        parse(&json!({"schemaVersion": 2, "manifests": null}), Some(OCI_INDEX)),
        Ok(Manifest::Index(_))
    ));
    for (document, stated) in [
        (image.clone(), Some(OCI_INDEX)),
        (index.clone(), Some(OCI_MANIFEST)),
        (json!({"schemaVersion": 2, "config": descriptor(OCI_CONFIG), "layers": [], "manifests": []}), None),
        (
            json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "config": descriptor(OCI_CONFIG), "layers": []}),
            None,
        ),
        (json!({"schemaVersion": 2}), None),
        (json!({"config": descriptor(OCI_CONFIG), "layers": []}), None),
        (json!({"schemaVersion": 3, "manifests": []}), None),
    ] {
        let error = parse(&document, stated).unwrap_err();
        assert_eq!(error.kind(), ScanErrorKind::BadImage, "{document}: {error}");
    }
}

#[test]
fn what_is_no_image_says_so() {
    let chart = json!({"schemaVersion": 2, "config": descriptor("application/vnd.cncf.helm.config.v1+json"), "layers": []});
    let empty = json!({"schemaVersion": 2, "artifactType": "application/x-thing",
        "config": descriptor("application/vnd.oci.empty.v1+json"), "layers": []});
    for document in [chart, empty] {
        assert!(matches!(parse(&document, None), Err(ScanError::NotAnImage { .. })), "{document}");
    }
    let old = json!({"schemaVersion": 1, "name": "a", "fsLayers": []});
    assert!(matches!(parse(&old, None), Err(ScanError::ManifestSchema1)));
    let unknown = json!({"schemaVersion": 2, "mediaType": "application/x-what"});
    assert!(matches!(parse(&unknown, None), Err(ScanError::UnsupportedType { .. })));
}

#[test]
fn damaged_documents_are_errors_and_never_panics() {
    for text in [
        "",
        "null",
        "[]",
        "{",
        "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:../..\",\"size\":1},\"layers\":[]}",
        "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:1\",\"size\":-1}]}",
    ] {
        let error = parse_manifest(text.as_bytes(), None, "manifest").unwrap_err();
        assert_eq!(error.kind(), ScanErrorKind::BadImage, "`{text}`: {error}");
    }
}

#[test]
fn counts_have_limits() {
    let with = |layers: usize| {
        let layers: Vec<_> = (0..layers).map(|_| descriptor("x")).collect();
        json!({"schemaVersion": 2, "config": descriptor(OCI_CONFIG), "layers": layers})
    };
    assert!(parse(&with(LAYERS_MAX - 1), None).is_ok());
    assert!(parse(&with(LAYERS_MAX), None).is_ok());
    assert!(matches!(parse(&with(LAYERS_MAX + 1), None), Err(ScanError::TooLarge { .. })));
}

/// `there` lists platforms; the result is the index of the chosen one.
fn check_selection(there: &[&str], wanted: &str, expected: Option<usize>) {
    let descriptors: Vec<Descriptor> = there
        .iter()
        .map(|text| {
            let mut value = descriptor(OCI_MANIFEST);
            if !text.is_empty() {
                let parts: Vec<&str> = text.split('/').collect();
                value["platform"] =
                    json!({"os": parts[0], "architecture": parts[1], "variant": parts.get(2)});
            }
            serde_json::from_value(value).unwrap()
        })
        .collect();
    let parts: Vec<&str> = wanted.split('/').collect();
    let wanted_platform = Platform {
        os: parts[0].to_owned(),
        architecture: parts[1].to_owned(),
        variant: parts.get(2).map(|text| (*text).to_owned()),
    };
    let chosen = select_platform(&descriptors, &wanted_platform)
        .ok()
        .and_then(|chosen| descriptors.iter().position(|descriptor| std::ptr::eq(descriptor, chosen)));
    assert_eq!(chosen, expected, "{there:?} for {wanted}");
}

#[test]
fn the_wanted_platform_is_chosen() {
    check_selection(&["linux/amd64", "linux/arm64/v8"], "linux/amd64", Some(0));
    check_selection(&["linux/amd64", "linux/arm64/v8"], "linux/arm64", Some(1));
    check_selection(&["linux/amd64", "linux/arm64/v8"], "linux/aarch64/v8", Some(1));
    check_selection(&["unknown/unknown", "linux/amd64"], "linux/amd64", Some(1));
    check_selection(&["linux/arm/v6", "linux/arm/v7"], "linux/arm", Some(1));
    check_selection(&["linux/arm/v6", "linux/arm/v7"], "linux/arm/v6", Some(0));
    check_selection(&["linux/arm/v5", "linux/arm/v6"], "linux/arm/v7", Some(1));
    check_selection(&["linux/arm/v7"], "linux/arm/v6", None);
    check_selection(&["linux/amd64/v2", "linux/amd64"], "linux/amd64", Some(1));
    check_selection(&["linux/amd64", "linux/amd64"], "linux/amd64", Some(0));
    check_selection(&[""], "linux/s390x", Some(0));
    check_selection(&["", ""], "linux/amd64", None);
    check_selection(&["windows/amd64"], "linux/amd64", None);
    check_selection(&[], "linux/amd64", None);
}

#[test]
fn a_missing_platform_lists_what_is_there() {
    let mut value = descriptor(OCI_MANIFEST);
    value["platform"] = json!({"os": "linux", "architecture": "s390x"});
    let descriptors = [serde_json::from_value(value).unwrap()];
    let wanted = Platform { os: "linux".into(), architecture: "amd64".into(), variant: None };
    let error = select_platform(&descriptors, &wanted).unwrap_err();
    assert_eq!(error.to_string(), "image has no platform `linux/amd64`; it has `linux/s390x`");
    assert_eq!(error.kind(), ScanErrorKind::NotFound);
}
