//! Reports of a small image, judged by the published JSON Schemas and read as a person would.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use model::{
    Action, CvssScore, DatabaseIdentity, Decision, DecisionReason, DecisionRow, Diagnostic, DiagnosticCode,
    Digest, Distro, DistroCoverage, DockerfileMode, Ecosystem, Evidence, FeedKind, Finding, FindingState,
    ImageFacts, Inventory, LayerFacts, Location, MatchReport, MatchedBy, NoDataReason, Package, PackageKind,
    Platform, RuleOutcome, Severity, SourcePackage,
};
use report_formats::{
    PolicyTest, SBOM_SCHEMA, SCAN_SCHEMA, Sbom, Scan, policy_test_table, sbom_json, sbom_table, scan_json,
    scan_table,
};
use serde_json::Value;

fn digest(byte: u8) -> Digest {
    Digest::from_sha256(&[byte; 32])
}

fn image() -> ImageFacts {
    ImageFacts {
        digest: digest(1),
        parent_digest: digest(1),
        image_id: digest(2),
        platform: Platform { os: "linux".into(), architecture: "arm64".into(), variant: Some("v8".into()) },
        layers: vec![LayerFacts {
            digest: Some(digest(3)),
            diff_id: digest(4),
            size_bytes: 10,
            unpacked_bytes: 20,
        }],
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

fn inventory() -> Inventory {
    Inventory {
        distro: Some(Distro {
            id: "debian".into(),
            version_id: Some("12".into()),
            version_codename: Some("bookworm".into()),
            id_like: vec![],
            pretty_name: Some("Debian GNU/Linux 12 (bookworm)".into()),
            channel: None,
        }),
        packages: vec![Package {
            kind: PackageKind::Deb,
            name: "libssl3".into(),
            version: Some("3.0.11-1".into()),
            architecture: Some("arm64".into()),
            source: Some(SourcePackage { name: "openssl".into(), version: "3.0.11-1".into() }),
            purl: "pkg:deb/debian/libssl3@3.0.11-1?arch=arm64".into(),
            licenses: vec![],
            maintainer: None,
            installed_size_bytes: Some(5),
            locations: vec![Location { path: "/var/lib/dpkg/status".into(), layer: Some(digest(4)) }],
            files: vec![],
            java: None,
            is_third_party: None,
            owner: None,
            modularity: None,
            cpes: Vec::new(),
        }],
        diagnostics: vec![Diagnostic {
            code: DiagnosticCode::BrokenRecord,
            subject: "/var/lib/dpkg/status".into(),
            offset: Some(7),
            message: "paragraph without a name".into(),
        }],
        layers: vec![digest(4)],
    }
}

fn finding(state: FindingState) -> Finding {
    Finding {
        id: "CVE-2024-0001".into(),
        aliases: vec!["DSA-1-1".into()],
        severity: Severity::High,
        severity_source: Some("debian".into()),
        cvss: vec![CvssScore { source: "nvd".into(), vector: "CVSS:3.1/…".into(), score: 7.5 }],
        summary: Some("A flaw.".into()),
        url: None,
        published: None,
        is_known_exploited: None,
        epss: None,
        state,
        fixed_in: if state == FindingState::Fixed { vec!["3.0.11-2".into()] } else { vec![] },
        package_kind: PackageKind::Deb,
        package: "libssl3".into(),
        version: "3.0.11-1".into(),
        purl: "pkg:deb/debian/libssl3@3.0.11-1".into(),
        package_path: "/var/lib/dpkg/status".into(),
        evidence: Evidence {
            feed: FeedKind::DebianTracker,
            record: "CVE-2024-0001".into(),
            ecosystem: Ecosystem { family: "debian".into(), release: Some("12".into()) },
            matched_by: MatchedBy::SourcePackage,
            matched_name: "openssl".into(),
            matched_version: "3.0.11-1".into(),
            range: "< 3.0.11-2".into(),
        },
    }
}

fn report(findings: Vec<Finding>) -> MatchReport {
    MatchReport {
        database: Some(DatabaseIdentity { revision: "ab".repeat(32), built_at: jiff::Timestamp::UNIX_EPOCH }),
        coverage: DistroCoverage::Covered {
            ecosystem: Ecosystem { family: "debian".into(), release: Some("12".into()) },
            synced_at: jiff::Timestamp::UNIX_EPOCH,
        },
        findings,
        suppressed: Vec::new(),
        suppressed_left_out: 0,
        diagnostics: vec![],
    }
}

fn refusal() -> Decision {
    Decision {
        policy_id: "reject_high".into(),
        final_action: Action::Stop,
        reason: DecisionReason::PolicyEvaluation,
        policy_action: Action::Stop,
        rows: vec![DecisionRow {
            trigger_id: "CVE-2024-0001+libssl3".into(),
            gate: "vulnerabilities".into(),
            trigger: "package".into(),
            message: "HIGH Vulnerability found".into(),
            action: Action::Stop,
            whitelisted: None,
            policy_id: "p".into(),
            finding: Some(0),
        }],
        matched_mapping: Some(0),
        matched_whitelisted_image: None,
        matched_blacklisted_image: None,
        exceptions: vec![],
        problems: vec![],
    }
}

/// Renders with everything around it fixed, and hands JSON (checked by its schema) and table to the caller.
fn render(report: &MatchReport, decision: Option<&Decision>) -> (Value, String) {
    let (image, inventory) = (image(), inventory());
    let scan =
        Scan { sbom: Sbom { image_name: "app:1", image: &image, inventory: &inventory }, report, decision };
    let value = serde_json::from_str::<Value>(&scan_json(&scan)).unwrap();
    assert_valid(SCAN_SCHEMA, &value);
    (value, scan_table(&scan, None))
}

fn assert_valid(schema: &str, value: &Value) {
    let schema = serde_json::from_str::<Value>(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect::<Vec<_>>();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn an_sbom_names_source_purl_and_place_of_each_package() {
    let (image, inventory) = (image(), inventory());
    let sbom = Sbom { image_name: "app:1", image: &image, inventory: &inventory };
    let value = serde_json::from_str::<Value>(&sbom_json(&sbom)).unwrap();
    assert_valid(SBOM_SCHEMA, &value);
    let package = &value["packages"][0];
    assert_eq!(package["name"], "libssl3");
    assert_eq!(package["type"], "deb");
    assert_eq!(package["source"]["name"], "openssl");
    assert_eq!(package["locations"][0]["path"], "/var/lib/dpkg/status");
    assert_eq!(value["image"]["platform"], "linux/arm64/v8");
    assert_eq!(value["diagnostics"][0]["offset"], 7);

    let table = sbom_table(&sbom, None);
    assert!(table.contains("libssl3") && table.contains("openssl"), "{table}");
    assert!(table.contains("app:1: 1 packages, Debian GNU/Linux 12 (bookworm)"), "{table}");
    assert!(table.contains("warning: /var/lib/dpkg/status at byte 7"), "{table}");
}

#[test]
fn a_finding_shows_what_fixes_it_and_why_it_is_there() {
    let (value, table) = render(&report(vec![finding(FindingState::Fixed)]), Some(&refusal()));
    let shown = &value["findings"][0];
    assert_eq!(shown["id"], "CVE-2024-0001");
    assert_eq!(shown["fixed_in"][0], "3.0.11-2");
    assert_eq!(shown["state"], "fixed");
    assert_eq!(shown["evidence"]["range"], "< 3.0.11-2");
    assert_eq!(value["severity_counts"]["High"], 1);
    assert_eq!(value["decision"]["final_action"], "stop");
    assert!(table.contains("3.0.11-2") && table.contains("1 finding (1 high)"), "{table}");
    assert!(table.contains("policy reject_high: REFUSED"), "{table}");
}

#[test]
fn names_in_an_image_cannot_steer_the_terminal() {
    let strange = "x\u{1b}[2J\r\n\u{9b}1A\u{202e}";
    let (image, mut inventory) = (image(), inventory());
    let mut finding = finding(FindingState::Fixed);
    finding.package = strange.to_owned();
    finding.version = strange.to_owned();
    finding.fixed_in = vec![strange.to_owned()];
    inventory.packages[0].name = strange.to_owned();
    inventory.packages[0].version = Some(strange.to_owned());
    inventory.diagnostics[0].subject = strange.to_owned();
    inventory.diagnostics[0].message = strange.to_owned();
    inventory.distro.as_mut().unwrap().pretty_name = Some(strange.to_owned());
    let mut refusal = refusal();
    refusal.rows[0].message = strange.to_owned();
    let sbom = Sbom { image_name: strange, image: &image, inventory: &inventory };
    let scan = Scan { sbom, report: &report(vec![finding]), decision: Some(&refusal) };
    let rule = RuleOutcome {
        policy_id: strange.to_owned(),
        rule_id: Some(strange.to_owned()),
        path: "policies.0.rules.0".to_owned(),
        gate: "vulnerabilities".to_owned(),
        trigger: "package".to_owned(),
        action: Action::Stop,
        rows: 0..1,
    };
    let bundle = serde_json::json!({
        "policies": [{"rules": [{"params": [{"name": strange, "value": strange}]}]}],
        "mappings": [{"name": strange, "registry": strange, "repository": strange, "image": {"type": "tag", "value": strange}}],
    });
    let test = PolicyTest {
        scan,
        decision: &refusal,
        rules: &[rule],
        bundle: &bundle,
        reference: strange,
        exceptions: &[],
    };
    for table in [
        sbom_table(&sbom, None),
        sbom_table(&sbom, Some(80)),
        scan_table(&scan, None),
        policy_test_table(&test, true),
    ] {
        let obeyed: Vec<char> =
            table.chars().filter(|it| (it.is_control() && *it != '\n') || *it == '\u{202e}').collect();
        assert!(obeyed.is_empty() && table.contains("\\u{1b}[2J"), "{obeyed:?} in {table}");
    }
}

#[test]
fn states_without_a_fix_are_told_apart() {
    for (state, name, text) in [
        (FindingState::WillNotFix, "will-not-fix", "(won't fix)"),
        (FindingState::Undecided, "undecided", "(undecided)"),
    ] {
        let (value, table) = render(&report(vec![finding(state)]), None);
        assert_eq!(value["findings"][0]["state"], name);
        assert!(table.contains(text), "{table}");
        assert!(value["decision"].is_null());
    }
}

#[test]
fn no_data_never_reads_like_no_vulnerabilities() {
    let (value, table) = render(&report(vec![]), None);
    assert_eq!(value["coverage"]["state"], "covered");
    assert!(table.contains("no known vulnerabilities"), "{table}");

    for (reason, word) in [
        (NoDataReason::NoDatabase, "no-database"),
        (NoDataReason::UnknownDistro, "unknown-distro"),
        (NoDataReason::PackagesNotRead, "packages-not-read"),
        (NoDataReason::NotInDatabase { namespace: "debian:12".into() }, "not-in-database"),
    ] {
        let mut uncovered = MatchReport::without_database();
        uncovered.coverage = DistroCoverage::NoData(reason);
        let (value, table) = render(&uncovered, None);
        assert_eq!(value["coverage"]["state"], "no-data");
        assert_eq!(value["coverage"]["reason"], word);
        assert!(table.contains("NO DATA") && !table.contains("no known vulnerabilities"), "{table}");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let once = render(&report(vec![finding(FindingState::Fixed)]), Some(&refusal()));
    let again = render(&report(vec![finding(FindingState::Fixed)]), Some(&refusal()));
    assert_eq!(once, again);
}
