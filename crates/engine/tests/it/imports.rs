//! `/imports/images`: images that are put together from uploaded documents.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use testkit::Image;

use crate::support::{
    FIXED, PASSWORD, TestEngine, VULNERABLE, activate, answer, database_path, debian_image, duties,
    open_storage, refuse_high, settings, write_database,
};

pub(crate) const TAG: &str = "docker.io/imported/app:1";

/// A package list in syft's JSON: Debian 12 with `libssl3` of this version.
pub(crate) fn syft(version: &str) -> Value {
    json!({
        "artifacts": [{
            "id": "1", "name": "libssl3", "version": version, "type": "deb",
            "locations": [{"path": "/var/lib/dpkg/status"}], "licenses": [{"value": "Apache-2.0"}],
            "purl": format!("pkg:deb/debian/libssl3@{version}"), "metadataType": "dpkg-db-entry",
            "metadata": {"package": "libssl3", "source": "openssl", "architecture": "amd64", "files": []},
        }],
        "distro": {"id": "debian", "versionID": "12", "name": "Debian GNU/Linux"},
        "source": {"type": "image", "target": {}}, "schema": {"version": "16.0.0"},
    })
}

/// What an account does to import.
pub(crate) struct Importer<'a> {
    pub(crate) engine: &'a TestEngine,
    pub(crate) account: &'a str,
}

impl Importer<'_> {
    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.engine.request(method, path).header("x-anchore-account", self.account);
        answer(request.json(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.engine.request(Method::GET, path).header("x-anchore-account", self.account)).await
    }

    pub(crate) async fn begin(&self) -> String {
        let (status, operation) = self.send(Method::POST, "/imports/images", &json!({})).await;
        assert_eq!(
            (status, operation["status"].as_str()),
            (StatusCode::OK, Some("pending")),
            "{operation:#}"
        );
        operation["uuid"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn upload(&self, id: &str, kind: &str, content: Vec<u8>) -> (StatusCode, Value) {
        let content_type = if kind == "dockerfile" { "text/plain" } else { "application/json" };
        let request = self.engine.request(Method::POST, &format!("/v1/imports/images/{id}/{kind}"));
        let request = request.header("x-anchore-account", self.account).header("content-type", content_type);
        answer(request.body(content)).await
    }

    /// Uploads what an import of this image needs; the body that ends it.
    pub(crate) async fn prepare(&self, image: &Image, packages: &Value) -> Value {
        let id = self.begin().await;
        let mut contents = Map::new();
        let (manifest, config) = documents(image);
        for (kind, content) in [
            ("packages", packages.to_string().into_bytes()),
            ("manifest", manifest),
            ("image_config", config),
            ("dockerfile", b"FROM scratch\n".to_vec()),
        ] {
            let (status, document) = self.upload(&id, kind, content).await;
            assert_eq!(status, StatusCode::OK, "{kind} {document:#}");
            contents.insert(kind.to_owned(), document["digest"].clone());
        }
        json!({"source": {"import": {"operation_uuid": id, "tags": [TAG], "digest": image.digest().to_string(),
                                     "contents": contents}}})
    }

    pub(crate) async fn import(&self, image: &Image, packages: &Value) -> (StatusCode, Value) {
        let body = self.prepare(image, packages).await;
        self.send(Method::POST, "/images", &body).await
    }

    pub(crate) async fn wait(&self, digest: &str) -> Value {
        let path = format!("/images/{digest}");
        let look = async || {
            let (_, found) = self.get(&path).await;
            let is_over =
                matches!(found[0]["analysis_status"].as_str(), Some("analyzed" | "analysis_failed"));
            is_over.then(|| found[0].clone())
        };
        testkit::wait_until_async(Duration::from_secs(60), "the end of an analysis", look).await.unwrap()
    }

    /// Version of the one package that the image has.
    pub(crate) async fn version(&self, digest: &str) -> Value {
        self.get(&format!("/images/{digest}/content/os")).await.1["content"][0]["version"].clone()
    }
}

pub(crate) fn documents(image: &Image) -> (Vec<u8>, Vec<u8>) {
    let blob = |digest| image.blobs()[digest].clone();
    (blob(image.digest()), blob(image.config_digest().unwrap()))
}

pub(crate) fn admin(engine: &TestEngine) -> Importer<'_> {
    Importer { engine, account: "admin" }
}

