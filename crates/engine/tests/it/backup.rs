//! Everything in one file, and back, between both kinds of database.

use std::path::Path;

use engine::{BackupError, Engine, EngineSettings};
use reqwest::StatusCode;
use serde_json::json;
use storage::{Location, PostgresSettings};
use testkit::{PostgresDatabase, postgres_database};

use crate::support::{
    FIXED, TestEngine, VULNERABLE, activate, database_path, debian_image, open_storage, refuse_high,
    registry, settings, write_database,
};

/// A folder without an engine, with its tables in a file or on a server.
struct Target {
    folder: tempfile::TempDir,
    server: Option<PostgresDatabase>,
}

impl Target {
    fn new(is_server: bool) -> Self {
        let server = is_server.then(|| postgres_database().unwrap());
        Self { folder: tempfile::tempdir().unwrap(), server }
    }

    fn settings(&self) -> EngineSettings {
        let mut settings = settings(self.folder.path(), None);
        settings.storage = self
            .server
            .as_ref()
            .map(|database| Location::Postgres(PostgresSettings::new(database.url.clone())));
        settings
    }

    fn is_untouched(&self) -> bool {
        let tables = self.server.as_ref().map(|database| {
            let sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
            database.server.query(&database.url, sql).unwrap().trim().to_owned()
        });
        let data_dir = self.folder.path().join("data");
        let is_empty = std::fs::read_dir(data_dir).map_or(true, |mut entries| entries.next().is_none());
        is_empty && tables.is_none_or(|count| count == "0")
    }
}

#[tokio::test]
async fn a_backup_is_restored_into_either_kind_of_database() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    for (tag, version) in [("app:1", VULNERABLE), ("app:2", FIXED)] {
        registry.push_image(&debian_image(version), tag).unwrap();
    }
    let source = settings(folder.path(), Some(&registry));
    let engine = TestEngine::start(source.clone(), true).await;
    activate(&engine, &refuse_high("refuse-high")).await;
    let tag = registry.reference("app:1");
    let digest = engine.add_and_wait(&tag).await["imageDigest"].as_str().unwrap().to_owned();
    assert_eq!(engine.check(&digest, &tag).await.0, StatusCode::OK);
    fs_err::create_dir_all(folder.path().join("data/keys")).unwrap();
    fs_err::write(folder.path().join("data/keys/one"), "secret").unwrap();
    let file = folder.path().join("everything.backup");
    let made = engine::backup(&source, "1.2.3", &file).await.unwrap();
    // Afterwards: not in it.
    engine.post("/policies", &refuse_high("later")).await;
    engine.close().await;

    for target in [Target::new(false), Target::new(true)] {
        let restored = engine::restore(&target.settings(), &file, false).await.unwrap();
        assert_eq!(restored, made);
        assert_eq!(fs_err::metadata(target.folder.path().join("data/keys/one")).unwrap().len(), 6);
        let mut settings = target.settings();
        settings.scan = source.scan.clone();
        let engine = TestEngine::start(settings, true).await;
        let (_, verdict) = engine.check(&digest, &tag).await;
        assert_eq!(verdict[0][&digest][&tag][0]["status"], "fail", "{verdict:#}");
        assert_eq!(engine.get("/policies/later").await.0, StatusCode::NOT_FOUND);
        // Ids go on behind those that were restored.
        let other = engine.add_and_wait(&registry.reference("app:2")).await;
        assert_eq!(other["analysis_status"], "analyzed", "{other:#}");
        // A second backup holds the same rows and more.
        let again = target.folder.path().join("again.backup");
        assert!(engine::backup(&target.settings(), "1.2.3", &again).await.unwrap().rows > made.rows);
        engine.close().await;
    }
}

#[tokio::test]
async fn what_is_there_is_replaced_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let source = settings(folder.path(), None);
    let engine = TestEngine::start(source.clone(), false).await;
    let file = folder.path().join("b");
    engine::backup(&source, "1", &file).await.unwrap();
    assert!(matches!(engine::backup(&source, "1", &file).await, Err(BackupError::Exists(_))));
    engine.post("/policies", &refuse_high("later")).await;
    engine.close().await;
    let refused = engine::restore(&source, &file, false).await.unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty(_)), "{refused}");
    let engine = TestEngine::start(source.clone(), false).await;
    assert_eq!(engine.get("/policies/later").await.0, StatusCode::OK, "nothing is lost by a refusal");
    engine.close().await;
    engine::restore(&source, &file, true).await.unwrap();
    let engine = TestEngine::start(source, false).await;
    assert_eq!(engine.get("/policies/later").await.0, StatusCode::NOT_FOUND);
    engine.close().await;
}

