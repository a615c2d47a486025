//! What is read of a folder of pacman, and the real tool as the judge.

use std::process::Command;

use model::{DiagnosticCode, PackageKind};

use crate::tests::{inventory, load, names, packages_of, shared_data};

const OS_RELEASE: (&str, &[u8]) = ("etc/os-release", b"ID=arch\nBUILD_ID=rolling\n");
const DESC: &[u8] = b"%NAME%\nlibgcc\n\n%VERSION%\n14.2.1-1\n\n%BASE%\ngcc\n\n%ARCH%\nx86_64\n\n%PACKAGER%\n\
    A B <ab@archlinux.org>\n\n%SIZE%\n1024\n\n%LICENSE%\nGPL-3.0-or-later\nLGPL-2.1\n\n%DEPENDS%\nglibc\n";
const FILES: &[u8] = b"%FILES%\netc/\netc/gcc.conf\nusr/lib/libgcc.so\n\n%BACKUP%\n\
    etc/gcc.conf\t0cc175b9c0f1b6a831c399e269772661\n\n";

#[test]
fn a_package_is_what_its_folder_says() {
    let found = inventory(&[
        OS_RELEASE,
        ("var/lib/pacman/local/ALPM_DB_VERSION", b"9\n"),
        ("var/lib/pacman/local/libgcc-14.2.1-1/desc", DESC),
        ("var/lib/pacman/local/libgcc-14.2.1-1/files", FILES),
    ]);
    assert_eq!(found.diagnostics, vec![]);
    let [package] = found.packages.as_slice() else { panic!("{:?}", found.packages) };
    assert_eq!(package.purl, "pkg:alpm/arch/libgcc@14.2.1-1?arch=x86_64&distro=arch&upstream=gcc");
    assert_eq!((package.kind, package.installed_size_bytes), (PackageKind::Alpm, Some(1024)));
    assert_eq!(package.source.as_ref().unwrap().name, "gcc");
    assert_eq!(package.licenses, ["GPL-3.0-or-later", "LGPL-2.1"]);
    assert_eq!(package.is_third_party, Some(false));
    let files: Vec<_> = package
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.checksum.as_deref(), file.is_configuration))
        .collect();
    let sum = Some("md5:0cc175b9c0f1b6a831c399e269772661");
    assert_eq!(files, [("/etc/gcc.conf", sum, true), ("/usr/lib/libgcc.so", None, false)]);
}

#[test]
fn descriptions_of_other_projects_are_read() {
    let Some(folder) = shared_data("packages/os/pacman") else { return };
    let rows: [(&str, &[&str], &[DiagnosticCode]); 5] = [
        ("valid", &["gawk 5.3.1-1"], &[]),
        ("valid_one_dep", &["filesystem 2024.11.21-1"], &[]),
        ("valid_no_dep", &["libxml2 2.13.5-1"], &[]),
        ("eof_after_dependencies", &["gawk 5.3.1-1"], &[]),
        ("invalid_value_eof", &["gawk -"], &[DiagnosticCode::MissingVersion]),
    ];
    for (file, expected, codes) in rows {
        let (packages, diagnostics) = packages_of("var/lib/pacman/local/x/desc", &load(&folder.join(file)));
        let found: Vec<_> = diagnostics.iter().map(|told| told.code).collect();
        assert_eq!(
            (names(&packages), found.as_slice()),
            (expected.iter().map(ToString::to_string).collect(), codes),
            "{file}"
        );
    }
}

#[test]
fn the_tool_lists_the_same_packages_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("local/libgcc-14.2.1-1");
    std::fs::create_dir_all(&local).unwrap();
    std::fs::write(folder.path().join("local/ALPM_DB_VERSION"), "9\n").unwrap();
    std::fs::write(local.join("desc"), DESC).unwrap();
    std::fs::write(local.join("files"), FILES).unwrap();
    let ask = |arguments: &[&str]| {
        let output =
            Command::new("pacman").arg("--dbpath").arg(folder.path()).args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Some(listed) = ask(&["-Q"]) else { return };
    let files = ask(&["-Ql", "libgcc"]).unwrap();
    let path = "var/lib/pacman/local/libgcc-14.2.1-1";
    let found = inventory(&[OS_RELEASE, (&format!("{path}/desc"), DESC), (&format!("{path}/files"), FILES)]);
    assert_eq!(names(&found.packages), listed.lines().collect::<Vec<_>>());
    let files: Vec<&str> =
        files.lines().filter_map(|line| line.split_once(' ')).map(|(_, path)| path).collect();
    let files: Vec<&str> = files.into_iter().filter(|path| !path.ends_with('/')).collect();
    assert_eq!(found.packages[0].files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), files);
}
