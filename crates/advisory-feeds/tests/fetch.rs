//! Fetching from a server that is honest, absent, slow, cut, lying, overloaded or somebody else.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use advisory_feeds::fetch::{
    FeedRequest, FetchError, FetchLimits, FetchOutcome, FetchRetry, FetchSettings, FetchedFile, Fetcher,
    Validators,
};
use advisory_feeds::{FeedLimits, read_feed};
use jiff::Timestamp;
use model::FeedKind;
use testkit::{Behaviour, FileServer};

const RECORDS: &str = r#"[{"id":"CVE-2026-0001","affected":[]},{"id":"CVE-2026-0002","affected":[]}]"#;
const PATH: &str = "/all.json";

fn clock() -> Timestamp {
    "2026-11-22T08:00:00Z".parse().unwrap()
}

fn settings() -> FetchSettings {
    FetchSettings {
        limits: FetchLimits {
            bytes_max: 1 << 20,
            attempt: Duration::from_secs(5),
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(5),
            idle: Duration::from_secs(5),
            redirects_max: 3,
        },
        retry: FetchRetry {
            attempts_max: 3,
            wait_first: Duration::from_millis(5),
            wait_max: Duration::from_secs(2),
            deadline: Duration::from_secs(20),
        },
        ..FetchSettings::default()
    }
}

struct Stage {
    server: FileServer,
    folder: tempfile::TempDir,
    settings: FetchSettings,
}

impl Stage {
    fn new() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let server = FileServer::start().unwrap();
        server.put(PATH, RECORDS);
        Self { server, folder: tempfile::tempdir().unwrap(), settings: settings() }
    }

    fn destination(&self) -> PathBuf {
        self.folder.path().join("all.json")
    }

    async fn fetch_from(&self, url: &str, validators: Validators) -> Result<FetchOutcome, FetchError> {
        let fetcher = Fetcher::new(&self.settings, clock).unwrap();
        let destination = self.destination();
        let request = FeedRequest { url, kind: FeedKind::Osv, validators, destination: &destination };
        fetcher.fetch(&request).await
    }

    async fn fetch(&self, validators: Validators) -> Result<FetchOutcome, FetchError> {
        self.fetch_from(&self.server.url(PATH), validators).await
    }

    /// What lies in the folder, nothing half-written beside it.
    fn content(&self) -> Option<String> {
        let names: Vec<_> =
            fs_err::read_dir(self.folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name == "all.json"), "{names:?}");
        fs_err::read_to_string(self.destination()).ok()
    }
}

fn fetched(outcome: FetchOutcome) -> FetchedFile {
    match outcome {
        FetchOutcome::Fetched(file) => file,
        FetchOutcome::NotModified => panic!("nothing was fetched"),
    }
}

#[tokio::test]
async fn a_file_is_fetched_once_and_again_when_it_changes() {
    let stage = Stage::new();
    let first = fetched(stage.fetch(Validators::default()).await.unwrap());
    assert_eq!(stage.content().as_deref(), Some(RECORDS));
    assert_eq!(first.bytes, RECORDS.len() as u64);
    assert_eq!(format!("sha256:{}", first.sha256), testkit::digest_of(RECORDS.as_bytes()).to_string());
    let headers = &stage.server.take_requests()[0].headers;
    assert!(!headers.contains_key("if-none-match"));

    assert_eq!(stage.fetch(first.validators.clone()).await.unwrap(), FetchOutcome::NotModified);
    assert_eq!(stage.server.take_requests()[0].headers.get("if-none-match"), first.validators.etag.as_ref());

    let changed = RECORDS.replace("0001", "0003");
    stage.server.put(PATH, changed.as_str());
    let second = fetched(stage.fetch(first.validators.clone()).await.unwrap());
    assert_ne!(second.validators, first.validators);
    assert_eq!(stage.content(), Some(changed));
}

