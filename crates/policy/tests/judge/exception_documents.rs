//! Exceptions as people write them: what is read, and every mistake with its member.

use model::{ExceptionScope, PolicyException};
use policy::{EXCEPTIONS_MAX, parse_exception, parse_exceptions, scope_document};
use serde_json::{Value, json};

use crate::fixture::{digest, timestamp};

fn good() -> Value {
    json!({"vulnerability": "CVE-2023-0001", "scope": {"type": "account"}, "owner": "team", "reason": "not reachable"})
}

fn with(name: &str, value: Value) -> Value {
    let mut document = good();
    document[name] = value;
    document
}

/// The texts of the mistakes.
fn mistakes(document: &Value) -> Vec<String> {
    let problems = parse_exception("e", document).err().unwrap_or_default();
    problems.into_iter().map(|problem| problem.details).collect()
}

#[test]
fn a_whole_exception_is_read() {
    let document = json!({
        "vulnerability": " CVE-2023-0001 ", "package": "openssl",
        "scope": {"type": "repository", "value": "quay.io/team/*"},
        "owner": "team@example.org", "reason": "not reachable", "expires_at": "2031-01-01T00:00:00Z",
        "vex_url": "https://example.org/vex.json",
        "id": "other", "account": "a", "created_at": "x", "created_by": "y", "updated_at": "x", "updated_by": "y",
        "is_live": true,
    });
    let expected = PolicyException {
        id: "e".to_owned(),
        vulnerability: "CVE-2023-0001".to_owned(),
        package: Some("openssl".to_owned()),
        scope: ExceptionScope::Repository("quay.io/team/*".to_owned()),
        owner: "team@example.org".to_owned(),
        reason: "not reachable".to_owned(),
        expires_at: Some(timestamp("2031-01-01T00:00:00Z")),
        vex_url: Some("https://example.org/vex.json".to_owned()),
    };
    assert_eq!(parse_exception("e", &document), Ok(expected));
    let small = parse_exception("e", &good()).unwrap();
    assert_eq!((small.package, small.expires_at, small.vex_url), (None, None, None));
}

#[test]
fn scopes_are_written_as_they_are_read() {
    let digest = digest('a');
    for scope in [
        ExceptionScope::Account,
        ExceptionScope::Digest(digest),
        ExceptionScope::Repository("localhost:5000/*".to_owned()),
        ExceptionScope::Repository("*".to_owned()),
    ] {
        let read = parse_exception("e", &with("scope", scope_document(&scope))).unwrap();
        assert_eq!(read.scope, scope);
    }
}

#[test]
fn each_mistake_is_told() {
    let long = |length: usize| json!("x".repeat(length));
    let repository = |text: &str| json!({"type": "repository", "value": text});
    let rows = [
        ("vulnerability", json!(null), "vulnerability: is missing"),
        ("vulnerability", json!(5), "vulnerability: 5 is not a text"),
        ("vulnerability", json!(" "), "vulnerability: is empty"),
        ("vulnerability", json!("CVE-2023-*"), "it is compared exactly"),
        ("vulnerability", json!("CVE 1"), "it is compared exactly"),
        ("vulnerability", long(201), "has 201 characters (limit 200)"),
        ("package", json!("a*"), "package: 'a*'"),
        ("package", json!(""), "package: is empty"),
        ("owner", json!(null), "owner: is missing"),
        ("reason", json!(""), "reason: is empty"),
        ("reason", long(4001), "limit 4000"),
        ("scope", json!(null), "scope: is missing: must be like"),
        ("scope", json!("account"), "must be like"),
        ("scope", json!({"type": "image"}), "must be like"),
        ("scope", json!({"type": "account", "value": "x"}), "must be like"),
        ("scope", json!({"type": "digest"}), "must be like"),
        ("scope", json!({"type": "digest", "value": "sha256:1"}), "64"),
        ("scope", repository(""), "no character"),
        ("scope", repository("a b/c"), "blank"),
        ("scope", repository("nginx"), "names no registry"),
        ("scope", repository("docker.io/library/nginx:1"), "names a tag or a digest"),
        ("scope", repository("docker.io/library/nginx@sha256:1"), "names a tag or a digest"),
        ("expires_at", json!("tomorrow"), "2031-01-01T00:00:00Z"),
        ("expires_at", json!("2031-01-01"), "2031-01-01T00:00:00Z"),
        ("expires_at", json!(1), "1 is not a text"),
        ("vex_url", json!("javascript:x"), "http or https"),
        ("vex_url", json!("https://"), "http or https"),
        ("expires", json!("2031-01-01T00:00:00Z"), "expires: there is no member of this name"),
    ];
    for (name, value, text) in rows {
        let found = mistakes(&with(name, value.clone()));
        assert!(found.len() == 1 && found[0].contains(text), "{name} {value}: {found:?}");
    }
    for (length, is_good) in [(199, true), (200, true), (201, false)] {
        assert_eq!(mistakes(&with("owner", long(length))).is_empty(), is_good, "{length}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    assert_eq!(mistakes(&json!({"expires": 1, "vex_url": 2})).len(), 6);
    assert_eq!(mistakes(&json!([])), ["[] is not an object"]);
    let file = json!([good(), {"owner": "x"}, with("package", json!(1))]);
    let problems = parse_exceptions(&file).unwrap_err();
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_deref().unwrap()).collect();
    assert_eq!(paths, ["1.vulnerability", "1.scope", "1.reason", "2.package"]);
    assert_eq!(problems[3].details, "package: 1 is not a text");
    let paths = parse_exceptions(&json!([1])).unwrap_err();
    assert_eq!(paths[0].path.as_deref(), Some("0"));
}

#[test]
fn a_file_is_a_list_of_limited_length() {
    let mut named = good();
    named["id"] = json!("mine");
    let read = parse_exceptions(&json!([good(), named])).unwrap();
    assert_eq!((read[0].id.as_str(), read[1].id.as_str()), ("0", "mine"));
    assert!(parse_exceptions(&good()).unwrap_err()[0].details.contains("not a list"));
    for (count, is_good) in [(EXCEPTIONS_MAX, true), (EXCEPTIONS_MAX + 1, false)] {
        assert_eq!(parse_exceptions(&json!(vec![good(); count])).is_ok(), is_good);
    }
}
