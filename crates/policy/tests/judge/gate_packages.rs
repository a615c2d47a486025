//! Gate `packages`: when each trigger fires, with which message.

use model::{FileEntry, FileKind, ImageContents, OwnedFile, Package, PackageKind};

use crate::fixture::{
    Subject, check_bad_value, check_messages, check_refused, document, file, judge_document, package, rule,
};

fn packages() -> Vec<Package> {
    vec![
        package(PackageKind::Apk, "musl", "1.2.4-r1"),
        package(PackageKind::Deb, "curl", "7.88.1-10+deb12u5"),
        package(PackageKind::Deb, "libssl3", "1:3.0.11-1"),
        package(PackageKind::Rpm, "bash", "0:4.4.20-4.el8"),
        package(PackageKind::Npm, "left-pad", "1.3.0"),
        package(PackageKind::Npm, "left-pad", "1.3.0"),
        Package { version: None, ..package(PackageKind::PyPi, "odd", "") },
    ]
}

#[test]
fn refused_packages_are_told_once_per_instance() {
    let check = |params: &[(&str, &str)], messages: &[&str]| {
        check_messages(("packages", "blacklist"), params, &Subject::with_packages(packages()), messages);
    };
    check(&[("name", "curl")], &["Package is blacklisted: curl"]);
    check(&[("name", "left-pad")], &["Package is blacklisted: left-pad"; 2]);
    check(&[("name", "Curl")], &[]);
    check(&[("name", "cur")], &[]);
    check(&[("name", "")], &[]);
    for (name, version, fires) in [
        ("curl", "7.88.1", true),
        ("curl", "7.88.1-10+deb12u5", true),
        ("curl", "7.88", false),
        ("curl", "7.88.1-10", false),
        ("libssl3", "3.0.11", true),
        ("libssl3", "1:3.0.11", true),
        ("libssl3", "3.0.11-1", true),
        ("libssl3", "2:3.0.11", false),
        ("bash", "4.4.20", true),
        ("bash", "4.4.20-4.el8", true),
        ("musl", "1.2.4", true),
        ("musl", "1.2.4-r1", true),
        ("musl", "1.2.4-r2", false),
        ("odd", "", true),
        ("odd", "1", false),
    ] {
        let message = if version.is_empty() {
            format!("Package is blacklisted: {name}")
        } else {
            format!("Package is blacklisted: {name}-{version}")
        };
        check(&[("name", name), ("version", version)], &[message.as_str()][..usize::from(fires)]);
    }
    check_bad_value(("packages", "blacklist"), &[("version", "1")], "Required parameter `name`");
}

#[test]
fn required_packages_are_missed() {
    let check = |params: &[(&str, &str)], message: Option<&str>| {
        let messages: Vec<&str> = message.into_iter().collect();
        check_messages(
            ("packages", "required_package"),
            params,
            &Subject::with_packages(packages()),
            &messages,
        );
    };
    check(&[("name", "curl")], None);
    check(&[("name", "left-pad")], None);
    check(&[("name", "wget")], Some("Required input package (wget) is not present in container image"));
    for kind in ["exact", "minimum"] {
        check(
            &[("name", "wget"), ("version", "1.2"), ("version_match_type", kind)],
            Some("Required input package (wget,1.2) is not present in container image"),
        );
    }
    let differs = |name: &str, shown: &str| {
        format!(
            "Required input package ({name}) is present ({shown}), but not at the version specified in policy ({name})"
        )
    };
    check(&[("name", "curl"), ("version", "7.88.1-10+deb12u5")], None);
    check(&[("name", "curl"), ("version", "")], None);
    check(&[("name", "curl"), ("version", "7.88.1")], Some(&differs("curl", "7.88.1-10+deb12u5")));
    check(&[("name", "libssl3"), ("version", "3.0.11-1")], None);
    check(&[("name", "libssl3"), ("version", "1:3.0.11-1")], None);
    check(&[("name", "libssl3"), ("version", "1")], Some(&differs("libssl3", "1:3.0.11-1")));
    check(&[("name", "bash"), ("version", "4.4.20-4.el8")], None);
    check(&[("name", "bash"), ("version", "4.4.20")], Some(&differs("bash", "4.4.20-4.el8")));
    check(&[("name", "odd"), ("version", "1")], Some(&differs("odd", "None")));
    check_bad_value(
        ("packages", "required_package"),
        &[("name", "a"), ("version_match_type", "newer")],
        "'newer' is not one of",
    );
}

