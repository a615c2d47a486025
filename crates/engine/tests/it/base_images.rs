//! The image that another one was built on is found by its layers, among the images of the same account.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{ImageBuilder, Layer};

use crate::imports::Importer;
use crate::support::{
    TestEngine, VULNERABLE, database_path, duties, open_storage, registry, settings, write_database,
};

fn package(name: &str) -> String {
    format!(
        "Package: {name}\nStatus: install ok installed\nMaintainer: Somebody <a@example.org>\nArchitecture: amd64\n\
         Source: openssl\nVersion: {VULNERABLE}\nInstalled-Size: 6000\nDescription: a library\n\n"
    )
}

fn base() -> ImageBuilder {
    let release = "ID=debian\nVERSION_ID=\"12\"\n";
    ImageBuilder::new()
        .layer(Layer::new().file("etc/os-release", release).file("var/lib/dpkg/status", package("libssl3")))
}

fn middle() -> ImageBuilder {
    base().layer(Layer::new().file("middle", "m"))
}

fn app() -> ImageBuilder {
    let status = package("libssl3") + &package("openssl");
    middle().layer(Layer::new().file("var/lib/dpkg/status", status)).command(&["/app"])
}

#[tokio::test]
async fn the_longest_base_among_the_images_of_the_account_is_named() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    let push = |builder: ImageBuilder, name: &str| {
        let image = builder.build();
        registry.push_image(&image, name).unwrap();
        image.digest().to_string()
    };
    let base_digest = push(base(), "base:1");
    // The same layers, another configuration.
    let twin = push(base().user("nobody"), "twin:1");
    let middle_digest = push(middle(), "middle:1");
    let app_digest = push(app(), "app:1");
    let sibling = push(base().layer(Layer::new().file("other", "o")), "sibling:1");
    let mut settings = settings(folder.path(), Some(&registry));
    settings.intervals.image_deletion = Duration::from_millis(50);
    settings.intervals.judge_again = Duration::from_millis(50);
    let engine = TestEngine::start(settings, true).await;
    let admin = Importer { engine: &engine, account: "admin" };
    let other = Importer { engine: &engine, account: "other" };
    engine.post("/accounts", &json!({"name": "other"})).await;
    let add = async |account: &Importer<'_>, name: &str| {
        let (status, added) =
            account.send(Method::POST, "/images", &json!({"tag": registry.reference(name)})).await;
        assert_eq!(status, StatusCode::OK, "{added:#}");
        account.wait(added[0]["imageDigest"].as_str().unwrap()).await
    };
    let named = |digest: &str, name: &str, layer_count: usize| json!({"imageDigest": digest, "fulltag": registry.reference(name), "layer_count": layer_count});

    let record = add(&admin, "app:1").await;
    assert_eq!(record["base_image"], Value::Null, "{record:#}");
    for name in ["sibling:1", "base:1", "twin:1"] {
        add(&admin, name).await;
    }
    let base_of = async |account: &Importer<'_>, digest: &str| {
        account.get(&format!("/images/{digest}")).await.1[0]["base_image"].clone()
    };
    assert_eq!(base_of(&admin, &app_digest).await, named(&base_digest, "base:1", 1), "the older one of two");
    assert_eq!(base_of(&admin, &sibling).await, named(&base_digest, "base:1", 1));
    for of_nothing in [&base_digest, &twin] {
        assert_eq!(base_of(&admin, of_nothing).await, Value::Null, "equal layers are no base");
    }
    // Another account has a longer one, which this one does not see.
    add(&other, "middle:1").await;
    assert_eq!(base_of(&admin, &app_digest).await, named(&base_digest, "base:1", 1));
    assert_eq!(base_of(&other, &middle_digest).await, Value::Null, "and the other way round");
    assert_from_base(&engine, &app_digest, &[("libssl3", json!(true)), ("openssl", json!(false))]).await;
    assert_from_base(&engine, &base_digest, &[("libssl3", Value::Null)]).await;

    add(&admin, "middle:1").await;
    assert_eq!(base_of(&admin, &app_digest).await, named(&middle_digest, "middle:1", 2));
    let (_, without) = admin.get(&format!("/images/{app_digest}?detail=false")).await;
    assert_eq!(without[0]["base_image"], Value::Null, "only in detail");

    // What is gone is no base any more.
    for gone in [&middle_digest, &base_digest] {
        admin.send(Method::DELETE, &format!("/images/{gone}?force=true"), &json!({})).await;
        duties(&engine, async || base_of(&admin, &app_digest).await["imageDigest"] != **gone).await;
    }
    assert_eq!(base_of(&admin, &app_digest).await, named(&twin, "twin:1", 1));
    engine.close().await;
}

async fn assert_from_base(engine: &TestEngine, digest: &str, expected: &[(&str, Value)]) {
    let (_, report) = engine.get(&format!("/images/{digest}/vuln/all")).await;
    let rows = report["vulnerabilities"].as_array().unwrap();
    let found: Vec<(&str, Value)> = rows
        .iter()
        .map(|row| (row["package_name"].as_str().unwrap(), row["from_base_image"].clone()))
        .collect();
    assert_eq!(found, expected, "{report:#}");
}

#[tokio::test]
async fn analyses_of_earlier_releases_get_their_chains() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    registry.push_image(&base().build(), "base:1").unwrap();
    registry.push_image(&app().build(), "app:1").unwrap();
    let mut settings = settings(folder.path(), Some(&registry));
    settings.intervals.judge_again = Duration::from_millis(50);
    let engine = TestEngine::start(settings, true).await;
    engine.add_and_wait(&registry.reference("base:1")).await;
    let digest = engine.add_and_wait(&registry.reference("app:1")).await["imageDigest"].clone();
    let path = format!("/images/{}", digest.as_str().unwrap());
    let base = async || engine.get(&path).await.1[0]["base_image"]["layer_count"].clone();
    assert_eq!(base().await, 1);

    let database = open_storage(folder.path()).await;
    let mut tx = database.begin().await.unwrap();
    let forget = "UPDATE analyses SET chain_id = NULL, prefix_chain_ids = NULL";
    storage::query(forget).execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(base().await, Value::Null);
    duties(&engine, async || base().await == 1).await;
    engine.close().await;
}
