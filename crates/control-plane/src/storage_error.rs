//! What is said about errors of the control plane's tables, and what its rows and answers share.

use jiff::Timestamp;

pub use storage::StorageError;
pub(crate) use storage::chain;

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
