//! From the raw document to what is evaluated: only what a mapping reaches, each part once, all mistakes kept beside it.

use std::collections::{BTreeMap, BTreeSet};

use model::{Action, EvaluationProblem};

use crate::gates::{self, Check};
use crate::image_rule::ImageRule;
use crate::limits;
use crate::parameter::read_parameters;
use crate::prefix_regex::RegexCompiler;
use crate::problem::{self, RulePlace};
use crate::raw::{RawAction, RawBundle, RawImageRule, RawMapping, RawPolicy, RawRule};
use crate::whitelist::Whitelist;

/// A bundle in the form in which it is evaluated.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// Mistakes of the bundle itself.
    pub(crate) bundle_problems: Vec<EvaluationProblem>,
    pub(crate) mappings: Vec<Mapping>,
    /// What mappings reach, in the order in which they do.
    pub(crate) policies: Vec<Policy>,
    pub(crate) whitelists: Vec<Whitelist>,
    pub(crate) whitelisted_images: Vec<ImageRule>,
    pub(crate) blacklisted_images: Vec<ImageRule>,
    image_list_problems: Vec<EvaluationProblem>,
}

#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) rule: ImageRule,
    /// Positions in the bundle's compiled policies, in evaluation order.
    pub(crate) policies: Vec<usize>,
    /// Positions in the bundle's compiled whitelists, in evaluation order.
    pub(crate) whitelists: Vec<usize>,
    /// Mistakes of the mapping itself.
    problems: Vec<EvaluationProblem>,
}

#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) id: String,
    /// Grouped by gate, gates in the order in which they first appear.
    pub(crate) rules: Vec<Rule>,
    problems: Vec<EvaluationProblem>,
    /// Notes about rules on gates at the end of their life.
    pub(crate) end_of_life: Vec<EvaluationProblem>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: Option<String>,
    pub(crate) gate: &'static str,
    pub(crate) trigger: &'static str,
    pub(crate) action: Action,
    pub(crate) is_unconditional: bool,
    /// `policies.0.rules.1`.
    pub(crate) path: String,
    pub(crate) check: Box<dyn Check>,
}

impl Compiled {
    /// Whether a rule that a mapping reaches asks what the files of the image say.
    pub(crate) fn needs_contents(&self) -> bool {
        self.policies.iter().flat_map(|policy| &policy.rules).any(|rule| rule.check.needs_contents())
    }

    /// What a bundle is that nothing more is said about.
    fn refused(bundle_problems: Vec<EvaluationProblem>) -> Self {
        Self {
            bundle_problems,
            mappings: Vec::new(),
            policies: Vec::new(),
            whitelists: Vec::new(),
            whitelisted_images: Vec::new(),
            blacklisted_images: Vec::new(),
            image_list_problems: Vec::new(),
        }
    }

    /// The files whose content such rules ask about, each once, sorted.
    pub(crate) fn wanted_files(&self) -> BTreeSet<&str> {
        let rules = self.policies.iter().flat_map(|policy| &policy.rules);
        rules.filter_map(|rule| rule.check.wanted_file()).collect()
    }

    /// All mistakes, each once, in the order of the mappings that reach them.
    pub(crate) fn problems(&self) -> Vec<EvaluationProblem> {
        let mut seen = Seen::new(self);
        let mut problems = self.bundle_problems.clone();
        for mapping in &self.mappings {
            self.add_mapping_problems(mapping, &mut seen, &mut problems);
        }
        problems.extend_from_slice(&self.image_list_problems);
        for (policy, _) in self.policies.iter().zip(&seen.policies).filter(|(_, is_seen)| **is_seen) {
            problems.extend_from_slice(&policy.end_of_life);
        }
        problems
    }

    /// The mistakes that an image of this mapping meets.
    pub(crate) fn mapping_problems(&self, mapping: &Mapping) -> Vec<EvaluationProblem> {
        let mut problems = Vec::new();
        self.add_mapping_problems(mapping, &mut Seen::new(self), &mut problems);
        problems
    }

    fn add_mapping_problems(
        &self,
        mapping: &Mapping,
        seen: &mut Seen,
        problems: &mut Vec<EvaluationProblem>,
    ) {
        problems.extend_from_slice(&mapping.problems);
        for position in &mapping.policies {
            if !std::mem::replace(&mut seen.policies[*position], true) {
                problems.extend_from_slice(&self.policies[*position].problems);
            }
        }
        for position in &mapping.whitelists {
            if !std::mem::replace(&mut seen.whitelists[*position], true) {
                problems.extend_from_slice(&self.whitelists[*position].problems);
            }
        }
    }
}

