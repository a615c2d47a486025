//! Tables and JSON of our own, judged by the published JSON Schemas and read as a person would.

use super::example::{finding, image, inventory, refusal, report};
use model::{Action, Decision, FindingState, MatchReport, NoDataReason, RuleOutcome};
use report_formats::{
    POLICY_TEST_SCHEMA, PolicyTest, SBOM_SCHEMA, SCAN_SCHEMA, Sbom, Scan, TableOptions, policy_test_table,
    sbom_json, sbom_table, scan_json, scan_table,
};
use serde_json::Value;

/// Renders with everything around it fixed, and hands JSON (checked by its schema) and table to the caller.
fn render(report: &MatchReport, decision: Option<&Decision>) -> (Value, String) {
    let (image, inventory) = (image(), inventory());
    let scan = Scan {
        sbom: Sbom { image_name: "app:1", image: Some(&image), inventory: &inventory, bases: &[] },
        report,
        decision,
        hidden_count: 0,
    };
    let value = serde_json::from_str::<Value>(&scan_json(&scan)).unwrap();
    assert_valid(SCAN_SCHEMA, &value);
    (value, scan_table(&scan, TableOptions::default()))
}

pub(crate) fn assert_valid(schema: &str, value: &Value) {
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
    let sbom = Sbom { image_name: "app:1", image: Some(&image), inventory: &inventory, bases: &[] };
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
    let sbom = Sbom { image_name: strange, image: Some(&image), inventory: &inventory, bases: &[] };
    let scan = Scan { sbom, report: &report(vec![finding]), decision: Some(&refusal), hidden_count: 0 };
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
        scan_table(&scan, TableOptions::default()),
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
        uncovered.coverage = model::DistroCoverage::NoData(reason);
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

#[test]
fn what_several_documents_have_is_described_once_and_the_same() {
    let definitions = |schema: &str| serde_json::from_str::<Value>(schema).unwrap()["$defs"].clone();
    let of_scan = definitions(SCAN_SCHEMA);
    for schema in [SBOM_SCHEMA, POLICY_TEST_SCHEMA] {
        let others = definitions(schema);
        for name in ["digest", "image", "distro"] {
            assert_eq!(others[name], of_scan[name], "{name}");
        }
    }
}
