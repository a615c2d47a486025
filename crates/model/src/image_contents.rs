//! What the files of an image say: their attributes, the few whose content a setting names, and what was searched for in them.
//!
//! Paths are absolute. File content is in here for two kinds of files only: `/etc/passwd`, and those that a setting names.

use crate::Diagnostic;

/// What a path of an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileKind {
    /// A regular file; a hard link counts as one.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    SymbolicLink,
    /// A device, a pipe, a socket.
    Other,
}

impl FileKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::File, Self::Directory, Self::SymbolicLink, Self::Other];

    /// The word on the wire of the Anchore API.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "dir",
            Self::SymbolicLink => "slink",
            Self::Other => "dev",
        }
    }

    /// The kind of this word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The type bits of a Unix mode.
    pub fn mode_bits(self) -> u32 {
        match self {
            Self::File => 0o100_000,
            Self::Directory => 0o040_000,
            Self::SymbolicLink => 0o120_000,
            Self::Other => 0o020_000,
        }
    }
}

/// Attributes of one path of the squashed image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileEntry {
    /// Absolute path.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Permission bits with set-user-id, set-group-id and sticky, without the type: at most `0o7777`.
    pub permissions: u32,
    /// Numeric owner.
    pub user_id: u64,
    /// Numeric group.
    pub group_id: u64,
    /// Bytes of a regular file; 0 for everything else.
    pub size_bytes: u64,
    /// SHA-256 of a regular file's content; of nothing else.
    pub sha256: Option<[u8; 32]>,
    /// Target of a symbolic link, as written.
    pub link_target: Option<String>,
}

impl FileEntry {
    /// The Unix mode with its type bits, as `stat` has it.
    pub fn mode(&self) -> u32 {
        self.kind.mode_bits() | self.permissions
    }
}

/// A file whose content was kept because a setting names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RetrievedFile {
    /// Absolute path.
    pub path: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// A pattern that a setting names was found in a file. What was found is never kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PatternMatch {
    /// Absolute path.
    pub path: String,
    /// Name of the pattern; empty when the setting gives none.
    pub name: String,
    /// The pattern itself.
    pub pattern: String,
}

impl PatternMatch {
    /// `name=pattern`, or the pattern alone when it has no name.
    pub fn label(&self) -> String {
        if self.name.is_empty() { self.pattern.clone() } else { format!("{}={}", self.name, self.pattern) }
    }
}

/// One suspicious file that a malware scanner reported.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MalwareFinding {
    /// Absolute path.
    pub path: String,
    /// What the scanner calls it.
    pub signature: String,
}

/// What one malware scanner said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MalwareScan {
    /// Its name: `clamav`.
    pub scanner: String,
    /// What it found.
    pub findings: Vec<MalwareFinding>,
}

/// Everything known about the files of one image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageContents {
    /// All paths, sorted.
    pub files: Vec<FileEntry>,
    /// The bytes of `/etc/passwd`; `None` when there is none.
    pub password_file: Option<Vec<u8>>,
    /// Files kept because a setting names them, sorted by path.
    pub retrieved: Vec<RetrievedFile>,
    /// Where the secret patterns were found, sorted.
    pub secret_matches: Vec<PatternMatch>,
    /// Where the content patterns were found, sorted.
    pub content_matches: Vec<PatternMatch>,
    /// What malware scanners said; empty: none has looked.
    pub malware_scans: Vec<MalwareScan>,
    /// What could not be read or searched.
    pub diagnostics: Vec<Diagnostic>,
}

impl ImageContents {
    /// The entry of this absolute path.
    pub fn find_file(&self, path: &str) -> Option<&FileEntry> {
        let position = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(position)
    }
}
