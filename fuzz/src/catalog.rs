//! Files of an image that catalogers read: the bytes as a file at its usual place.

use image_layers::{ImageLimits, squash};
use model::Inventory;
use package_catalog::CatalogLimits;

use crate::layers::{read_bodies, read_layer};
use crate::repair;

const DPKG_STATUS: &[u8] = b"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n";

/// The inventory of an image with these files; `None` where no archive can hold them.
fn inventory(files: &[(&str, &[u8])]) -> Option<Inventory> {
    let layer = read_layer(&archive_of(files)?.into_inner().ok()?, &ImageLimits::default()).ok()?;
    Some(package_catalog::catalog(&squash(vec![layer]), &CatalogLimits::default()))
}

fn archive_of(files: &[(&str, &[u8])]) -> Option<tar::Builder<Vec<u8>>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, path, *content).ok()?;
    }
    Some(archive)
}

/// Reads one file. Whatever its bytes are, the image is read, twice with one result, and every package has a name.
pub(crate) fn read(path: &str, bytes: &[u8]) {
    check(&[(path, bytes)]);
}

/// A list of files beside a database that names its package.
pub(crate) fn read_file_list(bytes: &[u8]) {
    check(&[("var/lib/dpkg/status", DPKG_STATUS), ("var/lib/dpkg/info/a.list", bytes)]);
}

/// The description of an installation of Java, which counts beside its program.
pub(crate) fn read_java_release(bytes: &[u8]) {
    check(&[("opt/java/bin/java", b"\x7fELF"), ("opt/java/release", bytes)]);
}

/// The log beside a database of SQLite that is empty without it, as it is and with the right sums in it.
pub(crate) fn read_write_ahead_log(bytes: &[u8]) {
    let repaired = repair::write_ahead_log(bytes);
    for log in [bytes, &repaired] {
        check(&[("var/lib/rpm/rpmdb.sqlite", b""), ("var/lib/rpm/rpmdb.sqlite-wal", log)]);
    }
}

/// What the documentation of a package says of its licences.
pub(crate) fn read_copyright(bytes: &[u8]) {
    check(&[("var/lib/dpkg/status", DPKG_STATUS), ("usr/share/doc/a/copyright", bytes)]);
}

/// What an installer of Python wrote about the files of a package.
pub(crate) fn read_python_record(bytes: &[u8]) {
    check(&[
        ("usr/lib/a.dist-info/METADATA", b"Name: a\nVersion: 1\n"),
        ("usr/lib/a.dist-info/RECORD", bytes),
        ("usr/lib/b/__init__.py", b""),
    ]);
}

/// The files of a package of Arch Linux.
pub(crate) fn read_pacman_files(bytes: &[u8]) {
    let folder = "var/lib/pacman/local/a-1-1";
    check(&[
        (&format!("{folder}/desc"), b"%NAME%\na\n\n%VERSION%\n1-1\n"),
        (&format!("{folder}/files"), bytes),
        ("usr/bin/a", b"a"),
    ]);
}

/// The recipe of a snap, which counts beside what the snap says of itself.
pub(crate) fn read_snap_recipe(bytes: &[u8]) {
    check(&[("meta/snap.yaml", b"name: a\nversion: 1\n"), ("snap/snapcraft.yaml", bytes)]);
}

/// An executable whose name makes its content be searched for versions; the first byte says what name.
pub(crate) fn read_known_program(bytes: &[u8]) {
    const NAMES: [&str; 12] = [
        "python3.11",
        "libpython3.11.so.1.0",
        "node",
        "perl",
        "php",
        "ruby",
        "nginx",
        "httpd",
        "redis-server",
        "mysqld",
        "erlexec",
        "postgres",
    ];
    let Some((first, content)) = bytes.split_first() else { return };
    let path = format!("usr/bin/{}", NAMES[usize::from(*first) % NAMES.len()]);
    check(&[(&path, &[b"\x7fELF", &[0; 60][..], content].concat())]);
}

/// Small files beside the one that makes a package of Gentoo.
pub(crate) fn read_portage_facts(bytes: &[u8]) {
    let folder = "var/db/pkg/a/b-1";
    let paths = ["LICENSE", "SIZE", "CHOST", "repository"].map(|name| format!("{folder}/{name}"));
    let contents = format!("{folder}/CONTENTS");
    let mut files: Vec<(&str, &[u8])> = vec![(&contents, b"dir /usr\n")];
    files.extend(paths.iter().map(|path| path.as_str()).zip(bytes.splitn(4, |byte| *byte == 0)));
    check(&files);
}

/// What tells from which channel packages come: content sets of Red Hat, and sources and the state of Ubuntu Pro.
pub(crate) fn read_channel(bytes: &[u8]) {
    check(&[("etc/os-release", b"ID=rhel\n"), ("root/buildinfo/content_manifests/a.json", bytes)]);
    let ubuntu = ("etc/os-release", &b"ID=ubuntu\n"[..]);
    check(&[ubuntu, ("etc/apt/sources.list", bytes), ("var/lib/ubuntu-advantage/status.json", bytes)]);
}

/// A file that is only by the name of a link what it is; the first byte says what.
pub(crate) fn read_linked(bytes: &[u8]) {
    const NAMES: [&str; 4] =
        ["app/node_modules/a/package.json", "usr/lib/a.dist-info/METADATA", "app/a.jar", "app/a.deps.json"];
    let Some((first, content)) = bytes.split_first() else { return };
    let name = NAMES[usize::from(*first) % NAMES.len()];
    let read = || {
        let mut archive = archive_of(&[("srv/store/00/ab", content)])?;
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Link);
        header.set_size(0);
        archive.append_link(&mut header, name, "srv/store/00/ab").ok()?;
        let bytes = archive.into_inner().ok()?;
        let layer = read_layer(&bytes, &ImageLimits::default()).ok()?;
        let mut tree = squash(vec![layer]);
        let missing = package_catalog::missing(&tree);
        let wanted = |path: &str| missing.iter().any(|body| body.archive_path == path);
        tree.fill(0, read_bodies(&bytes, &wanted).ok()?);
        Some(package_catalog::catalog(&tree, &CatalogLimits::default()))
    };
    let Some(first) = read() else { return };
    assert_eq!(Some(&first), read().as_ref(), "the same bytes give the same inventory");
    check_packages(&first);
}

/// Where a package of Python came from, beside its description.
pub(crate) fn read_python_origin(bytes: &[u8]) {
    check(&[
        ("usr/lib/a.dist-info/METADATA", b"Name: a\nVersion: 1\n"),
        ("usr/lib/a.dist-info/direct_url.json", bytes),
    ]);
}

fn check(files: &[(&str, &[u8])]) {
    let Some(first) = inventory(files) else { return };
    assert_eq!(Some(&first), inventory(files).as_ref(), "the same bytes give the same inventory");
    check_packages(&first);
}

fn check_packages(inventory: &Inventory) {
    for package in &inventory.packages {
        assert!(!package.name.is_empty(), "a package without a name: {package:?}");
        assert!(!package.locations.is_empty(), "a package without evidence: {package:?}");
    }
}
