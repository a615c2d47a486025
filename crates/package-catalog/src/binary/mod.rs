//! Programs that no package manager knows, recognised by what their executables say about themselves.
//!
//! A [`Classifier`](classifier::Classifier) claims files by their base name and has rules: a literal that stands near the version,
//! and an expression for the bytes around it. All rules are rows of [`table`]; all literals are looked for in one pass.

mod classifier;
mod index;
mod package;
mod search;
mod settle;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use package::{parse_left_out, parse_program, platform_name};
pub(crate) use search::ClassifierSearch;
pub(crate) use settle::settle;

/// A program: id of its product, version, release and update.
pub(crate) const TAG_PROGRAM: u8 = 22;
/// Nothing: the file holds more that looks like versions than is tried.
pub(crate) const TAG_LEFT_OUT: u8 = 23;