#[tokio::test]
async fn an_imported_image_is_judged_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    write_database(&database_path(folder.path()));
    let mut settings = settings(folder.path(), None);
    settings.intervals.image_deletion = Duration::from_millis(50);
    let engine = TestEngine::start(settings, true).await;
    activate(&engine, &refuse_high("strict")).await;
    let (image, admin) = (debian_image(FIXED), admin(&engine));
    let digest = image.digest().to_string();
    let mut body = admin.prepare(&image, &syft(VULNERABLE)).await;
    body["annotations"] = json!({"team": "a"});
    let (status, added) = admin.send(Method::POST, "/v1/images", &body).await;
    assert_eq!(status, StatusCode::OK, "{added:#}");
    let id = body["source"]["import"]["operation_uuid"].as_str().unwrap();
    assert_eq!(added[0]["imageDigest"], digest);
    assert_eq!(added[0]["annotations"], json!({"team": "a", "anchore.system/import_operation_id": id}));
    assert_eq!(added[0]["image_detail"][0]["fulltag"], TAG);
    assert_eq!(added[0]["image_detail"][0]["imageId"], image.config_digest().unwrap().hex());

    let record = admin.wait(&digest).await;
    assert_eq!(record["analysis_status"], "analyzed", "{record:#}");
    assert_eq!(record["image_content"]["metadata"]["distro"], "debian");
    assert_eq!(record["image_content"]["metadata"]["dockerfile_mode"], "Actual");
    assert_eq!(record["image_content"]["metadata"]["layer_count"], 1);
    let (_, vulnerable) = admin.get(&format!("/images/{digest}/vuln/all")).await;
    assert_eq!(vulnerable["vulnerabilities"][0]["vuln"], "CVE-2099-0001", "{vulnerable:#}");
    let (status, verdict) = engine.check(&digest, TAG).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(verdict[0][&digest][TAG][0]["status"], "fail", "{verdict:#}");
    let (_, found) = admin.get("/query/images/by_package?name=libssl3").await;
    assert_eq!(found["total_count"], 1, "its own account finds it");
    let (status, _) = admin.get(&format!("/images/{digest}/content/files")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "nobody looked at its files");

    let (_, operation) = admin.get(&format!("/imports/images/{id}")).await;
    assert_eq!(operation["status"], "complete");
    assert!(!operation["last_updated"].as_str().unwrap().ends_with('Z'));
    let (status, twice) = admin.send(Method::POST, "/images", &body).await;
    assert_eq!((status, &twice["detail"]["status"]), (StatusCode::CONFLICT, &json!("complete")));
    let (status, late) = admin.upload(id, "dockerfile", b"FROM x\n".to_vec()).await;
    assert_eq!(status, StatusCode::CONFLICT, "{late:#}");

    // Looked at again without any registry, and gone with the image.
    let (status, again) = admin.send(Method::POST, "/images?force=true", &json!({"tag": TAG})).await;
    assert_eq!((status, &again[0]["analysis_status"]), (StatusCode::OK, &json!("not_analyzed")), "{again:#}");
    assert_eq!(admin.wait(&digest).await["analysis_status"], "analyzed");
    assert_eq!(admin.version(&digest).await, VULNERABLE);
    admin.send(Method::DELETE, &format!("/images/{digest}?force=true"), &json!({})).await;
    duties(&engine, async || admin.get(&format!("/imports/images/{id}")).await.0 == StatusCode::NOT_FOUND)
        .await;
    engine.close().await;
}

