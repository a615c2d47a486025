//! What was found out about the signatures of an image.

/// The signatures of one image, after they were looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignatureCheck {
    /// Who signed it, of the signatures that hold: a key's name or an identity, sorted.
    pub signers: Vec<String>,
    /// Signatures that do not hold, in words.
    pub problems: Vec<String>,
}
