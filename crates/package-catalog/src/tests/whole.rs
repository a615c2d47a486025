//! Whole images: links, unread databases, order.

use model::{DiagnosticCode, PackageKind};

use super::{inventory, names};

const STATUS: &[u8] = b"Package: b\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n\
    Package: a\nStatus: install ok installed\nVersion: 2\nArchitecture: all\n";
const OS_RELEASE: (&str, &[u8]) = ("etc/os-release", b"ID=debian\nVERSION_ID=12\n");

#[test]
fn a_database_behind_several_links_is_read_once() {
    let cases: [&[(&str, &[u8])]; 5] = [
        &[OS_RELEASE, ("var/lib/dpkg/status", STATUS)],
        &[OS_RELEASE, ("usr/lib/dpkg/status", STATUS), ("var/lib", b"-> ../usr/lib"), ("lib", b"-> usr/lib")],
        &[OS_RELEASE, ("usr/sysimage/db/status", STATUS), ("var/lib/dpkg", b"-> /usr/sysimage/db")],
        &[OS_RELEASE, ("data/x", STATUS), ("var/lib/dpkg/status", b"-> ../../../data/x")],
        &[
            OS_RELEASE,
            ("data/x", STATUS),
            ("var/lib/dpkg/status", b"-> /data/x"),
            ("usr/lib/dpkg", b"-> /var/lib/dpkg"),
        ],
    ];
    for files in cases {
        let inventory = inventory(files);
        assert_eq!(names(&inventory.packages), ["a 2", "b 1"], "{:?}", inventory.diagnostics);
        assert!(inventory.diagnostics.is_empty(), "{:?}", inventory.diagnostics);
        let location = &inventory.packages[0].locations[0];
        assert_eq!(location.layer.as_ref(), inventory.layers.first());
        let real = files.iter().find(|(_, content)| *content == STATUS).unwrap().0;
        assert_eq!(location.path, format!("/{real}"));
    }
}

#[test]
fn a_database_that_cannot_be_reached_is_told() {
    let cases: [(&str, &[u8], DiagnosticCode); 3] = [
        ("var/lib/dpkg/status", b"-> nowhere", DiagnosticCode::BrokenLink),
        ("var/lib/dpkg/status", b"-> status", DiagnosticCode::BrokenLink),
        ("lib/apk/db/installed", b"-> /etc", DiagnosticCode::UnreadableDatabase),
    ];
    for (path, content, code) in cases {
        let inventory = inventory(&[OS_RELEASE, (path, content)]);
        let told: Vec<_> =
            inventory.diagnostics.iter().map(|told| (told.code, told.subject.as_str())).collect();
        assert_eq!(told, [(code, format!("/{path}").as_str())]);
    }
}

#[test]
fn databases_that_no_cataloger_reads_are_told() {
    for path in ["nix/var/nix/db/db.sqlite", "x/var/db/xbps/pkgdb-0.38.plist"] {
        let inventory = inventory(&[OS_RELEASE, (path, b"x")]);
        let told: Vec<_> =
            inventory.diagnostics.iter().map(|told| (told.code, told.subject.as_str())).collect();
        assert_eq!(told, [(DiagnosticCode::UnreadableDatabase, format!("/{path}").as_str())]);
    }
    // Names that only resemble them.
    let inventory = inventory(&[
        OS_RELEASE,
        ("srv/Packages", b"x"),
        ("srv/xrpmdb.sqlite", b"x"),
        ("rpm/Packages/x", b"x"),
    ]);
    assert!(inventory.diagnostics.is_empty(), "{:?}", inventory.diagnostics);
}

#[test]
fn files_that_are_no_database_are_told() {
    for path in [
        "var/lib/dpkg/status",
        "var/lib/dpkg/status.d/base",
        "lib/apk/db/installed",
        "usr/lib/apk/db/installed",
        "var/lib/rpm/rpmdb.sqlite",
        "usr/lib/sysimage/rpm/Packages.db",
        "var/lib/rpm/Packages",
        "var/lib/rpmmanifest/container-manifest-2",
        "var/lib/pacman/local/gawk-5.3.1-1/desc",
        "meta/snap.yaml",
        "usr/share/bottlerocket/application-inventory.json",
    ] {
        for content in [&b"asdf\n\nyolo"[..], b"ADB.\0\x01\x02\xff\xfe", &[0; 5000], b"\x89PNG\r\n\x1a\n"] {
            let inventory = inventory(&[OS_RELEASE, (path, content)]);
            assert!(inventory.packages.is_empty());
            let told: Vec<_> =
                inventory.diagnostics.iter().map(|told| (told.code, told.subject.as_str())).collect();
            assert_eq!(told, [(DiagnosticCode::UnreadableDatabase, format!("/{path}").as_str())]);
        }
        // An empty one is a database without packages.
        for content in [&b""[..], b"\n\n"] {
            assert!(inventory(&[OS_RELEASE, (path, content)]).diagnostics.is_empty());
        }
    }
}

#[test]
fn an_unread_database_beside_another_hides_packages() {
    let status: (&str, &[u8]) = ("var/lib/dpkg/status", b"Package: a\nVersion: 1\n");
    for (path, is_lost) in [
        ("var/lib/rpm/Packages", true),
        ("var/lib/dpkg/status.d/base", true),
        ("nix/var/nix/db/db.sqlite", true),
        ("meta/snap.yaml", false),
    ] {
        let inventory = inventory(&[OS_RELEASE, status, (path, b"asdf\n\nyolo")]);
        let codes: Vec<_> = inventory.diagnostics.iter().map(|told| told.code).collect();
        assert!(codes.contains(&DiagnosticCode::UnreadableDatabase), "{path}");
        assert_eq!(codes.contains(&DiagnosticCode::PackagesLeftOut), is_lost, "{path}");
    }
}

#[test]
fn packages_are_sorted_by_kind_name_version_and_place() {
    let inventory = inventory(&[
        ("x/lib/apk/db/installed", b"P:b\nV:1-r0\n\nP:a\nV:2-r0\n"),
        ("lib/apk/db/installed", b"P:a\nV:2-r0\n\nP:a\nV:1-r0\n\nP:a\nV:1-r0\n"),
        ("var/lib/dpkg/status", STATUS),
    ]);
    let found: Vec<_> = inventory
        .packages
        .iter()
        .map(|package| {
            (
                package.kind,
                package.name.as_str(),
                package.version.as_deref().unwrap(),
                package.locations[0].path.as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (PackageKind::Apk, "a", "1-r0", "/lib/apk/db/installed"),
            (PackageKind::Apk, "a", "2-r0", "/lib/apk/db/installed"),
            (PackageKind::Apk, "a", "2-r0", "/x/lib/apk/db/installed"),
            (PackageKind::Apk, "b", "1-r0", "/x/lib/apk/db/installed"),
            (PackageKind::Deb, "a", "2", "/var/lib/dpkg/status"),
            (PackageKind::Deb, "b", "1", "/var/lib/dpkg/status"),
        ]
    );
}