#[tokio::test]
async fn operations_are_of_their_account_and_end_once() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    engine.post("/accounts", &json!({"name": "team"})).await;
    let (admin, team) = (admin(&engine), Importer { engine: &engine, account: "team" });
    let id = admin.begin().await;
    let path = format!("/imports/images/{id}");
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::GET, format!("{path}/manifest")),
        (Method::GET, "/imports/images/nosuch".to_owned()),
        (Method::DELETE, "/imports/images/nosuch".to_owned()),
    ] {
        let (status, answered) = team.send(method.clone(), &path, &json!({})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path} {answered:#}");
    }
    assert_eq!(team.get("/imports/images").await.1, json!([]));
    assert_eq!(team.upload(&id, "manifest", b"{}".to_vec()).await.0, StatusCode::NOT_FOUND);
    assert_eq!(admin.upload(&id, "manifest", b"{}".to_vec()).await.0, StatusCode::OK);
    assert_eq!(admin.upload(&id, "manifest", b"{}".to_vec()).await.0, StatusCode::OK, "twice is once");
    let (_, documents) = admin.get(&format!("{path}/manifest")).await;
    assert_eq!(documents.as_array().unwrap().len(), 1, "{documents:#}");
    assert_eq!(documents[0]["digest"].as_str().unwrap().len(), 64);
    assert_eq!(admin.get(&format!("{path}/bogus")).await.0, StatusCode::NOT_FOUND);
    for _ in 0..2 {
        let (status, gone) = admin.send(Method::DELETE, &path, &json!({})).await;
        assert_eq!((status, &gone["status"]), (StatusCode::OK, &json!("invalidated")));
    }
    assert_eq!(admin.get(&format!("{path}/manifest")).await.1, json!([]), "the documents are gone");
    let (status, late) = admin.upload(&id, "manifest", b"{}".to_vec()).await;
    assert_eq!((status, &late["detail"]["status"]), (StatusCode::CONFLICT, &json!("invalidated")));
    let (_, all) = admin.get("/imports/images").await;
    assert_eq!(all.as_array().unwrap().len(), 1);
    let nobody = Importer { engine: &engine, account: "nobody" };
    let (status, problem) = nobody.send(Method::POST, "/imports/images", &json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{problem:#}");
    let unknown = engine.anonymous(Method::POST, "/imports/images");
    assert_eq!(answer(unknown).await.0, StatusCode::UNAUTHORIZED);
    let (status, archive) = answer(engine.request(Method::POST, "/v1/import/images").body("tar")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(archive["message"].as_str().unwrap().contains("POST /imports/images"), "{archive:#}");
    engine.close().await;
}

#[tokio::test]
async fn an_import_that_nobody_ends_expires() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), None);
    settings.intervals.image_deletion = Duration::from_millis(50);
    let engine = TestEngine::start(settings, false).await;
    let (image, admin) = (debian_image(FIXED), admin(&engine));
    let body = admin.prepare(&image, &syft(FIXED)).await;
    let id = body["source"]["import"]["operation_uuid"].as_str().unwrap();
    let database = open_storage(folder.path()).await;
    let mut tx = database.begin().await.unwrap();
    storage::query("UPDATE image_imports SET expires_us = 1").execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(admin.get(&format!("/imports/images/{id}")).await.1["status"], "expired");
    let (status, late) = admin.send(Method::POST, "/images", &body).await;
    assert_eq!((status, &late["detail"]["status"]), (StatusCode::CONFLICT, &json!("expired")));
    assert_eq!(admin.upload(id, "dockerfile", b"FROM x\n".to_vec()).await.0, StatusCode::CONFLICT);
    duties(&engine, async || admin.get("/imports/images").await.1 == json!([])).await;
    let (left,): (i64,) =
        storage::query("SELECT count(*) FROM image_import_documents").fetch_one_as(&database).await.unwrap();
    assert_eq!(left, 0);
    database.close().await;
    engine.close().await;
}

