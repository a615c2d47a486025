//! Why a version cannot be ordered.

/// A version that cannot be ordered by the rules of its package manager.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseVersionError {
    /// There is no text.
    #[error("version is empty")]
    Empty,
    /// Longer than any version is.
    #[error("version has {bytes} bytes (limit {bytes_max})")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// Blanks, control characters or characters outside of ASCII.
    #[error("version `{version}` has the character {character:?}, which no version may hold")]
    BadCharacter {
        /// The version.
        version: String,
        /// The first such character.
        character: char,
    },
    /// The text before the first colon is not a number.
    #[error("version `{version}` has the epoch `{epoch}`, which is not a number")]
    BadEpoch {
        /// The version.
        version: String,
        /// What stands before the colon.
        epoch: String,
    },
    /// A part that must have text has none.
    #[error("version `{version}` has an empty {part}")]
    EmptyPart {
        /// The version.
        version: String,
        /// Which part.
        part: &'static str,
    },
    /// Outside of the grammar of the scheme.
    #[error("version `{version}` does not follow the grammar of {scheme}")]
    Malformed {
        /// The version.
        version: String,
        /// Name of the scheme.
        scheme: &'static str,
    },
    /// Two versions differ only where one of them leaves the grammar of the scheme.
    #[error("versions `{a}` and `{b}` differ only in text that {scheme} does not define")]
    Undecidable {
        /// The one.
        a: String,
        /// The other.
        b: String,
        /// Name of the scheme.
        scheme: &'static str,
    },
}
