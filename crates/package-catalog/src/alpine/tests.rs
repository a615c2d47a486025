//! Rows for the database of installed packages.

use model::{DiagnosticCode, OwnedFile, SourcePackage};

use crate::tests::{inventory, names, packages_of};

fn check(database: &str, expected: &[&str], codes: &[DiagnosticCode]) {
    let (packages, diagnostics) = packages_of("lib/apk/db/installed", database.as_bytes());
    assert_eq!(names(&packages), expected, "{database}");
    let found: Vec<_> = diagnostics.iter().map(|told| told.code).collect();
    assert_eq!(found, codes, "{database}\n{diagnostics:?}");
}

#[test]
fn one_bad_line_never_loses_a_record() {
    use DiagnosticCode::BrokenRecord;
    check("P:a\nV:1-r0\n\nP:b\nV:2-r0\n\n", &["a 1-r0", "b 2-r0"], &[]);
    check("P:a\nV:1-r0\n\n\n\nP:b\nV:2-r0", &["a 1-r0", "b 2-r0"], &[]);
    check("P:a\r\nV:1-r0\r\n\r\n", &["a 1-r0"], &[]);
    check("P:a\nbad\nV:1-r0\n", &["a 1-r0"], &[BrokenRecord]);
    check("P:a\nV:1-r0\nP:b\nV:2-r0\n", &["a 1-r0", "b 2-r0"], &[BrokenRecord]);
    check("V:1-r0\n\nP:b\nV:2-r0\n", &["b 2-r0"], &[BrokenRecord]);
    check("P:\nV:1\n\nP:b\n", &["b -"], &[BrokenRecord]);
    check("P:a\nV:1-r0\nI:much\n", &["a 1-r0"], &[BrokenRecord]);
    check("P:a\nV:1-r0\nx:unknown\nX:unknown\nZ:Q1\n", &["a 1-r0"], &[]);
    // Descriptions of several megabytes are known.
    check(&format!("P:a\nT:{}\nV:1-r0\n", "x".repeat(4 << 20)), &["a 1-r0"], &[]);
}

#[test]
fn every_field_reaches_the_package() {
    let database =
        b"C:Q1YCAH7jdO2W816b85sUh9Z8av4Cc=\nP:libcrypto3\nV:3.1.4-r1\nA:x86_64\nS:1700000\nI:4300800\n\
        T:Crypto library\nU:https://www.openssl.org/\nL:Apache-2.0\no:openssl\nm:A B <a@b.c>\nt:1698234567\n\
        F:etc\nF:etc/ssl\nM:0:0:755\nR:openssl.cnf\na:0:0:600\nZ:Q1AAECAwQFBgcICQoLDA0ODxAREhM=\nF:\nR:top\n\
        F:usr/lib\nR:libcrypto.so.3\nZ:Q2abc\n\
        R:su\na:0:0:4755:Q1x\nZ:Q2AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    let inventory = inventory(&[
        ("etc/os-release", b"ID=alpine\nVERSION_ID=3.18.4\n"),
        ("lib/apk/db/installed", database),
    ]);
    let package = &inventory.packages[0];
    assert_eq!(
        package.purl,
        "pkg:apk/alpine/libcrypto3@3.1.4-r1?arch=x86_64&distro=alpine-3.18.4&upstream=openssl"
    );
    let source = SourcePackage { name: "openssl".into(), version: "3.1.4-r1".into() };
    assert_eq!(package.source, Some(source));
    assert_eq!(package.licenses, ["Apache-2.0"]);
    assert_eq!(package.maintainer.as_deref(), Some("A B <a@b.c>"));
    assert_eq!(package.installed_size_bytes, Some(4_300_800));
    let owned = |path: &str, permissions, checksum: Option<&str>| OwnedFile {
        path: path.to_owned(),
        checksum: checksum.map(str::to_owned),
        permissions: Some(permissions),
        ..OwnedFile::default()
    };
    assert_eq!(
        package.files,
        [
            owned("/etc/ssl", 0o755, None),
            owned("/etc/ssl/openssl.cnf", 0o600, Some("sha1:000102030405060708090a0b0c0d0e0f10111213")),
            owned("/top", 0o644, None),
            owned("/usr/lib/libcrypto.so.3", 0o644, None),
            owned(
                "/usr/lib/su",
                0o4755,
                Some("sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
            ),
        ]
    );
    assert!(inventory.diagnostics.is_empty());
}

#[test]
fn a_package_without_origin_is_its_own_origin() {
    let (packages, _) = packages_of("usr/lib/apk/db/installed", b"P:a\nV:1-r0\nA:noarch\n");
    let source = SourcePackage { name: "a".into(), version: "1-r0".into() };
    assert_eq!(packages[0].source, Some(source));
    assert_eq!(packages[0].purl, "pkg:apk/a@1-r0?arch=noarch");
}
