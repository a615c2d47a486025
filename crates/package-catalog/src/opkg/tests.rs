//! Rows for opkg, and databases of another project where they are there.

use model::{DiagnosticCode, Inventory, PackageKind};

use crate::tests::{inventory, load, names, packages_of, shared_data};

const OS_RELEASE: (&str, &[u8]) = ("etc/os-release", b"ID=openwrt\nVERSION_ID=\"23.05\"\n");
const STATUS: &[u8] =
    b"Package: ubus\nVersion: 2024-r1\nStatus: install user installed\nArchitecture: x86_64\n\n\
    Package: gone\nVersion: 1\nStatus: deinstall user not-installed\n";
const CONTROL: &[u8] = b"Package: ubus\nVersion: 2024-r1\nSource: package/system/ubus\nLicense: LGPL-2.1\n\
    Maintainer: Somebody\nArchitecture: x86_64\nInstalled-Size: 2048\nDescription:  daemon\n";

#[test]
fn the_status_file_says_what_is_installed_and_the_rest_stands_beside_it() {
    let files: [(&str, &[u8]); 4] = [
        OS_RELEASE,
        ("usr/lib/opkg/status", STATUS),
        ("usr/lib/opkg/info/ubus.control", CONTROL),
        ("usr/lib/opkg/info/ubus.list", b"/sbin/ubusd\n/bin/ubus\n"),
    ];
    let orphan = ("usr/lib/opkg/info/gone.control", &b"Package: gone\nVersion: 1\n"[..]);
    for files in [files.to_vec(), [&files[..], &[orphan]].concat()] {
        let Inventory { packages, diagnostics, .. } = inventory(&files);
        assert_eq!((names(&packages), diagnostics), (vec!["ubus 2024-r1".to_owned()], vec![]));
        let package = &packages[0];
        assert_eq!(package.kind, PackageKind::Opkg);
        assert_eq!(package.installed_size_bytes, Some(2048));
        assert_eq!(
            (package.licenses.as_slice(), package.maintainer.as_deref()),
            (&["LGPL-2.1".to_owned()][..], Some("Somebody"))
        );
        let paths: Vec<&str> = package.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["/bin/ubus", "/sbin/ubusd"]);
        assert_eq!(package.locations[0].path, "/usr/lib/opkg/status");
    }
    // A control file of another version is about another package.
    let other = [
        OS_RELEASE,
        files[1],
        ("usr/lib/opkg/info/ubus.control", b"Package: ubus\nVersion: 9\nLicense: X\n"),
    ];
    assert!(inventory(&other).packages[0].licenses.is_empty());
    // Without the status file, the packages' own words are all there is.
    let without = [OS_RELEASE, files[2], files[3]];
    let Inventory { packages, diagnostics, .. } = inventory(&without);
    assert_eq!((names(&packages), diagnostics), (vec!["ubus 2024-r1".to_owned()], vec![]));
    assert_eq!(packages[0].files.len(), 2);
    assert_eq!(packages[0].locations[0].path, "/usr/lib/opkg/info/ubus.control");
}

#[test]
fn what_is_no_database_is_told() {
    for path in ["usr/lib/opkg/status", "var/lib/opkg/status", "usr/lib/opkg/info/a.control"] {
        for content in [&b"asdf\n\nyolo"[..], &[0; 5000]] {
            let (packages, diagnostics) = packages_of(path, content);
            let codes: Vec<_> = diagnostics.iter().map(|told| told.code).collect();
            assert_eq!((packages.len(), codes), (0, vec![DiagnosticCode::UnreadableDatabase]), "{path}");
        }
    }
}

#[test]
fn databases_of_other_projects_are_read() {
    let Some(folder) = shared_data("packages/os/dpkg/opkg") else { return };
    let rows: [(&str, &[&str], usize); 6] = [
        ("single", &["ubus 2024.10.20~252a9b0c-r1"], 0),
        ("trailingnewlines", &["ubus 2024.10.20~252a9b0c-r1"], 0),
        ("invalid", &[], 1),
        (
            "statusfield",
            &[
                "wantinstall_installed 1.0",
                "wantinstall_unpacked 1.0",
                "wantnostatus 1.0",
                "wantpurge_installed 1.0",
            ],
            0,
        ),
        ("nopackage", &["busybox 1.36.1-r2", "ubus 2024.10.20~252a9b0c-r1"], 1),
        (
            "valid",
            &["busybox 1.36.1-r2", "libuci20130104 2023.08.10~5781664d-r1", "ubus 2024.10.20~252a9b0c-r1"],
            0,
        ),
    ];
    for (file, expected, told) in rows {
        let (packages, diagnostics) = packages_of("usr/lib/opkg/status", &load(&folder.join(file)));
        assert_eq!(
            (names(&packages), diagnostics.len()),
            (expected.iter().map(|name| (*name).to_owned()).collect(), told),
            "{file} {diagnostics:?}"
        );
    }
}
