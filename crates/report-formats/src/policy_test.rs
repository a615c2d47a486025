//! What `lazaret policy test` prints: why a bundle decides about an image as it does, rule by rule.

use std::fmt::Write as _;

use model::{Action, Decision, DecisionReason, DecisionRow, Evidence, Finding, PolicyException, RuleOutcome};
use serde_json::Value;

use crate::Scan;
use crate::printable::{cell, printable};

/// Rows of one rule that are shown; the JSON has all.
const ROWS_SHOWN_MAX: usize = 20;

/// A bundle on trial: an image, what the bundle says about it, and every rule that was asked.
#[derive(Debug, Clone, Copy)]
pub struct PolicyTest<'a> {
    /// The image and its findings.
    pub scan: Scan<'a>,
    /// The verdict.
    pub decision: &'a Decision,
    /// Every rule that was run.
    pub rules: &'a [RuleOutcome],
    /// The bundle as written.
    pub bundle: &'a Value,
    /// The reference that mappings saw.
    pub reference: &'a str,
    /// The exceptions that were given.
    pub exceptions: &'a [PolicyException],
}

impl<'a> PolicyTest<'a> {
    /// The mapping that was selected, as written.
    pub(crate) fn mapping(&self) -> Option<&'a Value> {
        self.bundle.get("mappings")?.get(self.decision.matched_mapping?)
    }

    pub(crate) fn finding(&self, row: &DecisionRow) -> Option<&'a Finding> {
        self.scan.report.findings.get(row.finding?)
    }

    /// The parameters of a rule, as written.
    pub(crate) fn parameters(&self, rule: &RuleOutcome) -> Vec<(&'a str, &'a str)> {
        let pointer = format!("/{}/params", rule.path.replace('.', "/"));
        let text = |parameter: &'a Value, member: &str| parameter[member].as_str().unwrap_or_default();
        let parameters = self.bundle.pointer(&pointer).and_then(Value::as_array).into_iter().flatten();
        parameters.map(|parameter| (text(parameter, "name"), text(parameter, "value"))).collect()
    }
}

/// The whole story for people. Rules that did not fire are listed if `with_all`.
pub fn policy_test_table(test: &PolicyTest<'_>, with_all: bool) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    let decision = test.decision;
    let digest = test.scan.sbom.image.map_or_else(String::new, |image| format!(" {}", image.digest));
    line(format!("image    {}{digest}", printable(test.scan.sbom.image_name)));
    line(format!("asked as {}", printable(test.reference)));
    line(format!("bundle   {}", printable(&decision.policy_id)));
    line(mapping_text(test));
    let (fired, silent): (Vec<_>, Vec<_>) = test.rules.iter().partition(|rule| !rule.rows.is_empty());
    for rule in &fired {
        line(String::new());
        line(rule_text(test, rule));
        for row in decision.rows[rule.rows.clone()].iter().take(ROWS_SHOWN_MAX) {
            row_lines(test, row).into_iter().for_each(&mut line);
        }
        if let Some(more) = rule.rows.len().checked_sub(ROWS_SHOWN_MAX).filter(|more| *more > 0) {
            line(format!("    … and {more} more rows; `-o json` has all"));
        }
    }
    if with_all && !silent.is_empty() {
        line("\ndid not fire".to_owned());
        silent.iter().for_each(|rule| line(format!("  {}", rule_text(test, rule))));
    } else if !silent.is_empty() {
        line(format!("\n{} rules did not fire; --all lists them", silent.len()));
    }
    for problem in &decision.problems {
        let place = problem.path.as_ref().map(|path| format!(" at {}", printable(path))).unwrap_or_default();
        line(format!("problem{place}: {} [{}]", printable(&problem.details), problem.problem_type));
    }
    if !decision.exceptions.is_empty() {
        line(format!("exceptions that applied: {}", printable(&decision.exceptions.join(", "))));
    }
    line(format!("\n{}", verdict_text(test)));
    text
}

