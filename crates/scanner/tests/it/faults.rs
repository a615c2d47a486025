//! Registries that lie, stall, and refuse: every fault is a clear error in bounded time.

use std::time::{Duration, Instant};

use crate::support::image::{OCI_INDEX, OCI_MANIFEST, TestImage, digest};
use crate::support::options;
use crate::support::server::{Asked, Ending, Reply, Server};
use model::ImageReference;
use scanner::{
    CancellationToken, Credentials, ImageSource, RegistryLogin, ScanError, ScanErrorKind, ScanOptions,
    Secret, load, resolve,
};
use serde_json::json;

/// Far above what any of these takes, far below a test that hangs.
const BOUND: Duration = Duration::from_secs(20);

fn reference(host: &str) -> ImageReference {
    format!("{host}/team/app:1").parse().unwrap()
}

/// Loads from a server whose answers `change` replaces; the error and the server.
async fn fail_with(
    change_options: impl FnOnce(&mut ScanOptions),
    change: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
) -> (ScanError, Server) {
    let server = Server::with_image(&TestImage::debian(), change).await;
    let mut options = options(&server.host);
    change_options(&mut options);
    let started = Instant::now();
    let error = load(&ImageSource::Registry(reference(&server.host)), &options).await.unwrap_err();
    assert!(started.elapsed() < BOUND, "{error}: {:?}", started.elapsed());
    (error, server)
}

async fn check(
    name: &str,
    expected: ScanErrorKind,
    change: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
) -> ScanError {
    let short = |options: &mut ScanOptions| {
        options.registry.timeouts.answer = Duration::from_millis(300);
        options.registry.timeouts.idle = Duration::from_millis(300);
        options.registry.timeouts.document = Duration::from_millis(600);
    };
    let (error, _server) = fail_with(short, change).await;
    assert_eq!(error.kind(), expected, "{name}: {error}");
    error
}

fn manifest(asked: &Asked) -> bool {
    asked.target.contains("/manifests/")
}

/// A gzip layer of the test image.
fn layer(asked: &Asked) -> bool {
    let image = TestImage::debian();
    image.layers.iter().any(|layer| asked.target.ends_with(&digest(layer).to_string()))
}

#[tokio::test]
async fn a_healthy_server_is_read() {
    let image = TestImage::debian();
    let server = Server::with_image(&image, |_, _| None).await;
    let scanned =
        load(&ImageSource::Registry(reference(&server.host)), &options(&server.host)).await.unwrap();
    assert_eq!(scanned.facts.digest, image.digest());
}

#[tokio::test]
async fn nothing_listens() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = resolve(&reference(&host), &options(&host)).await.unwrap_err();
    assert_eq!(error.kind(), ScanErrorKind::Unreachable, "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn refusals_are_told_apart() {
    use ScanErrorKind as Kind;
    check("404", Kind::NotFound, |_, _| Some(Reply::new(404, ""))).await;
    check("403", Kind::Unauthorized, |_, _| Some(Reply::new(403, ""))).await;
    check("401 without challenge", Kind::Unauthorized, |_, _| Some(Reply::new(401, ""))).await;
    check("401 basic, no credentials", Kind::Unauthorized, |_, _| {
        Some(Reply::new(401, "").header("WWW-Authenticate", "Basic realm=x"))
    })
    .await;
    check("418", Kind::Unreachable, |_, _| Some(Reply::new(418, ""))).await;
    let error = check("500", Kind::Unreachable, |_, _| Some(Reply::new(500, ""))).await;
    assert!(error.is_retryable());
    check("blob 404", Kind::BadImage, |asked, _| layer(asked).then(|| Reply::new(404, ""))).await;
}

#[tokio::test]
async fn overload_is_waited_for_a_bounded_number_of_times() {
    for status in [429, 502, 503, 504] {
        // Twice overloaded, then well: three tries are allowed.
        let server = Server::with_image(&TestImage::debian(), move |_, number| {
            (number <= 2).then(|| Reply::new(status, "").header("Retry-After", "0"))
        })
        .await;
        resolve(&reference(&server.host), &options(&server.host)).await.unwrap();

        let (error, server) = fail_with(|_| (), move |_, _| Some(Reply::new(status, ""))).await;
        let expected = if status == 429 { ScanErrorKind::RateLimited } else { ScanErrorKind::Unreachable };
        assert_eq!(error.kind(), expected, "{status}: {error}");
        assert!(error.is_retryable());
        assert_eq!(server.asked().len(), 3, "{status}");
    }
}

