//! The real tool as the judge, and real databases where they are there.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use model::{DiagnosticCode, Package};

use super::{inventory, load, names, packages_of, shared_data};

/// One line a package, as `dpkg-query` writes it with the format below.
fn to_line(package: &Package) -> String {
    let source = package.source.as_ref().unwrap();
    let size = package.installed_size_bytes.map(|bytes| (bytes / 1024).to_string()).unwrap_or_default();
    format!(
        "{}|{}|{}|{}|{}|{size}|{}",
        package.name,
        package.version.as_deref().unwrap_or_default(),
        package.architecture.as_deref().unwrap_or_default(),
        source.name,
        source.version,
        package.maintainer.as_deref().unwrap_or_default(),
    )
}

#[test]
fn dpkg_query_lists_the_same_packages() {
    let database = Path::new("/var/lib/dpkg/status");
    let format = "${db:Status-Status}|${Package}|${Version}|${Architecture}|${source:Package}|${source:Version}|${Installed-Size}|${Maintainer}\n";
    let Ok(output) = Command::new("dpkg-query").args(["-W", "-f", format]).output() else { return };
    if !output.status.success() || !database.exists() {
        return;
    }
    let expected: BTreeSet<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once('|'))
        .filter(|(status, _)| !matches!(*status, "not-installed" | "config-files"))
        .map(|(_, line)| line.to_owned())
        .collect();
    let status = load(database);
    let (packages, diagnostics) = packages_of("var/lib/dpkg/status", &status);
    let found: BTreeSet<String> = packages.iter().map(to_line).collect();
    assert_eq!(found, expected);
    assert_eq!(diagnostics, []);
}

#[test]
fn dpkg_query_lists_the_same_files() {
    let info = Path::new("/var/lib/dpkg/info");
    let name = "base-files";
    let Ok(output) = Command::new("dpkg-query").args(["-L", name]).output() else { return };
    let (list, sums) = (info.join(format!("{name}.list")), info.join(format!("{name}.md5sums")));
    if !output.status.success() || !list.exists() || !sums.exists() {
        return;
    }
    // The folders that the tool lists are folders of the image as well.
    let listed: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    let is_folder = |path: &String| path == "/." || Path::new(path).is_dir();
    let expected: BTreeSet<&String> =
        listed.iter().filter(|path| path.starts_with('/') && !is_folder(path)).collect();
    let folders: Vec<String> =
        listed.iter().filter(|path| is_folder(path)).map(|path| format!("{}/.keep", &path[1..])).collect();
    let (status, list, sums) = (load(Path::new("/var/lib/dpkg/status")), load(&list), load(&sums));
    let mut files: Vec<(&str, &[u8])> = vec![
        ("var/lib/dpkg/status", &status),
        ("var/lib/dpkg/info/base-files.list", &list),
        ("var/lib/dpkg/info/base-files.md5sums", &sums),
    ];
    files.extend(folders.iter().map(|path| (path.as_str(), &b""[..])));
    let inventory = inventory(&files);
    let package = inventory.packages.iter().find(|package| package.name == name).unwrap();
    let found: BTreeSet<&String> = package.files.iter().map(|file| &file.path).collect();
    assert_eq!(found, expected);
    assert!(package.files.iter().filter(|file| file.checksum.is_some()).count() > 10);
}

#[test]
fn databases_of_other_projects_are_read() {
    let Some(folder) = shared_data("packages/os") else { return };
    let check = |path: &str, file: &str, expected: &[&str], codes: &[DiagnosticCode]| {
        let (packages, diagnostics) = packages_of(path, &load(&folder.join(file)));
        assert_eq!(names(&packages), expected, "{file}");
        let found: Vec<_> = diagnostics.iter().map(|told| told.code).collect();
        assert_eq!(found, codes, "{file} {diagnostics:?}");
    };
    let dpkg = "var/lib/dpkg/status";
    check(dpkg, "dpkg/dpkg/single", &["acl 2.3.1-3"], &[]);
    check(dpkg, "dpkg/dpkg/trailingnewlines", &["acl 2.3.1-3"], &[]);
    check(dpkg, "dpkg/dpkg/empty", &[], &[]);
    check(dpkg, "dpkg/dpkg/invalid", &[], &[DiagnosticCode::UnreadableDatabase]);
    check(dpkg, "dpkg/dpkg/nopackage", &["bar 2.0", "foo 1.0"], &[DiagnosticCode::BrokenRecord]);
    check(dpkg, "dpkg/dpkg/noversion", &["acl -", "bar 2.0", "foo 1.0"], &[]);
    check(
        dpkg,
        "dpkg/dpkg/statusfield",
        &[
            "wantdeinstall_installed 1.0",
            "wantinstall_halfinstalled 1.0",
            "wantinstall_installed 1.0",
            "wantinstall_unpacked 1.0",
            "wantnostatus 1.0",
            "wantpurge_installed 1.0",
        ],
        &[],
    );
    check("var/lib/dpkg/status.d/foo", "dpkg/dpkg/status.d/foo", &["foo 1.2.3"], &[]);
    let apk = "lib/apk/db/installed";
    check(apk, "apk/single", &["alpine-baselayout-data 3.4.3-r1"], &[]);
    check(apk, "apk/different-arch", &["alpine-baselayout-data 3.4.3-r1"], &[]);
    check(apk, "apk/no-origin", &["pkgname 1.2.3"], &[]);
    check(apk, "apk/empty", &[], &[]);
    check(apk, "apk/invalid", &[], &[DiagnosticCode::UnreadableDatabase]);
    for (path, file, count) in
        [(dpkg, "dpkg/dpkg/valid", 6), (apk, "apk/installed", 15), (apk, "apk/alpine-3.12.12-installed", 14)]
    {
        let content = load(&folder.join(file));
        let (packages, diagnostics) = packages_of(path, &content);
        let stated = String::from_utf8_lossy(&content)
            .lines()
            .filter(|line| line.starts_with("Package: ") || line.starts_with("P:"))
            .count();
        assert_eq!((packages.len(), diagnostics.len()), (stated, 0), "{file}");
        assert!(stated >= count, "{file} {stated}");
    }
}
