//! What others read, judged by the schemas of those others.

use model::{DistroCoverage, FindingState, NoDataReason, Severity, SuppressionReason, VendorStatement};
use serde_json::Value;

use super::example::Example;
use super::formats::write;

const SARIF: &str = include_str!("../../testdata/schemas/sarif-2.1.0.json");
const GITLAB: &str = include_str!("../../testdata/schemas/gitlab-container-scanning-15.0.2.json");
const GITHUB: &str = include_str!("../../testdata/schemas/github-snapshot.json");
const OPENVEX: &str = include_str!("../../testdata/schemas/openvex-0.2.0.json");

/// Images of all kinds: plain, hostile, empty, with every state, severity and reason.
pub(crate) fn examples() -> Vec<Example> {
    let mut all_states = Example::plain();
    let first = all_states.report.findings[0].clone();
    let states =
        [FindingState::Fixed, FindingState::NotFixed, FindingState::WillNotFix, FindingState::Undecided];
    for (number, severity) in Severity::ALL.into_iter().enumerate() {
        for state in states {
            let mut finding = first.clone();
            finding.id = format!("CVE-2024-1{number}");
            (finding.severity, finding.state) = (severity, state);
            (finding.summary, finding.url) = (None, Some("https://example.org/a b".to_owned()));
            finding.cvss.clear();
            all_states.report.findings.push(finding);
        }
    }
    let suppressed = all_states.report.suppressed[0].clone();
    let SuppressionReason::OwnerSpeaks { owner, ecosystem, record, statement: _ } = suppressed.reason.clone()
    else {
        unreachable!("the example has this reason");
    };
    for statement in [VendorStatement::NotAffected, VendorStatement::Affected, VendorStatement::Undetermined]
    {
        let mut more = suppressed.clone();
        more.reason = SuppressionReason::OwnerSpeaks {
            owner: owner.clone(),
            ecosystem: ecosystem.clone(),
            record: record.clone(),
            statement,
        };
        all_states.report.suppressed.push(more);
    }
    let mut covered = suppressed;
    covered.reason = SuppressionReason::OwnerIsCovered { owner, ecosystem };
    all_states.report.suppressed.push(covered);
    let mut unknown = Example::plain();
    unknown.report.coverage = DistroCoverage::NoData(NoDataReason::UnknownDistro);
    vec![
        Example::plain(),
        Example::hostile(),
        Example::empty(),
        all_states,
        unknown,
        Example::list(),
        Example::clean(),
        super::bases::example(),
    ]
}

