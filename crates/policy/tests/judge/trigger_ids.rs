//! Identifiers that users have in their whitelists, each produced by a whole evaluation.
//!
//! The identifiers were computed by the original policy code, or seen in answers of a running engine.

use model::{
    DistroCoverage, DockerfileMode, FileKind, ImageContents, LayerFacts, MalwareFinding, MalwareScan,
    NoDataReason, PackageKind, Severity,
};

use crate::fixture::{Subject, digest, document, file, finding, ids, judge_document, package, rule};

/// Gate, trigger, parameters, identifiers.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

fn check(subject: &Subject, rows: &[Row]) {
    for (gate, trigger, params, expected) in rows {
        let decision = judge_document(&document(vec![rule("STOP", gate, trigger, params)]), subject);
        assert_eq!(ids(&decision), *expected, "{gate}/{trigger} {params:?}: {:?}", decision.problems);
    }
}

/// Everything that the table asks about.
fn full_subject() -> Subject {
    let mut subject = Subject::with_dockerfile(DockerfileMode::Guessed, "FROM scratch\nEXPOSE 22 443");
    subject.contents = Some(ImageContents {
        files: vec![
            file(FileKind::File, "/bin/su", 0o4755),
            file(FileKind::File, "/etc/passwd", 0o644),
            file(FileKind::File, "/usr/bin/chage", 0o2755),
            file(FileKind::Directory, "/var/mail", 0o2775),
        ],
        malware_scans: vec![MalwareScan {
            scanner: "clamav".to_owned(),
            findings: vec![MalwareFinding { path: "/elf".to_owned(), signature: "Sig-1".to_owned() }],
        }],
        password_file: Some(b"daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n".to_vec()),
        ..ImageContents::default()
    });
    subject.image.layers =
        vec![LayerFacts { digest: None, diff_id: digest('d'), size_bytes: 10, unpacked_bytes: 1000 }];
    subject.inventory.packages = vec![package(PackageKind::Deb, "openssl", "1.1.0-3")];
    subject.report.coverage =
        DistroCoverage::NoData(NoDataReason::NotInDatabase { namespace: "debian:9".to_owned() });
    subject.report.findings =
        vec![finding("CVE-2020-1", "p", Severity::Low, &[]), finding("GHSA-1", "p", Severity::Low, &[])];
    subject
}