#[test]
fn a_minimum_is_compared_by_the_rules_of_the_package_manager() {
    for (name, shown, minimum, is_lower) in [
        ("curl", "7.88.1-10+deb12u5", "7.88.1", false),
        ("curl", "7.88.1-10+deb12u5", "7.9", false),
        ("curl", "7.88.1-10+deb12u5", "7.88.2", true),
        ("curl", "7.88.1-10+deb12u5", "7.100", true),
        ("curl", "7.88.1-10+deb12u5", "7.88.1~rc1", false),
        ("curl", "7.88.1-10+deb12u5", "7.88.1-10", false),
        ("curl", "7.88.1-10+deb12u5", "7.88.1-11", true),
        ("libssl3", "1:3.0.11-1", "9", false),
        ("libssl3", "1:3.0.11-1", "1:3.0.12", true),
        ("musl", "1.2.4-r1", "1.2.4", false),
        ("musl", "1.2.4-r1", "1.2.4-r1", false),
        ("musl", "1.2.4-r1", "1.2.4-r2", true),
        ("musl", "1.2.4-r1", "1.2.5_rc1", true),
        ("odd", "None", "1", true),
    ] {
        let message = format!(
            "Required min-version input package ({name}) is present ({shown}), but is lower version than what is specified in policy ({minimum})"
        );
        check_messages(
            ("packages", "required_package"),
            &[("name", name), ("version", minimum), ("version_match_type", "minimum")],
            &Subject::with_packages(packages()),
            &[message.as_str()][..usize::from(is_lower)],
        );
    }
}

#[test]
fn a_minimum_of_a_language_is_compared_by_its_own_rules() {
    use PackageKind::{Composer, Gem, Golang, Maven, Npm, Nuget, PyPi};
    for (kind, installed, minimum, is_lower) in [
        (Npm, "1.10.0", "1.9.0", false),
        (Npm, "2.0.0-rc.1", "2.0.0", true),
        (PyPi, "1.0rc1", "1.0", true),
        (PyPi, "1.0.post1", "1.0", false),
        (Gem, "1.0.0.pre", "1.0.0", true),
        (Maven, "1.0-SNAPSHOT", "1.0", true),
        (Maven, "1.10", "1.9", false),
        (Golang, "v1.9.0", "1.10.0", true),
        (Composer, "v2.0.0-beta1", "2.0.0", true),
        (Nuget, "13.0.1", "13.0.1.0", false),
    ] {
        let message = format!(
            "Required min-version input package (it) is present ({installed}), but is lower version than what is specified in policy ({minimum})"
        );
        check_messages(
            ("packages", "required_package"),
            &[("name", "it"), ("version", minimum), ("version_match_type", "minimum")],
            &Subject::with_packages(vec![package(kind, "it", installed)]),
            &[message.as_str()][..usize::from(is_lower)],
        );
    }
}

#[test]
fn versions_that_nobody_can_order_refuse_the_image() {
    let subject = Subject::with_packages(packages());
    let check = |name: &str, version: &str, details: &str| {
        check_refused(
            ("packages", "required_package"),
            &[("name", name), ("version", version), ("version_match_type", "minimum")],
            &subject,
            ("VersionsNotComparableError", details),
        );
    };
    check("left-pad", "latest", "`latest` cannot be ordered");
    let snap = Subject::with_packages(vec![package(PackageKind::Snap, "core", "17200")]);
    check_refused(
        ("packages", "required_package"),
        &[("name", "core"), ("version", "17000"), ("version_match_type", "minimum")],
        &snap,
        ("VersionsNotComparableError", "package `core`: versions of snap packages"),
    );
    check("musl", "latest", "`1.2.4` and `latest` cannot be ordered");
    check("curl", "a b", "`a b` cannot be ordered");
}

fn owned(path: &str) -> OwnedFile {
    OwnedFile { path: path.to_owned(), ..OwnedFile::default() }
}

fn with_sha256(path: &str, letters: &str) -> OwnedFile {
    OwnedFile { checksum: Some(format!("sha256:{}", letters.repeat(32))), ..owned(path) }
}

fn subject(owned_files: Vec<OwnedFile>, mut files: Vec<FileEntry>) -> Subject {
    let mut subject = Subject::new();
    subject.inventory.packages = vec![
        Package { files: owned_files, ..package(PackageKind::Rpm, "tool", "1-1") },
        Package { files: vec![owned("/other")], ..package(PackageKind::Rpm, "other", "1-1") },
    ];
    files.push(file(FileKind::File, "/other", 0o644));
    files.sort();
    subject.contents = Some(ImageContents { files, ..ImageContents::default() });
    subject
}

fn check_verify(params: &[(&str, &str)], subject: &Subject, rows: &[(&str, &str)]) {
    let messages: Vec<String> = rows
        .iter()
        .map(|(path, status)| {
            format!(
                "VERIFY check against package db for package 'tool' failed on entry '{path}' with status: '{status}'"
            )
        })
        .collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    check_messages(("packages", "verify"), params, subject, &messages);
}

