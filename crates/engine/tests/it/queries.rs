//! Questions across images: who has this package, who has this vulnerability, what is known about it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    FIXED, PASSWORD, TestEngine, VULNERABLE, answer, database_path, debian_image, open_storage, registry,
    settings, write_database,
};

fn digests(answer: &Value) -> Vec<&str> {
    let images = answer["images"].as_array().unwrap();
    images.iter().map(|image| image["image"]["imageDigest"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn images_are_found_by_package_and_by_vulnerability() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    let (vulnerable, fixed) = (debian_image(VULNERABLE), debian_image(FIXED));
    registry.push_image(&vulnerable, "app:1").unwrap();
    registry.push_image(&fixed, "app:2").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    for tag in ["app:1", "app:2"] {
        engine.add_and_wait(&registry.reference(tag)).await;
    }
    let (vulnerable, fixed) = (vulnerable.digest().to_string(), fixed.digest().to_string());
    let mut both = [vulnerable.as_str(), fixed.as_str()];
    both.sort_unstable();

    let (status, found) = engine.get("/v1/query/images/by_package?name=libssl3").await;
    assert_eq!(status, StatusCode::OK, "{found:#}");
    assert_eq!(digests(&found), both);
    assert_eq!((&found["page"], &found["total_count"]), (&json!("1"), &json!(2)));
    for (query, expected) in [
        (format!("name=libssl3&version={VULNERABLE}"), vec![vulnerable.as_str()]),
        (format!("name=libssl3&version={FIXED}&package_type=dpkg"), vec![fixed.as_str()]),
        ("name=libssl3&package_type=rpm".to_owned(), Vec::new()),
        ("name=libssl3&package_type=bogus".to_owned(), Vec::new()),
        ("name=LIBSSL3".to_owned(), Vec::new()),
        ("name=openssl".to_owned(), Vec::new()),
        ("name=libssl3&limit=1&page=2".to_owned(), vec![both[1]]),
        ("name=libssl3&limit=1&page=3".to_owned(), Vec::new()),
    ] {
        let (status, found) = engine.get(&format!("/query/images/by_package?{query}")).await;
        assert_eq!((status, digests(&found)), (StatusCode::OK, expected), "{query}");
        assert!(found.get("next_page").is_none(), "{query}");
    }
    let (_, first) = engine.get("/query/images/by_package?name=libssl3&limit=1").await;
    assert_eq!((&first["next_page"], &first["returned_count"]), (&json!("2"), &json!(1)));

    let (status, found) =
        engine.get("/query/images/by_vulnerability?vulnerability_id=CVE-2099-0001&severity=High").await;
    assert_eq!(status, StatusCode::OK, "{found:#}");
    assert_eq!(digests(&found), [vulnerable.as_str()]);
    assert_eq!(
        found["images"][0]["vulnerable_packages"],
        json!([{"name": "libssl3", "version": VULNERABLE, "type": "dpkg", "namespace": "debian:12", "severity": "High"}])
    );
    assert_eq!(found["images"][0]["image"]["tag_history"][0]["fulltag"], registry.reference("app:1"));
    for wrong in ["severity=Low", "namespace=debian:11", "affected_package=bash"] {
        let (_, found) = engine
            .get(&format!("/query/images/by_vulnerability?vulnerability_id=CVE-2099-0001&{wrong}"))
            .await;
        assert_eq!(found["total_count"], 0, "{wrong}");
    }
    let (_, known) = engine.get("/query/vulnerabilities?id=CVE-2099-0001").await;
    assert_eq!(known["vulnerabilities"][0]["affected_packages"][0]["version"], FIXED);
    assert_eq!(known["vulnerabilities"][0]["severity"], "High");

    // What is deleted is not found any more, even before it is gone.
    engine.send(Method::DELETE, &format!("/images/{vulnerable}?force=true"), &json!({})).await;
    for path in ["by_package?name=libssl3", "by_vulnerability?vulnerability_id=CVE-2099-0001"] {
        let (_, found) = engine.get(&format!("/query/images/{path}")).await;
        assert!(!digests(&found).contains(&vulnerable.as_str()), "{path}");
    }
    engine.close().await;
}

/// Reports of earlier versions are in no index, and reports by older data say nothing about this one.
#[tokio::test]
async fn images_are_found_by_vulnerability_whatever_the_index_holds() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let mut digests_expected = Vec::new();
    for number in 0..3 {
        let image = debian_image(&format!("3.0.{number}-1"));
        registry.push_image(&image, &format!("app:{number}")).unwrap();
        engine.add_and_wait(&registry.reference(&format!("app:{number}"))).await;
        digests_expected.push(image.digest().to_string());
    }
    digests_expected.sort();
    let path = "/query/images/by_vulnerability?vulnerability_id=CVE-2099-0001";
    let (_, indexed) = engine.get(path).await;
    assert_eq!(digests(&indexed), digests_expected);
    let storage = open_storage(folder.path()).await;
    for (index, change) in [
        "UPDATE image_reports SET is_indexed = 0 WHERE digest = $1",
        "UPDATE image_reports SET database_revision = 'older' WHERE digest = $1",
        "UPDATE image_reports SET database_revision = 'zzz' WHERE digest = $1",
        "DELETE FROM image_reports WHERE digest = $1",
    ]
    .into_iter()
    .enumerate()
    {
        let mut tx = storage.begin().await.unwrap();
        storage::query(change).bind(&digests_expected[index % 3]).execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(engine.get(path).await.1, indexed, "{change}");
        for page in 1..=3 {
            let (_, found) = engine.get(&format!("{path}&limit=1&page={page}")).await;
            assert_eq!(digests(&found), [digests_expected[page - 1].as_str()], "{change}");
            assert_eq!(found["total_count"], 3, "{change}");
        }
    }
    // What is not in the index is put there by the duty.
    crate::support::duties(&engine, async || {
        let rows: i64 = storage::query("SELECT count(DISTINCT digest) FROM image_findings")
            .fetch_value(&storage)
            .await
            .unwrap();
        let missing: i64 = storage::query("SELECT count(*) FROM image_reports WHERE is_indexed = 0")
            .fetch_value(&storage)
            .await
            .unwrap();
        (rows, missing) == (3, 0)
    })
    .await;
    assert_eq!(engine.get(path).await.1, indexed);
    engine.close().await;
}

#[tokio::test]
async fn an_account_finds_its_own_images_only() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    registry.push_image(&debian_image(VULNERABLE), "app:1").unwrap();
    let engine = TestEngine::start(settings(folder.path(), Some(&registry)), true).await;
    let credential = json!({"username": "eve", "password": PASSWORD});
    engine.post("/accounts", &json!({"name": "other", "type": "user"})).await;
    engine.post("/accounts/other/users", &credential).await;
    engine.add_and_wait(&registry.reference("app:1")).await;
    for path in ["by_package?name=libssl3", "by_vulnerability?vulnerability_id=CVE-2099-0001"] {
        let path = format!("{}/v1/query/images/{path}", engine.url);
        let asked = |user: &str| reqwest::Client::new().get(&path).basic_auth(user, Some(PASSWORD));
        assert_eq!(answer(asked("admin")).await.1["total_count"], 1, "{path}");
        assert_eq!(answer(asked("eve")).await.1["total_count"], 0, "{path}");
        let (status, _) = answer(asked("eve").header("x-anchore-account", "admin")).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    engine.close().await;
}

/// An empty answer would say that nothing is vulnerable.
#[tokio::test]
async fn without_a_database_nothing_is_said_about_vulnerabilities() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    for path in ["images/by_vulnerability?vulnerability_id=CVE-2099-0001", "vulnerabilities?id=CVE-2099-0001"]
    {
        let (status, refused) = engine.get(&format!("/query/{path}")).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{refused:#}");
        assert!(refused["message"].as_str().unwrap().contains("no vulnerability database"), "{refused:#}");
    }
    assert_eq!(engine.get("/query/images/by_package?name=bash").await.1["total_count"], 0);
    engine.close().await;
}
