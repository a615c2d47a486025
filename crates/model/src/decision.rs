//! The verdict of a policy, row by row.

/// What a rule, a policy or a decision asks for; the order is by severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Nothing against it.
    Go,
    /// Let it pass with a warning.
    Warn,
    /// Refuse.
    Stop,
}

impl Action {
    /// Lower case, as results show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Warn => "warn",
            Self::Stop => "stop",
        }
    }
}

/// What decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DecisionReason {
    /// The policies.
    PolicyEvaluation,
    /// The bundle's list of allowed images.
    Whitelisted,
    /// The bundle's list of denied images, which wins over the other.
    Blacklisted,
}

impl DecisionReason {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::PolicyEvaluation => "policy_evaluation",
            Self::Whitelisted => "whitelisted",
            Self::Blacklisted => "blacklisted",
        }
    }
}

/// The whitelist item, or the exception of the account, that turned a row into `go`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhitelistedBy {
    /// Name of the whitelist; `exceptions` for an exception.
    pub whitelist_name: String,
    /// Its id, or the exception's.
    pub whitelist_id: String,
    /// The item's id, if it has one.
    pub matched_rule_id: Option<String>,
}

/// One match of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRow {
    /// Stable identifier that users write into whitelists.
    pub trigger_id: String,
    /// Gate, canonical spelling.
    pub gate: String,
    /// Trigger, canonical spelling.
    pub trigger: String,
    /// What was found.
    pub message: String,
    /// What the rule asks for; `Go` once whitelisted.
    pub action: Action,
    /// Which whitelist item applies.
    pub whitelisted: Option<WhitelistedBy>,
    /// The policy that holds the rule.
    pub policy_id: String,
    /// Position of the finding in the match report, for rows about one.
    pub finding: Option<usize>,
}

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProblemSeverity {
    /// A note.
    Warn,
    /// A mistake.
    Error,
}

impl ProblemSeverity {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A mistake in a bundle, found on upload or while evaluating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationProblem {
    /// The name clients know: `GateNotFoundError`.
    pub problem_type: String,
    /// For people.
    pub details: String,
    /// How much it matters.
    pub severity: ProblemSeverity,
    /// Where in the document, as `policies.0.rules.1`; `None` when it is about no place.
    pub path: Option<String>,
}

/// A rule that was evaluated for an image, whether it fired or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOutcome {
    /// The policy that holds the rule.
    pub policy_id: String,
    /// Its id, if it has one.
    pub rule_id: Option<String>,
    /// Where it stands in the document: `policies.0.rules.1`.
    pub path: String,
    /// Its gate, canonical spelling.
    pub gate: String,
    /// Its trigger, canonical spelling.
    pub trigger: String,
    /// What it asks for.
    pub action: Action,
    /// Its rows in [`Decision::rows`]; an empty range when it did not fire.
    pub rows: std::ops::Range<usize>,
}

/// The verdict about one image under one bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Id of the bundle.
    pub policy_id: String,
    /// The verdict.
    pub final_action: Action,
    /// What decided.
    pub reason: DecisionReason,
    /// The verdict of the policies alone, before the lists of images.
    pub policy_action: Action,
    /// Matches: policy, gate group, rule, match.
    pub rows: Vec<DecisionRow>,
    /// Position of the mapping that was selected.
    pub matched_mapping: Option<usize>,
    /// Position of the allowed image that matched.
    pub matched_whitelisted_image: Option<usize>,
    /// Position of the denied image that matched.
    pub matched_blacklisted_image: Option<usize>,
    /// Identifiers of the account's exceptions that changed a row or a list, sorted.
    pub exceptions: Vec<String>,
    /// Mistakes in the bundle.
    pub problems: Vec<EvaluationProblem>,
}

impl Decision {
    /// Whether the image may run: everything but `stop`.
    pub fn is_pass(&self) -> bool {
        self.final_action != Action::Stop
    }
}
