//! Whatever a database holds: no panic, and never silence.

use model::{DiagnosticCode, PackageKind};
use proptest::prelude::*;

use super::{inventory, tree};
use crate::CatalogLimits;
use crate::os_release::parse_os_release;

const PLACES: [&str; 27] = [
    "etc/os-release",
    "etc/system-release-cpe",
    "etc/redhat-release",
    "etc/oracle-release",
    "etc/SuSE-release",
    "etc/photon-release",
    "etc/debian_version",
    "etc/alpine-release",
    "etc/apk/repositories",
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d/a",
    "var/lib/dpkg/info/a.list",
    "var/lib/dpkg/info/a.md5sums",
    "usr/share/doc/a/copyright",
    "lib/apk/db/installed",
    "var/lib/pacman/local/a-1/desc",
    "var/lib/pacman/local/a-1/files",
    "var/db/pkg/a/b-1/CONTENTS",
    "var/db/pkg/a/b-1/SIZE",
    "meta/snap.yaml",
    "snap/manifest.yaml",
    "usr/share/bottlerocket/application-inventory.json",
    "opt/bitnami/a/.spdx-a.spdx",
    "opt/bitnami/.bitnami_components.json",
    "var/lib/db/sbom/a.spdx.json",
    "etc/apt/sources.list",
    "root/buildinfo/content_manifests/a.json",
];

/// Bytes that look like the formats, mixed with any others.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec![
        "Package: a\n",
        "Package:",
        "Status: install ok installed\n",
        "Version: 1\n",
        "Source: b (2",
        "Conffiles:\n",
        " /etc/x 0cc175b9c0f1b6a831c399e269772661 obsolete\n",
        "Installed-Size: 99999999999999999999\n",
        "\n",
        "\r\n",
        "P:a\n",
        "V:1\n",
        "F:x\n",
        "R:y\n",
        "Z:Q1AAAA\n",
        "I:-1\n",
        "ID=debian\n",
        "VERSION_ID=\"\\",
        "cpe:/o:",
        " release ",
        "Format: x\nLicense: y\n",
        "/.\n",
        "%NAME%\na\n\n%VERSION%\n1\n",
        "%FILES%\nusr/x\n",
        "obj /x 0cc175b9c0f1b6a831c399e269772661 1\n",
        "name: a\nversion: '1'\n",
        "primed-stage-packages:\n- a=1\n",
        "{\"Content\": [{\"Name\": \"a\"}, ",
        "{\"packages\": [{\"externalRefs\": [{\"referenceType\": \"purl\", \"referenceLocator\": \"pkg:apk/a@1\"}]}]}",
        "{\"a\": {\"version\": \"1\"}}",
        "\0",
        "é",
    ];
    let piece = prop_oneof![
        prop::sample::select(pieces).prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_content_gives_an_inventory(contents in prop::collection::vec(content(), PLACES.len())) {
        let mut files = vec![("etc/debian_version", &b"12"[..])];
        files.extend(PLACES.into_iter().zip(contents.iter().map(Vec::as_slice)));
        let first = inventory(&files);
        prop_assert_eq!(&first, &inventory(&files));
        for package in &first.packages {
            prop_assert!(package.purl.starts_with("pkg:") && !package.name.is_empty());
            let is_distro = matches!(package.kind, PackageKind::Deb | PackageKind::Apk | PackageKind::Alpm);
            prop_assert!(package.source.is_some() || !is_distro);
        }
    }

    #[test]
    fn a_database_with_content_is_never_silent(bytes in content(), at in 9..PLACES.len()) {
        let path = PLACES[at];
        let found = inventory(&[(path, &bytes)]);
        let is_database = path.ends_with("status") || path.ends_with("installed") || path.contains("status.d");
        if is_database && found.packages.is_empty() && !bytes.iter().all(u8::is_ascii_whitespace) {
            // More than the note about the missing os-release file, or packages that are stated to be absent.
            let is_absent = String::from_utf8_lossy(&bytes).contains("Package");
            prop_assert!(found.diagnostics.len() > 1 || is_absent, "{:?}", found.diagnostics);
        }
    }

    #[test]
    fn any_bytes_as_os_release(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_os_release(&bytes);
    }
}

