//! Exceptions of an account, laid over the findings of one image: which of them somebody has accepted.

use std::collections::{BTreeMap, BTreeSet};

use model::{ExceptionScope, ImageFacts, PolicyException, WhitelistedBy};

use crate::budget::{Budget, Failure};
use crate::image_rule::Target;
use crate::judge::EvaluationInput;
use crate::pattern::Pattern;

/// The name that stands in a row for the exceptions of an account, where a whitelist's name would.
const EXCEPTIONS_NAME: &str = "exceptions";

/// Which findings are accepted, and which exceptions have mattered so far.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    /// Identifier of the exception, by position of the finding; empty when there are no exceptions about the image.
    by_finding: Vec<Option<String>>,
    applied: BTreeSet<String>,
}

impl Accepted {
    /// Looks each finding up under its identifier and its aliases. Of several exceptions the first in order counts.
    pub(crate) fn new(input: &EvaluationInput<'_>, budget: &mut Budget) -> Result<Self, Failure> {
        let mut by_vulnerability: BTreeMap<&str, Vec<(usize, &PolicyException)>> = BTreeMap::new();
        let target = Target::new(input.reference, Some(input.image));
        for (position, exception) in input.exceptions.iter().enumerate() {
            budget.spend(1)?;
            if exception.is_live(input.now) && is_about(&exception.scope, &target, input.image, budget)? {
                by_vulnerability.entry(&exception.vulnerability).or_default().push((position, exception));
            }
        }
        if by_vulnerability.is_empty() {
            return Ok(Self::default());
        }
        let mut by_finding = Vec::with_capacity(input.report.findings.len());
        for finding in &input.report.findings {
            let mut first: Option<(usize, &PolicyException)> = None;
            for name in std::iter::once(&finding.id).chain(&finding.aliases) {
                let candidates = by_vulnerability.get(name.as_str()).map_or(&[][..], Vec::as_slice);
                budget.spend(1 + candidates.len() as u64)?;
                let found = candidates.iter().copied().find(|(_, exception)| {
                    exception.package.as_ref().is_none_or(|package| *package == finding.package)
                });
                first = first.into_iter().chain(found).min_by_key(|(position, _)| *position);
            }
            by_finding.push(first.map(|(_, exception)| exception.id.clone()));
        }
        Ok(Self { by_finding, applied: BTreeSet::new() })
    }

    /// Whether a finding is accepted; if so, the exception counts as applied.
    pub(crate) fn covers(&mut self, finding: usize) -> bool {
        self.find(finding).is_some()
    }

    /// What stands in the row of an accepted finding.
    pub(crate) fn find(&mut self, finding: usize) -> Option<WhitelistedBy> {
        let id = self.by_finding.get(finding)?.as_ref()?;
        if !self.applied.contains(id) {
            self.applied.insert(id.clone());
        }
        Some(WhitelistedBy {
            whitelist_name: EXCEPTIONS_NAME.to_owned(),
            whitelist_id: id.clone(),
            matched_rule_id: None,
        })
    }

    /// The exceptions that changed something, by identifier.
    pub(crate) fn into_applied(self) -> Vec<String> {
        self.applied.into_iter().collect()
    }
}

/// Whether an exception is about the image.
fn is_about(
    scope: &ExceptionScope,
    target: &Target<'_>,
    image: &ImageFacts,
    budget: &mut Budget,
) -> Result<bool, Failure> {
    match scope {
        ExceptionScope::Account => Ok(true),
        // People copy the digest of the index as often as that of the platform's manifest.
        ExceptionScope::Digest(digest) => Ok(*digest == image.digest || *digest == image.parent_digest),
        ExceptionScope::Repository(text) => {
            Pattern::with_stars_only(text).is_match(&target.full_repository(), budget)
        }
    }
}