#[tokio::test]
async fn a_long_wait_is_told_instead_of_waited() {
    let (error, server) =
        fail_with(|_| (), |_, _| Some(Reply::new(429, "").header("Retry-After", "3600"))).await;
    assert_eq!(error.kind(), ScanErrorKind::RateLimited);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn manifests_that_lie_are_refused() {
    use ScanErrorKind as Kind;
    check("stated digest", Kind::BadImage, |asked, _| {
        let body = TestImage::debian().manifest;
        manifest(asked).then(|| {
            Reply::new(200, body)
                .header("Content-Type", OCI_MANIFEST)
                .header("Docker-Content-Digest", digest(b"x").to_string())
        })
    })
    .await;
    check("nonsense digest", Kind::Unreachable, |asked, _| {
        manifest(asked).then(|| Reply::new(200, "{}").header("Docker-Content-Digest", "sha256:../.."))
    })
    .await;
    check("no JSON", Kind::BadImage, |asked, _| manifest(asked).then(|| Reply::new(200, "<html>"))).await;
    check("announced as index", Kind::BadImage, |asked, _| {
        let body = TestImage::debian().manifest;
        manifest(asked).then(|| Reply::new(200, body).header("Content-Type", OCI_INDEX))
    })
    .await;
    check("schema 1", Kind::Unsupported, |asked, _| {
        manifest(asked).then(|| Reply::new(200, r#"{"schemaVersion":1,"fsLayers":[]}"#))
    })
    .await;
    let missing = check("platform", Kind::NotFound, |asked, _| {
        let mut entry = TestImage::debian().describe();
        entry["platform"] = json!({"os": "linux", "architecture": "s390x"});
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).to_string();
        manifest(asked).then(|| Reply::new(200, index).header("Content-Type", OCI_INDEX))
    })
    .await;
    assert!(missing.to_string().contains("`linux/s390x`"), "{missing}");
    check("index in itself", Kind::LimitExceeded, |asked, _| manifest(asked).then(|| nested_index(asked)))
        .await;
}

/// An index that leads to an index … each with its right digest.
fn nested_index(asked: &Asked) -> Reply {
    let mut documents =
        vec![json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).to_string()];
    for _ in 0..8 {
        let mut entry = crate::support::image::describe(OCI_INDEX, documents[0].as_bytes());
        entry["platform"] = json!({"os": "linux", "architecture": "amd64"});
        documents
            .insert(0, json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry]}).to_string());
    }
    let found = documents.iter().find(|body| asked.target.ends_with(&digest(body.as_bytes()).to_string()));
    Reply::new(200, found.unwrap_or(&documents[0]).clone()).header("Content-Type", OCI_INDEX)
}

#[tokio::test]
async fn a_manifest_by_digest_must_have_that_digest() {
    let server = Server::with_image(&TestImage::debian(), |_, _| None).await;
    let wanted = reference(&server.host).at_digest(digest(b"something else"));
    let error = resolve(&wanted, &options(&server.host)).await.unwrap_err();
    assert!(matches!(error, ScanError::DigestMismatch { .. }), "{error}");
}

