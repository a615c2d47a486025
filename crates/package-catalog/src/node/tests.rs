//! Which files are packages of JavaScript, and what is read of them.

use model::DiagnosticCode;

use crate::tests::{names, packages_of};

#[test]
fn the_manifest_at_the_top_of_a_package_counts() {
    let manifest = br#"{"name": "left-pad", "version": "1.3.0"}"#;
    for (path, is_package) in [
        ("app/node_modules/left-pad/package.json", true),
        ("node_modules/left-pad/package.json", true),
        ("app/node_modules/@scope/left-pad/package.json", true),
        ("app/node_modules/.pnpm/a@1/node_modules/left-pad/package.json", true),
        ("app/node_modules/left-pad/test/fixture/package.json", false),
        ("app/node_modules/@scope/left-pad/lib/package.json", false),
        ("app/node_modules/next/dist/compiled/@scope/left-pad/package.json", true),
        ("app/node_modules/next/dist/compiled/left-pad/package.json", true),
        ("app/node_modules/next/dist/compiled/left-pad/lib/package.json", false),
        ("app/node_modules/compiled/@scope/package.json", false),
        ("app/node_modules/package.json", false),
        ("usr/share/nodejs/left-pad/package.json", true),
        ("app/package.json", true),
        ("package.json", true),
        ("app/xpackage.json", false),
        ("app/package.json.orig", false),
        ("app/my_node_modules/a/b/package.json", true),
    ] {
        let (packages, diagnostics) = packages_of(path, manifest);
        let expected: &[&str] = if is_package { &["left-pad 1.3.0"] } else { &[] };
        assert_eq!(
            (names(&packages), diagnostics),
            (expected.iter().map(ToString::to_string).collect(), vec![]),
            "{path}"
        );
    }
}

#[test]
fn the_values_that_matter_are_read() {
    let read = |text: &str| packages_of("app/node_modules/a/package.json", text.as_bytes());
    let (packages, _) = read(
        "\u{feff}{\"name\":\"@scope/a\",\"version\":\"1.0.0\",\"license\":{\"type\":\"MIT\"},\
         \"licenses\":[\"ISC\",{\"type\":\"BSD\"}],\"author\":{\"name\":\"Ada\"},\"scripts\":{\"x\":\"y\"}}",
    );
    assert_eq!(packages[0].purl, "pkg:npm/%40scope/a@1.0.0");
    assert_eq!(packages[0].licenses, ["MIT", "ISC", "BSD"]);
    assert_eq!(packages[0].maintainer.as_deref(), Some("Ada"));
    assert_eq!(packages[0].locations[0].path, "/app/node_modules/a/package.json");
    for nothing in [r#"{"name":"a"}"#, r#"{"version":"1"}"#, r#"{"name":1,"version":"1"}"#, "[]", "{}"] {
        assert_eq!(read(nothing), (vec![], vec![]), "{nothing}");
    }
    let deep = "[".repeat(100_000);
    let large = format!("{{\"name\":\"a\",\"version\":\"1\",\"x\":\"{}\"}}", "y".repeat(5 << 20));
    for broken in ["{", "", "{\"name\":\"a\"", deep.as_str()] {
        let (packages, diagnostics) = read(broken);
        let codes: Vec<_> = diagnostics.iter().map(|it| it.code).collect();
        assert_eq!((packages, codes), (vec![], vec![DiagnosticCode::PackagesLeftOut]), "{:.40}", broken);
    }
    let (packages, diagnostics) = read(&large);
    assert_eq!((packages.len(), diagnostics[0].code), (0, DiagnosticCode::PackagesLeftOut));
}

#[test]
fn what_does_not_matter_hides_nothing() {
    let read = |text: &str| {
        let (packages, diagnostics) = packages_of("app/node_modules/a/package.json", text.as_bytes());
        (names(&packages), diagnostics.len())
    };
    let nested = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for text in [
        format!(r#"{{"name": "a", "x": {nested}, "version": "1"}}"#),
        format!(r#"{{"name": "a", "license": {nested}, "version": "1"}}"#),
        // Programs take the last.
        r#"{"name": "a", "version": "9", "version": "1"}"#.to_owned(),
    ] {
        assert_eq!(read(&text), (vec!["a 1".to_owned()], 0), "{:.60}", text);
    }
}

#[test]
fn what_describes_a_package_is_left_out_where_it_cannot_be_read() {
    let reduced = |text: &str| super::reduce(text.as_bytes()).map(|kept| String::from_utf8(kept).unwrap());
    let nested = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let large = format!(r#""x": "{}", "#, "y".repeat(super::DESCRIBED_BYTES_MAX));
    for (license, more, licenses, author) in [
        (r#""MIT""#, "", r#"["MIT"]"#, r#""x""#),
        (r#""MIT""#, large.as_str(), "[]", "null"),
        // What lies too deep is nothing.
        (nested.as_str(), "", "[]", r#""x""#),
        ("1e999", "", "[]", "null"),
    ] {
        let text = format!(r#"{{"name": "a", {more}"version": "1", "author": "x", "license": {license}}}"#);
        let expected = format!(r#"{{"name":"a","version":"1","licenses":{licenses},"author":{author}}}"#);
        assert_eq!(reduced(&text), Ok(expected), "{license:.60}");
    }
    let text = format!(r#"{{"license": {nested}, "name": {nested}}}"#);
    assert_eq!(reduced(&text).as_deref(), Ok(r#"{"name":"","version":"","licenses":[],"author":null}"#));
}
