//! Packages in the cache, and descriptions elsewhere.

use model::DiagnosticCode;

use crate::tests::{names, packages_of};

const PATH: &str = "root/.pub-cache/hosted/pub.dev/args-2.4.2/pubspec.yaml";

#[test]
fn packages_in_the_cache_count() {
    let text =
        "name: args\nversion: \"2.4.2\" # x\ndescription: >-\n  version: 9\ndependencies:\n  version: ^1.0\n";
    for (path, is_package) in [
        (PATH, true),
        ("root/.pub-cache/git/args-0123456789/pubspec.yaml", true),
        ("root/.pub-cache/hosted/pub.dev/args-2.4.2/example/pubspec.yaml", false),
        ("app/hosted/pub.dev/args-2.4.2/pubspec.yaml", false),
        ("app/pubspec.yaml", false),
    ] {
        let (packages, diagnostics) = packages_of(path, text.as_bytes());
        let expected = if is_package { vec!["args 2.4.2".to_owned()] } else { vec![] };
        assert_eq!((names(&packages), diagnostics), (expected, vec![]), "{path}");
    }
    let (packages, _) = packages_of(PATH, text.as_bytes());
    assert_eq!(packages[0].purl, "pkg:pub/args@2.4.2");
    for (text, expected, code) in [
        ("name: args\nversion:\n", vec!["args -"], DiagnosticCode::MissingVersion),
        ("version: 1.0.0\n", vec![], DiagnosticCode::BrokenRecord),
        ("{\"name\": 1}", vec![], DiagnosticCode::BrokenRecord),
    ] {
        let (packages, diagnostics) = packages_of(PATH, text.as_bytes());
        assert_eq!(
            (names(&packages), diagnostics[0].code),
            (expected.iter().map(ToString::to_string).collect(), code)
        );
    }
}
