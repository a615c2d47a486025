//! The decision itself: pure functions on values, so that every row of the table can be tested.

use std::borrow::Cow;
use std::sync::Arc;

use model::{Decision, ImageReference};

use crate::images::ObjectKind;
use crate::index::UndecidedMode;
use crate::review::Operation;
use crate::source::{Verdict, VerdictReason};

/// What a review asks of us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task<'a> {
    /// Nothing: allowed, without an audit.
    Nothing,
    /// These images are in a template: warn about what is known, wait for nothing.
    Warn(Vec<Cow<'a, str>>),
    /// These images want to run: decide.
    Judge(Vec<Cow<'a, str>>),
}

/// What is to be done with the images of an object, given those of its former state.
///
/// Only images that the change brings in count: a policy that became stricter must not block the update of a Pod's
/// labels, and the kubelet's own updates must not depend on any engine.
pub fn plan_review<'a>(
    kind: ObjectKind,
    operation: Operation,
    images: Vec<Cow<'a, str>>,
    old_images: &[Cow<'_, str>],
) -> Task<'a> {
    let new_images: Vec<_> = match operation {
        Operation::Create => images,
        Operation::Update => images.into_iter().filter(|image| !old_images.contains(image)).collect(),
        Operation::Other => Vec::new(),
    };
    match kind {
        _ if new_images.is_empty() => Task::Nothing,
        ObjectKind::Pod => Task::Judge(new_images),
        ObjectKind::Workload => Task::Warn(new_images),
        ObjectKind::Other => Task::Nothing,
    }
}

/// What is known about one image when the time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageOutcome {
    /// The policy lets it run.
    Passed(Arc<Verdict>),
    /// The policy refuses it.
    Refused(Arc<Verdict>),
    /// It is refused whatever is in it.
    RefusedUnseen {
        /// One line for people.
        why: String,
        /// The bundle that refuses, where one does.
        policy_id: Option<String>,
    },
    /// Nobody knows.
    Undecided {
        /// One line for people.
        why: String,
    },
}

impl ImageOutcome {
    /// The outcome of a verdict.
    pub fn from_verdict(verdict: Arc<Verdict>) -> Self {
        if verdict.is_pass { Self::Passed(verdict) } else { Self::Refused(verdict) }
    }

    /// The outcome of a bundle that refuses without looking.
    pub fn from_unseen(decision: &Decision) -> Self {
        let row = decision.rows.iter().find(|row| row.action == model::Action::Stop);
        let why = match row {
            Some(row) => format!("{} ({}/{})", row.message, row.gate, row.trigger),
            None => format!("refused by policy `{}`", decision.policy_id),
        };
        Self::RefusedUnseen { why, policy_id: Some(decision.policy_id.clone()) }
    }

    /// The verdict, where there is one.
    pub fn verdict(&self) -> Option<&Arc<Verdict>> {
        match self {
            Self::Passed(verdict) | Self::Refused(verdict) => Some(verdict),
            Self::RefusedUnseen { .. } | Self::Undecided { .. } => None,
        }
    }
}

/// One image with what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedImage {
    /// As written in the Pod.
    pub written: String,
    /// Completed; `None` where it is no name of an image.
    pub reference: Option<ImageReference>,
    /// What is known.
    pub outcome: ImageOutcome,
}

/// The decision about a Pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// Every image has an explicit good verdict.
    Allowed,
    /// The release is exempt, whatever the images are.
    Whitelisted,
    /// Nothing is refused, something is unknown, and the namespace lets that pass.
    AllowedUndecided,
    /// At least one image is refused.
    Denied,
    /// Nothing is refused, something is unknown, and the namespace refuses that.
    DeniedUndecided,
}

impl Ruling {
    /// Whether the Pod may be stored.
    pub fn is_allowed(self) -> bool {
        match self {
            Self::Allowed | Self::Whitelisted | Self::AllowedUndecided => true,
            Self::Denied | Self::DeniedUndecided => false,
        }
    }
}

/// Decides about a Pod.
pub fn decide(images: &[JudgedImage], is_exempt: bool, mode: UndecidedMode) -> Ruling {
    if is_exempt {
        return Ruling::Whitelisted;
    }
    let mut ruling = Ruling::Allowed;
    for image in images {
        match (&image.outcome, mode) {
            (ImageOutcome::Refused(_) | ImageOutcome::RefusedUnseen { .. }, _) => return Ruling::Denied,
            (ImageOutcome::Undecided { .. }, UndecidedMode::Deny) => ruling = Ruling::DeniedUndecided,
            (ImageOutcome::Undecided { .. }, UndecidedMode::Allow) => ruling = Ruling::AllowedUndecided,
            (ImageOutcome::Passed(_), _) => {}
        }
    }
    ruling
}

/// The reasons that people should read first: worst severity, then those with a fix, then as the policy has them.
pub fn sort_reasons(reasons: &[VerdictReason]) -> Vec<&VerdictReason> {
    let mut sorted: Vec<&VerdictReason> = reasons.iter().collect();
    sorted.sort_by_key(|reason| std::cmp::Reverse((reason.severity, reason.fixed_in.is_some())));
    sorted
}
