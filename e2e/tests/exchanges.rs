//! What old clients have always got back, played against `lazaret serve` on SQLite and on PostgreSQL; see `testkit::exchanges`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{ADMIN_PASSWORD, Engine, EngineOptions};
use serde_json::{Value, json};
use testkit::exchanges::{ExchangePlayer, ExchangeSession, ExchangeStage, SESSIONS, http};
use testkit::{Behaviour, FileServer, ImageBuilder, Layer, PostgresDatabase, Scratch, wait_until};

const DEADLINE: Duration = Duration::from_secs(60);

/// A registry that never ends sending a layer: who analyzes its image has no time for another one.
struct Holder(FileServer);

impl Holder {
    const NAME: &str = "hold/app";

    fn start() -> Result<Self> {
        let server = FileServer::start()?;
        let image = ImageBuilder::new().layer(Layer::new().file("etc/hostname", "x".repeat(4096))).build();
        server.put("/v2/", "{}");
        for (digest, bytes) in image.blobs() {
            for path in [format!("blobs/{digest}"), format!("manifests/{digest}")] {
                server.put(&format!("/v2/{}/{path}", Self::NAME), bytes.clone());
            }
        }
        let manifest = image.blobs().get(image.digest()).context("a manifest is one of the blobs")?;
        server.put(&format!("/v2/{}/manifests/1", Self::NAME), manifest.clone());
        let layer = format!("/v2/{}/blobs/{}", Self::NAME, image.layers()[0].digest);
        server.behave(&layer, Behaviour::Trickle(1, Duration::from_secs(1)));
        Ok(Self(server))
    }

    fn host(&self) -> String {
        self.0.url("").trim_start_matches("http://").to_owned()
    }

    /// Has the engine analyze the image, in an account of its own, so that no session finds it in a list.
    fn hold(&self, engine: &str) -> Result<()> {
        let address = engine.trim_start_matches("http://");
        let ask = |user: &str, password: &str, method: &str, path: &str, body: Value| -> Result<Value> {
            let headers = [
                ("authorization".to_owned(), http::basic(user, password)),
                ("content-type".to_owned(), "application/json".to_owned()),
            ];
            let answer = http::send(address, method, path, &headers, body.to_string().as_bytes())?;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            ensure!(answer.status == 200, "{method} {path}: {} {text}", answer.status);
            Ok(serde_json::from_str(&text)?)
        };
        let user = json!({"username": "holder", "password": "holder-password"});
        ask("admin", ADMIN_PASSWORD, "POST", "/v1/accounts", json!({"name": "holder"}))?;
        ask("admin", ADMIN_PASSWORD, "POST", "/v1/accounts/holder/users", user)?;
        let ask = |method: &str, path: &str, body| ask("holder", "holder-password", method, path, body);
        let added = ask("POST", "/v1/images", json!({"tag": format!("{}/{}:1", self.host(), Self::NAME)}))?;
        let digest = added[0]["imageDigest"].as_str().context("an image has a digest")?;
        wait_until(DEADLINE, "the only worker to be held", || {
            let image = ask("GET", &format!("/v1/images/{digest}"), Value::Null).ok()?;
            (image[0]["analysis_status"] == "analyzing").then_some(())
        })
    }
}

/// Plays all sessions, each with an engine of its own; the error has the problems of all.
fn play_all(database: impl Fn() -> Result<Option<PostgresDatabase>>) -> Result<()> {
    let stage = ExchangeStage::start()?;
    let mut problems = Vec::new();
    for session in SESSIONS {
        let database = database()?;
        if let Err(error) = play(session, &stage, database) {
            problems.push(format!("{error:#}"));
        }
    }
    if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("\n\n")) }
}

fn play(session: ExchangeSession, stage: &ExchangeStage, database: Option<PostgresDatabase>) -> Result<()> {
    let folder = Scratch::new("exchanges")?;
    // The recorded engine gave no tokens.
    let mut settings = vec!["feeds.disable=*".to_owned(), "listeners.tokens=false".to_owned()];
    let mut insecure_registries = vec![stage.registry().host()];
    let mut holder = None;
    if !session.with_workers && database.is_some() {
        settings.push("analysis.workers=0".to_owned());
    } else if session.file == "waiting" {
        // Alone with its SQLite file, a server does not go without workers: its only one gets something else to do.
        settings.push("analysis.workers=1".to_owned());
        insecure_registries.push(holder.insert(Holder::start()?).host());
    }
    let options = EngineOptions {
        insecure_registries,
        feeds: ExchangeStage::write_feeds(folder.path())?,
        settings,
        storage_url: database.as_ref().map(|database| database.url.clone()),
        ..EngineOptions::default()
    };
    let engine = Arc::new(Mutex::new(Engine::start(options)?));
    let url = engine.lock().unwrap_or_else(PoisonError::into_inner).url();
    if let Some(holder) = &holder {
        holder.hold(&url)?;
    }
    let player = ExchangePlayer::new(&url, ADMIN_PASSWORD, stage)?;
    // What is being deleted must be there as long as the session looks at it. So the engine is started anew, in a hurry to
    // delete, when the session waits for that; and must have kept everything.
    let hurried = Arc::clone(&engine);
    let hurry = move || {
        let mut engine = hurried.lock().unwrap_or_else(PoisonError::into_inner);
        engine.add_settings(&["duties.account-deletion=1s", "duties.image-deletion=1s"]);
        // A failure shows in the step that waits.
        let _ = engine.kill().and_then(|()| engine.resume());
    };
    player.before_waiting(hurry).play(session.file).with_context(|| session.file.to_owned())?;
    engine.lock().unwrap_or_else(PoisonError::into_inner).stop()
}

#[test]
fn on_sqlite() -> Result<()> {
    play_all(|| Ok(None))
}

#[test]
fn on_postgres() -> Result<()> {
    play_all(|| testkit::postgres_database().map(Some))
}
