//! Exceptions: somebody has accepted, for a time and with a reason, that a vulnerability is in an image.

use jiff::Timestamp;

use crate::Digest;

/// Which images an exception is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExceptionScope {
    /// All images of the account.
    Account,
    /// The image of this digest.
    Digest(Digest),
    /// Images whose `registry/repository` matches this text, in which `*` stands for anything.
    Repository(String),
}

/// One accepted vulnerability. It belongs to one account and never concerns another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyException {
    /// Its identifier, unique in the account.
    pub id: String,
    /// The vulnerability: the identifier of a finding or one of its aliases.
    pub vulnerability: String,
    /// Name of the package; `None` is every package with this vulnerability.
    pub package: Option<String>,
    /// Which images.
    pub scope: ExceptionScope,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// From when on it does not hold; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// A VEX document that says the same, for auditors.
    pub vex_url: Option<String>,
}

impl PolicyException {
    /// Whether it still holds.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}
