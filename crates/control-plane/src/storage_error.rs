//! The control plane's tables could not be read or written.

use jiff::Timestamp;

pub(crate) use storage::chain;

/// What was tried; the cause is the source. Always our fault or the disk's, never the caller's.
#[derive(Debug, thiserror::Error)]
#[error("{action} in the control plane's tables")]
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

/// The next number of a kind of things, never given before. Call it in the transaction that uses it.
pub(crate) async fn next_number(
    tx: &mut storage::WriteTransaction,
    kind: &'static str,
) -> Result<i64, StorageError> {
    storage::query(
        "INSERT INTO plane_numbers (kind, last) VALUES ($1, 1) \
         ON CONFLICT (kind) DO UPDATE SET last = plane_numbers.last + 1 RETURNING last",
    )
    .bind(kind)
    .fetch_value(tx)
    .await
    .map_err(StorageError::at("count"))
}

/// A time as the wire has it: UTC, to the second.
pub(crate) fn wire_time(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
