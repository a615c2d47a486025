//! Exceptions: which matches a bundle lets pass, and until when.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{EvaluationProblem, WhitelistedBy};

use crate::budget::{Budget, Failure};
use crate::expiry::parse_expiry;
use crate::pattern::Pattern;
use crate::prefix_regex::RegexCompiler;
use crate::problem;
use crate::raw::{RawWhitelist, RawWhitelistItem};

/// One list of exceptions.
///
/// Items without a star or an expression are found by look-up, because long lists of single identifiers are common.
#[derive(Debug)]
pub(crate) struct Whitelist {
    id: String,
    name: String,
    items: Vec<Item>,
    /// Gate (lower case) and trigger id → positions in `items`, ascending.
    literals: BTreeMap<(String, String), Vec<usize>>,
    /// Positions in `items` of the others, ascending.
    patterns: Vec<usize>,
    pub(crate) problems: Vec<EvaluationProblem>,
}

#[derive(Debug)]
struct Item {
    id: Option<String>,
    /// Lower case.
    gate: String,
    trigger_id: Pattern,
    expires_on: Option<Timestamp>,
}

impl Whitelist {
    /// How many items have ended by this time.
    pub(crate) fn count_ended(&self, now: Timestamp) -> usize {
        self.items.iter().filter(|item| item.expires_on.is_some_and(|end| end <= now)).count()
    }

    pub(crate) fn new(position: usize, raw: &RawWhitelist, regexes: &mut RegexCompiler) -> Self {
        let mut whitelist = Self {
            id: raw.id.clone(),
            name: raw.name.clone().unwrap_or_default(),
            items: Vec::new(),
            literals: BTreeMap::new(),
            patterns: Vec::new(),
            problems: Vec::new(),
        };
        if raw.version != "1_0" {
            whitelist.problems.push(problem::unsupported_version("whitelist", &raw.id, &raw.version));
            problem::place_at(&mut whitelist.problems, &format!("whitelists.{position}.version"));
        }
        for (item_position, raw_item) in raw.items.iter().enumerate() {
            let problems = whitelist.problems.len();
            whitelist.push(raw_item, regexes);
            if let Some(found @ [_, ..]) = whitelist.problems.get_mut(problems..) {
                problem::place_at(found, &format!("whitelists.{position}.items.{item_position}"));
            }
        }
        whitelist
    }

    fn push(&mut self, raw: &RawWhitelistItem, regexes: &mut RegexCompiler) {
        let place = format!(
            "(whitelist_id={},item_id={})",
            problem::quote(&self.id),
            raw.id.as_deref().map_or_else(|| "None".to_owned(), problem::quote)
        );
        let expires_on = match &raw.expires_on {
            None => None,
            Some(text) => match parse_expiry(text) {
                Some(expires_on) => Some(expires_on),
                None => {
                    let details = format!(
                        "Date `{}` of `expires_on` is not like 2031-01-01T00:00:00Z {place}",
                        problem::quote(text)
                    );
                    self.problems.push(problem::error("ValidationError", details));
                    return;
                }
            },
        };
        let gate = raw.gate.to_lowercase();
        let trigger_id = Pattern::new(&raw.trigger_id, regexes);
        let position = self.items.len();
        match &trigger_id {
            Pattern::Literal(text) => {
                self.literals.entry((gate.clone(), text.clone())).or_default().push(position);
            }
            Pattern::Broken(error) => {
                self.problems
                    .push(problem::error("ValidationError", format!("A whitelist item's {error} {place}")));
            }
            Pattern::Wildcard(_) | Pattern::Regex(_) => self.patterns.push(position),
        }
        self.items.push(Item { id: raw.id.clone(), gate, trigger_id, expires_on });
    }

    /// The first item that applies to a match and has not expired.
    pub(crate) fn find(
        &self,
        gate: &str,
        trigger_id: &str,
        now: Timestamp,
        budget: &mut Budget,
    ) -> Result<Option<WhitelistedBy>, Failure> {
        let gate = gate.to_lowercase();
        let is_current = |position: &usize| self.items[*position].expires_on.is_none_or(|end| now < end);
        budget.spend(1)?;
        // One last newline counts as the end of the text in the pattern language.
        let without_newline = trigger_id.strip_suffix('\n').unwrap_or(trigger_id);
        let mut first = [trigger_id, without_newline]
            .into_iter()
            .filter_map(|text| self.literals.get(&(gate.clone(), text.to_owned())))
            .flatten()
            .copied()
            .filter(is_current)
            .min();
        for position in self.patterns.iter().copied().filter(is_current) {
            if first.is_some_and(|first| first < position) {
                break;
            }
            budget.spend(1)?;
            let item = &self.items[position];
            if item.gate == gate && item.trigger_id.is_match(trigger_id, budget)? {
                first = Some(position);
                break;
            }
        }
        Ok(first.map(|position| WhitelistedBy {
            whitelist_name: self.name.clone(),
            whitelist_id: self.id.clone(),
            matched_rule_id: self.items[position].id.clone(),
        }))
    }
}
