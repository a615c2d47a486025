//! Which distro an image is made of.

use model::{DiagnosticCode, Distro};

use super::{inventory, load, shared_data};
use crate::os_release::parse_os_release;

fn check(files: &[(&str, &str)], expected: Option<&str>) {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, content)| (*path, content.as_bytes())).collect();
    let inventory = inventory(&files);
    assert_eq!(inventory.distro.as_ref().map(Distro::namespace).as_deref(), expected, "{files:?}");
    let is_told = inventory.diagnostics.iter().any(|told| told.code == DiagnosticCode::UnknownDistro);
    assert_eq!(is_told, expected.is_none(), "{:?}", inventory.diagnostics);
}

#[test]
fn the_first_file_that_names_a_distro_counts() {
    let debian = "ID=debian\nVERSION_ID=\"12\"\n";
    check(&[("etc/os-release", debian)], Some("debian:12"));
    check(&[("usr/lib/os-release", debian)], Some("debian:12"));
    check(
        &[("usr/lib/os-release", debian), ("etc/os-release", "-> ../usr/lib/os-release")],
        Some("debian:12"),
    );
    check(&[("opt/release", debian), ("etc/os-release", "-> /opt/release")], Some("debian:12"));
    check(
        &[("etc/os-release", "ID=alpine\nVERSION_ID=3.18.4\n"), ("usr/lib/os-release", debian)],
        Some("alpine:3.18.4"),
    );
    check(&[("etc/os-release", "NAME=x\n"), ("usr/lib/os-release", debian)], Some("debian:12"));
    check(&[("etc/os-release", "-> nowhere"), ("usr/lib/os-release", debian)], Some("debian:12"));
    check(&[("etc/system-release-cpe", "cpe:/o:centos:linux:6:GA\n")], Some("centos:6"));
    check(&[("etc/system-release-cpe", "cpe:/o:redhat:enterprise_linux:6.9:ga:server\n")], Some("rhel:6.9"));
    check(&[("etc/redhat-release", "CentOS release 5.7 (Final)")], Some("centos:5.7"));
    check(&[("etc/redhat-release", "Scientific Linux release 6.10 (Carbon)\n")], Some("scientific:6.10"));
    // A rebuild of Red Hat's distro says so in its own file, and Red Hat's name stands in the other.
    let red_hat = ("etc/redhat-release", "Red Hat Enterprise Linux Server release 6.8 (Santiago)\n");
    check(&[red_hat], Some("rhel:6.8"));
    check(&[red_hat, ("etc/oracle-release", "Oracle Linux Server release 6.8\n")], Some("ol:6.8"));
    check(
        &[red_hat, ("etc/centos-release", "CentOS Linux release 7.9.2009 (Core)\n")],
        Some("centos:7.9.2009"),
    );
    check(&[("etc/system-release", "Amazon Linux AMI release 2018.03\n")], Some("amzn:2018.03"));
    check(&[("etc/redhat-release", "Rocky Linux release 8.4 (Green Obsidian)\n")], Some("rocky:8.4"));
    check(&[("etc/redhat-release", "CloudLinux release 8.4 (x)\n")], Some("cloudlinux:8.4"));
    let sles = "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n";
    check(&[("etc/SuSE-release", sles)], Some("sles:11.4"));
    check(&[("etc/SuSE-release", &sles.replace('4', "0"))], Some("sles:11"));
    check(
        &[("etc/SuSE-release", "openSUSE 13.1 (x86_64)\nVERSION = 13.1\nCODENAME = x\n")],
        Some("opensuse:13.1"),
    );
    check(&[("etc/photon-release", "VMware Photon OS 4.0\nPHOTON_BUILD_NUMBER=1\n")], Some("photon:4.0"));
    check(
        &[("etc/mariner-release", "CBL-Mariner 2.0.20220226\nMARINER_BUILD_NUMBER=1\n")],
        Some("mariner:2.0"),
    );
    check(&[("etc/alpine-release", "3.18.4\n")], Some("alpine:3.18.4"));
    check(&[("etc/debian_version", "12.4\n")], Some("debian:12"));
    check(&[("etc/debian_version", "trixie/sid\n")], Some("debian"));
    check(&[("etc/os-release", "ID=debian\n"), ("etc/debian_version", "trixie/sid\n")], Some("debian"));
    check(&[("etc/os-release", "ID=debian\n"), ("etc/debian_version", "11.9\n")], Some("debian:11"));
    let repositories = "#x\nhttps://dl-cdn.alpinelinux.org/alpine/v3.18/main\n";
    check(&[("etc/os-release", "ID=alpine\n"), ("etc/apk/repositories", repositories)], Some("alpine:3.18"));
    check(
        &[("etc/os-release", "ID=alpine\n"), ("etc/apk/repositories", "https://x/alpine/edge/main")],
        Some("alpine:edge"),
    );
    check(&[("etc/os-release", "ID=wolfi\nVERSION_ID=\"20220914\"\n")], Some("wolfi"));
    check(&[("etc/os-release", "ID=arch\nVERSION_ID=20240101.0.204074\n")], Some("arch"));
    let lsb = "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=12.04\nDISTRIB_CODENAME=precise\nDISTRIB_DESCRIPTION=\"Ubuntu 12.04\"\n";
    check(&[("etc/lsb-release", lsb), ("etc/debian_version", "wheezy/sid\n")], Some("ubuntu:12.04"));
    check(&[("etc/lsb-release", "DISTRIB_ID=Other\n"), ("etc/debian_version", "7.1\n")], Some("debian:7"));
    check(
        &[("etc/openwrt_release", "DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE='23.05.2'\n")],
        Some("openwrt:23.05.2"),
    );
    check(&[("etc/apk/repositories", repositories)], Some("alpine:3.18"));
}

