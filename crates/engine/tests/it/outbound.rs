//! Where an engine connects for images and registries that its users name.

use engine::EngineSettings;
use reqwest::StatusCode;
use scanner::{AddressRule, HostList, RegistryAddresses};
use serde_json::json;

use crate::support::{TestEngine, VULNERABLE, debian_image, registry, settings};

/// As `serve` sets it up when nothing is named.
fn guard(settings: &mut EngineSettings) {
    settings.scan.registry.addresses = RegistryAddresses::guarded(
        AddressRule::PublicOnly,
        AddressRule::PrivateNetworks,
        HostList::default(),
    );
}

#[tokio::test]
async fn users_steer_the_engine_to_no_address_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry();
    registry.push_image(&debian_image(VULNERABLE), "app:1").unwrap();
    let mut settings = settings(folder.path(), Some(&registry));
    let open = settings.clone();
    guard(&mut settings);
    let engine = TestEngine::start(settings.clone(), true).await;
    for (tag, words) in [
        ("169.254.169.254/latest/meta-data:1".to_owned(), "never connected to"),
        (registry.reference("app:1"), "`registries.private-hosts`"),
        ("localhost:1/app:1".to_owned(), "`registries.private-hosts`"),
    ] {
        let (status, value) = engine.post("/v1/images", &json!({"tag": tag})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{tag}: {value}");
        assert!(value.to_string().contains(words), "{tag}: {value}");
    }
    let record = json!({"registry": registry.host(), "registry_user": "a", "registry_pass": "b"});
    let (status, value) = engine.post("/v1/registries", &record).await;
    assert!(status.is_client_error(), "{status} {value}");
    assert!(value.to_string().contains("`registries.private-hosts`"), "{value}");
    engine.close().await;

    // What was known when everything was allowed is not read any more, and the record says why.
    let engine = TestEngine::start(open, false).await;
    let tag = registry.reference("app:1");
    let (status, added) = engine.post("/v1/images", &json!({"tag": tag})).await;
    assert_eq!(status, StatusCode::OK, "{added}");
    engine.close().await;
    let engine = TestEngine::start(settings, true).await;
    let record = engine.wait(added[0]["imageDigest"].as_str().unwrap()).await;
    assert_eq!(record["analysis_status"], "analysis_failed", "{record:#}");
    let (_, events) = engine.get("/events").await;
    assert!(events.to_string().contains("registries.private-hosts"), "{events:#}");
    engine.close().await;
}
