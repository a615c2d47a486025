//! Rows for the status file and the lists beside it.

use model::{DiagnosticCode, OwnedFile};

use crate::tests::{inventory, names, packages_of};

/// `name version` of the packages in a status file, and the codes of what was told.
fn check(status: &str, expected: &[&str], codes: &[DiagnosticCode]) {
    let (packages, diagnostics) = packages_of("var/lib/dpkg/status", status.as_bytes());
    assert_eq!(names(&packages), expected, "{status}");
    let found: Vec<_> = diagnostics.iter().map(|told| told.code).collect();
    assert_eq!(found, codes, "{status}\n{diagnostics:?}");
}

#[test]
fn the_state_says_whether_a_package_is_there() {
    let cases = [
        ("install ok installed", true),
        ("hold ok installed", true),
        ("install ok unpacked", true),
        ("install ok half-configured", true),
        ("install reinstreq half-installed", true),
        ("install ok triggers-awaited", true),
        ("install ok triggers-pending", true),
        // Wanted away, but still there.
        ("deinstall ok installed", true),
        ("purge ok installed", true),
        ("deinstall ok config-files", false),
        ("purge ok not-installed", false),
        ("unknown ok not-installed", false),
    ];
    for (status, is_there) in cases {
        let expected: &[&str] = if is_there { &["a 1"] } else { &[] };
        check(&format!("Package: a\nStatus: {status}\nVersion: 1\n"), expected, &[]);
    }
    check("Package: a\nVersion: 1\n", &["a 1"], &[]);
}

#[test]
fn one_bad_line_never_loses_a_paragraph() {
    use DiagnosticCode::BrokenRecord;
    check("Package: a\nthis is no field\nVersion: 1\n", &["a 1"], &[BrokenRecord]);
    check("no field\nPackage: a\nVersion: 1\n\nPackage: b\nVersion: 2\n", &["a 1", "b 2"], &[BrokenRecord]);
    check("Package: a\nVersion: 1\nVersion: 2\n", &["a 1"], &[BrokenRecord]);
    check("Package: a\nVersion: 1\nPackage: b\nVersion: 2\n", &["a 1", "b 2"], &[BrokenRecord]);
    check("Version: 1\n\nPackage: b\nVersion: 2\n", &["b 2"], &[BrokenRecord]);
    check("Package: a\nInstalled-Size: much\nVersion: 1\n", &["a 1"], &[BrokenRecord]);
    check("Package: a\n", &["a -"], &[]);
    check("Package: a\nVersion:\n", &["a -"], &[]);
    check(
        "PACKAGE: a\r\nversion: 1:2.0~rc1-3+b1\r\n\r\n\r\npackage:b\r\nVersion:2",
        &["a 1:2.0~rc1-3+b1", "b 2"],
        &[],
    );
    check(
        "Package: a\nVersion: 1\nDescription: x\n Package: no\n .\n Version: 3\n\n\n\nPackage: b\nVersion: 2",
        &["a 1", "b 2"],
        &[],
    );
    check(" starts with a blank\nPackage: a\nVersion: 1\n", &["a 1"], &[]);
}

#[test]
fn broken_records_are_told_with_their_offset() {
    let (_, diagnostics) = packages_of("var/lib/dpkg/status", b"Package: a\nbad\nVersion: 1\n\nStatus: x\n");
    let found: Vec<_> = diagnostics.iter().map(|told| (told.subject.as_str(), told.offset)).collect();
    assert_eq!(found, [("/var/lib/dpkg/status", Some(11)), ("/var/lib/dpkg/status", Some(27))]);
}

#[test]
fn the_source_is_stated_or_the_package_itself() {
    let cases = [
        ("", "p", "1-1"),
        ("Source: s\n", "s", "1-1"),
        ("Source: s (2:3-4)\n", "s", "2:3-4"),
        ("Source: s(5)\n", "s", "5"),
        ("Source: s ( 6 )\n", "s", "6"),
        ("Source: s (7\n", "s", "7"),
        ("Source: s ()\n", "s", "1-1"),
        ("Source: (8)\n", "p", "8"),
        ("Source:\n", "p", "1-1"),
    ];
    for (line, name, version) in cases {
        let status = format!("Package: p\n{line}Version: 1-1\n");
        let (packages, _) = packages_of("var/lib/dpkg/status", status.as_bytes());
        let source = packages[0].source.as_ref().unwrap();
        assert_eq!((source.name.as_str(), source.version.as_str()), (name, version), "{line}");
    }
}

