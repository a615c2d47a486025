//! What old clients have always got back, played against `lazaret serve` on SQLite and on PostgreSQL; see `testkit::exchanges`.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use e2e::{ADMIN_PASSWORD, Engine, EngineOptions};
use testkit::exchanges::{ExchangePlayer, ExchangeSession, ExchangeStage, SESSIONS};
use testkit::{PostgresDatabase, Scratch};

/// Plays all sessions, each with an engine of its own; the error has the problems of all.
fn play_all(database: impl Fn() -> Result<Option<PostgresDatabase>>) -> Result<()> {
    let stage = ExchangeStage::start()?;
    let mut problems = Vec::new();
    for session in SESSIONS {
        let database = database()?;
        // Alone with its SQLite file, a server does not go without workers.
        if session.file == "waiting" && database.is_none() {
            continue;
        }
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
    if !session.with_workers && database.is_some() {
        settings.push("analysis.workers=0".to_owned());
    }
    let options = EngineOptions {
        insecure_registries: vec![stage.registry().host()],
        feeds: ExchangeStage::write_feeds(folder.path())?,
        settings,
        storage_url: database.as_ref().map(|database| database.url.clone()),
        ..EngineOptions::default()
    };
    let engine = Arc::new(Mutex::new(Engine::start(options)?));
    let url = engine.lock().unwrap_or_else(PoisonError::into_inner).url();
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