#[tokio::test]
async fn documents_that_are_of_no_use_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), false).await;
    let admin = admin(&engine);
    let id = admin.begin().await;
    for (kind, content, status, text) in [
        ("packages", "", 400, "it is empty"),
        ("packages", "{", 400, "read the package list"),
        ("packages", "[]", 400, "expected a package list"),
        ("packages", r#"{"artifacts": 1}"#, 400, "expected a list of packages"),
        ("manifest", "[]", 400, "no JSON object"),
        ("manifest", "{} x", 400, "trailing characters"),
        ("image_config", "\"x\"", 400, "no JSON object"),
        ("parent_manifest", "7", 400, "no JSON object"),
        ("bogus", "{}", 404, "`bogus` is no document of an import"),
    ] {
        let (found, problem) = admin.upload(&id, kind, content.into()).await;
        let shown = problem["detail"].as_str().or(problem["message"].as_str()).unwrap_or_default();
        assert_eq!(found.as_u16(), status, "{kind} {content} {problem:#}");
        assert!(shown.contains(text), "{kind} {content} {problem:#}");
    }
    let (status, _) = admin.upload(&id, "dockerfile", b"\xff".to_vec()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    for (kind, content_type) in [
        ("packages", "text/plain"),
        ("manifest", "application/octet-stream"),
        ("dockerfile", "application/json"),
    ] {
        let request = engine.request(Method::POST, &format!("/imports/images/{id}/{kind}"));
        let (status, problem) = answer(request.header("content-type", content_type).body("{}")).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{problem:#}");
    }
    let (status, problem) = admin.upload(&id, "dockerfile", vec![b'a'; 1024 * 1024 + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{problem:#}");
    let (_, operation) = admin.get(&format!("/imports/images/{id}")).await;
    assert_eq!(operation["status"], "pending", "nothing of it ended the import");
    for number in 0..20 {
        let status = admin.upload(&id, "dockerfile", format!("FROM {number}").into()).await.0;
        assert_eq!(status, StatusCode::OK);
    }
    let (status, problem) = admin.upload(&id, "dockerfile", b"FROM x".to_vec()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{problem:#}");
    assert!(problem["message"].as_str().unwrap().contains("limit 20"), "{problem:#}");
    for _ in 1..100 {
        admin.begin().await;
    }
    let (status, problem) = admin.send(Method::POST, "/imports/images", &json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{problem:#}");
    assert!(problem["message"].as_str().unwrap().contains("limit 100"), "{problem:#}");
    engine.close().await;
}

#[tokio::test]
async fn documents_that_do_not_fit_together_make_no_image() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), true).await;
    let (image, other, admin) = (debian_image(FIXED), debian_image(VULNERABLE), admin(&engine));
    let good = admin.prepare(&image, &syft(FIXED)).await;
    let id = good["source"]["import"]["operation_uuid"].as_str().unwrap().to_owned();
    let (_, foreign) = admin.upload(&id, "image_config", documents(&other).1).await;
    let (_, parent) = admin.upload(&id, "parent_manifest", b"{\"manifests\": []}".to_vec()).await;
    let zeros = "0".repeat(64);
    for (pointer, value, status, text) in [
        ("digest", json!(other.digest().to_string()), 400, "do not fit together"),
        ("digest", json!("sha256:1"), 400, "no digest"),
        ("digest", json!(1), 400, "is not of type 'string'"),
        ("contents/image_config", foreign["digest"].clone(), 400, "cannot be used"),
        ("contents/packages", json!(zeros), 400, "content digests not found"),
        ("contents/packages", json!([]), 400, "is not of type 'string'"),
        ("contents/manifest", Value::Null, 400, "is not of type 'string'"),
        ("contents/dockerfile", json!("x"), 400, "content digests not found"),
        ("contents", json!([]), 400, "is not of type 'object'"),
        ("tags", json!([]), 400, "is empty"),
        ("tags", json!("app:1"), 400, "is not of type 'array'"),
        ("tags", json!([1]), 400, "is not of type 'string'"),
        ("tags", json!(["app@sha256:1"]), 400, ""),
        ("tags", json!(vec!["a:1"; 101]), 400, "too many"),
        ("operation_uuid", json!("nosuch"), 404, "Resource nosuch not found"),
    ] {
        let mut body = good.clone();
        *body.pointer_mut(&format!("/source/import/{pointer}")).unwrap() = value.clone();
        let (found, problem) = admin.send(Method::POST, "/images", &body).await;
        let shown = problem["message"].as_str().or(problem["detail"].as_str()).unwrap_or_default();
        assert_eq!(found.as_u16(), status, "{pointer} {value} {problem:#}");
        assert!(shown.contains(text), "{pointer} {value} {problem:#}");
    }
    let mut body = good.clone();
    body["source"]["import"]["contents"]["parent_manifest"] = parent["digest"].clone();
    body["source"]["import"]["parent_digest"] = json!(format!("sha256:{zeros}"));
    let (status, problem) = admin.send(Method::POST, "/images", &body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{problem:#}");
    assert_eq!(engine.get("/images").await.1, json!([]), "nothing was stored");

    body["source"]["import"].as_object_mut().unwrap().shift_remove("parent_digest");
    body["source"]["import"]["tags"] = json!(["imported/app:1", "other/app:2"]);
    let (status, added) = admin.send(Method::POST, "/images", &body).await;
    assert_eq!(status, StatusCode::OK, "{added:#}");
    let parent_digest = format!("sha256:{}", parent["digest"].as_str().unwrap());
    assert_eq!(added[0]["parentDigest"], parent_digest);
    assert_eq!(added[0]["image_detail"].as_array().unwrap().len(), 2);
    assert_eq!(admin.wait(&parent_digest).await["analysis_status"], "analyzed");
    let (_, configs) = admin.get(&format!("/imports/images/{id}/image_config")).await;
    assert_eq!(configs.as_array().unwrap().len(), 1, "what does not count is not kept");
    engine.close().await;
}

#[tokio::test]
async fn an_import_that_a_lost_process_held_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let image = debian_image(FIXED);
    let first = TestEngine::start(settings(folder.path(), None), false).await;
    let (status, _) = admin(&first).import(&image, &syft(FIXED)).await;
    assert_eq!(status, StatusCode::OK);
    let database = open_storage(folder.path()).await;
    let now = crate::support::clock();
    let mut tx = database.begin().await.unwrap();
    let hold = Duration::from_secs(if database.is_shared() { 0 } else { 3600 });
    assert!(storage::claim(&mut tx, "import_image", "gone", now + hold, now).await.unwrap().is_some());
    storage::query("UPDATE images SET analysis_status = 'analyzing'").execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    first.close().await;
    let second = TestEngine::start(settings(folder.path(), None), true).await;
    let digest = image.digest().to_string();
    assert_eq!(second.wait(&digest).await["analysis_status"], "analyzed");
    second.close().await;

    // A job that was lost altogether is wanted again.
    let third = TestEngine::start(settings(folder.path(), None), false).await;
    let (status, _) = admin(&third).send(Method::POST, "/images?force=true", &json!({"tag": TAG})).await;
    assert_eq!(status, StatusCode::OK);
    third.close().await;
    let mut tx = database.begin().await.unwrap();
    storage::forget(&mut tx, "import_image", "").await.unwrap();
    storage::query("DELETE FROM jobs WHERE kind = 'import_image'").execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    database.close().await;
    let mut settings = settings(folder.path(), None);
    settings.admin_password = Some(PASSWORD.to_owned());
    let fourth = TestEngine::start(settings, true).await;
    assert_eq!(fourth.wait(&digest).await["analysis_status"], "analyzed");
    fourth.close().await;
}

#[tokio::test]
async fn the_newest_import_of_an_image_counts() {
    let folder = tempfile::tempdir().unwrap();
    let engine = TestEngine::start(settings(folder.path(), None), true).await;
    let (image, admin) = (debian_image(FIXED), admin(&engine));
    let digest = image.digest().to_string();
    let old = admin.prepare(&image, &syft(VULNERABLE)).await;
    assert_eq!(admin.send(Method::POST, "/images", &old).await.0, StatusCode::OK);
    assert_eq!(admin.wait(&digest).await["analysis_status"], "analyzed");
    assert_eq!(admin.import(&image, &syft(FIXED)).await.0, StatusCode::OK);
    assert_eq!(admin.wait(&digest).await["analysis_status"], "analyzed");
    assert_eq!(admin.version(&digest).await, FIXED);
    let id = old["source"]["import"]["operation_uuid"].as_str().unwrap();
    let (_, documents) = admin.get(&format!("/imports/images/{id}/packages")).await;
    assert_eq!(documents, json!([]), "nobody needs the old documents");
    engine.close().await;
}
