//! What is read of unpacked snaps.

use model::{DiagnosticCode, PackageKind};

use crate::tests::{inventory, load, names, packages_of, shared_data};

const UBUNTU: (&str, &[u8]) = ("etc/os-release", b"ID=ubuntu\nVERSION_ID=\"22.04\"\n");
const SNAP: &[u8] = b"# x\nname: tool\nversion: '1.2' # y\nlicense: MIT\narchitectures:\n- amd64\napps:\n  tool:\n    command: x\n";
const MANIFEST: &[u8] = b"snapcraft-version: '7'\nsnapcraft-os-release-id: ubuntu\n\
    snapcraft-os-release-version-id: '22.04'\nname: tool\nversion: '1.2'\nparts:\n  a:\n    stage-packages:\n    - no=1\n\
    primed-stage-packages:\n- libc6:amd64=2.35-0ubuntu3\n- broken\n";

#[test]
fn a_snap_and_the_packages_in_it_are_listed() {
    let found = inventory(&[
        UBUNTU,
        ("opt/snap/tool/meta/snap.yaml", SNAP),
        ("opt/snap/tool/snap/manifest.yaml", MANIFEST),
        ("opt/snap/tool/snap/snapcraft.yaml", b"name: tool\nversion: git\n"),
    ]);
    assert_eq!(names(&found.packages), ["libc6 2.35-0ubuntu3", "tool 1.2"]);
    let codes: Vec<_> = found.diagnostics.iter().map(|told| told.code).collect();
    assert_eq!(codes, [DiagnosticCode::BrokenRecord]);
    let [library, snap] = found.packages.as_slice() else { panic!("two packages") };
    assert_eq!((library.kind, library.is_third_party), (PackageKind::Deb, Some(false)));
    assert_eq!(library.purl, "pkg:deb/ubuntu/libc6@2.35-0ubuntu3?arch=amd64&distro=ubuntu-22.04");
    assert_eq!((snap.kind, snap.purl.as_str()), (PackageKind::Snap, "pkg:snap/tool@1.2"));
    assert_eq!((snap.architecture.as_deref(), snap.licenses[0].as_str()), (Some("amd64"), "MIT"));
    assert_eq!(snap.locations[0].path, "/opt/snap/tool/meta/snap.yaml");
    // Of another release than the image, its advisories say nothing.
    let other = String::from_utf8_lossy(MANIFEST).replace("22.04", "20.04");
    let found = inventory(&[UBUNTU, ("snap/manifest.yaml", other.as_bytes())]);
    assert_eq!(names(&found.packages), ["libc6 2.35-0ubuntu3", "tool 1.2"]);
    assert_eq!(found.packages[0].is_third_party, Some(true));
}

#[test]
fn a_recipe_alone_is_no_snap() {
    let recipe: &[u8] = b"name: tool\nversion: '1'\n";
    assert_eq!(inventory(&[UBUNTU, ("app/snap/snapcraft.yaml", recipe)]).packages, vec![]);
}

#[test]
fn base_snaps_list_their_packages() {
    let list = b"package-count: 2\npackages:\n- adduser=3.113\n- libc6:amd64=2.23\n";
    for (path, is_third_party) in
        [("usr/share/snappy/dpkg.yaml", false), ("snap/core/usr/share/snappy/dpkg.yaml", true)]
    {
        let found = inventory(&[UBUNTU, (path, list)]);
        assert_eq!(names(&found.packages), ["adduser 3.113", "libc6 2.23"]);
        assert!(found.packages.iter().all(|it| it.is_third_party == Some(is_third_party)), "{path}");
    }
}

#[test]
fn descriptions_of_other_projects_are_read() {
    let Some(folder) = shared_data("packages/os/snap") else { return };
    let rows: [(&str, &[&str], &[DiagnosticCode]); 5] = [
        ("single-arch.yaml", &["core 16-2.61.4-20240607"], &[]),
        ("multi-arch.yaml", &["core 16-2.61.4-20240607"], &[]),
        ("missing-version.yaml", &["core -"], &[DiagnosticCode::MissingVersion]),
        ("missing-name.yaml", &[], &[DiagnosticCode::UnreadableDatabase]),
        ("invalid", &[], &[DiagnosticCode::UnreadableDatabase]),
    ];
    for (file, expected, codes) in rows {
        let (packages, diagnostics) = packages_of("snap/core/1/meta/snap.yaml", &load(&folder.join(file)));
        let found: Vec<_> = diagnostics.iter().map(|told| told.code).collect();
        assert_eq!(
            (names(&packages), found.as_slice()),
            (expected.iter().map(ToString::to_string).collect(), codes),
            "{file}"
        );
    }
}
