//! `/images/{digest}/content`, `/metadata`, `/artifacts` and `/sboms`: what is in an image, over the API.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::EngineSettings;
use reqwest::{Method, StatusCode};
use scanner::{ContentSettings, NamedPattern};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use testkit::{Image, ImageBuilder, Layer, Registry};

use crate::support::{TestEngine, activate, bundle, registry, settings};

const PASSWORDS: &str = "root:x:0:0:root:/home:/bin/bash\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIIsecret\n-----END PRIVATE KEY-----\n";

fn layer() -> Layer {
    let status = "Package: libssl3\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.9-1\n\n";
    Layer::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file("etc/passwd", PASSWORDS)
        .file("var/lib/dpkg/status", status)
        .file("var/lib/dpkg/info/libssl3.md5sums", "900150983cd24fb0d6963f7d28e17f72  usr/bin/su\n")
        .file_with_mode("usr/bin/su", 0o4755, "su")
        .symlink("bin", "usr/bin")
        .file("home/key", KEY)
        .file("home/notes", "TODO: nothing\n")
}

fn image() -> Image {
    ImageBuilder::new()
        .layer(layer())
        .edit_config(|config| {
            config["history"] = json!([
                {"created_by": "/bin/sh -c #(nop) ADD file:1 in /"},
                {"created_by": "/bin/sh -c #(nop) CMD [\"sh\"]", "empty_layer": true},
            ]);
        })
        .build()
}

async fn start(
    registry: &Registry,
    change: impl FnOnce(&mut EngineSettings),
) -> (TestEngine, String, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), Some(registry));
    change(&mut settings);
    let engine = TestEngine::start(settings, true).await;
    registry.push_image(&image(), "team/app:1").unwrap();
    let record = engine.add_and_wait(&registry.reference("team/app:1")).await;
    assert_eq!(record["analysis_status"], "analyzed", "{record:#}");
    let digest = record["imageDigest"].as_str().unwrap().to_owned();
    (engine, digest, folder)
}

async fn content(engine: &TestEngine, digest: &str, kind: &str) -> Value {
    let (status, answer) = engine.get(&format!("/v1/images/{digest}/content/{kind}")).await;
    assert_eq!(status, StatusCode::OK, "{answer:#}");
    assert_eq!((&answer["imageDigest"], &answer["content_type"]), (&json!(digest), &json!(kind)));
    answer["content"].clone()
}

#[tokio::test]
async fn every_kind_of_content_is_answered() {
    let registry = registry();
    let (engine, digest, _folder) = start(&registry, |_| {}).await;
    let (_, kinds) = engine.get(&format!("/images/{digest}/content")).await;
    assert_eq!(kinds, json!(["os", "files", "npm", "gem", "python", "java", "binary", "go", "malware"]));
    for kind in ["npm", "gem", "python", "java", "binary", "go", "malware"] {
        assert_eq!(content(&engine, &digest, kind).await, json!([]), "{kind}");
    }
    let os = content(&engine, &digest, "os").await;
    assert_eq!(
        os,
        json!([{"package": "libssl3", "version": "3.0.9-1", "type": "dpkg", "license": "N/A", "licenses": ["N/A"],
            "origin": "N/A", "size": "N/A", "cpes": [], "sourcepkg": "libssl3"}])
    );
    let files = content(&engine, &digest, "files").await;
    let find =
        |name: &str| files.as_array().unwrap().iter().find(|file| file["filename"] == name).unwrap().clone();
    let sha256 = Sha256::digest(b"su").iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(
        find("/usr/bin/su"),
        json!({"filename": "/usr/bin/su", "linkdest": null, "size": 2, "mode": "04755", "sha256": sha256,
            "type": "file", "uid": 0, "gid": 0})
    );
    assert_eq!(
        find("/bin"),
        json!({"filename": "/bin", "linkdest": "usr/bin", "size": 0, "mode": "00777", "sha256": null,
            "type": "slink", "uid": 0, "gid": 0})
    );
    assert_eq!(find("/usr")["type"], "dir");
    let (_, records) = engine.get(&format!("/images/{digest}")).await;
    let id = records[0]["image_detail"][0]["imageId"].as_str().unwrap().to_owned();
    let by_id = engine.get(&format!("/images/by_id/{id}/content/files")).await;
    assert_eq!((by_id.0, &by_id.1["content"]), (StatusCode::OK, &files));
    assert_eq!(engine.get(&format!("/images/by_id/{id}/vuln/all")).await.0, StatusCode::OK);
    // The size of an image is what its layers become.
    assert_eq!(records[0]["image_content"]["metadata"]["image_size"], layer().to_tar().len());
    engine.close().await;
}