/// Parts whose mistakes are listed already: mappings share them, and one mapping may name one twice.
#[derive(Debug)]
struct Seen {
    policies: Vec<bool>,
    whitelists: Vec<bool>,
}

impl Seen {
    fn new(compiled: &Compiled) -> Self {
        Self {
            policies: vec![false; compiled.policies.len()],
            whitelists: vec![false; compiled.whitelists.len()],
        }
    }
}

/// Compiles what the mappings reach. Never fails: mistakes are part of the result.
pub(crate) fn compile(raw: &RawBundle) -> Compiled {
    let excess = limits::find_excess(raw);
    if !excess.is_empty() {
        return Compiled::refused(excess);
    }
    let mut compiler = Compiler {
        regexes: RegexCompiler::default(),
        raw,
        policy_positions: positions(raw.policies.iter().map(|policy| policy.id.as_str())),
        whitelist_positions: positions(raw.whitelists.iter().map(|whitelist| whitelist.id.as_str())),
        policies: Reached::default(),
        whitelists: Reached::default(),
    };
    let mappings =
        raw.mappings.iter().enumerate().map(|(position, raw)| compiler.mapping(position, raw)).collect();
    let mut image_list_problems = Vec::new();
    let mut image_rules = |list: &str, rules: &[RawImageRule]| -> Vec<ImageRule> {
        let mut compiled = Vec::with_capacity(rules.len());
        for (position, rule) in rules.iter().enumerate() {
            compiled.push(compiler.image_rule(rule, &mut image_list_problems));
            problem::place_at(&mut image_list_problems, &format!("{list}.{position}"));
        }
        compiled
    };
    let whitelisted_images = image_rules("whitelisted_images", &raw.whitelisted_images);
    let blacklisted_images = image_rules("blacklisted_images", &raw.blacklisted_images);
    let mut bundle_problems = Vec::new();
    if raw.version != "1_0" {
        bundle_problems.push(problem::unsupported_version("bundle", &raw.id, &raw.version));
        problem::place_at(&mut bundle_problems, "version");
    }
    Compiled {
        bundle_problems,
        mappings,
        policies: compiler.policies.parts,
        whitelists: compiler.whitelists.parts,
        whitelisted_images,
        blacklisted_images,
        image_list_problems,
    }
}

fn positions<'a>(ids: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, Vec<usize>> {
    let mut positions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (position, id) in ids.enumerate() {
        positions.entry(id).or_default().push(position);
    }
    positions
}

/// Parts that mappings have reached so far.
#[derive(Debug)]
struct Reached<'a, T> {
    parts: Vec<T>,
    by_id: BTreeMap<&'a str, usize>,
}

impl<T> Default for Reached<'_, T> {
    fn default() -> Self {
        Self { parts: Vec::new(), by_id: BTreeMap::new() }
    }
}

impl<'a, T> Reached<'a, T> {
    /// Position of the compiled part, or what is wrong with the identifier.
    fn find(
        &mut self,
        kind: &str,
        id: &'a str,
        positions: &BTreeMap<&'a str, Vec<usize>>,
        build: impl FnOnce(usize) -> T,
    ) -> Result<usize, EvaluationProblem> {
        if let Some(position) = self.by_id.get(id) {
            return Ok(*position);
        }
        match positions.get(id).map(Vec::as_slice) {
            None | Some([]) => Err(problem::reference_not_found(kind, id)),
            Some([position]) => {
                self.parts.push(build(*position));
                self.by_id.insert(id, self.parts.len() - 1);
                Ok(self.parts.len() - 1)
            }
            Some(_) => Err(problem::duplicate_identifier(kind, id)),
        }
    }
}

#[derive(Debug)]
struct Compiler<'a> {
    regexes: RegexCompiler,
    raw: &'a RawBundle,
    policy_positions: BTreeMap<&'a str, Vec<usize>>,
    whitelist_positions: BTreeMap<&'a str, Vec<usize>>,
    policies: Reached<'a, Policy>,
    whitelists: Reached<'a, Whitelist>,
}