#[test]
fn each_attribute_of_a_file_is_verified() {
    let image = file(FileKind::File, "/f", 0o644);
    let one = |owned: OwnedFile| subject(vec![owned], vec![image.clone()]);
    let check = |owned: OwnedFile, status: Option<&str>| {
        let rows: Vec<(&str, &str)> = status.into_iter().map(|status| ("/f", status)).collect();
        check_verify(&[], &one(owned), &rows);
    };
    check(owned("/f"), None);
    check(with_sha256("/f", "ab"), None);
    check(with_sha256("/f", "AB"), None);
    check(with_sha256("/f", "cd"), Some("changed"));
    // Compared when the image was analyzed, with a checksum that is not recorded of every file.
    let with_md5 = |is_content_changed| OwnedFile {
        checksum: Some("md5:0".to_owned()),
        is_content_changed,
        ..owned("/f")
    };
    check(with_md5(Some(true)), Some("changed"));
    check(with_md5(Some(false)), None);
    check(OwnedFile { size_bytes: Some(0), ..with_sha256("/f", "ab") }, None);
    check(OwnedFile { size_bytes: Some(1), ..with_sha256("/f", "ab") }, Some("changed"));
    check(OwnedFile { permissions: Some(0o644), ..owned("/f") }, None);
    check(OwnedFile { permissions: Some(0o100_644), ..owned("/f") }, None);
    check(OwnedFile { permissions: Some(0o600), ..owned("/f") }, Some("changed"));
    check(OwnedFile { permissions: Some(0o4644), ..owned("/f") }, Some("changed"));
    check(OwnedFile { is_configuration: true, ..with_sha256("/f", "cd") }, None);
    let missing = OwnedFile { is_configuration: true, ..owned("/gone") };
    check_verify(&[], &subject(vec![missing], vec![]), &[("/gone", "missing")]);
}

#[test]
fn files_can_be_selected() {
    let all = subject(
        vec![with_sha256("/usr/bin/a", "cd"), owned("/usr/lib/b"), owned("/var/c")],
        vec![file(FileKind::File, "/usr/bin/a", 0o644)],
    );
    let (a, b, c) = (("/usr/bin/a", "changed"), ("/usr/lib/b", "missing"), ("/var/c", "missing"));
    check_verify(&[], &all, &[a, b, c]);
    check_verify(&[("check", "changed")], &all, &[a]);
    check_verify(&[("check", "missing")], &all, &[b, c]);
    check_verify(&[("only_packages", "x, tool")], &all, &[a, b, c]);
    check_verify(&[("only_packages", "other")], &all, &[]);
    check_verify(&[("only_directories", "/var, /usr")], &all, &[c, a, b]);
    check_verify(&[("only_directories", "/usr/lib"), ("check", "changed")], &all, &[]);
    // One pass per directory.
    check_verify(&[("only_directories", "/usr,/usr/bin"), ("check", "changed")], &all, &[a, a]);
    check_bad_value(("packages", "verify"), &[("only_packages", "a,,b")], "`only_packages`");
}

#[test]
fn links_in_folders_are_followed_and_links_themselves_are_not() {
    let link = |path: &str, target: &str| FileEntry {
        link_target: Some(target.to_owned()),
        ..file(FileKind::SymbolicLink, path, 0o777)
    };
    let image = vec![
        link("/lib", "usr/lib"),
        link("/lib64", "/usr/../lib"),
        link("/loop", "loop"),
        link("/dead", "/nowhere"),
        file(FileKind::Directory, "/usr/lib", 0o755),
        file(FileKind::File, "/usr/lib/a", 0o644),
    ];
    let lib = OwnedFile { permissions: Some(0o755), size_bytes: Some(7), ..with_sha256("/lib", "cd") };
    let owned_files = vec![
        lib,
        with_sha256("/lib/a", "ab"),
        with_sha256("/lib64/a", "cd"),
        owned("/dead"),
        owned("/dead/a"),
        owned("/loop/a"),
        owned("/lib/none"),
        owned(""),
        owned("relative"),
    ];
    check_verify(
        &[],
        &subject(owned_files, image),
        &[
            ("/lib64/a", "changed"),
            ("/dead/a", "missing"),
            ("/loop/a", "missing"),
            ("/lib/none", "missing"),
            ("", "missing"),
            ("relative", "missing"),
        ],
    );
}

#[test]
fn content_that_cannot_be_compared_is_told() {
    let checksum = Some("md5:d41d8cd98f00b204e9800998ecf8427e".to_owned());
    let owned_file = OwnedFile { checksum, ..owned("/f") };
    let subject = subject(vec![owned_file], vec![file(FileKind::File, "/f", 0o644)]);
    let decision = judge_document(&document(vec![rule("STOP", "packages", "verify", &[])]), &subject);
    assert!(decision.is_pass() && decision.rows.is_empty());
    assert!(decision.problems[0].details.contains("content of 1 files was not compared"));
}
