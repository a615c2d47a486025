//! A look at a document before it is uploaded: every mistake at once, and what is allowed but does nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::EvaluationProblem;
use serde::Deserialize as _;
use serde_json::Value;

use crate::compile::compile;
use crate::expiry::parse_expiry;
use crate::problem::{self, quote};
use crate::raw::{RawBundle, RawImage, RawImageKind, RawMapping};
use crate::schema;

/// Problems that one review lists.
const PROBLEMS_MAX: usize = 500;

/// All mistakes of a document as errors, then what has no effect as warnings; each with its place.
///
/// A document without errors is one that [`crate::Bundle::parse`] accepts. One that violates the request schema is
/// compared with the schema only. At most 500 problems are listed.
pub fn review(document: &Value, now: Timestamp) -> Vec<EvaluationProblem> {
    let violations = schema::find_violations(document);
    let mut problems: Vec<EvaluationProblem> = violations
        .into_iter()
        .map(|schema::Violation { text, path }| EvaluationProblem {
            path: (!path.is_empty()).then_some(path),
            ..problem::error("SchemaError", text)
        })
        .collect();
    if problems.is_empty() {
        match RawBundle::deserialize(document) {
            Ok(raw) => {
                problems = compile(&raw).problems();
                add_warnings(&raw, now, &mut problems);
            }
            Err(error) => problems.push(problem::error("SchemaError", error.to_string())),
        }
    }
    if problems.len() > PROBLEMS_MAX {
        let left_out = problems.len() - PROBLEMS_MAX;
        problems.truncate(PROBLEMS_MAX);
        problems.push(problem::error("ValidationError", format!("{left_out} more problems are not listed")));
    }
    problems
}

fn add_warnings(raw: &RawBundle, now: Timestamp, problems: &mut Vec<EvaluationProblem>) {
    let mut warn = |path: String, details: String| {
        if problems.len() <= PROBLEMS_MAX {
            let warning = problem::warning("NoEffectWarning", details);
            problems.push(EvaluationProblem { path: Some(path), ..warning });
        }
    };
    if raw.mappings.is_empty() {
        let text = "There is no mapping, so no policy is ever evaluated and every image passes";
        warn("mappings".to_owned(), text.to_owned());
    }
    let catch_all = raw.mappings.iter().position(selects_everything);
    if let Some(first) = catch_all {
        for position in first + 1..raw.mappings.len() {
            let text =
                format!("The mapping is never selected: mappings.{first} selects every image before it");
            warn(format!("mappings.{position}"), text);
        }
    }
    let policies: BTreeSet<&str> = raw
        .mappings
        .iter()
        .flat_map(|raw| raw.policy_ids.iter().chain(&raw.policy_id))
        .map(String::as_str)
        .collect();
    for (position, policy) in raw.policies.iter().enumerate() {
        if !policies.contains(policy.id.as_str()) {
            let text = format!(
                "No mapping names policy `{}`, so it is never evaluated or checked",
                quote(&policy.id)
            );
            warn(format!("policies.{position}"), text);
        } else if policy.rules.is_empty() {
            let text = format!("Policy `{}` has no rules", quote(&policy.id));
            warn(format!("policies.{position}"), text);
        }
    }
    let whitelists: BTreeSet<&str> =
        raw.mappings.iter().flat_map(|raw| &raw.whitelist_ids).map(String::as_str).collect();
    for (position, whitelist) in raw.whitelists.iter().enumerate() {
        if !whitelists.contains(whitelist.id.as_str()) {
            let text = format!("No mapping names whitelist `{}`, so it covers nothing", quote(&whitelist.id));
            warn(format!("whitelists.{position}"), text);
        }
        for (item_position, item) in whitelist.items.iter().enumerate() {
            let end = item.expires_on.as_deref().and_then(parse_expiry);
            if let Some(end) = end.filter(|end| *end <= now) {
                let path = format!("whitelists.{position}.items.{item_position}");
                warn(path, format!("The item has expired on {end}"));
            }
        }
    }
}

fn selects_everything(mapping: &RawMapping) -> bool {
    let RawImage { kind, value } = &mapping.image;
    matches!(kind, RawImageKind::Tag)
        && [&mapping.registry, &mapping.repository, value].iter().all(|text| *text == "*")
}
