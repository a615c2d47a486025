//! The question of the webhook in the same process.

use std::time::Duration;

use engine::VerdictError;
use model::{ImageReference, Severity};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{
    FIXED, TestEngine, VULNERABLE, activate, bundle, database_path, debian_image, refuse_high, registry,
    settings, write_database,
};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[tokio::test]
async fn an_image_nobody_knew_is_judged_with_reasons() {
    let (folder, mut registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    let image = debian_image(VULNERABLE);
    registry.push_image(&image, "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    activate(&engine, &refuse_high("strict")).await;
    let reference: ImageReference = registry.reference("app:1").parse().unwrap();
    let (one, two) = tokio::join!(
        engine.engine.verdict(engine::ADMIN, &reference, soon()),
        engine.engine.verdict(engine::ADMIN, &reference, soon())
    );
    let verdict = one.unwrap();
    assert_eq!(two.unwrap().digest, verdict.digest);
    assert_eq!(&verdict.digest, image.digest());
    assert!(!verdict.is_pass);
    assert_eq!(verdict.policy_id, "strict");
    assert!(verdict.policy_revision.starts_with("sha256:") && verdict.database_revision != "none");
    let reason = &verdict.reasons[0];
    assert_eq!((reason.gate.as_str(), reason.trigger.as_str()), ("vulnerabilities", "package"));
    assert_eq!(reason.vulnerability.as_deref(), Some("CVE-2099-0001"));
    assert_eq!((reason.package.as_deref(), reason.installed.as_deref()), (Some("libssl3"), Some(VULNERABLE)));
    assert_eq!((reason.fixed_in.as_deref(), reason.severity), (Some(FIXED), Some(Severity::High)));

    let state = engine.engine.verdict_state(engine::ADMIN).await.unwrap();
    assert_eq!(
        (state.policy_revision, state.database_revision),
        (verdict.policy_revision, verdict.database_revision)
    );
    // A known digest needs no registry.
    registry.stop();
    let pinned = reference.at_digest(verdict.digest);
    assert!(!engine.engine.verdict(engine::ADMIN, &pinned, soon()).await.unwrap().is_pass);
    let by_tag = engine.engine.verdict(engine::ADMIN, &reference, soon()).await;
    assert!(matches!(by_tag, Err(VerdictError::Undecided { .. })), "{by_tag:?}");
    engine.close().await;
}

#[tokio::test]
async fn a_pinned_digest_does_not_move_the_tag_beside_it() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let (tagged, pinned) = (debian_image(FIXED), debian_image(VULNERABLE));
    registry.push_image(&tagged, "app:1").unwrap();
    registry.push_image(&pinned, "app:old").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let name = registry.reference("app:1");
    let by_tag = engine.engine.verdict(engine::ADMIN, &name.parse().unwrap(), soon()).await.unwrap();
    assert_eq!(&by_tag.digest, tagged.digest());
    let reference = format!("{name}@{}", pinned.digest()).parse().unwrap();
    assert_eq!(
        &engine.engine.verdict(engine::ADMIN, &reference, soon()).await.unwrap().digest,
        pinned.digest()
    );
    let (_, images) = engine.get(&format!("/v1/images?fulltag={name}")).await;
    assert_eq!(images[0]["imageDigest"], tagged.digest().to_string(), "{images}");
    engine.close().await;
}

#[tokio::test]
async fn what_cannot_be_known_in_time_is_undecided_and_goes_on() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let image = debian_image(FIXED);
    registry.push_image(&image, "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), false).await;
    activate(&engine, &bundle("open", "always", "always", "WARN", json!([]))).await;
    let reference: ImageReference = registry.reference("app:1").parse().unwrap();
    let started = Instant::now();
    let verdict =
        engine.engine.verdict(engine::ADMIN, &reference, started + Duration::from_millis(700)).await;
    assert!(
        matches!(&verdict, Err(VerdictError::Undecided { reason }) if reason.contains("not_analyzed")),
        "{verdict:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(3));
    let past = engine.engine.verdict(engine::ADMIN, &reference, started).await;
    assert!(matches!(past, Err(VerdictError::Undecided { .. })), "{past:?}");
    engine.close().await;

    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let verdict = engine.engine.verdict(engine::ADMIN, &reference, soon()).await.unwrap();
    assert!(verdict.is_pass && verdict.reasons.is_empty());
    assert_eq!((verdict.warnings.len(), verdict.warnings[0].gate.as_str()), (1, "always"));
    assert_eq!(verdict.database_revision, "none");
    engine.close().await;
}

#[tokio::test]
async fn an_image_that_is_not_there_is_no_question_of_time() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), false).await;
    let reference: ImageReference = registry.reference("nosuch:1").parse().unwrap();
    let verdict = engine.engine.verdict(engine::ADMIN, &reference, soon()).await;
    assert!(matches!(verdict, Err(VerdictError::Unavailable { .. })), "{verdict:?}");
}

#[tokio::test]
async fn a_denied_name_is_a_reason_of_its_own() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    registry.push_image(&debian_image(FIXED), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let mut denied = bundle("deny", "always", "always", "GO", json!([]));
    denied["blacklisted_images"] = json!([{"id": "b1", "name": "no apps", "registry": "*", "repository": "app",
        "image": {"type": "tag", "value": "*"}}]);
    activate(&engine, &denied).await;
    let reference: ImageReference = registry.reference("app:1").parse().unwrap();
    let verdict = engine.engine.verdict(engine::ADMIN, &reference, soon()).await.unwrap();
    assert!(!verdict.is_pass);
    assert_eq!(
        (verdict.reasons[0].gate.as_str(), verdict.reasons[0].trigger.as_str()),
        ("bundle", "blacklisted_images")
    );
    engine.close().await;
}