#[test]
fn every_field_reaches_the_package() {
    let status =
        b"Package: libssl3\nStatus: install ok installed\nInstalled-Size: 6015\nMaintainer: A B <a@b.c>\n\
        Architecture: amd64\nMulti-Arch: same\nSource: openssl\nVersion: 3.0.11-1~deb12u2\n";
    let copyright = b"Format: https://www.debian.org/x\n\nFiles: *\nLicense: Apache-2.0\n";
    let inventory = inventory(&[
        ("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\n"),
        ("var/lib/dpkg/status", status),
        ("usr/share/doc/libssl3/copyright", copyright),
    ]);
    let package = &inventory.packages[0];
    assert_eq!(package.installed_size_bytes, Some(6015 * 1024));
    assert_eq!(package.maintainer.as_deref(), Some("A B <a@b.c>"));
    assert_eq!(package.architecture.as_deref(), Some("amd64"));
    assert_eq!(package.licenses, ["Apache-2.0"]);
    assert_eq!(
        package.purl,
        "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl"
    );
}

#[test]
fn owned_files_come_from_the_lists() {
    let status = b"Package: p\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nConffiles:\n \
        /etc/p.conf 0cc175b9c0f1b6a831c399e269772661\n /etc/old 92eb5ffee6ae2fec3ad71c777531578f obsolete\n\n\
        Package: q\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n";
    let list = b"/.\n/etc\n/etc/p.conf\n/usr\n/usr/bin\n/usr/bin/p\n/usr/share/a b\n";
    let sums = b"4a8a08f09d37b73795649038408b5f33  usr/bin/p\nbroken line\n8277e0910d750195b448797616e091ad *usr/share/a b\n";
    let inventory = inventory(&[
        ("etc/os-release", b"ID=debian\n"),
        ("etc/p.conf", b""),
        ("usr/bin/p", b""),
        ("var/lib/dpkg/status", status),
        ("var/lib/dpkg/info/p:amd64.list", list),
        ("var/lib/dpkg/info/p.md5sums", sums),
        ("var/lib/dpkg/info/q.list", b"/usr/bin/q\n"),
        ("var/lib/dpkg/info/other.list", b"/usr/bin/other\n"),
    ]);
    let owned = |path: &str, md5: Option<&str>| OwnedFile {
        path: path.to_owned(),
        checksum: md5.map(|md5| format!("md5:{md5}")),
        ..OwnedFile::default()
    };
    assert_eq!(
        inventory.packages[0].files,
        [
            OwnedFile {
                is_configuration: true,
                ..owned("/etc/p.conf", Some("0cc175b9c0f1b6a831c399e269772661"))
            },
            owned("/usr/bin/p", Some("4a8a08f09d37b73795649038408b5f33")),
            owned("/usr/share/a b", Some("8277e0910d750195b448797616e091ad")),
        ]
    );
    assert_eq!(inventory.packages[1].files, [owned("/usr/bin/q", None)]);
    assert!(inventory.diagnostics.is_empty());
}

#[test]
fn distroless_images_have_a_file_for_each_package() {
    let inventory = inventory(&[
        ("usr/lib/os-release", b"ID=debian\nVERSION_ID=12\n"),
        ("var/lib/dpkg/status.d/base", b"Package: base-files\nArchitecture: amd64\nVersion: 12.4\n"),
        ("var/lib/dpkg/status.d/base.md5sums", b"07d31e7e63800ab1b7966980709c51eb  usr/lib/os-release\n"),
        ("var/lib/dpkg/status.d/bGliYw", b"Package: libc6\nVersion: 2.36-9\nSource: glibc\n\n\n"),
    ]);
    assert_eq!(names(&inventory.packages), ["base-files 12.4", "libc6 2.36-9"]);
    assert_eq!(inventory.packages[0].files[0].path, "/usr/lib/os-release");
    assert_eq!(inventory.packages[1].locations[0].path, "/var/lib/dpkg/status.d/bGliYw");
    assert!(inventory.diagnostics.is_empty(), "{:?}", inventory.diagnostics);
}