#[tokio::test]
async fn whatever_the_server_does_wrong_is_named_and_leaves_the_old_file() {
    let slow = Duration::from_millis(700);
    let half = RECORDS.len() / 2;
    let status = |code| Behaviour::Status(code, vec![]);
    let cases: Vec<(&str, Behaviour, &str, usize)> = vec![
        ("forbidden", status(403), "answers 403; it does not let this machine read", 1),
        ("gone", status(404), "answers 404; the file is not there", 1),
        ("login", status(401), "answers 401; it wants a login", 1),
        ("partial", status(206), "cannot be used: status 206", 1),
        ("not asked for", status(304), "cannot be used: status 304", 1),
        ("overloaded", status(503), "answers 503", 3),
        ("broken", status(500), "answers 500", 3),
        (
            "patience asked for",
            Behaviour::Status(429, vec![("Retry-After", "3600".to_owned())]),
            "answers 429 and asks to wait 3600 s",
            1,
        ),
        (
            "patience asked for by date",
            Behaviour::Status(503, vec![("Retry-After", "Sun, 22 Nov 2026 08:10:00 GMT".to_owned())]),
            "answers 503 and asks to wait 600 s",
            1,
        ),
        ("cut", Behaviour::CutAfter(half), "was cut off after", 3),
        ("cut at once", Behaviour::CutAfter(0), "was cut off after 0 bytes", 3),
        ("cut without a length", Behaviour::UnannouncedCutAfter(half), "was cut off after", 3),
        ("announces more than it has", Behaviour::Announce(RECORDS.len() + 10), "was cut off after", 3),
        ("announces less than it has", Behaviour::Announce(RECORDS.len() - 10), "was cut off after", 3),
        ("announces too much", Behaviour::Announce(2 << 20), "is larger than the limit of 1048576 bytes", 1),
        ("falls asleep", Behaviour::Trickle(half, slow), "did not send more bytes within 300ms", 3),
        (
            "never ends",
            Behaviour::Trickle(1, Duration::from_millis(100)),
            "did not send the whole file within 1s",
            3,
        ),
        ("silent", Behaviour::Silent, "did not answer within 300ms", 3),
        (
            "redirects in a circle",
            Behaviour::Status(302, vec![("Location", PATH.to_owned())]),
            "it redirects more than 3 times",
            4,
        ),
        (
            "redirects to a file",
            Behaviour::Status(302, vec![("Location", "file:///etc/passwd".to_owned())]),
            "it redirects to something else than http",
            1,
        ),
        ("redirects nowhere", Behaviour::Status(307, vec![]), "it redirects to no readable address", 1),
    ];
    for (name, behaviour, expected, requests) in cases {
        let mut stage = Stage::new();
        stage.settings.limits.idle = Duration::from_millis(300);
        stage.settings.limits.answer = Duration::from_millis(300);
        stage.settings.limits.attempt = Duration::from_secs(1);
        fs_err::write(stage.destination(), "old").unwrap();
        stage.server.behave(PATH, behaviour);
        let error = stage.fetch(Validators::default()).await.expect_err(name);
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert!(error.to_string().contains(&stage.server.url(PATH)), "{name}: {error}");
        assert_eq!(stage.server.take_requests().len(), requests, "{name}: {error}");
        assert_eq!(stage.content().as_deref(), Some("old"), "{name}");
    }
}

