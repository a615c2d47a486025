//! The decision: which mapping, which matches, which exceptions, which lists of images.

use jiff::Timestamp;
use model::{
    Action, Decision, DecisionReason, DecisionRow, EvaluationProblem, FindingTimes, ImageContents,
    ImageFacts, ImageReference, Inventory, MatchReport, PackageFeeds, PolicyException, RuleOutcome,
    SignatureCheck,
};

use crate::accepted::Accepted;
use crate::budget::{Budget, Failure, ROW_STEPS, WORK_MAX};
use crate::bundle::Bundle;
use crate::compile::{Compiled, Mapping, Policy, Rule};
use crate::gates::{Match, Output, unconditional_match};
use crate::image_rule::{Fit, ImageRule, Target};
use crate::problem::{self, RulePlace};
use crate::trigger_id::trigger_id;

/// What is judged.
#[derive(Debug, Clone, Copy)]
pub struct EvaluationInput<'a> {
    /// The name under which the image is asked about; it drives mappings and the lists of images.
    pub reference: &'a ImageReference,
    /// Manifest and configuration.
    pub image: &'a ImageFacts,
    /// Packages and distro.
    pub inventory: &'a Inventory,
    /// Findings.
    pub report: &'a MatchReport,
    /// The time of the decision: exceptions end, and data gets old.
    pub now: Timestamp,
    /// What the files say; `None` for an image that was analyzed without looking.
    pub contents: Option<&'a ImageContents>,
    /// When the findings of the report were first seen, by position; empty when nobody has kept book.
    pub finding_times: &'a [FindingTimes],
    /// What the public registries of languages say.
    pub package_feeds: &'a PackageFeeds,
    /// The signatures of the image; `None` when nobody has looked for them.
    pub signatures: Option<&'a SignatureCheck>,
    /// Exceptions of the account.
    pub exceptions: &'a [PolicyException],
}

/// For inputs without data of public registries.
static NO_FEEDS: PackageFeeds = PackageFeeds { gem: None, npm: None };

impl<'a> EvaluationInput<'a> {
    /// An input with what is always known; everything else is "not known".
    pub fn new(
        reference: &'a ImageReference,
        image: &'a ImageFacts,
        inventory: &'a Inventory,
        report: &'a MatchReport,
        now: Timestamp,
    ) -> Self {
        Self {
            reference,
            image,
            inventory,
            report,
            now,
            contents: None,
            finding_times: &[],
            package_feeds: &NO_FEEDS,
            signatures: None,
            exceptions: &[],
        }
    }
}

/// Judges one image under one bundle.
///
/// A mistake of the bundle that the image's mapping reaches, and an evaluation that exceeds its limits, refuse the image: the
/// decision then has no rows, the lists of images are not asked, and the problems say why.
pub fn judge(bundle: &Bundle, input: &EvaluationInput<'_>) -> Decision {
    let mut evaluation = Evaluation::new(bundle, input.now);
    match evaluation.judge(input) {
        Ok(decision) => decision,
        Err(failure) => evaluation.refused(vec![failure.to_problem()]),
    }
}

/// A decision, and every rule that was run for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What [`judge`] says.
    pub decision: Decision,
    /// The rules of the mapping's policies in the order in which they were run; none when the evaluation was refused.
    pub rules: Vec<RuleOutcome>,
}

/// Judges one image under one bundle and tells which rules were run, also those that did not fire.
pub fn explain(bundle: &Bundle, input: &EvaluationInput<'_>) -> Explanation {
    let mut evaluation = Evaluation::new(bundle, input.now);
    evaluation.outcomes = Some(Vec::new());
    match evaluation.judge(input) {
        Ok(decision) => Explanation { decision, rules: evaluation.outcomes.unwrap_or_default() },
        Err(failure) => {
            Explanation { decision: evaluation.refused(vec![failure.to_problem()]), rules: Vec::new() }
        }
    }
}

/// The part of the verdict that needs no image.
///
/// `Some` when [`judge`] would refuse the reference whatever the image holds: it is denied by name, or every mapping that
/// could select it has a rule `always` with `STOP` that no exception covers, and no entry of the allowed images could
/// still let it pass. Only rows of `always` are listed. Mappings and images given by digest or id could go either way.
///
/// `None` means that the image must be looked at; so it does for a bundle with mistakes, whose author may have had
/// another engine in mind.
pub fn judge_without_image(bundle: &Bundle, reference: &ImageReference, now: Timestamp) -> Option<Decision> {
    Evaluation::new(bundle, now).judge_without_image(reference).ok().flatten()
}

