//! What services rely on in both places that keep secrets, and what only the tables have: keys that are changed and lost.

use std::sync::Arc;

use control_plane::{
    ControlPlane, ExpectedVersion, SecretError, SecretId, SecretStoreError, SecretValue, generate_password,
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{TestPlane, open, settings};
use crate::vault_support::{TestVault, password, with_vault};

async fn read(plane: &ControlPlane, name: &str) -> String {
    let secret = plane.find_secret_by_name(1, name).await.unwrap().unwrap();
    secret.value("password").unwrap().reveal().to_owned()
}

async fn a_secret_goes_through_its_life(plane: Arc<ControlPlane>) {
    let made = plane.create_secret(1, password("robot", "one")).await.unwrap();
    assert_eq!((made.version, made.id.clone()), (1, SecretId::of_name("robot")));
    let again = plane.create_secret(1, password("robot", "two")).await.unwrap_err();
    assert!(matches!(again, SecretError::AlreadyExists), "{again:?}");

    // Check and set.
    let two = plane.put_secret(1, password("robot", "two"), ExpectedVersion::Exactly(1)).await.unwrap();
    assert_eq!(two.version, 2);
    let late = plane.put_secret(1, password("robot", "late"), ExpectedVersion::Exactly(1)).await.unwrap_err();
    assert!(matches!(late, SecretError::Changed { expected: 1 }), "{late:?}");
    let absent = plane.put_secret(1, password("robot", "x"), ExpectedVersion::Absent).await.unwrap_err();
    assert!(matches!(absent, SecretError::AlreadyExists), "{absent:?}");
    let early = plane.put_secret(1, password("nobody", "x"), ExpectedVersion::Exactly(1)).await.unwrap_err();
    assert!(matches!(early, SecretError::Changed { .. }), "{early:?}");
    assert_eq!(read(&plane, "robot").await, "two");
    let three = plane.put_secret(1, password("robot", "three"), ExpectedVersion::Any).await.unwrap();
    assert_eq!((three.version, read(&plane, "robot").await.as_str()), (3, "three"));
    plane.put_secret(1, password("new", "x"), ExpectedVersion::Any).await.unwrap();

    // A technical user's password is never empty, whatever a service forgot.
    let empty = plane.put_secret(1, password("robot", ""), ExpectedVersion::Any).await.unwrap_err();
    assert!(matches!(empty, SecretError::Invalid(_)), "{empty:?}");
    let mut generated = password("robot", "");
    generated.values.insert("password".to_owned(), generate_password());
    plane.put_secret(1, generated, ExpectedVersion::Any).await.unwrap();
    assert_eq!(read(&plane, "robot").await.len(), 12);

    let names: Vec<String> =
        plane.list_secrets(1, None).await.unwrap().into_iter().map(|secret| secret.name).collect();
    assert_eq!(names, ["new", "robot"]);
    plane.delete_secret(1, made.id.as_str()).await.unwrap();
    let gone = plane.delete_secret(1, made.id.as_str()).await.unwrap_err();
    assert!(matches!(gone, SecretError::NotFound), "{gone:?}");
    assert_eq!(plane.create_secret(1, password("robot", "anew")).await.unwrap().version, 1);
    plane.check_secrets().await.unwrap();
}

#[tokio::test]
async fn the_tables_keep_secrets_through_their_life() {
    let folder = tempfile::tempdir().unwrap();
    a_secret_goes_through_its_life(open(settings(folder.path())).await.0).await;
}

#[tokio::test]
async fn a_vault_keeps_secrets_through_their_life() {
    let folder = tempfile::tempdir().unwrap();
    let vault = TestVault::shared().await;
    let mount = vault.mount("2").await;
    a_secret_goes_through_its_life(open(with_vault(folder.path(), vault.root_settings(&mount))).await.0)
        .await;
}

#[tokio::test]
async fn of_many_who_write_at_the_same_time_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let vault = TestVault::shared().await;
    let in_vault = with_vault(folder.path(), vault.root_settings(&vault.mount("2").await));
    for settings in [settings(folder.path()), in_vault] {
        let (plane, _) = open(settings).await;
        let writers = (0..8).map(|number| {
            let plane = Arc::clone(&plane);
            tokio::spawn(async move { plane.create_secret(1, password("one", &number.to_string())).await })
        });
        let mut winners = 0;
        for writer in writers.collect::<Vec<_>>() {
            match writer.await.unwrap() {
                Ok(_) => winners += 1,
                Err(error) => assert!(matches!(error, SecretError::AlreadyExists), "{error:?}"),
            }
        }
        assert_eq!(winners, 1);
    }
}