#[tokio::test]
async fn what_arrives_must_look_like_such_a_file() {
    for (path, body, expected) in [
        ("/a.json", "<!DOCTYPE html><html></html>", "is not a feed: it is a web page"),
        ("/a.json", "", "is not a feed: it is empty"),
        ("/a.json", "access denied", "is not a feed: it is no JSON"),
        ("/a.json", "[{}", "was cut off after 3 bytes of 3"),
        ("/a.zip", "[]", "is not a feed: it is no zip archive"),
        ("/a.zip", "PK\x03\x04 and so on", "was cut off"),
        ("/a.yaml", " <html>", "is not a feed: it is a web page"),
    ] {
        let stage = Stage::new();
        stage.server.put(path, body);
        let error = stage.fetch_from(&stage.server.url(path), Validators::default()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{path} {body}: {error}");
        assert_eq!(stage.content(), None);
    }
}

#[tokio::test]
async fn a_server_that_recovers_is_asked_until_it_does() {
    let stage = Stage::new();
    let patience = Behaviour::Status(429, vec![("Retry-After", "1".to_owned())]);
    stage.server.behave_next(PATH, [patience, Behaviour::CutAfter(5)]);
    let begun = Instant::now();
    fetched(stage.fetch(Validators::default()).await.unwrap());
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(stage.server.take_requests().len(), 3);
    assert_eq!(stage.content().as_deref(), Some(RECORDS));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_without_its_login() {
    let mut stage = Stage::new();
    let url = stage.server.url(PATH).replace("http://", "http://joe:secret@") + "?token=secret";
    stage.server.stop();
    let error = stage.fetch_from(&url, Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    let mut text = format!("{error:?} {error}");
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(cause) = next {
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    assert!(!text.contains("secret") && !text.contains("joe"), "{text}");
    assert!(text.contains("/all.json` cannot be reached"), "{text}");
}

#[tokio::test]
async fn redirects_are_followed_and_logins_stay_with_the_host_that_was_named() {
    let stage = Stage::new();
    let other = FileServer::start().unwrap();
    other.put("/there", RECORDS);
    stage.server.behave(PATH, Behaviour::Status(302, vec![("Location", other.url("/there"))]));
    let url = stage.server.url(PATH).replace("http://", "http://joe:secret@");
    fetched(stage.fetch_from(&url, Validators::default()).await.unwrap());
    assert!(stage.server.take_requests()[0].headers.contains_key("authorization"));
    assert!(!other.take_requests()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_body_that_the_transport_packs_is_unpacked_within_the_limit() {
    let stage = Stage::new();
    stage.server.behave(PATH, Behaviour::Packed);
    let file = fetched(stage.fetch(Validators::default()).await.unwrap());
    assert_eq!(file.bytes, RECORDS.len() as u64);
    assert_eq!(stage.content().as_deref(), Some(RECORDS));

    let bomb = format!("[\"{}\"]", "a".repeat(1 << 20));
    stage.server.put(PATH, bomb.as_str());
    let error = stage.fetch(Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { limit: 1_048_576, .. }), "{error}");
    stage.server.behave(PATH, Behaviour::Status(200, vec![("Content-Encoding", "br".to_owned())]));
    let error = stage.fetch(Validators::default()).await.unwrap_err();
    assert!(error.to_string().contains("packed as `br`"), "{error}");
    assert_eq!(stage.content().as_deref(), Some(RECORDS));
}

#[tokio::test]
async fn a_file_just_at_the_limit_is_taken() {
    for (surplus, is_taken) in [(0, true), (1, false)] {
        let mut stage = Stage::new();
        stage.settings.limits.bytes_max = RECORDS.len() as u64;
        stage.server.put(PATH, format!("{RECORDS}{}", " ".repeat(surplus)));
        for behaviour in [Behaviour::Honest, Behaviour::UnannouncedCutAfter(usize::MAX)] {
            stage.server.behave(PATH, behaviour);
            assert_eq!(stage.fetch(Validators::default()).await.is_ok(), is_taken);
        }
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let stage = Stage::new();
    let fetcher = Fetcher::new(&stage.settings, clock).unwrap();
    let url = stage.server.url(PATH);
    let destination = stage.folder.path().join("not-there/all.json");
    let request = FeedRequest {
        url: &url,
        kind: FeedKind::Osv,
        validators: Validators::default(),
        destination: &destination,
    };
    let error = fetcher.fetch(&request).await.unwrap_err();
    assert!(error.to_string().contains("not-there/all.json"), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_mirror_on_a_disk_follows_the_same_rules() {
    let stage = Stage::new();
    let mirror = tempfile::tempdir().unwrap();
    let file = mirror.path().join("all.json");
    let url = format!("file://{}", file.display());
    let error = stage.fetch_from(&url, Validators::default()).await.unwrap_err();
    assert!(error.to_string().contains("answers 404"), "{error}");
    fs_err::write(&file, RECORDS).unwrap();
    let first = fetched(stage.fetch_from(&url, Validators::default()).await.unwrap());
    assert_eq!(stage.content().as_deref(), Some(RECORDS));
    assert_eq!(stage.fetch_from(&url, first.validators.clone()).await.unwrap(), FetchOutcome::NotModified);
    fs_err::write(&file, &RECORDS[..20]).unwrap();
    let error = stage.fetch_from(&url, first.validators).await.unwrap_err();
    assert!(matches!(error, FetchError::Cut { .. }), "{error}");
    assert_eq!(stage.content().as_deref(), Some(RECORDS));
    let error = stage.fetch_from("file:///dev/zero", Validators::default()).await.unwrap_err();
    assert!(error.to_string().contains("no regular file"), "{error}");
}

/// The folder with real feeds, where it lies beside the workspace.
fn shared_feeds() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/feeds");
    folder.is_dir().then_some(folder)
}

#[tokio::test]
async fn what_is_fetched_can_be_read_packed_or_not() {
    let stage = Stage::new();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, record) in [("A-1.json", r#"{"id":"A-1"}"#), ("A-2.json", r#"{"id":"A-2"}"#)] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut zip, record.as_bytes()).unwrap();
    }
    let zip = zip.finish().unwrap().into_inner();
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, RECORDS.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = zstd::encode_all(RECORDS.as_bytes(), 1).unwrap();
    for (name, bytes) in [("all.zip", zip), ("all.json.gz", gzip), ("all.json.zst", zstd)] {
        let path = format!("/osv/{name}");
        stage.server.put(&path, bytes);
        let destination = stage.folder.path().join(name);
        let url = stage.server.url(&path);
        let request = FeedRequest {
            url: &url,
            kind: FeedKind::Osv,
            validators: Validators::default(),
            destination: &destination,
        };
        fetched(Fetcher::new(&stage.settings, clock).unwrap().fetch(&request).await.unwrap());
        let parsed = read_feed(FeedKind::Osv, &destination, &FeedLimits::default()).unwrap();
        assert_eq!(parsed.advisories.len(), 2, "{name}");
        let small = FeedLimits { file_bytes_max: 10, ..FeedLimits::default() };
        let error = read_feed(FeedKind::Osv, &destination, &small).unwrap_err();
        assert!(error.to_string().contains("file_bytes_max"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_real_feed_comes_through_whole() {
    let Some(feeds) = shared_feeds() else { return };
    let mut stage = Stage::new();
    stage.settings.limits.bytes_max = 1 << 30;
    let unpacked = tempfile::tempdir().unwrap();
    let archive = feeds.join("harvested-osv.tar.zst");
    let status = std::process::Command::new("tar")
        .args(["--zstd", "-xf"])
        .arg(archive)
        .arg("-C")
        .arg(unpacked.path())
        .status()
        .unwrap();
    assert!(status.success());
    let records = fs_err::read(unpacked.path().join("harvested-osv/records.jsonl")).unwrap();
    stage.server.put(PATH, records);
    stage.server.behave(PATH, Behaviour::Packed);
    fetched(stage.fetch(Validators::default()).await.unwrap());
    let parsed = read_feed(FeedKind::Osv, &stage.destination(), &FeedLimits::default()).unwrap();
    assert_eq!((parsed.advisories.len(), parsed.diagnostics.len()), (993, 0));
}
