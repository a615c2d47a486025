//! The same headers in every form of the database, and what becomes of them.

use model::{DiagnosticCode, Inventory, OwnedFile, Package};

use super::build::Value::{Bytes, Halves, Numbers, Text, Texts};
use super::build::{self, header, package};
use super::messages;
use crate::CatalogLimits;
use crate::rpm::header::tag;
use crate::tests::{inventory, names, tree};

type Form = (&'static str, fn(&[Vec<u8>]) -> Vec<u8>);

pub(super) const FORMS: [Form; 4] = [
    ("var/lib/rpm/rpmdb.sqlite", build::sqlite),
    ("usr/lib/sysimage/rpm/Packages.db", build::ndb),
    ("var/lib/rpm/Packages", |headers| build::berkeley(headers, false)),
    ("usr/share/rpm/Packages", |headers| build::berkeley(headers, true)),
];

const OS_RELEASE: (&str, &[u8]) = ("etc/os-release", b"ID=rhel\nVERSION_ID=\"8.9\"\n");

/// The one package of a database with this header.
fn read_one(header: Vec<u8>, more: &[(&str, &[u8])]) -> (Package, Vec<String>) {
    let database = build::ndb(&[header]);
    let files = [&[OS_RELEASE, ("var/lib/rpm/Packages.db", &database)], more].concat();
    let Inventory { mut packages, diagnostics, .. } = inventory(&files);
    assert_eq!(packages.len(), 1, "{diagnostics:?}");
    (packages.remove(0), messages(&diagnostics).into_iter().map(str::to_owned).collect())
}

#[test]
fn every_form_holds_the_same_packages() {
    let long: &'static str = "long ".repeat(800).leak();
    let headers = [
        package("b", &[(tag::VENDOR, Text(long))]),
        package("gpg-pubkey", &[]),
        package("a", &[(tag::EPOCH, Numbers(vec![3]))]),
        package("c", &[]),
    ];
    for (path, write) in FORMS {
        for count in 0..=headers.len() {
            let database = write(&headers[..count]);
            let Inventory { packages, diagnostics, .. } = inventory(&[OS_RELEASE, (path, &database)]);
            let mut expected = ["b 1-2", "-", "a 3:1-2", "c 1-2"][..count].to_vec();
            expected.retain(|name| *name != "-");
            expected.sort_unstable();
            assert_eq!(names(&packages), expected, "{path} {count}");
            assert_eq!(messages(&diagnostics), [""; 0], "{path} {count}");
        }
    }
}

#[test]
fn fields_reach_the_package() {
    let (found, told) = read_one(
        package(
            "nodejs",
            &[
                (tag::EPOCH, Numbers(vec![1])),
                (tag::ARCHITECTURE, Text("x86_64")),
                (tag::VENDOR, Text("Red Hat, Inc.")),
                (tag::LICENSE, Text("MIT and ASL 2.0")),
                (tag::SIZE, Numbers(vec![12])),
                (tag::SOURCE_RPM, Text("nodejs-18.1-2.module+el8+1.src.rpm")),
                (tag::MODULARITY_LABEL, Text("nodejs:18:8080020230718:63b34585")),
            ],
        ),
        &[],
    );
    assert_eq!(told, [""; 0]);
    assert_eq!(found.version.as_deref(), Some("1:1-2"));
    assert_eq!(found.architecture.as_deref(), Some("x86_64"));
    assert_eq!(found.maintainer.as_deref(), Some("Red Hat, Inc."));
    assert_eq!(found.licenses, ["MIT and ASL 2.0"]);
    assert_eq!(found.installed_size_bytes, Some(12));
    let source = found.source.as_ref().unwrap();
    assert_eq!((source.name.as_str(), source.version.as_str()), ("nodejs", "18.1-2.module+el8+1"));
    assert_eq!(
        found.purl,
        "pkg:rpm/redhat/nodejs@1-2?arch=x86_64&distro=rhel-8.9&epoch=1&rpmmod=nodejs:18:8080020230718:63b34585&upstream=nodejs-18.1-2.module%2Bel8%2B1.src.rpm"
    );
    // Nothing is made up: an epoch that is zero is stated, one that is absent is not.
    let (found, _) = read_one(package("a", &[(tag::EPOCH, Numbers(vec![0]))]), &[]);
    assert_eq!(found.version.as_deref(), Some("0:1-2"));
    assert_eq!(found.purl, "pkg:rpm/redhat/a@1-2?distro=rhel-8.9&epoch=0");
    let nothing = [(tag::VENDOR, Text("(none)")), (tag::SOURCE_RPM, Text("")), (tag::LICENSE, Text(" "))];
    let (found, _) = read_one(package("a", &nothing), &[]);
    assert_eq!(found.purl, "pkg:rpm/redhat/a@1-2?distro=rhel-8.9");
    assert_eq!((found.version.as_deref(), found.source, found.maintainer), (Some("1-2"), None, None));
    assert!(found.licenses.is_empty());
    // A version without its release is none.
    let fields = [(tag::NAME, Text("a")), (tag::VERSION, Text("1"))];
    assert_eq!(read_one(header(&fields), &[]).0.version, None);
    // What was added at installation replaces what the package came with.
    let (found, _) =
        read_one(package("a", &[(tag::SIZE, Numbers(vec![1])), (tag::SIZE, Numbers(vec![2]))]), &[]);
    assert_eq!(found.installed_size_bytes, Some(2));
}

#[test]
fn files_are_owned_as_the_database_states_them() {
    let sum = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08";
    let fields = [
        (tag::FOLDER_NAMES, Texts(vec!["/etc/", "/usr/bin/"])),
        (
            tag::BASE_NAMES,
            Texts(vec!["conf", "tool", "folder", "ghost", "optional", "replaced", "excluded", "no"]),
        ),
        (tag::FOLDER_INDEXES, Numbers(vec![0, 1, 1, 0, 0, 1, 1, 9])),
        (
            tag::FILE_MODES,
            Halves(vec![0o100_644, 0o104_755, 0o40_755, 0o100_600, 0o100_644, 0o100_644, 0, 0]),
        ),
        (tag::FILE_FLAGS, Numbers(vec![1, 0, 0, 64, 8, 0, 0, 0])),
        (tag::FILE_SIZES, Numbers(vec![5, 6, 7, 8, 9, 10, 11, 12])),
        (tag::FILE_STATES, Bytes(vec![0, 0, 0, 0, 0, 1, 2, 0])),
        (tag::FILE_DIGESTS, Texts(vec![sum, "", "", sum, sum, sum, sum, sum])),
        (tag::FILE_DIGEST_ALGORITHM, Numbers(vec![8])),
    ];
    let conf = OwnedFile {
        path: "/etc/conf".to_owned(),
        checksum: Some(format!("sha256:{}", sum.to_lowercase())),
        permissions: Some(0o644),
        size_bytes: Some(5),
        is_configuration: true,
        is_content_changed: None,
    };
    let tool = OwnedFile {
        path: "/usr/bin/tool".to_owned(),
        checksum: None,
        permissions: Some(0o4755),
        size_bytes: Some(6),
        is_configuration: false,
        is_content_changed: None,
    };
    let (found, told) = read_one(package("a", &fields), &[]);
    assert_eq!(found.files, [conf.clone(), tool.clone()]);
    assert_eq!(told, ["1 files of `a` have no path that can be read"]);
    let (found, _) = read_one(package("a", &fields), &[("etc/ghost", b"x"), ("etc/optional", b"x")]);
    let paths: Vec<&str> = found.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["/etc/conf", "/etc/ghost", "/etc/optional", "/usr/bin/tool"]);
    assert_eq!((&found.files[1].checksum, found.files[1].size_bytes), (&None, None));
    // Packages of the last century have whole paths, and MD5 without saying so.
    let md5 = "0cc175b9c0f1b6a831c399e269772661";
    let old =
        [(tag::WHOLE_FILE_NAMES, Texts(vec!["/bin/a", "/etc"])), (tag::FILE_DIGESTS, Texts(vec![md5, ""]))];
    let (found, _) = read_one(package("a", &old), &[]);
    assert_eq!(found.files.len(), 1);
    assert_eq!(
        (found.files[0].path.as_str(), found.files[0].checksum.clone()),
        ("/bin/a", Some(format!("md5:{md5}")))
    );
}