#[tokio::test]
async fn a_damaged_or_foreign_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = settings(folder.path(), None);
    TestEngine::start(source.clone(), false).await.close().await;
    let file = folder.path().join("good");
    engine::backup(&source, "1", &file).await.unwrap();
    let mut good = Vec::new();
    std::io::copy(&mut fs_err::File::open(&file).unwrap(), &mut good).unwrap();
    let changed = |position: usize| {
        let mut bytes = good.clone();
        bytes[position] ^= 1;
        bytes
    };
    let half = good.len() / 2;
    for (bytes, part) in [
        (Vec::new(), "no backup of Lazaret"),
        (b"something else that is long enough".to_vec(), "no backup of Lazaret"),
        (good[..20].to_vec(), "cut off"),
        (good[..half].to_vec(), "checksum"),
        (good[..good.len() - 1].to_vec(), "checksum"),
        ([&good[..], b"x"].concat(), "checksum"),
        (changed(half), "checksum"),
        (changed(good.len() - 1), "checksum"),
        (changed(15), "a form that this program does not know"),
    ] {
        let bad = folder.path().join("bad");
        fs_err::write(&bad, bytes).unwrap();
        for target in [Target::new(false), Target::new(true)] {
            let error = engine::restore(&target.settings(), &bad, true).await.unwrap_err();
            assert!(error.to_string().contains(part), "{part}: {error}");
            assert!(target.is_untouched(), "{part}");
        }
    }
}

#[tokio::test]
async fn tables_of_a_newer_program_are_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let source = settings(folder.path(), None);
    TestEngine::start(source.clone(), false).await.close().await;
    let database = open_storage(folder.path()).await;
    let mut tx = database.begin().await.unwrap();
    let sql = "INSERT INTO _engine_migrations (version, description, success, checksum, execution_time) \
               SELECT 9999, 'later', success, checksum, 0 FROM _engine_migrations WHERE version = 1";
    storage::query(sql).execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    database.close().await;
    let error = Engine::open(source.clone()).await.unwrap_err();
    let text = format!("{}", std::error::Error::source(&error).unwrap());
    assert!(text.contains("9999") && text.contains("newer program"), "{text}");
    let error = engine::backup(&source, "1", &folder.path().join("b")).await.unwrap_err().to_string();
    assert!(error.contains("9999") && error.contains("use a newer program"), "{error}");
    assert!(!folder.path().join("b").exists());
}

#[tokio::test]
async fn a_backup_sees_one_moment_while_others_write() {
    let folder = tempfile::tempdir().unwrap();
    let source = settings(folder.path(), None);
    let engine = TestEngine::start(source.clone(), false).await;
    let database = open_storage(folder.path()).await;
    let writing = tokio::spawn(async move {
        // Until the test ends: two rows in each transaction.
        for number in 0_i64.. {
            let mut tx = database.begin().await.unwrap();
            for half in ["a", "b"] {
                storage::query(
                    "INSERT INTO events (id, account, type, level, message, details, resource_type, service, host, \
                     created_us) VALUES ($1, 'pairs', 't', 'info', $2, '{}', 'r', 's', 'h', 1)",
                )
                .bind(format!("{half}{number}"))
                .bind("x".repeat(2000))
                .execute(&mut tx)
                .await
                .unwrap();
            }
            tx.commit().await.unwrap();
        }
    });
    let mut before = 0;
    for round in 0..3 {
        let file = folder.path().join(format!("b{round}"));
        engine::backup(&source, "1", &file).await.unwrap();
        let target = Target::new(round == 1);
        engine::restore(&target.settings(), &file, false).await.unwrap();
        let (engine, _) = Engine::open(target.settings()).await.unwrap();
        engine.shutdown().await;
        let location = target.settings().storage.unwrap_or_else(|| file_of(target.folder.path()));
        let restored = storage::Database::open(&location).await.unwrap();
        let count: i64 = storage::query("SELECT count(*) FROM events WHERE account = 'pairs'")
            .fetch_value(&restored)
            .await
            .unwrap();
        assert!(count % 2 == 0 && count >= before, "{count} after {before}");
        before = count;
        restored.close().await;
    }
    assert!(before > 0, "nothing was written beside the backups");
    writing.abort();
    engine.close().await;
}

fn file_of(folder: &Path) -> Location {
    Location::File(folder.join("data/engine.db"))
}

#[tokio::test]
async fn a_backup_of_an_earlier_schema_is_brought_forward() {
    let source = Target::new(false);
    crate::old_files::unpack("engine-0002.db.zst", source.folder.path());
    let file = source.folder.path().join("old.backup");
    // Not opened by an engine before, so its tables are still the old ones.
    engine::backup(&source.settings(), "0.1", &file).await.unwrap();
    for target in [Target::new(false), Target::new(true)] {
        write_database(&database_path(target.folder.path()));
        engine::restore(&target.settings(), &file, false).await.unwrap();
        let engine = TestEngine::start(target.settings(), false).await;
        crate::old_files::check_contents(&engine, "restored").await;
        let (status, answer) = engine.post("/policies", &json!({})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer:#}");
        engine.close().await;
    }
}