#[derive(Debug)]
struct Evaluation<'a> {
    policy_id: &'a str,
    compiled: &'a Compiled,
    now: Timestamp,
    budget: Budget,
    accepted: Accepted,
    matched_mapping: Option<usize>,
    rows: Vec<DecisionRow>,
    /// Only for explanations.
    outcomes: Option<Vec<RuleOutcome>>,
    problems: Vec<EvaluationProblem>,
}

impl<'a> Evaluation<'a> {
    fn new(bundle: &'a Bundle, now: Timestamp) -> Self {
        Self {
            policy_id: bundle.id(),
            compiled: bundle.compiled(),
            now,
            budget: Budget::new(WORK_MAX),
            accepted: Accepted::default(),
            matched_mapping: None,
            rows: Vec::new(),
            outcomes: None,
            problems: Vec::new(),
        }
    }

    fn judge(&mut self, input: &EvaluationInput<'_>) -> Result<Decision, Failure> {
        let compiled = self.compiled;
        if !compiled.bundle_problems.is_empty() {
            return Ok(self.refused(compiled.bundle_problems.clone()));
        }
        let target = Target::new(input.reference, Some(input.image));
        self.matched_mapping =
            self.find_rule(compiled.mappings.iter().map(|mapping| &mapping.rule), &target)?;
        if let Some(mapping) = self.matched_mapping.map(|position| &compiled.mappings[position]) {
            let problems = compiled.mapping_problems(mapping);
            if !problems.is_empty() {
                return Ok(self.refused(problems));
            }
            self.accepted = Accepted::new(input, &mut self.budget)?;
            for policy in mapping.policies.iter().map(|position| &compiled.policies[*position]) {
                self.budget.spend(ROW_STEPS * policy.end_of_life.len() as u64)?;
                self.problems.extend_from_slice(&policy.end_of_life);
                for rule in &policy.rules {
                    self.budget.spend(1)?;
                    let matches = self.run(rule, input)?;
                    let first_row = self.rows.len();
                    self.push_rows(mapping, policy, rule, matches)?;
                    self.note_outcome(policy, rule, first_row)?;
                }
            }
        }
        let whitelisted = self.find_rule(compiled.whitelisted_images.iter(), &target)?;
        let blacklisted = self.find_rule(compiled.blacklisted_images.iter(), &target)?;
        Ok(self.decided(whitelisted, blacklisted))
    }

    fn judge_without_image(&mut self, reference: &ImageReference) -> Result<Option<Decision>, Failure> {
        let compiled = self.compiled;
        if !compiled.bundle_problems.is_empty() {
            return Ok(None);
        }
        let target = Target::new(reference, None);
        let (candidates, selected) = self.possible_mappings(&target)?;
        if candidates
            .iter()
            .any(|position| !compiled.mapping_problems(&compiled.mappings[*position]).is_empty())
        {
            return Ok(None);
        }
        let blacklisted = self.find_rule(compiled.blacklisted_images.iter(), &target)?;
        if blacklisted.is_some() {
            self.matched_mapping = selected;
            if let Some(position) = selected {
                self.push_unconditional_rows(&compiled.mappings[position])?;
            }
            let whitelisted = self.find_rule(compiled.whitelisted_images.iter(), &target)?;
            return Ok(Some(self.decided(whitelisted, blacklisted)));
        }
        for rule in &compiled.whitelisted_images {
            if rule.fit(&target, &mut self.budget)? != Fit::No {
                return Ok(None);
            }
        }
        for position in &candidates {
            self.rows.clear();
            self.push_unconditional_rows(&compiled.mappings[*position])?;
            if self.policy_action() != Action::Stop {
                return Ok(None);
            }
        }
        self.matched_mapping = selected;
        // Without any candidate no policy runs, which lets the image pass.
        Ok(if candidates.is_empty() { None } else { Some(self.decided(None, None)) })
    }

    /// The mappings that the image could select, and the one that it selects for sure. No candidates: it may select none.
    fn possible_mappings(&mut self, target: &Target<'_>) -> Result<(Vec<usize>, Option<usize>), Failure> {
        let mut candidates = Vec::new();
        for (position, mapping) in self.compiled.mappings.iter().enumerate() {
            match mapping.rule.fit(target, &mut self.budget)? {
                Fit::No => {}
                Fit::Unknown => candidates.push(position),
                Fit::Yes => {
                    candidates.push(position);
                    let selected = (candidates.len() == 1).then_some(position);
                    return Ok((candidates, selected));
                }
            }
        }
        Ok((Vec::new(), None))
    }

