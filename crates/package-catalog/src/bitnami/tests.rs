//! What Bitnami's images say, and what they own.

use model::{DiagnosticCode, Location, Package, PackageKind};

use super::settle;
use crate::tests::{inventory, names, packages_of};

const DOCUMENT: &[u8] = br#"{"spdxVersion": "SPDX-2.3", "packages": [
    {"name": "postgresql", "versionInfo": "15.1.0-3", "licenseConcluded": "NOASSERTION", "licenseDeclared": "PostgreSQL",
     "externalRefs": [{"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:x"},
        {"referenceType": "purl", "referenceLocator": "pkg:bitnami/postgresql@15.1.0-3?arch=amd64&distro=debian-11"}]},
    {"name": ["odd"], "licenseDeclared": {"a": [1, null]}, "externalRefs": [{"referenceType": "purl",
        "referenceLocator": "pkg:golang/example.com/part@v1.0.0"}]},
    {"name": "plain"}]}"#;
const COMPONENTS: &[u8] =
    br#"{"postgresql": {"arch": "amd64", "distro": "debian-11", "type": "NAMI", "version": "15.1.0-3"},
    "gosu": {"version": "1.14.0-155"}, "odd": []}"#;
const PATH: &str = "opt/bitnami/postgresql/.spdx-postgresql.spdx";

#[test]
fn components_are_listed_once() {
    let found = inventory(&[
        ("etc/os-release", b"ID=debian\nVERSION_ID=11\n"),
        (PATH, DOCUMENT),
        ("opt/bitnami/.bitnami_components.json", COMPONENTS),
        ("srv/.bitnami_components.json", COMPONENTS),
        ("srv/.spdx-x.spdx", DOCUMENT),
    ]);
    assert_eq!(names(&found.packages), ["gosu 1.14.0-155", "odd -", "postgresql 15.1.0-3"]);
    let package = &found.packages[2];
    assert_eq!(package.kind, PackageKind::Bitnami);
    assert_eq!(package.purl, "pkg:bitnami/postgresql@15.1.0-3?arch=amd64&distro=debian-11");
    assert_eq!(
        (package.licenses[0].as_str(), package.architecture.as_deref()),
        ("PostgreSQL", Some("amd64"))
    );
    assert_eq!(package.locations[0].path, format!("/{PATH}"));
    assert_eq!(found.packages[0].purl, "pkg:bitnami/gosu@1.14.0-155");
    for (broken, code) in
        [("{", DiagnosticCode::BrokenRecord), ("{\"packages\": 1}", DiagnosticCode::BrokenRecord)]
    {
        let (packages, diagnostics) = packages_of(PATH, broken.as_bytes());
        let codes: Vec<_> = diagnostics.iter().map(|told| told.code).collect();
        assert_eq!((packages.len(), codes), (0, vec![code]), "{broken}");
    }
}

#[test]
fn what_is_recognised_inside_of_a_component_is_the_component() {
    let at = |kind: PackageKind, name: &str, path: &str| Package {
        locations: vec![Location { path: path.to_owned(), layer: None }],
        ..Package::new(kind, name.to_owned(), Some("1".to_owned()))
    };
    let mut packages = vec![
        at(PackageKind::Bitnami, "redis", "/opt/bitnami/redis/.spdx-redis.spdx"),
        at(PackageKind::Bitnami, "gosu", "/opt/bitnami/.bitnami_components.json"),
        at(PackageKind::Binary, "inner", "/opt/bitnami/redis/bin/redis-server"),
        at(PackageKind::Binary, "listed", "/opt/bitnami/gosu/bin/gosu"),
        at(PackageKind::Binary, "outer", "/opt/bitnami/redisx/bin/a"),
        at(PackageKind::Npm, "module", "/opt/bitnami/redis/node_modules/a/package.json"),
    ];
    settle(&mut packages);
    let left: Vec<&str> = packages.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(left, ["redis", "gosu", "outer", "module"]);
}