#[tokio::test]
async fn bodies_have_limits_of_size_and_time() {
    use ScanErrorKind as Kind;
    const LIMIT: usize = 4 << 20;
    check("stated too large", Kind::LimitExceeded, |asked, _| {
        manifest(asked).then(|| Reply::new(200, "").stated_length(Some(LIMIT + 1)).ending(Ending::Silence))
    })
    .await;
    check("endless", Kind::LimitExceeded, |asked, _| {
        manifest(asked).then(|| Reply::new(200, "").stated_length(None).ending(Ending::Endless))
    })
    .await;
    check("exactly the limit", Kind::BadImage, |asked, _| {
        manifest(asked).then(|| Reply::new(200, vec![b' '; LIMIT]).stated_length(None))
    })
    .await;
    check("one more", Kind::LimitExceeded, |asked, _| {
        manifest(asked).then(|| Reply::new(200, vec![b' '; LIMIT + 1]).stated_length(None))
    })
    .await;
    check("silence in the body", Kind::Unreachable, |asked, _| {
        manifest(asked).then(|| Reply::new(200, "{").stated_length(Some(100)).ending(Ending::Silence))
    })
    .await;
    check("cut body", Kind::Unreachable, |asked, _| {
        manifest(asked).then(|| Reply::new(200, "{").stated_length(Some(100)))
    })
    .await;
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let mut options = options(&host);
    options.registry.timeouts.answer = Duration::from_millis(200);
    let error = resolve(&reference(&host), &options).await.unwrap_err();
    assert!(matches!(error, ScanError::TimedOut { .. }), "{error}");
    assert_eq!(error.kind(), ScanErrorKind::Unreachable);
}

#[tokio::test]
async fn layers_that_lie_are_refused() {
    use ScanErrorKind as Kind;
    let first = TestImage::debian().layers[0].clone();
    let replace = move |asked: &Asked, change: fn(&mut Vec<u8>)| {
        asked.target.ends_with(&digest(&first).to_string()).then(|| {
            let mut body = first.clone();
            change(&mut body);
            Reply::new(200, body)
        })
    };
    let other = replace.clone();
    let error = check("other bytes", Kind::BadImage, move |asked, _| {
        other(asked, |body| {
            // A byte of the gzip header that no decoder looks at: only the digest tells.
            body[4] ^= 1;
        })
    })
    .await;
    assert!(matches!(&error, ScanError::BadLayer { number: 1, .. }), "{error:?}");
    let longer = replace.clone();
    check("longer", Kind::BadImage, move |asked, _| longer(asked, |body| body.push(0))).await;
    let shorter = replace.clone();
    let error = check("shorter", Kind::BadImage, move |asked, _| {
        shorter(asked, |body| body.truncate(body.len() - 1))
    })
    .await;
    assert!(matches!(&error, ScanError::SizeMismatch { .. }), "{error:?}");
    check("endless", Kind::BadImage, |asked, _| {
        layer(asked).then(|| Reply::new(200, "").stated_length(None).ending(Ending::Endless))
    })
    .await;
    check("silence", Kind::Unreachable, |asked, _| {
        layer(asked).then(|| Reply::new(200, "\x1f\u{8b}").stated_length(Some(100)).ending(Ending::Silence))
    })
    .await;
}

#[tokio::test]
async fn a_broken_transfer_is_continued_where_it_broke() {
    for with_ranges in [true, false] {
        let image = TestImage::debian();
        let first = image.layers[0].clone();
        let half = first.len() / 2;
        let server = Server::with_image(&image, move |asked, _| {
            if !asked.target.ends_with(&digest(&first).to_string()) {
                return None;
            }
            match asked.header("range") {
                None => Some(Reply::new(200, &first[..half]).stated_length(Some(first.len()))),
                Some(_) if with_ranges => {
                    let range = format!("bytes {half}-{}/{}", first.len() - 1, first.len());
                    Some(Reply::new(206, &first[half..]).header("Content-Range", range))
                }
                Some(_) => Some(Reply::new(200, first.clone())),
            }
        })
        .await;
        load(&ImageSource::Registry(reference(&server.host)), &options(&server.host)).await.unwrap();
        let ranges: Vec<_> =
            server.asked().iter().filter_map(|asked| asked.header("range").map(str::to_owned)).collect();
        assert_eq!(ranges, [format!("bytes={half}-")], "{with_ranges}");
    }
}

#[tokio::test]
async fn a_wrong_range_is_not_taken_for_the_right_one() {
    let image = TestImage::debian();
    let first = image.layers[0].clone();
    let error = check("range", ScanErrorKind::Unreachable, move |asked, _| {
        let is_first = asked.target.ends_with(&digest(&first).to_string());
        is_first.then(|| match asked.header("range") {
            None => Reply::new(200, &first[..5]).stated_length(Some(first.len())),
            Some(_) => Reply::new(206, &first[4..]).header("Content-Range", "bytes 4-9/10"),
        })
    })
    .await;
    assert!(matches!(error, ScanError::BadAnswer { .. }), "{error}");
}

