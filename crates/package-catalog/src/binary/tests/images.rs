//! What becomes of recognised programs in an image.

use model::{DiagnosticCode, PackageKind};

use super::find;
use crate::binary::TAG_LEFT_OUT;
use crate::binary::search::ClassifierSearch;
use crate::extract::search_file;
use crate::tests::{inventory, names};

#[test]
fn a_program_is_a_package_with_platform_names() {
    let found = inventory(&[
        ("usr/local/bin/redis-server", b"#7.0.14buildkitsandbox-1702957741000000000"),
        ("usr/local/bin/python3.11", b"\x7fELF\x003.11.4\0"),
        ("usr/local/lib/libpython3.11.so.1.0", b"\x7fELF\x003.11.4\0"),
        ("opt/java/bin/java", b"\0openjdk\0java\x001.8\x001.8.0_352-b08\0"),
        ("usr/lib/jvm/bin/java", b"\0openjdk\0java\x000.0\x0017.0.21.1+2-1-deb12u1-Debian\0"),
        ("usr/lib/erlexec", b"/usr/src/otp_src_25.3.2.6/erts/"),
    ]);
    let packages: Vec<(&str, &str, Vec<&str>)> = found
        .packages
        .iter()
        .map(|it| {
            (it.purl.as_str(), it.cpes[0].as_str(), it.locations.iter().map(|it| it.path.as_str()).collect())
        })
        .collect();
    let expected = [
        (
            "pkg:generic/erlang@25.3.2.6",
            "cpe:2.3:a:erlang:erlang\\/otp:25.3.2.6:*:*:*:*:*:*:*",
            vec!["/usr/lib/erlexec"],
        ),
        (
            "pkg:generic/oracle/openjdk@1.8.0_352-b08",
            "cpe:2.3:a:oracle:openjdk:1.8.0:update352:*:*:*:*:*:*",
            vec!["/opt/java/bin/java"],
        ),
        (
            "pkg:generic/oracle/openjdk@17.0.21.1%2B2-1-deb12u1-Debian",
            "cpe:2.3:a:oracle:openjdk:17.0.21.1:*:*:*:*:*:*:*",
            vec!["/usr/lib/jvm/bin/java"],
        ),
        (
            "pkg:generic/python@3.11.4",
            "cpe:2.3:a:python:python:3.11.4:*:*:*:*:*:*:*",
            vec!["/usr/local/bin/python3.11", "/usr/local/lib/libpython3.11.so.1.0"],
        ),
        (
            "pkg:generic/redis@7.0.14",
            "cpe:2.3:a:redis:redis:7.0.14:*:*:*:*:*:*:*",
            vec!["/usr/local/bin/redis-server"],
        ),
    ];
    assert_eq!(packages.len(), expected.len());
    for (found, expected) in packages.iter().zip(&expected) {
        assert_eq!((found.0, &found.2), (expected.0, &expected.2));
    }
    assert!(found.packages.iter().all(|package| package.kind == PackageKind::Binary));
    for (package, (purl, cpe, _)) in found.packages.iter().zip(&expected) {
        assert!(package.cpes.iter().any(|it| it == cpe), "{purl} {:?}", package.cpes);
    }
}

#[test]
fn what_the_distro_has_installed_is_listed_once() {
    let image = |maintainer: &str| {
        let status = format!(
            "Package: redis\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nMaintainer: {maintainer}\n"
        );
        names(
            &inventory(&[
                ("etc/os-release", b"ID=debian\nVERSION_ID=12\n"),
                ("var/lib/dpkg/status", status.as_bytes()),
                ("var/lib/dpkg/info/redis.list", b"/bin/redis-server\n/usr/bin/curl\n"),
                ("usr/bin/redis-server", b"#7.0.14buildkitsandbox-1702957741000000000"),
                ("usr/bin/curl", b"\0curl/8.1.2\0"),
                ("usr/local/bin/curl", b"\0curl/8.5.0\0"),
                ("bin", b"-> usr/bin"),
            ])
            .packages,
        )
    };
    assert_eq!(image("Somebody <a@debian.org>"), ["redis 1", "curl 8.5.0"]);
    assert_eq!(image("Docker <x@docker.com>"), ["redis 1", "curl 8.1.2", "curl 8.5.0", "redis 7.0.14"]);
}

#[test]
fn a_module_is_listed_once() {
    let executable = |modules: &str| {
        let fenced = [&[7; 16], modules.as_bytes(), &[7; 16]].concat();
        let header = [b"\xff Go buildinf:\x08\x02".as_slice(), &[0; 16], b"\x06go1.22"].concat();
        let length = [u8::try_from(fenced.len()).unwrap()];
        [b"\x7fELF".as_slice(), &[1; 100], b"secondsrevoke1.18.0", &[1; 9], &header, &length, &fenced]
            .concat()
    };
    for (version, expected) in [("(devel)", "v1.18.0"), ("v1.18.1", "v1.18.1")] {
        let content = executable(&format!("mod\tgithub.com/hashicorp/vault\t{version}\t\n"));
        let found = inventory(&[("bin/vault", &content)]);
        let listed = [format!("github.com/hashicorp/vault {expected}"), "stdlib 1.22".to_owned()];
        assert_eq!(names(&found.packages), listed);
        assert!(found.packages[0].cpes[0].contains("hashicorp:vault:1.18.0:"));
    }
}

#[test]
fn a_file_full_of_literals_is_not_tried_without_end() {
    let content = b"RELEASE\0".repeat(200_000);
    let sections = search_file(&mut ClassifierSearch::default(), "bin/envoy", &content, 1 << 16);
    assert_eq!(sections, [(TAG_LEFT_OUT, Vec::new())]);
    let found = inventory(&[("bin/envoy", &content)]);
    assert!(found.packages.is_empty());
    assert!(found.diagnostics.iter().any(|it| it.code == DiagnosticCode::ContentNotSearched));
    assert_eq!(find("bin/other", &content, 1 << 16), []);
}
