//! What is said about errors of the engine's own tables.

pub use storage::StorageError;
pub(crate) use storage::chain;
