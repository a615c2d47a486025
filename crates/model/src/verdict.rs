//! What a policy says about one image, with reasons that people and programs can act on.

use jiff::Timestamp;

use crate::{Digest, Severity};

/// What a policy says about one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The image that was judged.
    pub digest: Digest,
    /// When the tag was resolved to that digest.
    pub resolved_at: Timestamp,
    /// Whether it may run.
    pub is_pass: bool,
    /// The bundle that decided.
    pub policy_id: String,
    /// Which state of the bundle.
    pub policy_revision: String,
    /// Which state of the vulnerability data.
    pub database_revision: String,
    /// Why it may not run.
    pub reasons: Vec<VerdictReason>,
    /// What is wrong with it although it may run.
    pub warnings: Vec<VerdictReason>,
    /// When it was judged.
    pub evaluated_at: Timestamp,
}

/// One match of one rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerdictReason {
    /// Gate of the rule.
    pub gate: String,
    /// Trigger of the rule.
    pub trigger: String,
    /// What the rule says.
    pub message: String,
    /// The vulnerability, for rules about one.
    pub vulnerability: Option<String>,
    /// The package it is in.
    pub package: Option<String>,
    /// The installed version.
    pub installed: Option<String>,
    /// The version that fixes it.
    pub fixed_in: Option<String>,
    /// How bad it is.
    pub severity: Option<Severity>,
}
