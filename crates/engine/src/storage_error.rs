//! The engine's own tables could not be read or written.

pub(crate) use storage::chain;

/// What was tried; the cause is the source. Always the engine's fault or its disk's, never the caller's.
#[derive(Debug, thiserror::Error)]
#[error("{action} in the engine's database")]
pub struct StorageError {
    action: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl StorageError {
    pub(crate) fn new(
        action: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { action, source: source.into() }
    }

    /// For `map_err`.
    pub(crate) fn at<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        action: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::new(action, source)
    }
}
