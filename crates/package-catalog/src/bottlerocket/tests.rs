//! What is read of an inventory.

use model::{DiagnosticCode, PackageKind};

use crate::tests::{inventory, names, packages_of};

const PATH: &str = "x86_64-bottlerocket-linux-gnu/sys-root/usr/share/bottlerocket/application-inventory.json";

#[test]
fn every_entry_is_a_package() {
    let content = br#"{"Content":[
        {"Name":"glibc","Publisher":"Bottlerocket","Version":"2.38","Release":"1.17","Epoch":"1","Architecture":"x86_64",
         "InstalledTime":"2024-01-01T00:00:00Z","ApplicationType":"Unspecified"},
        {"Version":"1"},
        {"Name":"kernel-5.15","Version":"5.15.1","Release":"1","Architecture":"x86_64","Publisher":"Bottlerocket"}]}"#;
    let found = inventory(&[("etc/os-release", b"ID=bottlerocket\nVERSION_ID=1.19.0\n"), (PATH, content)]);
    assert_eq!(names(&found.packages), ["glibc 1:2.38-1.17", "kernel-5.15 5.15.1-1"]);
    let package = &found.packages[0];
    assert_eq!((package.kind, package.is_third_party), (PackageKind::Rpm, Some(false)));
    assert_eq!(
        package.purl,
        "pkg:rpm/bottlerocket/glibc@2.38-1.17?arch=x86_64&distro=bottlerocket-1.19.0&epoch=1"
    );
    let codes: Vec<_> = found.diagnostics.iter().map(|told| told.code).collect();
    assert_eq!(codes, [DiagnosticCode::BrokenRecord]);
}

#[test]
fn other_documents_are_told() {
    for (content, expected) in
        [("{\"Content\":[]}", 0), ("{\"Content\":[{}]}", 1), ("{}", 1), ("[", 1), ("", 0)]
    {
        let (packages, diagnostics) = packages_of(PATH, content.as_bytes());
        assert_eq!((packages.len(), diagnostics.len()), (0, expected), "{content}");
    }
}