#[tokio::test]
async fn limits_hold_before_anything_is_fetched() {
    let (error, server) = fail_with(|options| options.limits.layer_bytes_max = 10, |_, _| None).await;
    assert_eq!(error.kind(), ScanErrorKind::LimitExceeded, "{error}");
    assert!(!server.asked().iter().any(layer));
}

#[tokio::test]
async fn work_ends_when_it_is_cancelled_or_out_of_time() {
    let hang = |asked: &Asked, _| {
        layer(asked).then(|| Reply::new(200, "\x1f").stated_length(Some(100)).ending(Ending::Silence))
    };
    let (error, _server) = fail_with(|options| options.time_max = Duration::from_millis(300), hang).await;
    assert_eq!(error.kind(), ScanErrorKind::LimitExceeded, "{error}");

    let server = Server::with_image(&TestImage::debian(), hang).await;
    let cancellation = CancellationToken::new();
    let options = ScanOptions { cancellation: cancellation.clone(), ..options(&server.host) };
    let source = ImageSource::Registry(reference(&server.host));
    let loading = load(&source, &options);
    let cancel = async {
        while !server.asked().iter().any(layer) {
            tokio::task::yield_now().await;
        }
        cancellation.cancel();
    };
    let (outcome, ()) = tokio::join!(loading, cancel);
    assert_eq!(outcome.unwrap_err().kind(), ScanErrorKind::Cancelled);
}

