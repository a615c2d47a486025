//! Whatever a database holds: no panic, and never silence.

use proptest::prelude::*;

use super::{inventory, tree};
use crate::CatalogLimits;
use crate::os_release::parse_os_release;

const PLACES: [&str; 12] = [
    "etc/os-release",
    "etc/system-release-cpe",
    "etc/redhat-release",
    "etc/debian_version",
    "etc/alpine-release",
    "etc/apk/repositories",
    "var/lib/dpkg/status",
    "var/lib/dpkg/status.d/a",
    "var/lib/dpkg/info/a.list",
    "var/lib/dpkg/info/a.md5sums",
    "usr/share/doc/a/copyright",
    "lib/apk/db/installed",
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
            prop_assert!(package.purl.starts_with("pkg:") && package.source.is_some() && !package.name.is_empty());
        }
    }

    #[test]
    fn a_database_with_content_is_never_silent(bytes in content(), at in 6..PLACES.len()) {
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
                inventory.diagnostics.iter().any(|told| told.message.contains("more than 2 packages"));
            assert_eq!(is_told, maximum < 3, "{:?}", inventory.diagnostics);
            let limits = CatalogLimits { owned_files_max: maximum, ..CatalogLimits::default() };
            let inventory = crate::catalog(&tree, &limits);
            assert_eq!(inventory.packages.iter().map(|package| package.files.len()).sum::<usize>(), packages);
            let is_told = inventory.diagnostics.iter().any(|told| told.message.contains("owned files"));
            assert_eq!(is_told, maximum < 3, "{:?}", inventory.diagnostics);
        }
    }
    let broken: (&str, &[u8]) = ("var/lib/dpkg/status", b"Package: a\nx\ny\nz\n");
    for (maximum, told) in [(2, 3), (3, 3), (4, 3)] {
        let limits = CatalogLimits { diagnostics_max: maximum, ..CatalogLimits::default() };
        let inventory = crate::catalog(&tree(&[("etc/os-release", b"ID=x"), broken]), &limits);
        assert_eq!(inventory.diagnostics.len(), told);
        let is_counted = inventory.diagnostics.iter().any(|told| told.message == "1 more broken records");
        assert_eq!(is_counted, maximum < 3, "{:?}", inventory.diagnostics);
    }
}
