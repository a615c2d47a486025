//! The little that matters of large files, taken out of them while their layer streams by.

/// Sees the content of regular files once and keeps a few bytes of each: the modules of an executable, the names in an archive.
///
/// Calls come as `start`, any number of `read`, `end`, file after file in the order of the archive. What `end` returns is
/// found again at [`crate::Entry::extract`].
pub trait FileExtractor {
    /// A file begins. Returns whether its content is to be read; if not, neither `read` nor `end` follow.
    fn start(&mut self, file: &FileStart<'_>) -> bool;

    /// The next bytes of the file.
    fn read(&mut self, bytes: &[u8]);

    /// The file is over. Returns what is to be kept of it; it counts against `kept_bytes_max`.
    fn end(&mut self) -> Option<Vec<u8>>;
}

/// What is known of a file before its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStart<'a> {
    /// Its path in the archive.
    pub path: &'a str,
    /// Bytes of its content.
    pub size_bytes: u64,
    /// Whether anybody may execute it.
    pub is_executable: bool,
}