fn check(schema: &str, format: &str, examples: &[Example]) -> Vec<Value> {
    let schema = serde_json::from_str::<Value>(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let documents = examples.iter().map(|example| {
        let document = serde_json::from_str::<Value>(&write(example, format)).unwrap();
        let errors = validator.iter_errors(&document);
        let errors = errors.map(|error| format!("{}: {error}", error.instance_path())).collect::<Vec<_>>();
        assert!(errors.is_empty(), "{format} of {}: {errors:#?}", example.name);
        document
    });
    documents.collect()
}

#[test]
fn sarif_is_valid_and_has_what_code_hosts_want() {
    let documents = check(SARIF, "sarif", &examples());
    let run = &documents[0]["runs"][0];
    assert_eq!(run["results"][0]["ruleId"], "CVE-2024-0001");
    assert_eq!(run["tool"]["driver"]["rules"][0]["properties"]["security-severity"], "7.5");
    let fingerprint = &run["results"][0]["partialFingerprints"]["primaryLocationLineHash"];
    assert_eq!(fingerprint.as_str().unwrap().len(), 64);
    assert_eq!(
        run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "var/lib/dpkg/status"
    );
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    for result in documents.iter().flat_map(|it| it["runs"][0]["results"].as_array().unwrap()) {
        assert_ne!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "");
    }
    for unknown in [&documents[2], &documents[4]] {
        let invocation = &unknown["runs"][0]["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], false);
        let text = invocation["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
        assert!(text.starts_with("NO DATA"), "{text}");
    }
}

#[test]
fn sarif_keeps_the_worst_and_says_what_it_leaves_out() {
    let mut example = Example::plain();
    let first = example.report.findings[0].clone();
    example.report.findings = vec![first; 5001];
    let document = check(SARIF, "sarif", &[example]).remove(0);
    let run = &document["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len(), 5000);
    let notifications = run["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(notifications.contains("1 less severe findings"), "{notifications}");
}

#[test]
fn gitlab_takes_the_report() {
    let documents = check(GITLAB, "gitlab", &examples());
    let vulnerability = &documents[0]["vulnerabilities"][0];
    assert_eq!(vulnerability["identifiers"][0]["type"], "cve");
    assert_eq!(vulnerability["location"]["operating_system"], "debian:12");
    assert_eq!(vulnerability["solution"], "Update libssl3 to 3.0.11-2");
    assert_eq!(documents[2]["scan"]["status"], "failure");
}

#[test]
fn github_takes_the_snapshot() {
    let documents = check(GITHUB, "github", &examples());
    let manifest = &documents[0]["manifests"]["app:1"];
    let purl = "pkg:deb/debian/libssl3@3.0.11-1?arch=arm64";
    assert_eq!(manifest["resolved"][purl]["package_url"], purl);
}

#[test]
fn openvex_says_what_each_reason_means() {
    let examples = examples().into_iter().filter(|example| !example.report.suppressed.is_empty());
    let documents = check(OPENVEX, "openvex", &examples.collect::<Vec<_>>());
    let statuses =
        documents[2]["statements"].as_array().unwrap().iter().map(|it| it["status"].as_str().unwrap());
    let mut statuses = statuses.collect::<Vec<_>>();
    statuses.sort_unstable();
    assert_eq!(statuses, ["affected", "fixed", "not_affected", "not_affected", "under_investigation"]);
    let nothing = super::formats::try_write(&Example::empty(), "openvex");
    assert!(matches!(nothing, Err(report_formats::WriteError::NothingSuppressed)), "{nothing:?}");
    let schema = serde_json::from_str::<Value>(OPENVEX).unwrap();
    let mut without = documents[0].clone();
    without["statements"] = Value::Array(Vec::new());
    assert!(!jsonschema::validator_for(&schema).unwrap().is_valid(&without), "the judge does say no");
    let product = documents[0]["statements"][0]["products"][0]["@id"].as_str().unwrap();
    assert!(product.starts_with("pkg:oci/app@sha256%3A01"), "{product}");
}

#[test]
fn junit_is_valid_for_jenkins() {
    let xmllint = testkit::require_program("xmllint").unwrap();
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/schemas/junit-10.xsd");
    for example in examples() {
        let text = write(&example, "junit");
        let output = testkit::run(&xmllint, text.as_bytes(), |command| {
            command.args(["--noout", "--nonet", "--schema", schema, "-"]);
        });
        output.unwrap().success().unwrap();
    }
    let text = write(&Example::plain(), "junit");
    assert!(text.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""), "{text}");
    let text = write(&Example::empty(), "junit");
    assert!(text.contains("errors=\"1\"") && text.contains("<error type=\"no-data\""), "{text}");
}

#[test]
fn grype_json_has_the_members_that_programs_read() {
    let example = Example::plain();
    let document = serde_json::from_str::<Value>(&write(&example, "grype-json")).unwrap();
    let found = &document["matches"][0];
    assert_eq!(found["vulnerability"]["fix"]["versions"][0], "3.0.11-2");
    assert_eq!(found["matchDetails"][0]["type"], "exact-indirect-match");
    assert_eq!(found["artifact"]["upstreams"][0]["name"], "openssl");
    assert_eq!(document["ignoredMatches"][0]["vulnerability"]["id"], "CVE-2024-0009");
    assert_eq!(document["source"]["target"]["userInput"], "app:1");
}