#[tokio::test]
async fn the_documents_of_an_image_are_answered() {
    let registry = registry();
    let (engine, digest, _folder) = start(&registry, |_| {}).await;
    let document = async |kind: &str| {
        let (status, answer) = engine.get(&format!("/v1/images/{digest}/metadata/{kind}")).await;
        assert_eq!(status, StatusCode::OK, "{answer:#}");
        assert_eq!(answer["metadata_type"], kind);
        answer["metadata"].as_str().map(|text| {
            assert!(text.lines().all(|line| line.len() <= 76) && text.ends_with('\n'));
            String::from_utf8(STANDARD.decode(text.replace('\n', "")).unwrap()).unwrap()
        })
    };
    let manifest: Value = serde_json::from_str(&document("manifest").await.unwrap()).unwrap();
    let layer = &manifest["layers"][0];
    let history: Value = serde_json::from_str(&document("docker_history").await.unwrap()).unwrap();
    assert_eq!(history.as_array().unwrap().len(), 2);
    assert_eq!((&history[0]["Id"], &history[0]["Size"]), (&layer["digest"], &layer["size"]));
    assert_eq!(
        (&history[1]["Id"], &history[1]["Size"], &history[1]["CreatedBy"]),
        (&json!("<missing>"), &json!(0), &json!("/bin/sh -c #(nop) CMD [\"sh\"]"))
    );
    let keys: Vec<_> = history[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["Created", "CreatedBy", "Comment", "Id", "Size", "Tags"]);
    assert_eq!(document("dockerfile").await, None);
    // One that somebody supplied is shown as it was.
    let dockerfile = "FROM scratch\nUSER 0\n";
    let body = json!({"tag": registry.reference("team/app:1"), "dockerfile": STANDARD.encode(dockerfile)});
    assert_eq!(engine.post("/images?force=true", &body).await.0, StatusCode::OK);
    engine.wait(&digest).await;
    assert_eq!(document("dockerfile").await.as_deref(), Some(dockerfile));

    let response =
        engine.request(Method::GET, &format!("/images/{digest}/sboms/native")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/gzip");
    let name = format!("attachment; filename=\"{digest}_native.json.gzip\"");
    assert_eq!(response.headers()["content-disposition"], name.as_str());
    let packed = response.bytes().await.unwrap();
    let document = serde_json::from_reader::<_, Value>(flate2::read::GzDecoder::new(packed.as_ref()));
    assert_eq!(document.unwrap()["packages"][0]["name"], "libssl3");
    engine.close().await;
}

#[tokio::test]
async fn kept_files_and_matches_are_answered() {
    let registry = registry();
    let (engine, digest, _folder) = start(&registry, |settings| {
        let contents = settings.contents.get_or_insert_default();
        contents.retrieved_paths.push("/home/n*".to_owned());
        contents.content_patterns.push(NamedPattern::parse("NOTE=TODO: .*").unwrap());
    })
    .await;
    let artifacts = async |kind: &str| engine.get(&format!("/images/{digest}/artifacts/{kind}")).await;
    assert_eq!(
        artifacts("retrieved_files").await,
        (
            StatusCode::OK,
            json!([{"path": "/etc/passwd", "b64_content": STANDARD.encode(PASSWORDS)},
                {"path": "/home/notes", "b64_content": STANDARD.encode("TODO: nothing\n")}])
        )
    );
    let secret = json!({"name": "PRIV_KEY", "regex": "(?i)-+BEGIN(.*)PRIVATE KEY-+", "lines": []});
    assert_eq!(artifacts("secret_search").await.1, json!([{"path": "/home/key", "matches": [secret]}]));
    let note = json!({"name": "NOTE", "regex": "TODO: .*", "lines": []});
    assert_eq!(artifacts("file_content_search").await.1, json!([{"path": "/home/notes", "matches": [note]}]));
    assert_eq!(artifacts("bogus").await.0, StatusCode::NOT_FOUND);
    engine.close().await;
}

#[tokio::test]
async fn an_image_without_recorded_files_says_so() {
    let registry = registry();
    let (engine, digest, _folder) = start(&registry, |settings| settings.contents = None).await;
    let (status, answer) = engine.get(&format!("/images/{digest}/content/files")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(answer["message"].as_str().unwrap().contains("force=true"), "{answer:#}");
    let (status, answer) = engine.get(&format!("/images/{digest}/artifacts/secret_search")).await;
    assert_eq!((status, &answer["message"]), (StatusCode::NOT_FOUND, &json!("Resource artifacts not found")));
    assert!(answer["detail"]["details"].as_str().unwrap().contains("force=true"), "{answer:#}");
    assert_eq!(content(&engine, &digest, "os").await.as_array().unwrap().len(), 1);
    engine.close().await;
}

#[tokio::test]
async fn settings_that_cannot_be_used_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), None);
    let paths = vec!["relative".to_owned()];
    settings.contents = Some(ContentSettings { retrieved_paths: paths, ..ContentSettings::default() });
    let error = engine::Engine::open(settings).await.err().unwrap();
    assert!(matches!(error, engine::EngineError::Contents(_)), "{error}");
}

