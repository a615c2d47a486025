//! Lists that others wrote, and those that nobody should send.

use model::{DiagnosticCode, Inventory, Package, PackageKind};

use crate::{ReadSbomError, SbomLimits, SbomSubject, read_sbom};

fn read(document: &str) -> (SbomSubject, Inventory) {
    read_sbom(document.as_bytes(), &SbomLimits::default())
        .unwrap_or_else(|error| panic!("{error}\n{document}"))
}

/// Of syft's own tests: the same two packages in four forms.
const SYFT: &[(&str, &str)] = &[
    ("CycloneDX, JSON", include_str!("../../../testdata/sbom/documents/syft.cdx.json")),
    ("CycloneDX, XML", include_str!("../../../testdata/sbom/documents/syft.cdx.xml")),
    ("SPDX, JSON", include_str!("../../../testdata/sbom/documents/syft.spdx.json")),
    ("SPDX, tags", include_str!("../../../testdata/sbom/documents/syft.spdx")),
];

#[test]
fn lists_of_syft_are_read_in_all_forms() {
    for (form, document) in SYFT {
        let (subject, inventory) = read(document);
        assert_eq!(subject.name.as_deref(), Some("user-image-input"), "{form}");
        let deb = inventory
            .packages
            .iter()
            .find(|it| it.kind == PackageKind::Deb)
            .unwrap_or_else(|| panic!("{form}"));
        assert_eq!((deb.name.as_str(), deb.version.as_deref()), ("package-2", Some("2.0.1")), "{form}");
        assert_eq!(deb.source.as_ref().map(|source| source.name.as_str()), Some("package-2"), "{form}");
        assert_eq!(deb.cpes, ["cpe:2.3:*:some:package:2:*:*:*:*:*:*:*"], "{form}");
        assert_eq!(deb.locations.first().map(|it| it.path.as_str()), Some("/somefile-2.txt"), "{form}");
        // The other one has `a-purl-1` for a package URL: the properties of CycloneDX say what it is, SPDX does not.
        let python = inventory.packages.iter().find(|it| it.kind == PackageKind::PyPi);
        match python {
            Some(python) => {
                assert_eq!(
                    (python.name.as_str(), python.licenses.as_slice()),
                    ("package-1", ["MIT".to_owned()].as_slice())
                );
                let distro = inventory.distro.unwrap_or_default();
                assert_eq!(
                    (distro.id.as_str(), distro.version_id.as_deref()),
                    ("debian", Some("1.2.3")),
                    "{form}"
                );
                assert_eq!(distro.id_like, ["like!"], "{form}");
            }
            None => {
                assert!(form.starts_with("SPDX"), "{form}");
                let told = inventory.diagnostics.iter().any(|it| it.message.contains("without package URL"));
                assert!(told, "{form}: {:?}", inventory.diagnostics);
            }
        }
    }
}

