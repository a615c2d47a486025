//! Files of an image that catalogers read: the bytes as a file at its usual place.

use image_layers::{ImageLimits, squash};
use model::Inventory;
use package_catalog::CatalogLimits;

use crate::layers::read_layer;

/// The inventory of an image with these files; `None` where no archive can hold them.
fn inventory(files: &[(&str, &[u8])]) -> Option<Inventory> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, path, *content).ok()?;
    }
    let layer = read_layer(&archive.into_inner().ok()?, &ImageLimits::default()).ok()?;
    Some(package_catalog::catalog(&squash(vec![layer]), &CatalogLimits::default()))
}

/// Reads one file. Whatever its bytes are, the image is read, twice with one result, and every package has a name.
pub(crate) fn read(path: &str, bytes: &[u8]) {
    check(&[(path, bytes)]);
}

/// A list of files beside a database that names its package.
pub(crate) fn read_file_list(bytes: &[u8]) {
    let status = b"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n";
    check(&[("var/lib/dpkg/status", status), ("var/lib/dpkg/info/a.list", bytes)]);
}

/// The description of an installation of Java, which counts beside its program.
pub(crate) fn read_java_release(bytes: &[u8]) {
    check(&[("opt/java/bin/java", b"\x7fELF"), ("opt/java/release", bytes)]);
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
    for package in &first.packages {
        assert!(!package.name.is_empty(), "a package without a name: {package:?}");
        assert!(!package.locations.is_empty(), "a package without evidence: {package:?}");
    }
}