impl<'a> Compiler<'a> {
    fn mapping(&mut self, position: usize, raw: &'a RawMapping) -> Mapping {
        let rule = ImageRule::new(&raw.registry, &raw.repository, &raw.image, &mut self.regexes);
        let mut problems = broken_patterns("Mapping", &raw.name, &rule);
        let policy_ids: &'a [String] = match (&raw.policy_id, raw.policy_ids.as_slice()) {
            (Some(policy_id), []) => std::slice::from_ref(policy_id),
            (None, policy_ids @ [_, ..]) => policy_ids,
            (policy_id, _) => {
                let found = if policy_id.is_some() { "both" } else { "neither" };
                let details = format!(
                    "Mapping `{}` must have one of `policy_id` and `policy_ids`, and has {found}",
                    problem::quote(&raw.name)
                );
                problems.push(problem::error("ValidationError", details));
                &[]
            }
        };
        let mut policies = Vec::new();
        for id in policy_ids {
            let found = self.policies.find("policy", id, &self.policy_positions, |position| {
                compile_policy(position, &self.raw.policies[position], &mut self.regexes)
            });
            match found {
                Ok(position) => policies.push(position),
                Err(problem) => problems.push(problem),
            }
        }
        let mut whitelists = Vec::new();
        for id in &raw.whitelist_ids {
            let found = self.whitelists.find("whitelist", id, &self.whitelist_positions, |position| {
                Whitelist::new(position, &self.raw.whitelists[position], &mut self.regexes)
            });
            match found {
                Ok(position) => whitelists.push(position),
                Err(problem) => problems.push(problem),
            }
        }
        problem::place_at(&mut problems, &format!("mappings.{position}"));
        Mapping { rule, policies, whitelists, problems }
    }

    fn image_rule(&mut self, raw: &RawImageRule, problems: &mut Vec<EvaluationProblem>) -> ImageRule {
        let rule = ImageRule::new(&raw.registry, &raw.repository, &raw.image, &mut self.regexes);
        problems.extend(broken_patterns("Image rule", &raw.name, &rule));
        rule
    }
}

fn broken_patterns(kind: &str, name: &str, rule: &ImageRule) -> Vec<EvaluationProblem> {
    rule.broken_patterns()
        .map(|error| problem::error("ValidationError", format!("{kind} `{}`: {error}", problem::quote(name))))
        .collect()
}

fn compile_policy(position: usize, raw: &RawPolicy, regexes: &mut RegexCompiler) -> Policy {
    let mut policy =
        Policy { id: raw.id.clone(), rules: Vec::new(), problems: Vec::new(), end_of_life: Vec::new() };
    if raw.version != "1_0" {
        policy.problems.push(problem::unsupported_version("policy", &raw.id, &raw.version));
        problem::place_at(&mut policy.problems, &format!("policies.{position}.version"));
    }
    for (rule_position, raw_rule) in raw.rules.iter().enumerate() {
        let path = format!("policies.{position}.rules.{rule_position}");
        let (problems, notes) = (policy.problems.len(), policy.end_of_life.len());
        compile_rule(raw_rule, &path, regexes, &mut policy);
        problem::place_at(&mut policy.problems[problems..], &path);
        problem::place_at(&mut policy.end_of_life[notes..], &path);
    }
    let mut gate_order: Vec<&str> = Vec::new();
    for rule in &policy.rules {
        if !gate_order.contains(&rule.gate) {
            gate_order.push(rule.gate);
        }
    }
    // The sort is stable: inside a gate the order of the document stays.
    policy.rules.sort_by_key(|rule| gate_order.iter().position(|gate| *gate == rule.gate));
    policy
}

fn compile_rule(raw: &RawRule, path: &str, regexes: &mut RegexCompiler, policy: &mut Policy) {
    let place = RulePlace { gate: &raw.gate, trigger: &raw.trigger, rule_id: raw.id.as_deref() };
    let Some(gate) = gates::find_gate(&raw.gate) else {
        if let Some(gate) = gates::find_end_of_life(&raw.gate) {
            policy.end_of_life.push(problem::end_of_life(place, gate.replaced_by));
            return;
        }
        let valid_gates: Vec<&str> = gates::GATES.iter().map(|gate| gate.name).collect();
        policy.problems.push(problem::gate_not_found(place, &valid_gates));
        return;
    };
    let Some(trigger) = gate.find_trigger(&raw.trigger) else {
        let valid_triggers: Vec<&str> = gate.triggers.iter().map(|trigger| trigger.name).collect();
        policy.problems.push(problem::trigger_not_found(place, &valid_triggers));
        return;
    };
    let problems_before = policy.problems.len();
    let values = read_parameters(trigger.parameters, &raw.params, place, regexes, &mut policy.problems);
    if policy.problems.len() > problems_before {
        return;
    }
    match (trigger.build)(values, regexes) {
        Ok(check) => policy.rules.push(Rule {
            id: raw.id.clone(),
            gate: gate.name,
            trigger: trigger.name,
            action: match raw.action {
                RawAction::Go => Action::Go,
                RawAction::Warn => Action::Warn,
                RawAction::Stop => Action::Stop,
            },
            is_unconditional: trigger.is_unconditional,
            path: path.to_owned(),
            check,
        }),
        Err(bad) => {
            policy.problems.push(problem::parameter_value_invalid(place, bad.parameter, &bad.reason));
        }
    }
}