/// The messages of the rows about an image under a bundle of one rule.
async fn judge(
    engine: &TestEngine,
    digest: &str,
    tag: &str,
    rule: (&str, &str),
    params: Value,
) -> Vec<String> {
    activate(engine, &bundle(&format!("{}-{}", rule.0, rule.1), rule.0, rule.1, "STOP", params)).await;
    let (status, answer) = engine.check(digest, tag).await;
    assert_eq!(status, StatusCode::OK, "{answer:#}");
    let verdict = &answer[0][digest][tag][0];
    let result = &verdict["detail"]["result"]["result"];
    let rows = result.as_object().unwrap().values().next().unwrap()["result"]["rows"].as_array().unwrap();
    rows.iter().filter(|row| row[3] == rule.0).map(|row| row[5].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn rules_about_files_are_judged() {
    let registry = registry();
    let (engine, digest, _folder) = start(&registry, |_| {}).await;
    let tag = registry.reference("team/app:1");
    let suid = judge(&engine, &digest, &tag, ("files", "suid_or_guid_set"), json!([])).await;
    assert_eq!(suid, ["SUID or SGID found set on file /usr/bin/su. Mode: 0o104755"]);
    let secrets = judge(&engine, &digest, &tag, ("secret_scans", "content_regex_checks"), json!([])).await;
    assert_eq!(
        secrets,
        ["Secret content search analyzer found regexp match in container: file=/home/key \
          regexp=PRIV_KEY=(?i)-+BEGIN(.*)PRIVATE KEY-+"]
    );
    let changed = judge(&engine, &digest, &tag, ("packages", "verify"), json!([])).await;
    assert_eq!(
        changed,
        [
            "VERIFY check against package db for package 'libssl3' failed on entry '/usr/bin/su' with status: 'changed'"
        ]
    );
    let shells = json!([{"name": "shells", "value": "/bin/bash"}]);
    let passwords = judge(&engine, &digest, &tag, ("passwd_file", "blacklist_shells"), shells).await;
    assert!(passwords[0].contains("Blacklisted shell '/bin/bash' found"), "{passwords:?}");
    let params = json!([
        {"name": "path", "value": "/etc/passwd"}, {"name": "check", "value": "match"}, {"name": "regex", "value": "root.*"},
    ]);
    let retrieved = judge(&engine, &digest, &tag, ("retrieved_files", "content_regex"), params).await;
    assert_eq!(retrieved, ["Content regex 'root.*' check 'match' found in retrieved file '/etc/passwd'"]);
    engine.close().await;
}

#[tokio::test]
async fn rules_about_files_refuse_an_image_whose_files_are_not_recorded() {
    let registry = registry();
    let (engine, digest, _folder) = start(&registry, |settings| settings.contents = None).await;
    activate(&engine, &bundle("files", "files", "suid_or_guid_set", "WARN", json!([]))).await;
    let (_, answer) = engine.check(&digest, &registry.reference("team/app:1")).await;
    assert!(answer.to_string().contains("force"), "{answer:#}");
    assert_eq!(answer[0][&digest][registry.reference("team/app:1")][0]["status"], "fail", "{answer:#}");
    engine.close().await;
}
