//! Tests of `credentials`: which login goes to which image, and nothing to any other.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::ScanErrorKind;

const TIMEOUT: Duration = Duration::from_secs(10);

fn user(name: &str) -> Identity {
    Identity::User { user: name.to_owned(), password: Secret::new("p") }
}

#[tokio::test]
async fn the_most_specific_login_is_taken_and_only_for_its_scope() {
    let login = |scope: &str, user: &str| RegistryLogin {
        scope: scope.to_owned(),
        user: user.to_owned(),
        password: Secret::new("p"),
    };
    let logins = Credentials::Logins(vec![
        login("h:5000", "all"),
        login("h:5000/team", "team"),
        login("h:5000/team/app*", "app"),
        login("docker.io", "hub"),
    ]);
    for (registry, repository, expected) in [
        ("h:5000", "other", user("all")),
        ("h:5000", "team", user("team")),
        ("h:5000", "team/x", user("team")),
        ("h:5000", "teammate", user("all")),
        ("h:5000", "team/apple", user("app")),
        ("h", "team", Identity::Anonymous),
        ("h:50001", "team", Identity::Anonymous),
        ("evil.h:5000", "team", Identity::Anonymous),
        ("docker.io", "library/nginx", user("hub")),
    ] {
        let found = find_identity(&logins, registry, repository, TIMEOUT).await.unwrap();
        assert_eq!(found, expected, "{registry}/{repository}");
    }
}

fn config(folder: &Path, text: &str) -> Credentials {
    let path = folder.join("config.json");
    std::fs::write(&path, text).unwrap();
    Credentials::DockerConfig(DockerConfig { path, helper_folder: Some(folder.to_owned()) })
}

async fn check(text: &str, registry: &str, expected: Identity) {
    let folder = tempfile::tempdir().unwrap();
    let found = find_identity(&config(folder.path(), text), registry, "a/b", TIMEOUT).await.unwrap();
    assert_eq!(found, expected, "{text} for {registry}");
}

#[tokio::test]
async fn docker_configurations_of_all_kinds_are_read() {
    // `dTpw` is `u:p`.
    check(r#"{"auths":{"h:5000":{"auth":"dTpw"}}}"#, "h:5000", user("u")).await;
    check(r#"{"auths":{"h:5000":{"auth":"dTpw"}}}"#, "h", Identity::Anonymous).await;
    check(r#"{"auths":{"https://h/v1/":{"auth":"dTpw"}}}"#, "h", user("u")).await;
    check(r#"{"auths":{"https://index.docker.io/v1/":{"auth":"dTpw"}}}"#, "docker.io", user("u")).await;
    check(r#"{"auths":{"h":{"username":"u","password":"p"}}}"#, "h", user("u")).await;
    check(r#"{"auths":{"h":{"auth":"dTpw"},"h/a":{"username":"deep","password":"p"}}}"#, "h", user("deep"))
        .await;
    let token = Identity::Refresh(Secret::new("t"));
    check(r#"{"auths":{"h":{"auth":"dTpw","identitytoken":"t"}}}"#, "h", token).await;
    check(r#"{"auths":{"h":{"registrytoken":"r"}}}"#, "h", Identity::RegistryToken(Secret::new("r"))).await;
    check(r#"{"auths":{"h":{}},"credsStore":"","credHelpers":null}"#, "h", Identity::Anonymous).await;
    check("{}", "h", Identity::Anonymous).await;
}

#[tokio::test]
async fn a_missing_file_is_nobody_and_a_broken_one_an_error_without_its_text() {
    let missing =
        Credentials::DockerConfig(DockerConfig { path: PathBuf::from("/no/such"), helper_folder: None });
    assert_eq!(find_identity(&missing, "h", "a", TIMEOUT).await.unwrap(), Identity::Anonymous);
    let folder = tempfile::tempdir().unwrap();
    for text in [
        r#"{"auths":{"h":{"auth":{"hunter2":1}}}}"#,
        r#"{"auths":"hunter2"}"#,
        "hunter2",
        r#"{"auths":{"h":{"auth":"aHVudGVyMg"}}}"#,
    ] {
        let error = find_identity(&config(folder.path(), text), "h", "a", TIMEOUT).await.unwrap_err();
        assert_eq!(error.kind(), ScanErrorKind::Io, "{error}");
        let whole = format!("{error} {error:?}");
        assert!(!whole.contains("hunter2") && !whole.contains("aHVudGVyMg"), "{whole}");
    }
}

fn write_helper(folder: &Path, name: &str, script: &str) {
    let path = folder.join(format!("docker-credential-{name}"));
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn helpers_answer_for_their_registry() {
    let folder = tempfile::tempdir().unwrap();
    write_helper(
        folder.path(),
        "one",
        r#"read server; [ "$1" = get ] && echo "{\"ServerURL\":\"$server\",\"Username\":\"$server\",\"Secret\":\"p\"}""#,
    );
    write_helper(folder.path(), "two", r#"cat >/dev/null; echo '{"Username":"<token>","Secret":"t"}'"#);
    write_helper(folder.path(), "none", "echo credentials not found in native keychain; exit 1");
    let text = r#"{"auths":{"file":{"auth":"dTpw"},"one":{}},"credHelpers":{"one":"one","docker.io":"one"},"credsStore":"two"}"#;
    let credentials = config(folder.path(), text);
    for (registry, expected) in [
        ("one", user("one")),
        ("docker.io", user(DOCKER_HUB_KEY)),
        ("file", user("u")),
        ("other", Identity::Refresh(Secret::new("t"))),
    ] {
        let found = find_identity(&credentials, registry, "a", TIMEOUT).await.unwrap();
        assert_eq!(found, expected, "{registry}");
    }
    let credentials = config(folder.path(), r#"{"credsStore":"none"}"#);
    assert_eq!(find_identity(&credentials, "h", "a", TIMEOUT).await.unwrap(), Identity::Anonymous);
}

#[tokio::test]
async fn a_bad_helper_is_an_error_in_bounded_time_and_its_output_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    write_helper(folder.path(), "slow", "exec sleep 600");
    write_helper(folder.path(), "fails", "echo hunter2; echo hunter2 >&2; exit 1");
    write_helper(folder.path(), "garbage", "echo hunter2");
    write_helper(folder.path(), "endless", "exec yes hunter2");
    for name in ["slow", "fails", "garbage", "endless", "missing", "../slow", ""] {
        let credentials = config(folder.path(), &format!(r#"{{"credHelpers":{{"h":"{name}"}}}}"#));
        let timeout = Duration::from_millis(300);
        let error = find_identity(&credentials, "h", "a", timeout).await.unwrap_err();
        assert_eq!(error.kind(), ScanErrorKind::Unauthorized, "{name}: {error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{name}: {error}");
    }
}
