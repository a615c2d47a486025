//! Package lists in syft's JSON: documents of several of its versions, and those that nobody should send.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use model::{Diagnostic, DiagnosticCode, Digest, Inventory, JavaVersions, Package, PackageKind};
use report_formats::{ReadSyftError, read_syft};

fn read(document: &str) -> Inventory {
    read_syft(document.as_bytes(), vec![Digest::from_sha256(&[1; 32])], 100).unwrap()
}

fn list(artifacts: &str) -> String {
    format!(
        r#"{{"artifacts": [{artifacts}], "distro": {{"id": "debian", "versionID": "12"}}, "schema": {{"version": "16.0.0"}}}}"#
    )
}

fn package(artifact: &str) -> Package {
    let mut inventory = read(&list(artifact));
    assert_eq!(inventory.diagnostics, []);
    assert_eq!(inventory.packages.len(), 1, "{artifact}");
    inventory.packages.remove(0)
}

const DEB: &str = r#"{"id": "1", "name": "libssl3", "version": "3.0.9-1", "type": "deb", "foundBy": "dpkg-db-cataloger",
    "locations": [{"path": "/var/lib/dpkg/status", "layerID": "sha256:0101010101010101010101010101010101010101010101010101010101010101",
                   "annotations": {"evidence": "primary"}}],
    "licenses": [{"value": "Apache-2.0", "spdxExpression": "", "type": "declared", "urls": [], "locations": []},
                 {"value": "", "spdxExpression": "MIT"}, {"urls": []}, 7, null, []],
    "language": "", "cpes": [{"cpe": "cpe:2.3:a:libssl3:libssl3:3.0.9-1:*:*:*:*:*:*:*", "source": "syft-generated"}],
    "purl": "pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12&upstream=openssl",
    "metadataType": "dpkg-db-entry",
    "metadata": {"package": "libssl3", "source": "openssl", "version": "3.0.9-1", "sourceVersion": "3.0.9-1~deb12",
                 "architecture": "amd64", "maintainer": "Somebody <a@example.org>", "installedSize": 6000,
                 "depends": ["libc6"], "files": [{"path": "/x", "digest": {"algorithm": "md5", "value": "0"}}]}}"#;

#[test]
fn a_debian_package_keeps_source_licences_and_place() {
    let found = package(DEB);
    assert_eq!(
        (found.kind, found.name.as_str(), found.version.as_deref()),
        (PackageKind::Deb, "libssl3", Some("3.0.9-1"))
    );
    let source = found.source.unwrap();
    assert_eq!((source.name.as_str(), source.version.as_str()), ("openssl", "3.0.9-1~deb12"));
    assert_eq!(found.licenses, ["Apache-2.0", "MIT"]);
    assert_eq!(found.installed_size_bytes, Some(6000 * 1024), "dpkg counts in KiB");
    assert_eq!(found.architecture.as_deref(), Some("amd64"));
    assert_eq!(found.maintainer.as_deref(), Some("Somebody <a@example.org>"));
    assert_eq!(found.locations[0].path, "/var/lib/dpkg/status");
    assert_eq!(found.locations[0].layer, Some(Digest::from_sha256(&[1; 32])));
}

