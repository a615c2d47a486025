//! The JSON of `lazaret policy test`.

use std::collections::BTreeMap;

use model::{DecisionRow, EvaluationProblem, RuleOutcome, WhitelistedBy};
use serde::Serialize;
use serde_json::Value;

use crate::SCHEMA_VERSION;
use crate::policy_test::PolicyTest;
use crate::scan_json::{FindingJson, finding};
use crate::wire::{self, ImageJson};

#[derive(Serialize)]
struct TestJson<'a> {
    schema_version: &'static str,
    image: ImageJson<'a>,
    reference: &'a str,
    bundle: &'a str,
    mapping: Option<PlaceJson<'a>>,
    allowed_by: Option<PlaceJson<'a>>,
    denied_by: Option<PlaceJson<'a>>,
    final_action: &'static str,
    reason: &'static str,
    policy_action: &'static str,
    rules: Vec<RuleJson<'a>>,
    exceptions: &'a [String],
    problems: Vec<ProblemJson<'a>>,
}

/// Something in the bundle, as written.
#[derive(Serialize)]
struct PlaceJson<'a> {
    path: String,
    document: &'a Value,
}

#[derive(Serialize)]
struct RuleJson<'a> {
    path: &'a str,
    policy_id: &'a str,
    rule_id: Option<&'a str>,
    gate: &'a str,
    trigger: &'a str,
    action: &'static str,
    parameters: BTreeMap<&'a str, &'a str>,
    rows: Vec<RowJson<'a>>,
}

#[derive(Serialize)]
struct RowJson<'a> {
    trigger_id: &'a str,
    message: &'a str,
    action: &'static str,
    whitelisted_by: Option<WhitelistedJson<'a>>,
    finding: Option<FindingJson<'a>>,
}

#[derive(Serialize)]
struct WhitelistedJson<'a> {
    name: &'a str,
    id: &'a str,
    item: Option<&'a str>,
}

#[derive(Serialize)]
struct ProblemJson<'a> {
    severity: &'static str,
    problem_type: &'a str,
    path: Option<&'a str>,
    details: &'a str,
}

/// Every rule that was asked, with its rows and what they rest on; valid under [`crate::POLICY_TEST_SCHEMA`].
pub fn policy_test_json(test: &PolicyTest<'_>) -> String {
    let decision = test.decision;
    let place = |list: &str, position: Option<usize>| {
        let position = position?;
        let document = test.bundle.get(list)?.get(position)?;
        Some(PlaceJson { path: format!("{list}.{position}"), document })
    };
    wire::to_text(&TestJson {
        schema_version: SCHEMA_VERSION,
        image: wire::image(&test.scan.sbom),
        reference: test.reference,
        bundle: &decision.policy_id,
        mapping: place("mappings", decision.matched_mapping),
        allowed_by: place("whitelisted_images", decision.matched_whitelisted_image),
        denied_by: place("blacklisted_images", decision.matched_blacklisted_image),
        final_action: decision.final_action.name(),
        reason: decision.reason.name(),
        policy_action: decision.policy_action.name(),
        rules: test.rules.iter().map(|outcome| rule(test, outcome)).collect(),
        exceptions: &decision.exceptions,
        problems: decision
            .problems
            .iter()
            .map(|EvaluationProblem { problem_type, details, severity, path }| ProblemJson {
                severity: severity.name(),
                problem_type,
                path: path.as_deref(),
                details,
            })
            .collect(),
    })
}

fn rule<'a>(test: &PolicyTest<'a>, outcome: &'a RuleOutcome) -> RuleJson<'a> {
    let RuleOutcome { policy_id, rule_id, path, gate, trigger, action, rows } = outcome;
    RuleJson {
        path,
        policy_id,
        rule_id: rule_id.as_deref(),
        gate,
        trigger,
        action: action.name(),
        parameters: test.parameters(outcome).into_iter().collect(),
        rows: test.decision.rows[rows.clone()].iter().map(|decided| row(test, decided)).collect(),
    }
}

fn row<'a>(test: &PolicyTest<'a>, row: &'a DecisionRow) -> RowJson<'a> {
    let DecisionRow { trigger_id, message, action, whitelisted, .. } = row;
    RowJson {
        trigger_id,
        message,
        action: action.name(),
        whitelisted_by: whitelisted.as_ref().map(
            |WhitelistedBy { whitelist_name, whitelist_id, matched_rule_id }| WhitelistedJson {
                name: whitelist_name,
                id: whitelist_id,
                item: matched_rule_id.as_deref(),
            },
        ),
        finding: test.finding(row).map(finding),
    }
}
