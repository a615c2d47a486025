//! Whose word an imported analysis is: its own account's alone, and only until somebody really reads the image.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{Image, Registry};

use crate::imports::{Importer, TAG, admin, syft};
use crate::support::{
    FIXED, TestEngine, VULNERABLE, activate, database_path, debian_image, duties, refuse_high, registry,
    settings, write_database, write_database_fixed,
};

/// The image is vulnerable; the import says that it is not.
struct Stage {
    folder: tempfile::TempDir,
    registry: Registry,
    image: Image,
    digest: String,
    tag: String,
    engine: TestEngine,
}

async fn stage() -> Stage {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    let image = debian_image(VULNERABLE);
    registry.push_image(&image, "app:1").unwrap();
    let mut settings = settings(folder.path(), Some(&registry));
    settings.intervals.image_deletion = Duration::from_millis(50);
    settings.intervals.judge_again = Duration::from_millis(50);
    let engine = TestEngine::start(settings, true).await;
    engine.post("/accounts", &json!({"name": "liar"})).await;
    activate(&engine, &refuse_high("strict")).await;
    let (digest, tag) = (image.digest().to_string(), registry.reference("app:1"));
    Stage { folder, registry, image, digest, tag, engine }
}

impl Stage {
    fn liar(&self) -> Importer<'_> {
        Importer { engine: &self.engine, account: "liar" }
    }

    /// The liar imports, and has what he imported.
    async fn lie(&self) {
        let liar = self.liar();
        let (status, added) = liar.import(&self.image, &syft(FIXED)).await;
        assert_eq!(status, StatusCode::OK, "{added:#}");
        assert_eq!(liar.wait(&self.digest).await["analysis_status"], "analyzed");
        assert_eq!(liar.version(&self.digest).await, FIXED);
    }

    /// What the account says about the image is the truth, everywhere.
    async fn assert_truth(&self, of: &Importer<'_>) {
        assert_eq!(of.version(&self.digest).await, VULNERABLE, "{}", of.account);
        let (_, report) = of.get(&format!("/images/{}/vuln/all", self.digest)).await;
        assert_eq!(report["vulnerabilities"][0]["vuln"], "CVE-2099-0001", "{report:#}");
        // What came from the archive is indexed by a duty.
        let query = "/query/images/by_vulnerability?vulnerability_id=CVE-2099-0001";
        duties(&self.engine, async || of.get(query).await.1["total_count"] == 1).await;
        let (_, fixed) = of.get(&format!("/query/images/by_package?name=libssl3&version={FIXED}")).await;
        assert_eq!(fixed["total_count"], 0, "{fixed:#}");
    }

    async fn remove(&self, of: &Importer<'_>) {
        let path = format!("/images/{}?force=true", self.digest);
        of.send(Method::DELETE, &path, &json!({})).await;
        let is_gone = async || of.get(&format!("/images/{}", self.digest)).await.0 == StatusCode::NOT_FOUND;
        duties(&self.engine, is_gone).await;
    }

    async fn restore(&self, of: &Importer<'_>) -> (StatusCode, Value) {
        of.send(Method::POST, "/images", &json!({"source": {"archive": {"digest": self.digest}}})).await
    }
}

