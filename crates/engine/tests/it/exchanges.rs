//! Exchanges of old clients, played against the router: see `testkit::exchanges` for their form.

use std::time::Duration;

use advisory_feeds::FeedLimits;
use model::FeedKind;
use testkit::exchanges::{ExchangePlayer, ExchangeStage};
use vulnerability_db::DatabaseSource;

use crate::support::{PASSWORD, TestEngine, clock, database_path, settings};

/// Paths that are not served yet; the steps about them are left out.
const NOT_SERVED_YET: [&str; 3] = ["/query", "/imports", "/system/feeds"];

/// Sessions about nothing else than what is not served yet. Whoever serves it takes the line out.
const NOT_PLAYED_YET: [&str; 5] = ["subscriptions", "events", "queries", "deletion", "extras"];

fn write_database(folder: &std::path::Path) {
    let sources = ExchangeStage::write_feeds(folder).unwrap().into_iter().map(|(kind, path)| {
        let kind = FeedKind::ALL.into_iter().find(|one| one.name() == kind).unwrap();
        let feed = advisory_feeds::read_feed(kind, &path, &FeedLimits::default()).unwrap();
        assert!(feed.diagnostics.is_empty(), "{:?}", feed.diagnostics);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        DatabaseSource { kind, name, advisories: feed.advisories, diagnostics_count: 0, synced_at: clock() }
    });
    let image = vulnerability_db::build(sources.collect(), clock()).unwrap();
    vulnerability_db::write(&image, &database_path(folder)).unwrap();
}

async fn play(file: &'static str, with_workers: bool) {
    if NOT_PLAYED_YET.contains(&file) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_database(folder.path());
    let stage = ExchangeStage::start().unwrap();
    let mut settings = settings(folder.path(), Some(stage.registry()));
    // As where they were recorded.
    settings.are_tokens_given = false;
    settings.intervals.account_deletion = Duration::from_secs(5);
    let engine = TestEngine::start(settings, with_workers).await.with_duties();
    let player = ExchangePlayer::new(&engine.url, PASSWORD, &stage).unwrap();
    let mut player = player.without(&NOT_SERVED_YET);
    let played = tokio::task::spawn_blocking(move || player.play(file)).await.unwrap();
    engine.close().await;
    let problems = played.err().map(|problems| format!("{problems:#}")).unwrap_or_default();
    assert!(problems.is_empty(), "{problems}");
}

macro_rules! sessions {
    ($($name:ident: $file:literal, $with_workers:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                play($file, $with_workers).await;
            }
        )*
    };
}

sessions! {
    without_asking_who_asks: "open", false;
    images_that_wait_for_their_analysis: "waiting", false;
    images_that_are_analyzed: "analyzed", true;
    the_webhook_of_old: "webhook", true;
    policies: "policies", true;
    the_system: "system", false;
    transport: "transport", false;
    accounts: "accounts", false;
    registries: "registries", false;
    subscriptions: "subscriptions", true;
    events: "events", true;
    queries: "queries", true;
    services: "services", false;
    images_that_go: "deletion", true;
    what_else_is_asked: "extras", true;
}
