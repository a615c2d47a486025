//! Rust: the crates that an executable was built from, which `cargo auditable` puts into a section of it.

mod deflate;
mod packages;
mod search;
#[cfg(test)]
mod tests;

pub(crate) use packages::parse;
pub(crate) use search::AuditSearch;

/// The crates as JSON, or why they could not be read.
pub(crate) const TAG_CRATES: u8 = 20;
