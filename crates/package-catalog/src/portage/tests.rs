//! What is read of a folder of portage.

use model::PackageKind;

use super::split_version;
use crate::tests::{inventory, load, names, shared_data};

#[test]
fn a_package_is_what_its_folder_says() {
    let folder = "var/db/pkg/app-misc/ca-certificates-2024.1-r2";
    let path = |name: &str| format!("{folder}/{name}");
    let (contents, license, size, repository) =
        (path("CONTENTS"), path("LICENSE"), path("SIZE"), path("repository"));
    let found = inventory(&[
        ("etc/os-release", b"ID=gentoo\n"),
        (
            &contents,
            b"dir /etc\nobj /etc/a b.conf 0cc175b9c0f1b6a831c399e269772661 1700000000\n\
            sym /etc/link -> a b.conf 1700000000\nfif /run/x\nnothing\n",
        ),
        (&license, b"MPL-1.1\n"),
        (&size, b"2048\n"),
        (&repository, b"guru\n"),
        ("var/db/pkg/virtual/editor-0/CONTENTS", b""),
        ("var/db/pkg/world", b"x"),
    ]);
    assert_eq!(found.diagnostics.len(), 1, "{:?}", found.diagnostics);
    assert_eq!(names(&found.packages), ["app-misc/ca-certificates 2024.1-r2", "virtual/editor 0"]);
    let package = &found.packages[0];
    assert_eq!(package.kind, PackageKind::Ebuild);
    assert_eq!(package.purl, "pkg:ebuild/app-misc/ca-certificates@2024.1-r2");
    assert_eq!((package.licenses[0].as_str(), package.installed_size_bytes), ("MPL-1.1", Some(2048)));
    assert_eq!(package.is_third_party, Some(true));
    let files: Vec<_> =
        package.files.iter().map(|file| (file.path.as_str(), file.checksum.as_deref())).collect();
    let sum = Some("md5:0cc175b9c0f1b6a831c399e269772661");
    assert_eq!(files, [("/etc/a b.conf", sum), ("/etc/link", None), ("/run/x", None)]);
}

#[test]
fn versions_begin_behind_the_last_hyphen_that_begins_one() {
    let rows = [
        ("Getopt-Long-2.580.0", "Getopt-Long", Some("2.580.0")),
        ("sed-4.9-r1", "sed", Some("4.9-r1")),
        ("xz-utils-5.4_pre2_p1-r10", "xz-utils", Some("5.4_pre2_p1-r10")),
        ("openssl-1.1.1w", "openssl", Some("1.1.1w")),
        ("font-misc-100-1.0", "font-misc-100", Some("1.0")),
        ("a-b", "a-b", None),
        ("2.580.0", "2.580.0", None),
        ("-1", "-1", None),
        ("a-1..2", "a-1..2", None),
        ("a-9999", "a", Some("9999")),
        ("a-r1", "a-r1", None),
    ];
    for (text, name, version) in rows {
        assert_eq!(split_version(text), (name, version), "{text}");
    }
    let Some(folder) = shared_data("packages/os/portage") else { return };
    for (file, version) in [
        ("valid", Some("2.580.0")),
        ("invalid", None),
        ("nopackage", None),
        ("noversion", None),
        ("empty", None),
    ] {
        let content = load(&folder.join(file));
        let text = String::from_utf8_lossy(&content).trim().to_owned();
        assert_eq!(split_version(&text).1, version, "{file}");
    }
}
