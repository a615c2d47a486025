//! Files that earlier releases wrote are opened, brought forward and still answer.

use std::path::Path;

use reqwest::StatusCode;

use crate::support::{TestEngine, database_path, settings, write_database};

const REGISTRY: &str = "127.0.0.1:41121";

/// Unpacks a file of `tests/data` as the engine's own database in a new data folder.
pub(crate) fn unpack(name: &str, folder: &Path) {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let data_dir = folder.join("data");
    fs_err::create_dir_all(&data_dir).unwrap();
    let mut target = fs_err::File::create(data_dir.join("engine.db")).unwrap();
    zstd::stream::copy_decode(fs_err::File::open(packed).unwrap(), &mut target).unwrap();
}

#[tokio::test]
async fn every_earlier_file_is_brought_forward() {
    for name in ["engine-0002.db.zst"] {
        let folder = tempfile::tempdir().unwrap();
        unpack(name, folder.path());
        write_database(&database_path(folder.path()));
        // Twice: the second start finds everything done.
        for start in 1..=2 {
            let mut settings = settings(folder.path(), None);
            settings.storage = None;
            let engine = TestEngine::start(settings, false).await;
            check_contents(&engine, &format!("{name}, start {start}")).await;
            engine.close().await;
        }
    }
}

pub(crate) async fn check_contents(engine: &TestEngine, what: &str) {
    assert_eq!(engine.get("/user").await.0, StatusCode::OK, "the password holds: {what}");
    let (_, policies) = engine.get("/policies").await;
    let active: Vec<_> = policies.as_array().unwrap().iter().filter(|one| one["active"] == true).collect();
    assert_eq!(active.len(), 1, "{what}: {policies:#}");
    assert_eq!(active[0]["policyId"], "refuse-high", "{what}");
    let (_, images) = engine.get("/images").await;
    assert_eq!(images.as_array().unwrap().len(), 3, "{what}: {images:#}");
    for (tag, status, verdict) in
        [("1", "analyzed", Some("fail")), ("2", "analyzed", Some("pass")), ("3", "not_analyzed", None)]
    {
        let name = format!("{REGISTRY}/app:{tag}");
        let (_, found) = engine.get(&format!("/images?fulltag={name}")).await;
        assert_eq!(found[0]["analysis_status"], status, "{what}: {found:#}");
        let digest = found[0]["imageDigest"].as_str().unwrap();
        let Some(verdict) = verdict else { continue };
        let (_, answer) = engine.check(digest, &name).await;
        assert_eq!(answer[0][digest][&name][0]["status"], verdict, "{what}: {answer:#}");
        let (_, packages) = engine.get(&format!("/images/{digest}/content/os")).await;
        assert_eq!(packages["content"][0]["package"], "libssl3", "{what}");
    }
    assert_eq!(engine.engine.status().await.unwrap().jobs.queued, 1, "wanted work is still wanted: {what}");
}