    /// The first rule that is about the target for sure.
    fn find_rule<'r>(
        &mut self,
        rules: impl Iterator<Item = &'r ImageRule>,
        target: &Target<'_>,
    ) -> Result<Option<usize>, Failure> {
        for (position, rule) in rules.enumerate() {
            if rule.fit(target, &mut self.budget)? == Fit::Yes {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    fn run(&mut self, rule: &Rule, input: &EvaluationInput<'_>) -> Result<Vec<Match>, Failure> {
        let mut output = Output {
            matches: Vec::new(),
            notes: Vec::new(),
            gaps: Vec::new(),
            budget: &mut self.budget,
            accepted: &mut self.accepted,
        };
        rule.check.run(input, &mut output)?;
        let Output { matches, notes, gaps, .. } = output;
        let place = RulePlace { gate: rule.gate, trigger: rule.trigger, rule_id: rule.id.as_deref() };
        self.problems.extend(
            notes
                .iter()
                .map(|note| problem::warning("ParameterNotAppliedWarning", format!("{note} {place}"))),
        );
        self.problems.extend(
            gaps.iter().map(|gap| problem::warning("ImageNotFullySeenWarning", format!("{gap} {place}"))),
        );
        Ok(matches)
    }

    fn note_outcome(&mut self, policy: &Policy, rule: &Rule, first_row: usize) -> Result<(), Failure> {
        if let Some(outcomes) = &mut self.outcomes {
            self.budget.spend(ROW_STEPS)?;
            outcomes.push(RuleOutcome {
                policy_id: policy.id.clone(),
                rule_id: rule.id.clone(),
                path: rule.path.clone(),
                gate: rule.gate.to_owned(),
                trigger: rule.trigger.to_owned(),
                action: rule.action,
                rows: first_row..self.rows.len(),
            });
        }
        Ok(())
    }

    fn push_unconditional_rows(&mut self, mapping: &Mapping) -> Result<(), Failure> {
        for policy in mapping.policies.iter().map(|position| &self.compiled.policies[*position]) {
            for rule in policy.rules.iter().filter(|rule| rule.is_unconditional) {
                self.push_rows(mapping, policy, rule, vec![unconditional_match()])?;
            }
        }
        Ok(())
    }

    /// Passes matches through the whitelists and keeps them as rows.
    fn push_rows(
        &mut self,
        mapping: &Mapping,
        policy: &Policy,
        rule: &Rule,
        matches: Vec<Match>,
    ) -> Result<(), Failure> {
        for Match { message, trigger_id: identifier, finding } in matches {
            let identifier = identifier.unwrap_or_else(|| trigger_id(rule.gate, rule.trigger, &message));
            let mut whitelisted = None;
            for position in &mapping.whitelists {
                let whitelist = &self.compiled.whitelists[*position];
                whitelisted = whitelist.find(rule.gate, &identifier, self.now, &mut self.budget)?;
                if whitelisted.is_some() {
                    break;
                }
            }
            if whitelisted.is_none() {
                whitelisted = finding.and_then(|finding| self.accepted.find(finding));
            }
            self.rows.push(DecisionRow {
                trigger_id: identifier,
                gate: rule.gate.to_owned(),
                trigger: rule.trigger.to_owned(),
                message,
                action: if whitelisted.is_some() { Action::Go } else { rule.action },
                whitelisted,
                policy_id: policy.id.clone(),
                finding,
            });
        }
        Ok(())
    }

    fn policy_action(&self) -> Action {
        self.rows.iter().map(|row| row.action).max().unwrap_or(Action::Go)
    }

    fn decided(&mut self, whitelisted: Option<usize>, blacklisted: Option<usize>) -> Decision {
        let policy_action = self.policy_action();
        let (final_action, reason) = match (blacklisted, whitelisted) {
            (Some(_), _) => (Action::Stop, DecisionReason::Blacklisted),
            (None, Some(_)) => (Action::Go, DecisionReason::Whitelisted),
            (None, None) => (policy_action, DecisionReason::PolicyEvaluation),
        };
        Decision {
            policy_id: self.policy_id.to_owned(),
            final_action,
            reason,
            policy_action,
            rows: std::mem::take(&mut self.rows),
            matched_mapping: self.matched_mapping,
            matched_whitelisted_image: whitelisted,
            matched_blacklisted_image: blacklisted,
            exceptions: std::mem::take(&mut self.accepted).into_applied(),
            problems: std::mem::take(&mut self.problems),
        }
    }

    /// The decision when nothing could be evaluated.
    fn refused(&self, problems: Vec<EvaluationProblem>) -> Decision {
        Decision {
            policy_id: self.policy_id.to_owned(),
            final_action: Action::Stop,
            reason: DecisionReason::PolicyEvaluation,
            policy_action: Action::Stop,
            rows: Vec::new(),
            matched_mapping: self.matched_mapping,
            matched_whitelisted_image: None,
            matched_blacklisted_image: None,
            exceptions: Vec::new(),
            problems,
        }
    }
}
