//! Nothing is lost when the process ends.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{FIXED, PASSWORD, TestEngine, activate, bundle, debian_image, registry, settings};

#[tokio::test]
async fn images_policies_password_and_wanted_work_survive() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let image = debian_image(FIXED);
    registry.push_image(&image, "app:1").unwrap();
    let tag = registry.reference("app:1");
    let digest = image.digest().to_string();

    let first = TestEngine::start(settings(folder.path(), Some(&registry)), false).await;
    activate(&first, &bundle("mine", "always", "always", "WARN", json!([]))).await;
    let (_, added) = first.post("/images", &json!({"tag": tag})).await;
    assert_eq!(added[0]["analysis_status"], "not_analyzed");
    first.close().await;

    let mut again = settings(folder.path(), Some(&registry));
    again.admin_password = None;
    let second = TestEngine::start(again, true).await;
    assert_eq!(second.get("/user").await.0, StatusCode::OK, "the password stays `{PASSWORD}`");
    assert_eq!(
        second.wait(&digest).await["analysis_status"],
        "analyzed",
        "queued work is done after the start"
    );
    let (_, value) = second.check(&digest, &tag).await;
    assert_eq!(value[0][&digest][&tag][0]["policyId"], "mine");
    second.close().await;

    let third = TestEngine::start(settings(folder.path(), None), false).await;
    let (_, images) = third.get("/images").await;
    assert_eq!(images[0]["imageDigest"], digest);
    assert_eq!(
        third.get(&format!("/images/{digest}/content/os")).await.1["content"][0]["package"],
        "libssl3"
    );
}

#[tokio::test]
async fn work_that_a_lost_process_held_is_taken_over() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let image = debian_image(FIXED);
    registry.push_image(&image, "app:1").unwrap();
    let tag = registry.reference("app:1");
    let first = TestEngine::start(settings(folder.path(), Some(&registry)), false).await;
    first.post("/images", &json!({"tag": tag})).await;
    // What a killed worker leaves: a lease that nobody will end.
    let database = crate::support::open_storage(folder.path()).await;
    let now = crate::support::clock();
    let mut tx = database.begin().await.unwrap();
    // On a shared database a lease is honoured until it ends; a file has only one process, so all of its leases are lost.
    let hold = std::time::Duration::from_secs(if database.is_shared() { 0 } else { 3600 });
    assert!(storage::claim(&mut tx, "analyze_image", "gone", now + hold, now).await.unwrap().is_some());
    storage::query("UPDATE images SET analysis_status = 'analyzing'").execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    database.close().await;
    first.close().await;

    let second = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    assert_eq!(second.wait(&image.digest().to_string()).await["analysis_status"], "analyzed");
    second.close().await;
}

#[tokio::test]
async fn the_first_start_makes_up_a_password_and_later_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), None);
    settings.admin_password = None;
    let (engine, start) = engine::Engine::open(settings.clone()).await.unwrap();
    let password = start.generated_password.clone().unwrap();
    assert!(start.is_new && start.user == "admin" && password.len() == 20);
    assert!(!format!("{start:?}").contains(&password));
    assert!(engine.authenticate("admin", &password).await.is_ok());
    engine.shutdown().await;
    let (engine, start) = engine::Engine::open(settings).await.unwrap();
    assert!(!start.is_new && start.generated_password.is_none());
    assert!(engine.authenticate("admin", &password).await.is_ok());
    engine.shutdown().await;
}
