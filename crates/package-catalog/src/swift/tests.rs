//! Notes of the package manager in their forms.

use model::DiagnosticCode;

use crate::tests::{names, packages_of};

const PATH: &str = "app/.build/workspace-state.json";

#[test]
fn what_is_checked_out_from_elsewhere_is_listed() {
    let text = r#"{"object": {"artifacts": [], "dependencies": [
        {"packageRef": {"identity": "swift-nio", "kind": "remoteSourceControl", "location": "https://github.com/apple/swift-nio.git"},
         "state": {"checkoutState": {"revision": "ab", "version": "2.58.0"}, "name": "sourceControlCheckout"}},
        {"packageRef": {"identity": "old", "kind": "remote", "path": "git@github.com:a/old.git"},
         "state": {"checkoutState": {"branch": "main", "revision": "cd"}}},
        {"packageRef": {"identity": "mona.LinkedList", "kind": "registry", "location": "mona.LinkedList"},
         "state": {"name": "registryDownload", "version": "1.1.0"}},
        {"packageRef": {"identity": "mine", "kind": "fileSystem", "location": "/app/mine"}, "state": {"name": "fileSystem"}},
        {"packageRef": {"kind": "remoteSourceControl", "location": "/srv/x"}}
    ]}, "version": 6}"#;
    let (packages, diagnostics) = packages_of(PATH, text.as_bytes());
    assert_eq!(
        names(&packages),
        ["github.com/a/old -", "github.com/apple/swift-nio 2.58.0", "mona/LinkedList 1.1.0"]
    );
    let purls: Vec<_> = packages.iter().map(|package| package.purl.as_str()).collect();
    let expected = [
        "pkg:swift/github.com/a/old",
        "pkg:swift/github.com/apple/swift-nio@2.58.0",
        "pkg:swift/mona/LinkedList@1.1.0",
    ];
    assert_eq!(purls, expected);
    let codes: Vec<_> = diagnostics.iter().map(|told| told.code).collect();
    assert_eq!(codes, [DiagnosticCode::BrokenRecord, DiagnosticCode::MissingVersion]);
    for nowhere in ["app/Package.resolved", "app/x.build/workspace-state.json"] {
        assert_eq!(packages_of(nowhere, text.as_bytes()), (vec![], vec![]));
    }
    assert_eq!(packages_of(PATH, b"{\"object\": 1}").1[0].code, DiagnosticCode::BrokenRecord);
}