#[tokio::test]
async fn a_new_key_seals_secrets_again_and_a_lost_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("sealing.keys");
    let (plane, _) = open(settings(folder.path())).await;
    plane.create_secret(1, password("robot", "hunter2")).await.unwrap();
    let sealed = async || -> Vec<u8> {
        let database = crate::support::database(folder.path()).await;
        storage::query("SELECT sealed FROM plane_secrets").fetch_value(&database).await.unwrap()
    };
    let first = sealed().await;
    assert!(!String::from_utf8_lossy(&first).contains("hunter2"));
    storage::Sealer::rotate(&keys).unwrap();
    assert_eq!(read(&plane, "robot").await, "hunter2", "a running control plane goes on");
    drop(plane);
    let (plane, _) = open(settings(folder.path())).await;
    let sealer = storage::Sealer::open_or_create(&keys).unwrap();
    assert!(!sealer.is_current(&first) && sealer.is_current(&sealed().await), "sealed again at the start");
    assert_eq!(read(&plane, "robot").await, "hunter2");
    drop(plane);

    // The key of tokens is lost with the file, so it is given.
    let mut lost = settings(folder.path());
    lost.signing_key = Some(control_plane::SigningKey::new("x".repeat(32)).unwrap());
    fs_err::remove_file(&keys).unwrap();
    let (plane, _) = open(lost).await;
    let error = plane.find_secret_by_name(1, "robot").await.unwrap_err();
    let SecretError::Store(SecretStoreError::Unseal { source, .. }) = &error else {
        unreachable!("{error:?}")
    };
    assert!(source.to_string().contains("is not in the key file"), "{source}");
    assert_eq!(plane.list_secrets(1, None).await.unwrap().len(), 1, "what needs no key is shown");
    plane.put_secret(1, password("robot", "anew"), ExpectedVersion::Any).await.unwrap();
    assert_eq!(read(&plane, "robot").await, "anew");
}

#[tokio::test]
async fn a_sealed_value_opens_in_its_own_organization_only() {
    let folder = tempfile::tempdir().unwrap();
    let plane = TestPlane::start(settings(folder.path())).await;
    let other = plane.add_organization(folder.path(), "other").await;
    let body = json!({"name": "robot", "type": "generic", "values": {"k": "hunter2"}});
    for organization in [1, other] {
        let path = format!("/api/v1/orgs/{organization}/secrets");
        assert_eq!(plane.send(Method::POST, &path, &body).await.0, StatusCode::CREATED);
    }
    // Somebody who writes to the database moves the secret of others into his organization.
    let database = crate::support::database(folder.path()).await;
    let mut tx = database.begin().await.unwrap();
    storage::query(
        "UPDATE plane_secrets SET sealed = (SELECT sealed FROM plane_secrets WHERE organization_id = 1) \
         WHERE organization_id = $1",
    )
    .bind(other)
    .execute(&mut tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let path = format!("/api/v1/orgs/{other}/secrets/{}", SecretId::of_name("robot"));
    let (status, refused) = plane.get(&path).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused["error"].as_str().unwrap().contains("is damaged or belongs elsewhere"), "{refused:#}");
    plane.close().await;
}

#[test]
fn a_value_is_shown_by_nobody_but_reveal() {
    let value = SecretValue::new("hunter2");
    assert_eq!((value.reveal(), format!("{value:?}").as_str()), ("hunter2", "SecretValue(…)"));
}