/// Type and files of an artifact; paths, checksums, permissions, sizes and whether users change them.
type FileRow = (&'static str, &'static str, Option<&'static str>, Option<u32>, Option<u64>, bool);

#[test]
fn files_of_packages_are_read_as_each_kind_has_them() {
    let rows: &[FileRow] = &[
        (
            "deb",
            r#"{"path": "/etc/a", "digest": {"algorithm": "md5", "value": "0F"}, "isConfigFile": true}"#,
            Some("md5:0f"),
            None,
            None,
            true,
        ),
        ("deb", r#"{"path": "/a", "isConfigFile": false}"#, None, None, None, false),
        (
            "apk",
            r#"{"path": "/a", "ownerUid": "0", "permissions": "755", "digest": {"algorithm": "'Q1'+base64(sha1)", "value": "Q1AQI="}}"#,
            Some("sha1:0102"),
            Some(0o755),
            None,
            false,
        ),
        (
            "rpm",
            r#"{"path": "/a", "mode": 33261, "size": 0, "digest": {"algorithm": "sha256", "value": "0f"}, "flags": "cn"}"#,
            Some("sha256:0f"),
            Some(0o755),
            Some(0),
            true,
        ),
        (
            "rpm",
            r#"{"path": "/d", "mode": 16877, "size": 4096, "digest": {"algorithm": "", "value": ""}}, {"path": "/a", "mode": 0, "size": 0}"#,
            None,
            None,
            None,
            false,
        ),
        (
            "alpm",
            r#"{"path": "/d", "type": "dir"}, {"path": "/a", "size": "7", "digest": [{"algorithm": "x", "value": "0f"}, {"algorithm": "sha256", "value": "0f"}]}"#,
            Some("sha256:0f"),
            None,
            Some(7),
            false,
        ),
        (
            "portage",
            r#"{"path": "/a", "digest": {"algorithm": "md5", "value": "no"}}, 7, null, [], {"path": 7}"#,
            None,
            None,
            None,
            false,
        ),
    ];
    for (kind, files, checksum, permissions, size_bytes, is_configuration) in rows {
        let found = package(&format!(
            r#"{{"name": "a", "version": "1", "type": "{kind}", "metadata": {{"files": [{files}]}}}}"#
        ));
        let [file] = found.files.as_slice() else { panic!("{kind}: {:?}", found.files) };
        let said = (file.checksum.as_deref(), file.permissions, file.size_bytes, file.is_configuration);
        assert_eq!(said, (*checksum, *permissions, *size_bytes, *is_configuration), "{kind} {files}");
    }
    // Paths that begin somewhere else than in the image.
    let gem = package(r#"{"name": "a", "type": "gem", "metadata": {"files": ["lib/a.rb"]}}"#);
    assert_eq!(gem.files, []);
    for odd in ["7", "{}", r#""x""#, "null", "true"] {
        assert_eq!(
            package(&format!(r#"{{"name": "a", "type": "deb", "metadata": {{"files": {odd}}}}}"#)).files,
            []
        );
    }
}

/// Artifact; name and version of the source package.
const SOURCES: &[(&str, Option<(&str, &str)>)] = &[
    (r#"{"name": "a", "version": "1-1", "type": "deb"}"#, Some(("a", "1-1"))),
    (r#"{"name": "a", "version": "1-1", "type": "deb", "metadata": {"source": ""}}"#, Some(("a", "1-1"))),
    (
        r#"{"name": "musl-utils", "version": "1.2.4-r1", "type": "apk", "metadata": {"originPackage": "musl"}}"#,
        Some(("musl", "1.2.4-r1")),
    ),
    (
        r#"{"name": "openssl-libs", "version": "1:3.0.7-24.el9", "type": "rpm",
            "metadata": {"epoch": 1, "sourceRpm": "openssl-3.0.7-24.el9.src.rpm"}}"#,
        Some(("openssl", "3.0.7-24.el9")),
    ),
    (r#"{"name": "a", "version": "1", "type": "rpm", "metadata": {"sourceRpm": "odd"}}"#, None),
    (r#"{"name": "a", "version": "1", "type": "npm", "metadata": {"source": "b"}}"#, None),
    (
        r#"{"name": "a", "version": "1", "type": "go-module", "metadata": null, "locations": null, "licenses": null}"#,
        None,
    ),
];

#[test]
fn sources_are_those_of_the_kind() {
    for (artifact, expected) in SOURCES {
        let source = package(artifact).source;
        let found = source.as_ref().map(|source| (source.name.as_str(), source.version.as_str()));
        assert_eq!(found, *expected, "{artifact}");
    }
}

#[test]
fn manifests_of_jars_are_read_in_both_forms() {
    let expected = JavaVersions {
        specification: Some("1.2".into()),
        implementation: Some("1.2.3".into()),
        maven: Some("1.2.4".into()),
        sha1: None,
    };
    for main in [
        r#"{"Specification-Version": "1.2", "Implementation-Version": "1.2.3", "Other": {"a": []}}"#,
        r#"[{"key": "Specification-Version", "value": "1.2"}, {"key": "Implementation-Version", "value": "1.2.3"}]"#,
    ] {
        let found = package(&format!(
            r#"{{"name": "lib", "version": "1.2.4", "type": "java-archive", "metadata":
                {{"virtualPath": "/a.jar", "manifest": {{"main": {main}}}, "pomProperties": {{"version": "1.2.4"}}}}}}"#
        ));
        assert_eq!(found.java.unwrap(), expected, "{main}");
    }
    let bare = package(
        r#"{"name": "lib", "version": "1", "type": "jenkins-plugin", "metadata": {"manifest": null}}"#,
    );
    assert_eq!(bare.java.unwrap(), JavaVersions::default());
}

#[test]
fn distros_of_old_and_new_documents() {
    let distro = |distro: &str| read(&format!(r#"{{"artifacts": [], "distro": {distro}}}"#)).distro;
    let new = distro(
        r#"{"prettyName": "Alpine Linux v3.18", "name": "Alpine Linux", "id": "alpine", "versionID": "3.18.4",
            "homeURL": "https://alpinelinux.org/", "idLike": ["a", "b"]}"#,
    );
    let new = new.unwrap();
    assert_eq!((new.id.as_str(), new.version_id.as_deref()), ("alpine", Some("3.18.4")));
    assert_eq!(new.id_like, ["a", "b"]);
    let old = distro(r#"{"name": "Debian", "version": "12", "idLike": "x y"}"#).unwrap();
    assert_eq!((old.id.as_str(), old.version_id.as_deref()), ("debian", Some("12")));
    assert_eq!(old.id_like, ["x", "y"]);
    for none in ["null", "{}", r#"{"id": "", "name": 7}"#] {
        assert_eq!(distro(none), None, "{none}");
    }
    let missing = read(r#"{"artifacts": []}"#);
    assert_eq!(codes(&missing.diagnostics), [DiagnosticCode::UnknownDistro], "unknown is never clean");
}

fn codes(diagnostics: &[Diagnostic]) -> Vec<DiagnosticCode> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn what_is_not_taken_over_is_said() {
    let inventory = read(&list(
        r#"{"name": "a", "version": "1", "type": "homebrew"}, {"name": "b", "version": "1", "type": "homebrew"},
           {"name": "", "version": "1", "type": "deb"}, {"name": "c", "type": "gem", "version": ""},
           {"name": "c", "type": "gem"}"#,
    ));
    assert_eq!(inventory.packages.len(), 1, "the same package twice is one");
    assert_eq!(inventory.packages[0].version, None);
    let said: Vec<&str> =
        inventory.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "1 packages without a name of the package list are not taken over",
            "2 packages of type `homebrew` of the package list are not taken over"
        ]
    );
}

#[test]
fn the_order_of_the_list_does_not_matter() {
    let (one, other) = (r#"{"name": "b", "type": "gem"}"#, r#"{"name": "a", "type": "npm"}"#);
    let forwards = read(&list(&format!("{one}, {other}, {DEB}")));
    assert_eq!(forwards, read(&list(&format!("{DEB}, {other}, {one}"))));
}

#[test]
fn hostile_documents_are_refused_or_cost_little() {
    for (document, text) in [
        ("", "EOF"),
        ("[]", "expected a package list"),
        ("{}", "missing field `artifacts`"),
        (r#"{"artifacts": {}}"#, "expected a list of packages"),
        (r#"{"artifacts": [1]}"#, "invalid type"),
        (r#"{"artifacts": [{"type": "deb"}]}"#, "missing field `name`"),
        (r#"{"artifacts": [{"name": 1}]}"#, "invalid type"),
        (r#"{"artifacts": []} more"#, "trailing characters"),
        (r#"{"artifacts": [{"name": "a""#, "EOF"),
        ("{\"artifacts\": [{\"name\": \"\u{1}\"}]}", "control character"),
    ] {
        let error = read_syft(document.as_bytes(), Vec::new(), 100).unwrap_err();
        assert!(matches!(error, ReadSyftError::Malformed(_)), "{document}");
        assert!(error.to_string().contains(text), "{document}: {error}");
    }
    assert!(read_syft(b"{\"artifacts\": [{\"name\": \"\xff\"}]}", Vec::new(), 100).is_err(), "no UTF-8");
    let deep = format!(r#"{{"artifacts": [], "x": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(
        read_syft(deep.as_bytes(), Vec::new(), 100).is_ok(),
        "what is not used is skipped without recursion"
    );
    let many = list(&vec![r#"{"name": "a", "type": "gem"}"#; 101].join(","));
    let error = read_syft(many.as_bytes(), Vec::new(), 100).unwrap_err();
    assert_eq!(error.to_string(), "the package list has 101 packages (limit 100)");
    let wide = format!(
        r#"{{"name": "a", "type": "deb", "licenses": [{}], "locations": [{}]}}"#,
        vec![r#""x""#; 5000].join(","),
        vec![r#"{"path": "x"}"#; 5000].join(",")
    );
    let found = package(&wide);
    assert_eq!((found.licenses.len(), found.locations.len()), (1000, 1000));
    assert_eq!(found.locations[0].path, "/x");
}

#[test]
fn members_of_any_type_say_nothing_instead_of_failing() {
    for odd in ["null", "7", "-7", "1.5", "true", r#"{"a": [1]}"#, r#"[{"b": {}}]"#] {
        let found = package(&format!(
            r#"{{"name": "a", "version": "1", "type": "deb", "licenses": [{odd}], "metadata": {{"source": {odd},
                "architecture": {odd}, "maintainer": {odd}, "license": {odd}, "size": {odd}}}}}"#
        ));
        assert_eq!((found.architecture, found.maintainer), (None, None), "{odd}");
        assert_eq!((found.source.unwrap().name.as_str(), found.licenses.len()), ("a", 0), "{odd}");
    }
}

#[test]
fn a_package_that_no_other_format_could_hold_is_left_out() {
    for (bytes, is_read) in [(60 << 10, true), (65 << 10, false)] {
        let name = "a".repeat(bytes);
        let document = format!(
            r#"{{"artifacts": [{{"name": "{name}", "version": "1", "type": "deb"}}, {{"name": "b", "version": "1", "type": "deb"}}]}}"#
        );
        let inventory = read_syft(document.as_bytes(), Vec::new(), 100).unwrap();
        assert_eq!(inventory.packages.len(), 1 + usize::from(is_read));
        let is_told = inventory.diagnostics.iter().any(|told| told.message.contains("of more than 64 KiB"));
        assert_eq!(is_told, !is_read, "{:?}", inventory.diagnostics);
    }
}