#[test]
fn a_list_of_packages_is_read() {
    let list = "a\t1-2\t1\t2\tMicrosoft Corporation\t(none)\t10\tx86_64\t0\ta-1-2.src.rpm\n\
        broken line\n\
        b\t3-4\t1\t2\t(none)\t5\tmany\tnoarch\t5\t(none)\r\n\
        (none)\t1-2\t1\t2\tv\t0\t1\tx\t0\ts\n\
        c\t3-4\t1\t2\t(none)\tx\t1\tnoarch\t5\t(none)\n";
    let path = "var/lib/rpmmanifest/container-manifest-2";
    let Inventory { packages, diagnostics, .. } = inventory(&[OS_RELEASE, (path, list.as_bytes())]);
    assert_eq!(names(&packages), ["a 1-2", "b 5:3-4"]);
    assert_eq!(packages[0].maintainer.as_deref(), Some("Microsoft Corporation"));
    assert_eq!(packages[0].installed_size_bytes, Some(10));
    assert_eq!(packages[1].purl, "pkg:rpm/redhat/b@3-4?arch=noarch&distro=rhel-8.9&epoch=5");
    let told = [
        "3 broken records or pages: what they name is not in this inventory",
        "epoch is not a number",
        "line has not the ten fields of a package",
        "line names no package",
    ];
    let mut found = messages(&diagnostics);
    found.sort_unstable();
    assert_eq!(found, told);
    let garbage = inventory(&[OS_RELEASE, (path, b"nothing\nof\nthat\n")]);
    let codes: Vec<_> = garbage.diagnostics.iter().map(|told| told.code).collect();
    assert_eq!(codes, [DiagnosticCode::UnreadableDatabase]);
}