fn mapping_text(test: &PolicyTest<'_>) -> String {
    let (Some(position), Some(mapping)) = (test.decision.matched_mapping, test.mapping()) else {
        return "mapping  none fits this reference, so no policy was asked".to_owned();
    };
    let text = |value: &Value| printable(value.as_str().unwrap_or_default()).into_owned();
    format!(
        "mapping  mappings.{position} `{}`: registry {}, repository {}, {} {}",
        text(&mapping["name"]),
        text(&mapping["registry"]),
        text(&mapping["repository"]),
        text(&mapping["image"]["type"]),
        text(&mapping["image"]["value"]),
    )
}

fn rule_text(test: &PolicyTest<'_>, rule: &RuleOutcome) -> String {
    let RuleOutcome { policy_id, rule_id, path, gate, trigger, action, rows: _ } = rule;
    let id = rule_id.as_ref().map(|id| format!(" `{}`", printable(id))).unwrap_or_default();
    let mut text =
        format!("{path}{id} of policy `{}`: {} on {gate}/{trigger}", printable(policy_id), action.name());
    for (name, value) in test.parameters(rule) {
        write!(text, " {}={}", cell(name), cell(value)).expect("writing to a String cannot fail");
    }
    text
}

fn row_lines(test: &PolicyTest<'_>, row: &DecisionRow) -> Vec<String> {
    let mut lines = vec![
        format!("  {:<4} {}", row.action.name(), printable(&row.message)),
        format!("       id {}", printable(&row.trigger_id)),
    ];
    if let Some(finding) = test.finding(row) {
        let Evidence { feed, record, matched_name, matched_version, range, ecosystem, .. } =
            &finding.evidence;
        lines.push(format!(
            "       because {} says in {} about {ecosystem}: {} {range}, and {} is installed",
            feed.name(),
            printable(record),
            printable(matched_name),
            printable(matched_version),
        ));
    }
    if let Some(by) = &row.whitelisted {
        let exception = test.exceptions.iter().find(|exception| {
            by.matched_rule_id.is_none()
                && by.whitelist_name == "exceptions"
                && exception.id == by.whitelist_id
        });
        lines.push(match (exception, &by.matched_rule_id) {
            (Some(exception), _) => format!(
                "       accepted by exception {} of {}: {}",
                printable(&exception.id),
                printable(&exception.owner),
                cell(&exception.reason)
            ),
            (None, Some(item)) => format!(
                "       accepted by whitelist `{}`, item `{}`",
                printable(&by.whitelist_id),
                printable(item)
            ),
            (None, None) => format!("       accepted by whitelist `{}`", printable(&by.whitelist_id)),
        });
    }
    lines
}

fn verdict_text(test: &PolicyTest<'_>) -> String {
    let decision = test.decision;
    let word = match decision.final_action {
        Action::Go => "ALLOWED",
        Action::Warn => "ALLOWED with warnings",
        Action::Stop => "REFUSED",
    };
    let why = match decision.reason {
        DecisionReason::Blacklisted => format!(
            "blacklisted_images.{} denies the image",
            decision.matched_blacklisted_image.unwrap_or_default()
        ),
        DecisionReason::Whitelisted => format!(
            "whitelisted_images.{} allows the image; the policies said {}",
            decision.matched_whitelisted_image.unwrap_or_default(),
            decision.policy_action.name()
        ),
        DecisionReason::PolicyEvaluation if decision.matched_mapping.is_none() => {
            "no policy was asked".to_owned()
        }
        DecisionReason::PolicyEvaluation => {
            let count = |action| decision.rows.iter().filter(|row| row.action == action).count();
            match (count(Action::Stop), count(Action::Warn)) {
                (0, _) if decision.final_action == Action::Stop => {
                    "the bundle cannot be evaluated for this image".to_owned()
                }
                (stops, warnings) => {
                    let accepted = decision.rows.iter().filter(|row| row.whitelisted.is_some()).count();
                    format!("{stops} rows stop, {warnings} warn, {accepted} are accepted")
                }
            }
        }
    };
    format!("{word}: {why}")
}