#[tokio::test]
async fn an_import_never_takes_the_place_of_what_was_read() {
    let stage = stage().await;
    stage.engine.add_and_wait(&stage.tag).await;
    let (admin, liar) = (admin(&stage.engine), stage.liar());
    let (status, added) = liar.import(&stage.image, &syft(FIXED)).await;
    assert_eq!(status, StatusCode::OK, "{added:#}");
    assert_eq!(liar.wait(&stage.digest).await["analysis_status"], "analyzed");
    stage.assert_truth(&admin).await;
    stage.assert_truth(&liar).await;
    let (_, verdict) = stage.engine.check(&stage.digest, &stage.tag).await;
    assert_eq!(verdict[0][&stage.digest][&stage.tag][0]["status"], "fail");
    // Its own account cannot lie to itself either.
    let (status, _) = admin.import(&stage.image, &syft(FIXED)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(admin.wait(&stage.digest).await["analysis_status"], "analyzed");
    stage.assert_truth(&admin).await;
    stage.engine.close().await;
}

#[tokio::test]
async fn what_is_read_replaces_what_was_imported_for_everybody() {
    let stage = stage().await;
    stage.lie().await;
    let (admin, liar) = (admin(&stage.engine), stage.liar());
    let added = stage.engine.add_and_wait(&stage.tag).await;
    assert_eq!(added["analysis_status"], "analyzed", "{added:#}");
    stage.assert_truth(&admin).await;
    stage.assert_truth(&liar).await;
    let (_, verdict) = stage.engine.check(&stage.digest, &stage.tag).await;
    assert_eq!(verdict[0][&stage.digest][&stage.tag][0]["status"], "fail");
    // Forced again, it is read again: the documents say nothing any more.
    let body = json!({"tag": stage.tag});
    let (status, again) = liar.send(Method::POST, "/images?force=true", &body).await;
    assert_eq!(status, StatusCode::OK, "{again:#}");
    assert_eq!(liar.wait(&stage.digest).await["analysis_status"], "analyzed");
    stage.assert_truth(&liar).await;
    stage.engine.close().await;
}

#[tokio::test]
async fn an_account_replaces_its_own_import_by_adding_the_image() {
    let stage = stage().await;
    stage.lie().await;
    let liar = stage.liar();
    let (status, added) = liar.send(Method::POST, "/images", &json!({"tag": stage.tag})).await;
    assert_eq!(status, StatusCode::OK, "{added:#}");
    assert_eq!(added[0]["analysis_status"], "not_analyzed", "it is read now");
    assert_eq!(liar.wait(&stage.digest).await["analysis_status"], "analyzed");
    stage.assert_truth(&liar).await;
    stage.engine.close().await;
}

#[tokio::test]
async fn nobody_else_is_told_or_judged_by_an_import() {
    let stage = stage().await;
    stage.lie().await;
    let (admin, path) = (admin(&stage.engine), format!("/images/{}", stage.digest));
    for path in [path.clone(), format!("{path}/content/os"), format!("{path}/check?tag={TAG}")] {
        assert_eq!(admin.get(&path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    // Another account may not import the same image: nobody could tell which list is right.
    let (status, refused) = admin.import(&stage.image, &syft(VULNERABLE)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused:#}");
    assert!(refused["message"].as_str().unwrap().contains("POST /images"), "{refused:#}");
    assert_eq!(admin.get(&path).await.0, StatusCode::NOT_FOUND, "nothing was stored");
    stage.engine.close().await;
}

#[tokio::test]
async fn an_image_that_cannot_be_read_says_nothing_of_an_import() {
    let stage = stage().await;
    let Stage { folder, registry, image, digest, tag, engine } = stage;
    engine.close().await;
    // No worker: the image waits, as long as the test looks at it.
    let mut quiet = settings(folder.path(), Some(&registry));
    quiet.intervals.judge_again = Duration::from_millis(50);
    let engine = TestEngine::start(quiet.clone(), false).await;
    let (status, _) = Importer { engine: &engine, account: "liar" }.import(&image, &syft(FIXED)).await;
    assert_eq!(status, StatusCode::OK);
    engine.close().await;
    let engine = TestEngine::start(quiet.clone(), true).await;
    let liar = Importer { engine: &engine, account: "liar" };
    assert_eq!(liar.wait(&digest).await["analysis_status"], "analyzed");
    engine.close().await;

    let engine = TestEngine::start(quiet, false).await;
    let (admin, liar) = (admin(&engine), Importer { engine: &engine, account: "liar" });
    let (_, added) = admin.send(Method::POST, "/images", &json!({"tag": tag})).await;
    assert_eq!(added[0]["analysis_status"], "not_analyzed", "{added:#}");
    assert_eq!(added[0]["image_content"]["metadata"]["distro"], Value::Null, "{added:#}");
    // Who watches must not learn from another account's list what came and went.
    let query = format!("/subscriptions?subscription_key={tag}&subscription_type=vuln_update");
    let (_, subscriptions) = admin.get(&query).await;
    let path = format!("/subscriptions/{}", subscriptions[0]["subscription_id"].as_str().unwrap());
    assert_eq!(admin.send(Method::PUT, &path, &json!({"active": true})).await.0, StatusCode::OK);
    // New data, in which what was imported is vulnerable: the liar's image is judged again, the other one has no verdict.
    let database = crate::support::open_storage(folder.path()).await;
    let before = revision(&database).await;
    write_database_fixed(&database_path(folder.path()), "3.0.12-1");
    duties(&engine, async || revision(&database).await != before).await;
    for path in ["vuln/all", "content/os", "metadata/manifest", &format!("check?tag={tag}"), "sboms/native"] {
        let (status, answered) = admin.get(&format!("/images/{digest}/{path}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path} {answered:#}");
    }
    for query in ["by_package?name=libssl3", "by_vulnerability?vulnerability_id=CVE-2099-0001"] {
        let (_, found) = admin.get(&format!("/query/images/{query}")).await;
        assert_eq!(found["total_count"], 0, "{query} {found:#}");
        let (_, found) = liar.get(&format!("/query/images/{query}")).await;
        assert_eq!(found["total_count"], 1, "{query} {found:#}");
    }
    let (_, archived) = admin.send(Method::POST, "/archives/images", &json!([digest])).await;
    assert_eq!(archived[0]["status"], "error", "{archived:#}");
    let (told,): (i64,) = storage::query("SELECT count(*) FROM watch_results WHERE account = 'admin'")
        .fetch_one_as(&database)
        .await
        .unwrap();
    assert_eq!(told, 0);
    database.close().await;
    engine.close().await;
}

/// Of the data that the one image was judged with.
async fn revision(database: &storage::Database) -> String {
    let sql = "SELECT database_revision FROM image_reports";
    storage::query(sql).fetch_one_as::<(String,)>(database).await.unwrap().0
}

#[tokio::test]
async fn what_comes_back_from_the_archive_obeys_the_same_rules() {
    let stage = stage().await;
    let (admin, liar) = (admin(&stage.engine), stage.liar());
    stage.lie().await;
    let body = json!([stage.digest]);
    assert_eq!(liar.send(Method::POST, "/archives/images", &body).await.1[0]["status"], "archived");
    stage.remove(&liar).await;
    // Back as it was.
    assert_eq!(stage.restore(&liar).await.0, StatusCode::OK);
    assert_eq!(liar.version(&stage.digest).await, FIXED);
    stage.remove(&liar).await;

    // Meanwhile another account imported it: two lists, and nobody knows which is right.
    assert_eq!(admin.import(&stage.image, &syft("3.0.10-1")).await.0, StatusCode::OK);
    assert_eq!(admin.wait(&stage.digest).await["analysis_status"], "analyzed");
    let (status, refused) = stage.restore(&liar).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused:#}");
    assert_eq!(admin.version(&stage.digest).await, "3.0.10-1");

    // Meanwhile somebody read it: the archive brings the image back, not the lie.
    stage.engine.add_and_wait(&stage.tag).await;
    stage.assert_truth(&admin).await;
    assert_eq!(stage.restore(&liar).await.0, StatusCode::OK);
    stage.assert_truth(&liar).await;
    stage.assert_truth(&admin).await;

    // The truth goes into the archive, somebody lies, the truth comes back: for both.
    assert_eq!(admin.send(Method::POST, "/archives/images", &body).await.1[0]["status"], "archived");
    stage.remove(&admin).await;
    stage.remove(&liar).await;
    stage.lie().await;
    assert_eq!(stage.restore(&admin).await.0, StatusCode::OK);
    stage.assert_truth(&admin).await;
    stage.assert_truth(&liar).await;
    stage.engine.close().await;
}

#[tokio::test]
async fn an_import_goes_with_the_image_that_it_was_made_for() {
    let stage = stage().await;
    stage.lie().await;
    let (admin, liar) = (admin(&stage.engine), stage.liar());
    stage.remove(&liar).await;
    let (status, added) = admin.import(&stage.image, &syft(VULNERABLE)).await;
    assert_eq!(status, StatusCode::OK, "{added:#}");
    assert_eq!(admin.wait(&stage.digest).await["analysis_status"], "analyzed");
    stage.assert_truth(&admin).await;
    stage.engine.close().await;
}

#[tokio::test]
async fn an_import_that_was_overtaken_changes_nothing() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    let image = debian_image(VULNERABLE);
    registry.push_image(&image, "app:1").unwrap();
    let quiet = settings(folder.path(), Some(&registry));
    let engine = TestEngine::start(quiet.clone(), false).await;
    let body = admin(&engine).prepare(&image, &syft(FIXED)).await;
    let id = body["source"]["import"]["operation_uuid"].as_str().unwrap();
    assert_eq!(engine.post("/images", &body).await.0, StatusCode::OK);
    // Before any worker looks at the documents, the image is added from its registry.
    let tag = registry.reference("app:1");
    assert_eq!(engine.post("/images", &json!({"tag": tag})).await.0, StatusCode::OK);
    engine.close().await;
    let engine = TestEngine::start(quiet, true).await;
    let digest = image.digest().to_string();
    assert_eq!(engine.wait(&digest).await["analysis_status"], "analyzed");
    let path = format!("/imports/images/{id}");
    let is_over = async || (engine.get(&path).await.1["status"] == "complete").then_some(());
    testkit::wait_until_async(Duration::from_secs(60), "the end of the import", is_over).await.unwrap();
    assert_eq!(admin(&engine).version(&digest).await, VULNERABLE);
    engine.close().await;
}