#[test]
fn one_broken_record_loses_no_other_and_is_never_silent() {
    let headers = [package("a", &[]), vec![0xff; 40], package("b", &[]), header(&[]), package("c", &[])];
    for (path, write) in FORMS {
        let Inventory { packages, diagnostics, .. } = inventory(&[OS_RELEASE, (path, &write(&headers))]);
        assert_eq!(names(&packages), ["a 1-2", "b 1-2", "c 1-2"], "{path}");
        let told: Vec<_> = diagnostics.iter().map(|told| (told.code, told.message.as_str())).collect();
        let expected = [
            (DiagnosticCode::BrokenRecord, "header cannot be read: it has 4294967295 entries (limit 65535)"),
            (DiagnosticCode::BrokenRecord, "header names no package"),
            (
                DiagnosticCode::PackagesLeftOut,
                "2 broken records or pages: what they name is not in this inventory",
            ),
        ];
        assert_eq!(told, expected, "{path}");
    }
}

#[test]
fn limits_are_told_by_name() {
    let big: &'static str = "x".repeat(1000).leak();
    let headers = [package("a", &[]), package("b", &[(tag::VENDOR, Text(big))]), package("c", &[])];
    for (path, write) in FORMS {
        let tree = tree(&[OS_RELEASE, (path, &write(&headers))]);
        let check = |limits: CatalogLimits, count: usize, told: &str| {
            let Inventory { packages, diagnostics, .. } = crate::catalog(&tree, &limits);
            assert_eq!(packages.len(), count, "{path} {diagnostics:?}");
            let found = diagnostics.iter().find(|it| it.message.contains(told));
            assert!(diagnostics.len() == 1 && found.is_some(), "{path} {told}: {diagnostics:?}");
            found.unwrap().code
        };
        let limits = CatalogLimits { packages_max: 2, ..CatalogLimits::default() };
        assert_eq!(check(limits, 2, "more than 2 packages"), DiagnosticCode::PackagesLeftOut);
        let limits = CatalogLimits { record_bytes_max: 900, ..CatalogLimits::default() };
        assert_eq!(check(limits, 2, "(limit 900)"), DiagnosticCode::PackagesLeftOut);
        let limits = CatalogLimits { value_bytes_max: 999, ..CatalogLimits::default() };
        assert_eq!(check(limits, 3, "(limit 999)"), DiagnosticCode::FileTooLarge);
        let limits = CatalogLimits { packages_max: 3, value_bytes_max: 1000, ..CatalogLimits::default() };
        assert_eq!(crate::catalog(&tree, &limits).diagnostics, []);
    }
}
