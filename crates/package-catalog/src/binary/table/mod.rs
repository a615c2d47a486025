//! The rows: which program is known by what.
//!
//! In an expression `<…>` is the version, `#2`, `#3` and `#4` are so many numbers with dots between them, `«name»` opens another
//! group: `release` and `update` of a version that has both.

mod databases;
mod go_programs;
mod java;
mod languages;
mod servers;
mod tools;

use super::classifier::Classifier;

/// All classifiers.
pub(super) fn classifiers() -> impl Iterator<Item = &'static Classifier> {
    [databases::ROWS, go_programs::ROWS, java::ROWS, languages::ROWS, servers::ROWS, tools::ROWS]
        .into_iter()
        .flatten()
}