#[test]
fn what_names_nothing_is_told() {
    check(&[], None);
    check(&[("etc/os-release", "")], None);
    check(&[("etc/os-release", "NAME=\"Debian GNU/Linux\"\nID_LIKE=debian\n")], None);
    check(&[("etc/os-release", "ID=\n")], None);
    check(&[("etc/os-release", "ID=\"a/b c\"\n")], None);
    check(&[("etc/os-release", "\0\u{1}garbage")], None);
    check(&[("etc/redhat-release", "release")], None);
    check(&[("etc/system-release-cpe", "cpe:/a:centos:linux:6")], None);
    check(&[("etc/debian_version", "unknown")], None);
    check(&[("etc/SuSE-release", "VERSION = 11\n")], None);
    check(&[("etc/photon-release", "4.0\n")], None);
    check(&[("etc/apk/repositories", "https://example.net/mine\n")], None);
    check(&[("bin/busybox", "BusyBox v1.36.1 (no executable)")], None);
    check(&[("etc/os-release", &format!("ID=debian\n{}", "#".repeat(64 * 1024)))], None);
}

#[test]
fn values_are_read_as_a_shell_reads_them() {
    let parse = |text: &str| parse_os_release(text.as_bytes());
    let cases = [
        ("ID=debian\r\nVERSION_ID=\"8\"\r\n", "debian", Some("8")),
        ("\u{feff}ID=debian\n", "debian", None),
        ("# ID=no\n  ID='Debian'\nVERSION_ID=1 2\n", "debian", Some("1")),
        ("ID=debian\nID=ubuntu\nVERSION_ID=\"2\\\"2\\$\\n\"\n", "ubuntu", Some("2\"2$\\n")),
        ("ID=x\nVERSION_ID=\n", "x", None),
        ("ID=x\nVERSION_ID=\"\"\n", "x", None),
        ("ID=x\nVERSION_ID=a\\ b'c d'\n", "x", Some("a bc d")),
    ];
    for (text, id, version_id) in cases {
        let distro = parse(text).unwrap();
        assert_eq!((distro.id.as_str(), distro.version_id.as_deref()), (id, version_id), "{text:?}");
    }
    let full = parse("ID=raspbian\nID_LIKE=\"debian Other\"\nVERSION_CODENAME=bookworm\nPRETTY_NAME='A B'\n")
        .unwrap();
    assert_eq!(full.id_like, ["debian", "other"]);
    assert_eq!(full.version_codename.as_deref(), Some("bookworm"));
    assert_eq!(full.pretty_name.as_deref(), Some("A B"));
}

#[test]
fn real_files_are_identified() {
    let Some(folder) = shared_data("packages/os-release") else { return };
    let expected = [
        ("grype_bad-redhat-release", "etc/redhat-release", Some("centos:5")),
        ("grype_centos-8", "etc/os-release", Some("centos:8")),
        ("grype_os_almalinux_etc_os-release", "etc/os-release", Some("almalinux:8.4")),
        ("grype_os_alpine_etc_os-release", "etc/os-release", Some("alpine:3.11.6")),
        ("grype_os_arch_etc_os-release", "etc/os-release", Some("arch")),
        ("grype_os_centos5_etc_redhat-release", "etc/redhat-release", Some("centos:5.7")),
        ("grype_os_chainguard_etc_os-release", "etc/os-release", Some("chainguard")),
        ("grype_os_debian-sid_usr_lib_os-release", "usr/lib/os-release", Some("debian")),
        ("grype_os_echo_etc_os-release", "etc/os-release", Some("echo:1")),
        ("grype_os_fedora_usr_lib_os-release", "usr/lib/os-release", Some("fedora:31")),
        ("grype_os_hummingbird_etc_os-release", "etc/os-release", Some("hummingbird:20251124")),
        ("grype_os_minimos_etc_os-release", "etc/os-release", Some("minimos")),
        ("grype_os_oraclelinux_etc_os-release", "etc/os-release", Some("ol:8.3")),
        ("grype_os_postmarketos-edge_etc_os-release", "etc/os-release", Some("postmarketos:edge")),
        ("grype_os_raspbian_etc_os-release", "etc/os-release", Some("raspbian:9")),
        ("grype_os_rockylinux_etc_os-release", "etc/os-release", Some("rocky:8.4")),
        ("grype_os_scientific6_etc_redhat-release", "etc/redhat-release", Some("scientific:6.10")),
        ("grype_os_sles_etc_os-release", "etc/os-release", Some("sles:15.2")),
        ("grype_os_wolfi_etc_os-release", "etc/os-release", Some("wolfi")),
        ("grype_partial-fields_missing-version_usr_lib_os-release", "usr/lib/os-release", None),
        ("grype_rhel-8", "etc/os-release", Some("rhel:8.1")),
        ("grype_unprintable", "etc/os-release", Some("debian:8")),
    ];
    // The folder is kept elsewhere and changes: files come and go.
    let there: Vec<_> = expected.iter().filter(|(name, ..)| folder.join(name).exists()).collect();
    assert!(there.len() > expected.len() / 2, "{} of {}", there.len(), expected.len());
    for (name, path, expected) in there {
        let content = load(&folder.join(name));
        check(&[(path, std::str::from_utf8(&content).unwrap())], *expected);
    }
}
