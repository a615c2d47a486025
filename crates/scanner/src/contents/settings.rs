//! What is looked for in the files of an image, and what that may cost.

use super::pattern::{NamedPattern, PatternError};

/// Names and patterns of secrets that policies written for the original know; the text is part of what policies compare.
const DEFAULT_SECRET_PATTERNS: [&str; 5] = [
    r"AWS_ACCESS_KEY=(?i).*aws_access_key_id( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20}(?![A-Z0-9]).*",
    r"AWS_SECRET_KEY=(?i).*aws_secret_access_key( *=+ *).*(?<![A-Za-z0-9/+=])[A-Za-z0-9/+=]{40}(?![A-Za-z0-9/+=]).*",
    r"PRIV_KEY=(?i)-+BEGIN(.*)PRIVATE KEY-+",
    r#"DOCKER_AUTH=(?i).*"auth": *".+""#,
    r"API_KEY=(?i).*api(-|_)key( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20,60}(?![A-Z0-9]).*",
];

/// The file whose content is always kept, for policies about users.
pub(crate) const PASSWORD_FILE: &str = "etc/passwd";

/// What is looked for in the files of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentSettings {
    /// Files whose content is kept: absolute paths, or paths with `*`, `?`, `[…]`, `{…}`; `**` goes through folders.
    pub retrieved_paths: Vec<String>,
    /// Patterns of secrets.
    pub secret_patterns: Vec<NamedPattern>,
    /// Patterns of anything else.
    pub content_patterns: Vec<NamedPattern>,
    /// What that may cost.
    pub limits: ContentLimits,
}

/// What looking into the files of one image may cost. Every value is the largest that is still accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentLimits {
    /// Bytes of a text file that are searched, from its beginning.
    pub searched_bytes_max: usize,
    /// Bytes of any other file that are searched, from its beginning.
    pub binary_bytes_max: usize,
    /// Bytes of a line; longer ones are searched in pieces of that length.
    pub line_bytes_max: usize,
    /// Bytes of a layer that are compared with patterns with look-around or back references, which may go back.
    pub backtracking_bytes_max: usize,
    /// Matches of one layer.
    pub matches_max: usize,
    /// Bytes of one file that is kept.
    pub retrieved_file_bytes_max: u64,
    /// Bytes of all files that are kept.
    pub retrieved_bytes_max: u64,
    /// Files that are kept.
    pub retrieved_files_max: usize,
    /// Paths that are listed with their attributes.
    pub files_max: usize,
    /// Things that could not be read or searched and are told one by one, by kind; the others are counted.
    pub diagnostics_max: usize,
}

impl Default for ContentLimits {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            searched_bytes_max: MIB,
            binary_bytes_max: 64 * 1024,
            line_bytes_max: 16 * 1024,
            backtracking_bytes_max: 64 * MIB,
            matches_max: 20_000,
            retrieved_file_bytes_max: MIB as u64,
            retrieved_bytes_max: 16 * MIB as u64,
            retrieved_files_max: 1_000,
            files_max: 1_000_000,
            diagnostics_max: 20,
        }
    }
}

impl ContentLimits {
    /// How many bytes of a file are searched.
    pub(crate) fn bytes_max(&self, is_binary: bool) -> usize {
        if is_binary { self.binary_bytes_max } else { self.searched_bytes_max }
    }
}

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentSettingsError {
    /// A path does not begin with a slash.
    #[error("path `{0}` is not absolute")]
    RelativePath(String),
    /// A path with wildcards is not understood.
    #[error("path `{path}` is not a valid pattern: {reason}")]
    BadPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern is not usable.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// There are more patterns than anybody needs.
    #[error("there are {count} patterns (limit {maximum})")]
    TooManyPatterns {
        /// How many.
        count: usize,
        /// How many there may be.
        maximum: usize,
    },
    /// There are more paths than anybody needs.
    #[error("there are {count} paths of files to keep (limit {maximum})")]
    TooManyPaths {
        /// How many.
        count: usize,
        /// How many there may be.
        maximum: usize,
    },
}

impl Default for ContentSettings {
    /// `/etc/passwd` is kept, the five well-known secrets are searched.
    fn default() -> Self {
        Self {
            retrieved_paths: vec![format!("/{PASSWORD_FILE}")],
            secret_patterns: Self::default_secret_patterns(),
            content_patterns: Vec::new(),
            limits: ContentLimits::default(),
        }
    }
}

impl ContentSettings {
    /// Nothing is searched and nothing is kept but `/etc/passwd`; attributes and checksums are listed.
    pub fn attributes_only() -> Self {
        Self { retrieved_paths: Vec::new(), secret_patterns: Vec::new(), ..Self::default() }
    }

    /// The patterns of the five secrets that the original looks for.
    pub fn default_secret_patterns() -> Vec<NamedPattern> {
        DEFAULT_SECRET_PATTERNS.into_iter().map(NamedPattern::split).collect()
    }

    /// Says what is wrong with paths or patterns, for the place where they are configured.
    pub fn check(&self) -> Result<(), ContentSettingsError> {
        super::Search::new(self).map(|_| ())
    }
}
