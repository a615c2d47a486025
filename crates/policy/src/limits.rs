//! How large a bundle may be. Its body is bounded where it is read; this bounds what is made of it.

use model::EvaluationProblem;

use crate::problem;
use crate::raw::RawBundle;

/// Rules of all policies together.
pub(crate) const RULES_MAX: usize = 10_000;
const PARAMETERS_MAX: usize = 100;
const MAPPINGS_MAX: usize = 10_000;
/// Policies of one mapping, and whitelists of one mapping.
const REFERENCES_MAX: usize = 1_000;
const WHITELIST_ITEMS_MAX: usize = 100_000;
const IMAGE_RULES_MAX: usize = 10_000;
const PROBLEMS_MAX: usize = 100;

/// What is too much, at most the first hundred; nothing else is said about such a bundle.
pub(crate) fn find_excess(raw: &RawBundle) -> Vec<EvaluationProblem> {
    let rules = raw.policies.iter().map(|policy| policy.rules.len()).sum();
    let items = raw.whitelists.iter().map(|whitelist| whitelist.items.len()).sum();
    let lists = [
        ("policies", "rules", rules, RULES_MAX),
        ("mappings", "mappings", raw.mappings.len(), MAPPINGS_MAX),
        ("whitelists", "whitelist items", items, WHITELIST_ITEMS_MAX),
        ("whitelisted_images", "allowed images", raw.whitelisted_images.len(), IMAGE_RULES_MAX),
        ("blacklisted_images", "denied images", raw.blacklisted_images.len(), IMAGE_RULES_MAX),
    ];
    let of_bundle = lists.map(|(path, what, count, limit)| (path.to_owned(), what, count, limit));
    let of_rules = raw.policies.iter().enumerate().flat_map(|(policy, raw)| {
        raw.rules.iter().enumerate().map(move |(rule, raw)| {
            (format!("policies.{policy}.rules.{rule}"), "parameters", raw.params.len(), PARAMETERS_MAX)
        })
    });
    let of_mappings = raw.mappings.iter().enumerate().flat_map(|(mapping, raw)| {
        [
            (format!("mappings.{mapping}"), "policies", raw.policy_ids.len(), REFERENCES_MAX),
            (format!("mappings.{mapping}"), "whitelists", raw.whitelist_ids.len(), REFERENCES_MAX),
        ]
    });
    of_bundle
        .into_iter()
        .chain(of_rules)
        .chain(of_mappings)
        .filter(|(_, _, count, limit)| count > limit)
        .take(PROBLEMS_MAX)
        .map(|(path, what, count, limit)| {
            let details = format!("There are {count} {what} (limit {limit})");
            EvaluationProblem { path: Some(path), ..problem::error("LimitExceededError", details) }
        })
        .collect()
}