#[tokio::test]
async fn redirects_lose_the_credentials_and_obey_the_rules() {
    let image = TestImage::debian();
    let storage = Server::with_image(&image, |_, _| None).await;
    let storage_host = storage.host.clone();
    let registry = Server::with_image(&image, move |asked, _| {
        if asked.header("authorization").is_none() {
            return Some(Reply::new(401, "").header("WWW-Authenticate", "Basic realm=x"));
        }
        let target = format!("http://{storage_host}/cdn{}?signature=hunter2", asked.target);
        asked.target.contains("/blobs/").then(|| Reply::new(307, "").header("Location", target))
    })
    .await;
    let mut options = options(&registry.host);
    options.registry.credentials = login(&registry.host);
    let source = ImageSource::Registry(reference(&registry.host));

    // The storage is not named insecure, so plain http is refused.
    let error = load(&source, &options).await.unwrap_err();
    assert!(matches!(error, ScanError::ForbiddenTarget { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert!(storage.asked().is_empty());

    options.registry.insecure_registries.insert(storage.host.clone());
    let scanned = load(&source, &options).await.unwrap();
    assert_eq!(scanned.facts.digest, image.digest());
    assert!(storage.asked().iter().all(|asked| asked.target.contains("signature=hunter2")));
    assert!(!storage.asked().is_empty());
    assert!(storage.asked().iter().all(|asked| asked.header("authorization").is_none()));
}

#[tokio::test]
async fn redirects_end() {
    let error = check("circle", ScanErrorKind::Unreachable, |asked, _| {
        Some(Reply::new(302, "").header("Location", asked.target.clone()))
    })
    .await;
    assert!(error.to_string().contains("redirects"), "{error}");
    check("no target", ScanErrorKind::Unreachable, |_, _| Some(Reply::new(302, ""))).await;
}

fn login(scope: &str) -> Credentials {
    let (scope, user) = (scope.to_owned(), "user".to_owned());
    Credentials::Logins(vec![RegistryLogin { scope, user, password: Secret::new("pass") }])
}

/// A registry whose tokens come from `/token` of itself; `token` makes the answer to each request for one.
async fn token_registry(token: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Server {
    Server::with_image(&TestImage::debian(), move |asked, _| {
        if asked.target.starts_with("/token") {
            return Some(token(asked));
        }
        let host = asked.header("host").unwrap_or_default();
        let challenge =
            format!(r#"Bearer realm="http://{host}/token",service="reg",scope="repository:other:push""#);
        (asked.header("authorization") != Some("Bearer good"))
            .then(|| Reply::new(401, "").header("WWW-Authenticate", challenge))
    })
    .await
}

#[tokio::test]
async fn tokens_are_fetched_once_for_our_own_scope() {
    let registry = token_registry(|_| Reply::new(200, r#"{"token":"good","expires_in":300}"#)).await;
    let mut options = options(&registry.host);
    options.registry.credentials = login(&registry.host);
    let source = ImageSource::Registry(reference(&registry.host));
    load(&source, &options).await.unwrap();
    load(&source, &options).await.unwrap();
    let asked = registry.asked();
    let tokens: Vec<&Asked> = asked.iter().filter(|asked| asked.target.starts_with("/token")).collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].target, "/token?service=reg&scope=repository%3Ateam%2Fapp%3Apull");
    // `user:pass`.
    assert_eq!(tokens[0].header("authorization"), Some("Basic dXNlcjpwYXNz"));
    assert!(
        asked
            .iter()
            .filter(|asked| !asked.target.starts_with("/token"))
            .all(|asked| { asked.header("authorization").is_none_or(|value| value == "Bearer good") })
    );

    // Another tenant shares the connections, not the token.
    options.registry.credentials = Credentials::Anonymous;
    resolve(&reference(&registry.host), &options).await.unwrap();
    let asked = registry.asked();
    let last = asked.iter().rfind(|asked| asked.target.starts_with("/token")).unwrap();
    assert_eq!(last.header("authorization"), None);
}

#[tokio::test]
async fn bad_tokens_are_refused_without_a_loop() {
    use ScanErrorKind as Kind;
    for (name, reply, expected) in [
        ("never good", Reply::new(200, r#"{"token":"bad"}"#), Kind::Unauthorized),
        ("refused", Reply::new(401, ""), Kind::Unauthorized),
        ("empty", Reply::new(200, "{}"), Kind::Unreachable),
        ("no header", Reply::new(200, r#"{"token":"a\r\nb: c"}"#), Kind::Unreachable),
        ("no JSON", Reply::new(200, "hunter2"), Kind::Unreachable),
        ("huge", Reply::new(200, vec![b' '; (64 << 10) + 1]), Kind::LimitExceeded),
        ("endless", Reply::new(200, "").stated_length(None).ending(Ending::Endless), Kind::LimitExceeded),
        ("overloaded", Reply::new(503, ""), Kind::Unreachable),
    ] {
        let registry = token_registry(move |_| reply.clone()).await;
        let error = resolve(&reference(&registry.host), &options(&registry.host)).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{name}: {error}");
        assert!(!error.to_string().contains("hunter2"));
        assert!(registry.asked().len() <= 6, "{name}: {}", registry.asked().len());
    }
}

#[tokio::test]
async fn a_token_that_ends_is_renewed() {
    let count = std::sync::Mutex::new(0);
    let registry = Server::with_image(&TestImage::debian(), move |asked, _| {
        let mut count = count.lock().unwrap();
        if asked.target.starts_with("/token") {
            *count += 1;
            return Some(Reply::new(200, format!(r#"{{"access_token":"t{count}","expires_in":3600}}"#)));
        }
        // Each token is good for one request.
        let host = asked.header("host").unwrap_or_default();
        let is_good = asked.header("authorization") == Some(&format!("Bearer t{count}")) && *count % 2 == 1;
        if is_good {
            *count += 1;
            return None;
        }
        Some(Reply::new(401, "").header("WWW-Authenticate", format!(r#"Bearer realm="http://{host}/token""#)))
    })
    .await;
    let outcome = resolve(&reference(&registry.host), &options(&registry.host)).await;
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[tokio::test]
async fn a_realm_elsewhere_must_be_https() {
    let thief = Server::start(|_| Reply::new(200, r#"{"token":"good"}"#)).await;
    for realm in [
        format!("http://{}/token", thief.host),
        "ftp://h/".into(),
        "nonsense".into(),
        "http://user@h/".into(),
    ] {
        let answer = format!(r#"Bearer realm="{realm}""#);
        let registry =
            Server::start(move |_| Reply::new(401, "").header("WWW-Authenticate", answer.clone())).await;
        let mut options = options(&registry.host);
        options.registry.credentials = login(&registry.host);
        let error = resolve(&reference(&registry.host), &options).await.unwrap_err();
        assert_eq!(error.kind(), ScanErrorKind::Unreachable, "{realm}: {error}");
    }
    assert!(thief.asked().is_empty());
}