#[test]
fn identifiers_are_those_of_the_original() {
    check(
        &full_subject(),
        &[
            ("always", "always", &[], &["always"]),
            (
                "files",
                "suid_or_guid_set",
                &[],
                &[
                    "91192388289daa4ffb2844ac9fbd709f",
                    "75d08d8c7b064bbd44f2f524c924d17b",
                    "da870e801836e419385f2f300713cf7f",
                ],
            ),
            ("files", "name_match", &[("regex", ".*passwd")], &["64fd3465144979006c9060b7560ce07c"]),
            (
                "files",
                "attribute_match",
                &[("filename", "/etc/passwd"), ("mode", "00644")],
                &["6c7453ceb1bcc50980dec5af8aa5303d"],
            ),
            (
                "files",
                "attribute_match",
                &[("filename", "/nope"), ("skip_missing", "false")],
                &["4e124d0f8d7142c998196a718f2d56b3"],
            ),
            (
                "metadata",
                "attribute",
                &[("attribute", "size"), ("check", ">"), ("value", "500")],
                &["f2ea71015392ee47e0408290ec9dfa48"],
            ),
            (
                "metadata",
                "attribute",
                &[("attribute", "distro"), ("check", "="), ("value", "debian")],
                &["928b8f0784891909924a08e7891beb35"],
            ),
            (
                "dockerfile",
                "instruction",
                &[("instruction", "HEALTHCHECK"), ("check", "not_exists")],
                &["41cb7cdf04850e33a11f80c42bf660b3"],
            ),
            (
                "dockerfile",
                "instruction",
                &[("instruction", "FROM"), ("check", "="), ("value", "scratch")],
                &["e262a2bcde7efdc1bec001795304680f"],
            ),
            (
                "dockerfile",
                "exposed_ports",
                &[("ports", "22"), ("type", "blacklist")],
                &["cc05c35507995b4a657b63f9b0baa281"],
            ),
            (
                "dockerfile",
                "exposed_ports",
                &[("ports", "22"), ("type", "whitelist")],
                &["b82bd31334c61b61ccea7ea3a8323b5d"],
            ),
            (
                "dockerfile",
                "effective_user",
                &[("users", "root"), ("type", "blacklist")],
                &["cbff271f45d32e78dcc1979dbca9c14d"],
            ),
            ("dockerfile", "no_dockerfile_provided", &[], &["b00b22232c1902075263067d2d2b8eea"]),
            (
                "retrieved_files",
                "content_not_available",
                &[("path", "/etc/nginx.conf")],
                &["013ff87ce9b12826800438355925acd3"],
            ),
            ("malware", "scans", &[], &["clamav+Sig-1+305c88b97bea4feeaf6e8263efd34e26"]),
            ("malware", "scan_not_run", &[], &[]),
            ("passwd_file", "content_not_available", &[], &[]),
            ("packages", "blacklist", &[("name", "openssl")], &["48633c43b5d540533610acc3bbf61808"]),
            (
                "packages",
                "blacklist",
                &[("name", "openssl"), ("version", "1.1.0")],
                &["2094d4f4ee768ec131a737a41c5ef379"],
            ),
            ("packages", "required_package", &[("name", "curl")], &["761274853fabf1b30b81c29a0997190b"]),
            (
                "vulnerabilities",
                "stale_feed_data",
                &[("max_days_since_sync", "2")],
                &["deb3f1afb4ea0ddf587e6c62c341c6fa"],
            ),
            ("vulnerabilities", "vulnerability_data_unavailable", &[], &["e3bc2d35a7faaa8e875f016f0f6ca2c9"]),
            (
                "vulnerabilities",
                "blacklist",
                &[("vulnerability_ids", "CVE-2020-1,GHSA-1")],
                &["8b9e99a7296e356226b34b53ed0dcebe"],
            ),
            // Seen in answers of a running engine.
            (
                "passwd_file",
                "blacklist_usernames",
                &[("user_names", "daemon")],
                &["f7cb7b7a1143025c69c579be8ea80b48"],
            ),
            ("packages", "required_package", &[("name", "nosuchpkg")], &["0b5f02b4cedb1225c5e4af86b7a6a6fa"]),
        ],
    );
}

#[test]
fn identifiers_of_absence_are_those_of_the_original() {
    check(
        &Subject::with_contents(ImageContents::default()),
        &[
            ("passwd_file", "content_not_available", &[], &["a03e8bea98bc473ccb1dc7471b201943"]),
            ("malware", "scan_not_run", &[], &["7feaec55f790ab6b3edba15014b8b5f2"]),
        ],
    );
    let mut large = Subject::new();
    large.image.layers =
        vec![LayerFacts { digest: None, diff_id: digest('d'), size_bytes: 1, unpacked_bytes: 179_353_600 }];
    check(
        &large,
        &[(
            "metadata",
            "attribute",
            &[("attribute", "size"), ("check", ">"), ("value", "500")],
            &["017dc1307751253b65fa6788a6fec4c5"],
        )],
    );
}

#[test]
fn identifiers_of_findings_name_them() {
    let os = finding("CVE-2023-0001", "openssl", Severity::High, &[]);
    let mut jar = finding("GHSA-abcd-efgh-ijkl", "log4j-core", Severity::High, &[]);
    jar.package_kind = PackageKind::Maven;
    jar.package_path = "/app/lib/log4j-core-2.14.1.jar".to_owned();
    check(
        &Subject::with_findings(vec![os, jar]),
        &[(
            "vulnerabilities",
            "package",
            &[("package_type", "all")],
            &["CVE-2023-0001+openssl", "GHSA-abcd-efgh-ijkl+log4j-core-2.14.1.jar"],
        )],
    );
}
