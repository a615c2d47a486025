//! Exchanges of old clients, played against the router: see `testkit::exchanges` for their form.

use advisory_feeds::FeedLimits;
use model::FeedKind;
use testkit::exchanges::{ExchangePlayer, ExchangeStage, SESSIONS};
use vulnerability_db::DatabaseSource;

use crate::support::{PASSWORD, TestEngine, clock, database_path, settings};

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

async fn play(file: &'static str) {
    let with_workers = SESSIONS.iter().any(|session| session.file == file && session.with_workers);
    let folder = tempfile::tempdir().unwrap();
    write_database(folder.path());
    let stage = ExchangeStage::start().unwrap();
    let mut settings = settings(folder.path(), Some(stage.registry()));
    // As where they were recorded.
    settings.are_tokens_given = false;
    settings.intervals.account_deletion = std::time::Duration::from_secs(1);
    settings.intervals.image_deletion = std::time::Duration::from_secs(1);
    let engine = TestEngine::start(settings, with_workers).await;
    let player = ExchangePlayer::new(&engine.url, PASSWORD, &stage).unwrap();
    // Not before: what is being deleted must be there as long as the session looks at it.
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (duties, runtime) = (engine.engine.clone(), tokio::runtime::Handle::current());
    let run_duties = move || {
        let _duties = runtime.spawn(duties.run_duties(async { drop(stopped.await) }));
    };
    let mut player = player.before_waiting(run_duties);
    let played = tokio::task::spawn_blocking(move || player.play(file)).await.unwrap();
    drop(stop);
    engine.close().await;
    let problems = played.err().map(|problems| format!("{problems:#}")).unwrap_or_default();
    assert!(problems.is_empty(), "{problems}");
}

macro_rules! sessions {
    ($($name:ident: $file:literal;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                play($file).await;
            }
        )*
    };
}

sessions! {
    without_asking_who_asks: "open";
    images_that_wait_for_their_analysis: "waiting";
    images_that_are_analyzed: "analyzed";
    the_webhook_of_old: "webhook";
    policies: "policies";
    the_system: "system";
    transport: "transport";
    accounts: "accounts";
    registries: "registries";
    subscriptions: "subscriptions";
    events: "events";
    queries: "queries";
    services: "services";
    images_that_go: "deletion";
    what_else_is_asked: "extras";
}
