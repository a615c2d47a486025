//! The tables of a crate could not be read or written.

/// What was tried; the cause is the source. Always our fault or the disk's, never the caller's.
#[derive(Debug, thiserror::Error)]
#[error("{action} in the database")]
pub struct StorageError {
    action: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl StorageError {
    /// What was tried, and why it failed.
    pub fn new(action: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { action, source: source.into() }
    }

    /// For `map_err`.
    pub fn at<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        action: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::new(action, source)
    }
}