fn component(component: &str) -> Inventory {
    read(&format!(r#"{{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [{component}]}}"#)).1
}

fn package(text: &str) -> Package {
    let mut inventory = component(text);
    assert_eq!(inventory.packages.len(), 1, "{text}: {:?}", inventory.diagnostics);
    inventory.packages.remove(0)
}

#[test]
fn properties_of_trivy_say_what_a_package_was_built_from() {
    let found = package(
        r#"{"type": "library", "name": "libssl3", "version": "3.0.7-24.el9",
            "purl": "pkg:rpm/redhat/openssl-libs@3.0.7-24.el9?arch=x86_64&distro=redhat-9.2&epoch=1",
            "properties": [{"name": "aquasecurity:trivy:SrcName", "value": "openssl"},
                {"name": "aquasecurity:trivy:SrcVersion", "value": "3.0.7"},
                {"name": "aquasecurity:trivy:SrcRelease", "value": "24.el9"},
                {"name": "aquasecurity:trivy:SrcEpoch", "value": "1"},
                {"name": "aquasecurity:trivy:Modularitylabel", "value": "m:1:2:3"},
                {"name": "aquasecurity:trivy:FilePath", "value": "a/b"}]}"#,
    );
    assert_eq!((found.name.as_str(), found.version.as_deref()), ("openssl-libs", Some("1:3.0.7-24.el9")));
    let source = found.source.unwrap_or_else(|| panic!("no source"));
    assert_eq!((source.name.as_str(), source.version.as_str()), ("openssl", "1:3.0.7-24.el9"));
    assert_eq!(found.modularity.as_deref(), Some("m:1:2:3"));
    assert_eq!(found.architecture.as_deref(), Some("x86_64"));
    assert_eq!(found.locations[0].path, "/a/b");
}

#[test]
fn properties_of_syft_say_what_a_package_was_built_from_and_how_large_it_is() {
    for (purl, properties, source, size) in [
        (
            "pkg:deb/debian/a@1",
            [("source", "b"), ("sourceVersion", "2"), ("installedSize", "3")],
            ("b", "2"),
            3072,
        ),
        (
            "pkg:apk/alpine/a@1",
            [("originPackage", "b"), ("installedSize", "3"), ("size", "9")],
            ("b", "1"),
            3,
        ),
        ("pkg:rpm/redhat/a@1", [("sourceRpm", "b-2-3.src.rpm"), ("size", "3"), ("", "")], ("b", "2-3"), 3),
    ] {
        let properties = properties
            .map(|(name, value)| format!(r#"{{"name": "syft:metadata:{name}", "value": "{value}"}}"#));
        let found = package(&format!(
            r#"{{"type": "library", "name": "a", "version": "1", "purl": "{purl}", "properties": [{}]}}"#,
            properties.join(",")
        ));
        let read = found.source.as_ref().map(|it| (it.name.as_str(), it.version.as_str()));
        assert_eq!((read, found.installed_size_bytes), (Some(source), Some(size)), "{purl}");
    }
}

/// Package URL and name of a component; kind and name of the package; name and version of its source.
type NameRow = (&'static str, &'static str, PackageKind, &'static str, Option<(&'static str, &'static str)>);

const NAMES: &[NameRow] = &[
    ("pkg:npm/%40Scope/Name@1", "Name", PackageKind::Npm, "@Scope/Name", None),
    ("pkg:npm/@scope/name@1", "name", PackageKind::Npm, "@scope/name", None),
    (
        "pkg:golang/github.com/burntsushi/toml@v1",
        "github.com/BurntSushi/toml",
        PackageKind::Golang,
        "github.com/BurntSushi/toml",
        None,
    ),
    ("pkg:pypi/jinja2@1", "Jinja2", PackageKind::PyPi, "Jinja2", None),
    ("pkg:maven/org.example/lib@1", "lib", PackageKind::Maven, "lib", None),
    ("pkg:composer/a/b@1", "b", PackageKind::Composer, "a/b", None),
    ("pkg:deb/debian/a@1", "a", PackageKind::Deb, "a", Some(("a", "1"))),
    ("pkg:deb/debian/a@1?upstream=b", "a", PackageKind::Deb, "a", Some(("b", "1"))),
    ("pkg:deb/debian/a@1?upstream=b%402", "a", PackageKind::Deb, "a", Some(("b", "2"))),
    ("pkg:rpm/fedora/a@1?upstream=b-2-3.src.rpm", "a", PackageKind::Rpm, "a", Some(("b", "2-3"))),
    ("pkg:rpm/fedora/a@1", "a", PackageKind::Rpm, "a", None),
    (
        "PKG:Deb/debian/libstdc%2B%2B6@1",
        "libstdc++6",
        PackageKind::Deb,
        "libstdc++6",
        Some(("libstdc++6", "1")),
    ),
    ("pkg:alpm/arch/a@1", "a", PackageKind::Alpm, "a", None),
];

#[test]
fn names_and_sources_are_those_of_the_package_url() {
    for (purl, name, kind, expected, source) in NAMES {
        let found =
            package(&format!(r#"{{"type": "library", "name": "{name}", "version": "1", "purl": "{purl}"}}"#));
        assert_eq!((found.kind, found.name.as_str()), (*kind, *expected), "{purl}");
        let found = found.source.as_ref().map(|it| (it.name.as_str(), it.version.as_str()));
        assert_eq!(found, *source, "{purl}");
    }
}

#[test]
fn a_distro_is_what_all_packages_agree_on() {
    let deb = |distro: &str| {
        format!(r#"{{"type": "library", "name": "a", "purl": "pkg:deb/debian/a@1?distro={distro}"}}"#)
    };
    let distro =
        component(&format!("{},{}", deb("debian-12.4"), deb("debian-12.4"))).distro.unwrap_or_default();
    assert_eq!((distro.id.as_str(), distro.version_id.as_deref()), ("debian", Some("12.4")));
    let distro = component(&deb("bookworm")).distro.unwrap_or_default();
    assert_eq!((distro.id.as_str(), distro.version_codename.as_deref()), ("debian", Some("bookworm")));
    for unknown in [format!("{},{}", deb("debian-11"), deb("debian-12")), deb("")] {
        let inventory = component(&unknown);
        assert_eq!(inventory.distro, None, "{unknown}");
        assert_eq!(inventory.diagnostics[0].code, DiagnosticCode::UnknownDistro, "{unknown}");
    }
    let npm = component(r#"{"type": "library", "name": "a", "purl": "pkg:npm/a@1"}"#);
    assert_eq!(npm.diagnostics, [], "packages of a language need none");
}

#[test]
fn what_cannot_be_matched_is_told() {
    let inventory = component(
        r#"{"type": "library", "name": "a", "purl": "pkg:github/a/b@1"}, {"type": "library", "name": "b"},
           {"type": "library", "name": "c", "purl": "not one"}, {"type": "file", "name": "/etc/passwd"},
           {"type": "application", "name": "d", "components": [{"type": "library", "name": "e", "purl": "pkg:npm/e@1"}]}"#,
    );
    assert_eq!(inventory.packages.len(), 1);
    let said: Vec<&str> = inventory.diagnostics.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "1 entry of type `github` of the package list cannot be matched",
            "3 entries without package URL of the package list cannot be matched"
        ]
    );
}

#[test]
fn a_list_of_which_nothing_can_be_looked_up_is_not_clean() {
    let codes = |text: &str| -> Vec<DiagnosticCode> {
        component(text).diagnostics.iter().map(|told| told.code).collect()
    };
    let left_out = [DiagnosticCode::PackagesLeftOut, DiagnosticCode::UnmatchedEcosystem];
    assert_eq!(codes(r#"{"type": "library", "name": "lodash", "version": "4.17.20"}"#), left_out);
    let long = format!(
        r#"{{"type": "library", "name": "{}", "purl": "pkg:npm/a@1"}}, {{"type": "library", "name": "b", "purl": "pkg:npm/b@1"}}"#,
        "a".repeat(70_000)
    );
    assert_eq!(codes(&long), left_out);
    assert_eq!(codes(r#"{"type": "library", "name": "b", "purl": "pkg:npm/b@1"}"#), []);
}

#[test]
fn hostile_documents_are_refused_with_a_reason() {
    let limits = SbomLimits { bytes_max: 4000, packages_max: 1 };
    let deep = format!(r#"<bom xmlns="http://cyclonedx.org/schema/bom/1.4">{}"#, "<a>".repeat(300));
    let nested =
        format!(r#"{{"bomFormat": "CycloneDX", "components": [{}"#, r#"{"components": ["#.repeat(200));
    for (document, word) in [
        ("", "an empty file"),
        (" \n", "an empty file"),
        ("[]", "a JSON array"),
        ("{}", "this JSON"),
        ("{\"a\": ", "EOF"),
        ("\u{0}\u{1}", "a binary file"),
        ("hello", "this text"),
        (r#"{"schemaVersion": 2, "mediaType": "x"}"#, "manifest of an image"),
        (r#"{"ArtifactName": "x"}"#, "trivy"),
        (r#"{"bomFormat": "Other"}"#, "another `bomFormat`"),
        (r#"{"bomFormat": "CycloneDX", "specVersion": "2.0"}"#, "known: 1.0 to 1.7"),
        (r#"{"bomFormat": "CycloneDX"}"#, "known: 1.0 to 1.7"),
        (r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": 7}"#, "line 1 column"),
        (&nested, "recursion limit"),
        (r#"{"spdxVersion": "SPDX-2.0"}"#, "known: 2.1 to 2.3, and 3.0"),
        (r#"{"spdxVersion": "SPDX-2.3", "packages": {}}"#, "expected a list"),
        (r#"{"@context": "x", "@graph": []}"#, "this JSON-LD"),
        (r#"{"@graph": [{"type": "CreationInfo", "specVersion": "4.0"}]}"#, "known"),
        ("<html></html>", "no document of CycloneDX"),
        ("<bom xmlns=\"http://cyclonedx.org/schema/bom/0.9\"></bom>", "known: 1.0 to 1.7"),
        ("<bom xmlns=\"http://cyclonedx.org/schema/bom/1.4\">", "breaks off"),
        ("<bom><a>&evil;</a></bom>", "unknown entity `evil` at byte 8"),
        ("<bom><a></b></bom>", "at byte 8"),
        (&deep, "more than 200 elements"),
        ("SPDXVersion: SPDX-2.3\nPackageName: <text>a\n", "begins at byte 22 has no end"),
        ("SPDXVersion: SPDX-2.3\nwhat\n", "no tag and value at byte 22"),
        ("SPDXVersion: SPDX-1.2\n", "known"),
        ("pkg:npm/a@1\nfoo\n", "at line 2 is no package URL"),
        ("pkg:npm/a@1\npkg:npm/b@1\n", "has 2 packages (limit 1)"),
        (
            r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library"}, {"type": "library"}]}"#,
            "has 2 packages (limit 1)",
        ),
        (r#"{"spdxVersion": "SPDX-2.3", "packages": [{}, {}, {}]}"#, "has 3 packages (limit 1)"),
        ("SPDXVersion: SPDX-2.3\nPackageName: a\nPackageName: b\n", "has 2 packages (limit 1)"),
        (&"#".repeat(4001), "has 4001 bytes (limit 4000)"),
    ] {
        let error = match read_sbom(document.as_bytes(), &limits) {
            Err(error) => error.to_string(),
            Ok((_, inventory)) => panic!("{document}: {inventory:?}"),
        };
        assert!(error.contains(word), "{document}: {error}");
    }
    let no_text: ReadSbomError =
        read_sbom(b"<bom>\xff</bom>", &limits).err().unwrap_or_else(|| panic!("no UTF-8"));
    assert!(no_text.to_string().contains("no UTF-8 at byte 5"), "{no_text}");
}

#[test]
fn the_oldest_editions_are_read() {
    for document in [
        r#"<bom xmlns="http://cyclonedx.org/schema/bom/1.0" version="1"><components><component type="library"><name>a</name>
           <version>1</version><purl>pkg:npm/a@1</purl><modified>false</modified></component></components></bom>"#,
        "SPDXVersion: SPDX-2.1\nPackageName: a\nSPDXID: SPDXRef-a\nPackageVersion: 1\nExternalRef: PACKAGE-MANAGER purl pkg:npm/a@1\n",
    ] {
        let (_, inventory) = read(document);
        assert_eq!(inventory.packages.len(), 1, "{document}");
        assert_eq!(inventory.packages[0].version.as_deref(), Some("1"));
    }
}

#[test]
fn the_graph_of_spdx_3_is_read_whatever_comes_first() {
    let (subject, inventory) = read(include_str!("../../../testdata/sbom/documents/graph.spdx3.json"));
    assert_eq!(subject.name.as_deref(), Some("app:1"));
    let [deb, npm] = inventory.packages.as_slice() else { panic!("{inventory:?}") };
    assert_eq!((deb.name.as_str(), deb.version.as_deref()), ("libssl3", Some("3.0.11-1")));
    assert_eq!(deb.licenses, ["Apache-2.0"]);
    assert_eq!(deb.maintainer.as_deref(), Some("Debian"));
    assert_eq!(deb.source.as_ref().map(|it| it.name.as_str()), Some("openssl"));
    assert_eq!(npm.cpes, ["cpe:2.3:a:lodash:lodash:4.17.20:*:*:*:*:*:*:*"]);
    assert_eq!(inventory.distro.map(|it| it.namespace()).as_deref(), Some("debian:12"));
    assert_eq!(inventory.diagnostics, []);
}