#[test]
fn each_limit_is_the_largest_accepted_value() {
    let dpkg: (&str, &[u8]) = (
        "var/lib/dpkg/status",
        b"Package: a\nConffiles:\n /x 1\n\nPackage: b\nConffiles:\n /y 1\n\nPackage: c\nConffiles:\n /z 1\n",
    );
    let unsplit: (&str, &[u8]) = ("lib/apk/db/installed", b"P:a\nR:x\nP:b\nR:y\nP:c\nR:z\n");
    let apk: (&str, &[u8]) = ("lib/apk/db/installed", b"P:a\nR:x\n\nP:b\nR:y\n\nP:c\nR:z\n\n");
    for file in [dpkg, apk, unsplit] {
        let tree = tree(&[("etc/os-release", b"ID=x"), file]);
        for (maximum, packages) in [(2, 2), (3, 3), (4, 3)] {
            let limits = CatalogLimits { packages_max: maximum, ..CatalogLimits::default() };
            let inventory = crate::catalog(&tree, &limits);
            assert_eq!(inventory.packages.len(), packages, "{maximum}");
            let is_told =
                inventory.diagnostics.iter().any(|told| told.code == DiagnosticCode::PackagesLeftOut);
            assert_eq!(is_told, maximum < 3, "{:?}", inventory.diagnostics);
            let limits = CatalogLimits { owned_files_max: maximum, ..CatalogLimits::default() };
            let inventory = crate::catalog(&tree, &limits);
            assert_eq!(inventory.packages.iter().map(|package| package.files.len()).sum::<usize>(), packages);
            let is_told = inventory.diagnostics.iter().any(|told| told.message.contains("owned files"));
            assert_eq!(is_told, maximum < 3, "{:?}", inventory.diagnostics);
        }
    }
    // Other diagnostics do not drown the one that decisions rest on.
    let flood: (&str, &[u8]) = ("var/lib/dpkg/status", b"Package: a\nx\ny\nz\n\nPackage: b\n\nPackage: c\n");
    let limits = CatalogLimits { packages_max: 2, diagnostics_max: 2, ..CatalogLimits::default() };
    let told = crate::catalog(&tree(&[("etc/os-release", b"ID=x"), flood]), &limits).diagnostics;
    assert!(told.iter().any(|told| told.code == DiagnosticCode::PackagesLeftOut), "{told:?}");

    let broken: (&str, &[u8]) = ("var/lib/dpkg/status", b"Package: a\nx\ny\nz\n");
    for (maximum, told) in [(2, 3), (3, 3), (4, 3)] {
        let limits = CatalogLimits { diagnostics_max: maximum, ..CatalogLimits::default() };
        let inventory = crate::catalog(&tree(&[("etc/os-release", b"ID=x"), broken]), &limits);
        assert_eq!(inventory.diagnostics.len(), told);
        let is_counted = inventory.diagnostics.iter().any(|told| told.message == "1 more broken records");
        assert_eq!(is_counted, maximum < 3, "{:?}", inventory.diagnostics);
    }
}

/// What one byte of a file costs must not depend on how often something points at it.
#[test]
fn files_named_by_many_packages_and_databases_in_pieces_stay_within_the_limits() {
    let limits = CatalogLimits {
        packages_max: 5,
        owned_files_max: 100,
        owned_bytes_max: 60,
        companion_bytes_max: 200,
        value_bytes_max: 20,
        diagnostics_sum_max: 3,
        ..CatalogLimits::default()
    };
    let check = |files: &[(&str, &[u8])], packages: usize, owned: usize, told: &str| {
        let mut all: Vec<(&str, &[u8])> = vec![("etc/os-release", b"ID=x")];
        all.extend(files);
        let inventory = crate::catalog(&tree(&all), &limits);
        assert_eq!(inventory.packages.len(), packages, "{told}");
        let owned_files: usize = inventory.packages.iter().map(|package| package.files.len()).sum();
        assert_eq!(owned_files, owned, "{told}: {inventory:?}");
        let messages: Vec<_> =
            inventory.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert!(messages.iter().any(|message| message.contains(told)), "{told}: {messages:?}");
    };
    // A list of 80 bytes, read for every paragraph of the same name: twice, then never again.
    let list = [b"/abcdefghi\n".as_slice(), &[b'x'; 69]].concat();
    let same: String = (0..4).map(|number| format!("Package: a\nVersion: {number}\n\n")).collect();
    let files: [(&str, &[u8]); 2] =
        [("var/lib/dpkg/status", same.as_bytes()), ("var/lib/dpkg/info/a.list", &list)];
    check(&files, 4, 2, "more than 200 bytes of files beside");
    // A list of many short lines.
    let list = b"/x\n".repeat(7);
    let files: [(&str, &[u8]); 2] =
        [("var/lib/dpkg/status", b"Package: a\nVersion: 1\n"), ("var/lib/dpkg/info/a.list", &list)];
    check(&files, 1, 0, "more than 200 bytes of files beside");
    // One folder's name in the path of every file: 17 bytes each.
    let apk = [b"P:a\nV:1\nF:abcdefghijklmn\n".as_slice(), &b"R:x\n".repeat(5)].concat();
    check(&[("lib/apk/db/installed", &apk)], 1, 3, "60 bytes of their paths");
    // Packages spread over many databases.
    let names: Vec<String> = (0..7).map(|number| format!("var/lib/dpkg/status.d/{number}")).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), b"Package: a\nVersion: 1\n".as_slice())).collect();
    check(&files, 5, 0, "more than 5 packages");
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"x".as_slice())).collect();
    check(&files, 0, 0, "4 more problems");
    // The path of a database is held by each of its packages.
    for (length, packages) in [(255, 1), (256, 1), (257, 0)] {
        let path = format!("{}/lib/dpkg/status", "a".repeat(length - "/lib/dpkg/status".len()));
        let found = inventory(&[("etc/os-release", b"ID=x"), (&path, b"Package: a\nVersion: 1\n")]);
        assert_eq!(found.packages.len(), packages, "{length}");
        let told: Vec<_> = found.diagnostics.iter().map(|told| told.message.as_str()).collect();
        assert_eq!(told == ["path of the database has 257 bytes (limit 256)"], packages == 0, "{told:?}");
    }
    // Values at the limit and one above it.
    for (length, told) in [(19, None), (20, None), (21, Some("value of 21 bytes is left out (limit 20)"))] {
        let value = "1".repeat(length);
        for (path, text) in [
            ("var/lib/dpkg/status", format!("Package: a\nVersion: {value}\n")),
            ("lib/apk/db/installed", format!("P:a\nV:{value}\n")),
        ] {
            let tree = tree(&[("etc/os-release", b"ID=x"), (path, text.as_bytes())]);
            let inventory = crate::catalog(&tree, &limits);
            let expected = told.is_none().then_some(value.as_str());
            assert_eq!(inventory.packages[0].version.as_deref(), expected);
            assert_eq!(inventory.diagnostics.first().map(|told| told.message.as_str()), told);
        }
    }
}
