//! Lists and inventories, both ways: what is written in any format reads back as what it was.

mod documents;
mod generated;
mod schemas;

use model::{
    BaseImage, CvssScore, Diagnostic, DiagnosticCode, Digest, Distro, DockerfileMode, Ecosystem, Evidence,
    FeedKind, Finding, FindingState, ImageFacts, Inventory, JavaVersions, LayerFacts, Location, MatchReport,
    MatchedBy, OwnedFile, Package, PackageKind, Platform, Severity, SourcePackage,
};

use crate::{
    CycloneDxVersion, Meta, Sbom, SbomLimits, cyclonedx_json, cyclonedx_xml, read_sbom, spdx_json,
    spdx_tag_value, syft_json,
};

fn digest(byte: u8) -> Digest {
    Digest::from_sha256(&[byte; 32])
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

const LIBSSL3: &str =
    "pkg:deb/debian/libssl3@3.0.11-1%2Bb1?arch=amd64&distro=debian-12&upstream=openssl%403.0.11-1";

fn owned(path: &str) -> OwnedFile {
    OwnedFile { path: path.to_owned(), ..OwnedFile::default() }
}

/// An inventory in which everything is there that a list has to bring through, odd texts too.
pub(crate) fn inventory() -> Inventory {
    let deb = Package {
        architecture: text("amd64"),
        source: Some(SourcePackage { name: "openssl".into(), version: "1:3.0.11-1~deb12u2".into() }),
        purl: LIBSSL3.into(),
        licenses: vec![
            "Apache-2.0".into(),
            "GPL-2+ with OpenSSL exception".into(),
            "MIT OR BSD-3-Clause".into(),
        ],
        maintainer: text("Debian OpenSSL Team <pkg-openssl-devel@lists.example.org>"),
        installed_size_bytes: Some(6_000_000),
        locations: vec![
            Location { path: "/var/lib/dpkg/status".into(), layer: Some(digest(4)) },
            Location { path: "/usr/share/doc/libssl3/copyright".into(), layer: None },
        ],
        is_third_party: Some(false),
        files: vec![
            OwnedFile {
                path: "/etc/ssl/a b%41.cnf".into(),
                checksum: text("md5:0123456789abcdef0123456789abcdef"),
                is_configuration: true,
                is_content_changed: Some(true),
                ..OwnedFile::default()
            },
            owned("/usr/lib/libssl.so.3"),
        ],
        ..Package::new(PackageKind::Deb, "libssl3".into(), text("3.0.11-1+b1"))
    };
    let rpm = Package {
        source: Some(SourcePackage { name: "nodejs".into(), version: "18.16.1-1.module+el8".into() }),
        purl: "pkg:rpm/redhat/nodejs@18.16.1-1.module%2Bel8?epoch=1".into(),
        modularity: text("nodejs:18:8060020220523160029:ad008a3a"),
        is_third_party: Some(true),
        files: vec![
            OwnedFile {
                checksum: text(&format!("sha256:{}", "0f".repeat(32))),
                permissions: Some(0o4755),
                size_bytes: Some(12),
                is_configuration: true,
                ..owned("/etc/node")
            },
            owned("/usr/bin/ghost"),
        ],
        ..Package::new(PackageKind::Rpm, "nodejs".into(), text("1:18.16.1-1.module+el8"))
    };
    let jar = Package {
        purl: "pkg:maven/org.example/lib@1.0".into(),
        licenses: vec!["MIT OR Apache-2.0".into()],
        java: Some(JavaVersions {
            specification: text("1"),
            implementation: None,
            maven: text("1.0"),
            sha1: text("0123456789abcdef0123456789abcdef01234567"),
        }),
        cpes: vec!["cpe:2.3:a:example:lib:1.0:*:*:*:*:*:*:*".into(), "not a cpe".into()],
        locations: vec![Location { path: "/app/a.jar:b.jar".into(), layer: Some(digest(5)) }],
        ..Package::new(PackageKind::Maven, "lib".into(), text("1.0"))
    };
    let apk = Package {
        files: vec![OwnedFile {
            checksum: text("sha1:0123456789abcdef0123456789abcdef01234567"),
            permissions: Some(0o755),
            ..owned("/bin/busybox")
        }],
        ..Package::new(PackageKind::Apk, "busybox".into(), text("1.36.1-r2"))
    };
    let assembly =
        Package { files: vec![owned("/app/a.dll")], ..Package::new(PackageKind::Nuget, "a".into(), None) };
    let odd = Package {
        purl: String::new(),
        owner: text("python3-\u{1}odd\n</text> 100%41"),
        licenses: vec!["MIT".into(), "MIT".into(), " ".into()],
        maintainer: text("<text>\u{202e}&amp;]]>"),
        locations: vec![Location { path: "/a b/\u{fffd}\t%2e".into(), layer: None }],
        ..Package::new(PackageKind::PyPi, " name\nof\u{7f} two lines </text>".into(), text("\u{0}"))
    };
    let bare = Package::new(PackageKind::Binary, "busybox".into(), None);
    let mut packages = vec![deb, rpm, apk, assembly, jar.clone(), odd, bare];
    // Almost the same package twice.
    packages.push(Package { cpes: Vec::new(), ..jar });
    let key = |package: &Package| (package.kind, package.name.clone(), package.version.clone());
    packages.sort_by(|left, right| key(left).cmp(&key(right)).then_with(|| left.cmp(right)));
    Inventory {
        distro: Some(Distro {
            id: "ubuntu".into(),
            version_id: text("22.04"),
            version_codename: text("jammy"),
            id_like: vec!["debian".into(), "other".into()],
            pretty_name: text("Ubuntu 22.04 \"LTS\" "),
            channel: text("esm"),
        }),
        packages,
        diagnostics: vec![
            Diagnostic {
                code: DiagnosticCode::BrokenRecord,
                subject: "/var/lib/dpkg/status".into(),
                offset: Some(7),
                message: "paragraph without a name\n".into(),
            },
            Diagnostic {
                code: DiagnosticCode::FileTooLarge,
                subject: "/x".into(),
                offset: None,
                message: String::new(),
            },
        ],
        layers: vec![digest(4), digest(5)],
    }
}

pub(crate) fn image() -> ImageFacts {
    let layer = |byte| LayerFacts { digest: None, diff_id: digest(byte), size_bytes: 0, unpacked_bytes: 0 };
    ImageFacts {
        digest: digest(1),
        parent_digest: digest(3),
        image_id: digest(2),
        platform: Platform { os: "linux".into(), architecture: "arm64".into(), variant: text("v8") },
        layers: vec![layer(4), layer(5)],
        base: Some(BaseImage { name: text("docker.io/library/debian:12"), digest: Some(digest(6)) }),
        size_bytes: 12,
        created: None,
        user: None,
        exposed_ports: vec![],
        environment: vec![],
        entrypoint: vec![],
        command: vec![],
        working_directory: None,
        labels: vec![],
        has_health_check: false,
        history: vec![],
        dockerfile_mode: DockerfileMode::Unknown,
        dockerfile: String::new(),
        manifest: String::new(),
    }
}

/// Findings of all states about the packages of [`inventory`].
pub(crate) fn report() -> MatchReport {
    let finding = |state: FindingState, vector: &str| Finding {
        id: "CVE-2024-0001".into(),
        aliases: vec!["DSA-1-1".into()],
        severity: Severity::Negligible,
        severity_source: text("debian"),
        cvss: vec![CvssScore { source: "nvd".into(), vector: vector.into(), score: 7.5 }],
        summary: text("A flaw."),
        url: text("https://example.org/CVE-2024-0001"),
        published: Some(jiff::Timestamp::UNIX_EPOCH),
        is_known_exploited: None,
        epss: None,
        state,
        fixed_in: if state == FindingState::Fixed { vec!["3.0.11-2".into()] } else { vec![] },
        package_kind: PackageKind::Deb,
        package: "libssl3".into(),
        version: "3.0.11-1+b1".into(),
        purl: LIBSSL3.into(),
        package_path: "/var/lib/dpkg/status".into(),
        evidence: Evidence {
            feed: FeedKind::DebianTracker,
            record: "CVE-2024-0001".into(),
            ecosystem: Ecosystem { family: "debian".into(), release: text("12") },
            matched_by: MatchedBy::SourcePackage,
            matched_name: "openssl".into(),
            matched_version: "3.0.11-1".into(),
            range: "< 3.0.11-2".into(),
        },
    };
    let findings = vec![
        finding(FindingState::Fixed, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"),
        finding(FindingState::NotFixed, "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N"),
        finding(FindingState::WillNotFix, "AV:N/AC:L/Au:N/C:P/I:P/A:P"),
        finding(FindingState::Undecided, "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"),
    ];
    MatchReport { findings, ..MatchReport::without_database() }
}

#[test]
fn findings_point_to_their_packages() {
    let (inventory, report) = (inventory(), report());
    let sbom = Sbom { image_name: "app:1", image: None, inventory: &inventory, bases: &[] };
    let written = cyclonedx_json(&sbom, Some(&report), CycloneDxVersion::V1_6, &Meta::default());
    let value: serde_json::Value = serde_json::from_str(&written).expect("JSON of ours");
    let vulnerabilities = value["vulnerabilities"].as_array().expect("a list");
    assert_eq!(vulnerabilities.len(), 4);
    for vulnerability in vulnerabilities {
        let reference = &vulnerability["affects"][0]["ref"];
        let components = value["components"].as_array().expect("a list");
        let component = components.iter().find(|it| it["bom-ref"] == *reference).expect("the package");
        assert_eq!(component["name"], "libssl3");
    }
    // What other programs read of it.
    let library = value["components"].as_array().into_iter().flatten().find(|it| it["name"] == "libssl3");
    let properties = library.expect("the package")["properties"].clone();
    for (name, said) in [("package:metadataType", "dpkg-db-entry"), ("metadata:source", "openssl")] {
        let expected = serde_json::json!({"name": format!("syft:{name}"), "value": said});
        assert!(properties.as_array().is_some_and(|it| it.contains(&expected)), "{name}: {properties}");
    }
    assert_eq!(vulnerabilities[2]["analysis"]["response"][0], "will_not_fix");
    assert_eq!(vulnerabilities[3]["analysis"]["state"], "in_triage");
}

type Write = fn(&Sbom<'_>) -> String;

const WITH_FILES: Meta = Meta { created: None, has_files: true };

/// Every form in which a list of ours reads back as the same.
pub(crate) const LOSSLESS: &[(&str, Write)] = &[
    ("CycloneDX 1.4", |sbom| cyclonedx_json(sbom, None, CycloneDxVersion::V1_4, &WITH_FILES)),
    ("CycloneDX 1.7", |sbom| cyclonedx_json(sbom, None, CycloneDxVersion::V1_7, &WITH_FILES)),
    ("CycloneDX 1.4 in XML", |sbom| cyclonedx_xml(sbom, None, CycloneDxVersion::V1_4, &WITH_FILES)),
    ("CycloneDX 1.6 in XML", |sbom| cyclonedx_xml(sbom, None, CycloneDxVersion::V1_6, &WITH_FILES)),
    ("SPDX, tags", |sbom| spdx_tag_value(sbom, &WITH_FILES)),
    ("syft", |sbom| syft_json(sbom, &Meta::default())),
    ("SPDX", |sbom| spdx_json(sbom, &WITH_FILES)),
];

#[test]
fn what_is_written_reads_back_as_it_was() {
    let (image, inventory) = (image(), inventory());
    for (format, write) in LOSSLESS {
        for image_name in ["app:1", " odd\nname"] {
            let written = write(&Sbom { image_name, image: Some(&image), inventory: &inventory, bases: &[] });
            let (subject, read) = read_sbom(written.as_bytes(), &SbomLimits::default())
                .unwrap_or_else(|error| panic!("{format}: {error}\n{written}"));
            assert_eq!(subject.name.as_deref(), Some(image_name), "{format}");
            assert_eq!(subject.image.as_ref(), Some(&image), "{format}");
            assert_eq!(read.distro, inventory.distro, "{format}");
            assert_eq!(read.packages, inventory.packages, "{format}\n{written}");
            assert_eq!(read, inventory, "{format}\n{written}");
        }
        let nothing = Inventory::default();
        let written = write(&Sbom { image_name: "none", image: None, inventory: &nothing, bases: &[] });
        let (subject, read) = read_sbom(written.as_bytes(), &SbomLimits::default()).expect("a list of ours");
        assert_eq!((subject.image, read), (None, nothing), "{format}");
    }
}

#[test]
fn the_same_content_gives_the_same_bytes_and_other_content_another_name() {
    let mut inventory = inventory();
    for (format, write) in LOSSLESS {
        let first = write(&Sbom { image_name: "app:1", image: None, inventory: &inventory, bases: &[] });
        assert_eq!(
            first,
            write(&Sbom { image_name: "app:1", image: None, inventory: &inventory, bases: &[] }),
            "{format}"
        );
    }
    let serial = |inventory: &Inventory| {
        let sbom = Sbom { image_name: "app:1", image: None, inventory, bases: &[] };
        let written = cyclonedx_json(&sbom, None, CycloneDxVersion::V1_6, &Meta::default());
        let value: serde_json::Value = serde_json::from_str(&written).expect("JSON of ours");
        value["serialNumber"].to_string()
    };
    let before = serial(&inventory);
    inventory.packages[0].modularity = text("other");
    assert_ne!(before, serial(&inventory));
}

#[test]
fn files_of_packages_are_in_a_list_when_asked_for_and_in_syfts_unless_they_are_many() {
    let count = |inventory: &Inventory| inventory.packages.iter().map(|it| it.files.len()).sum::<usize>();
    let read = |written: &str| read_sbom(written.as_bytes(), &SbomLimits::default()).expect("a list").1;
    let mut inventory = inventory();
    let sbom = Sbom { image_name: "app:1", image: None, inventory: &inventory, bases: &[] };
    for written in [
        cyclonedx_json(&sbom, None, CycloneDxVersion::V1_6, &Meta::default()),
        cyclonedx_xml(&sbom, None, CycloneDxVersion::V1_6, &Meta::default()),
        spdx_json(&sbom, &Meta::default()),
        spdx_tag_value(&sbom, &Meta::default()),
    ] {
        assert_eq!(count(&read(&written)), 0, "{written}");
    }
    assert_eq!(count(&inventory), 6);
    assert_eq!(count(&read(&syft_json(&sbom, &Meta::default()))), 6);
    let deb = inventory.packages.iter_mut().find(|it| it.kind == PackageKind::Deb).expect("there is one");
    deb.files = (0..100_001).map(|number| owned(&format!("/{number:06}"))).collect();
    let sbom = Sbom { image_name: "app:1", image: None, inventory: &inventory, bases: &[] };
    let without = syft_json(&sbom, &Meta::default());
    assert_eq!(count(&read(&without)), 0);
    assert!(without.len() < 50_000, "{} bytes", without.len());
    assert_eq!(count(&read(&syft_json(&sbom, &WITH_FILES))), 100_005);
}
