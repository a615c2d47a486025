//! The archive of analyses: images that nobody runs any more, kept without being matched and judged.
//!
//! An archived image is the rows that make it up, copied value by value, so that it comes back as it was.

mod content;
mod images;
mod rules;
mod transition;

pub use images::{ArchiveImage, ArchiveSummary, ArchivedImage, ArchivedTag, RestoreImageError};
pub use rules::{ArchiveRule, ArchiveRuleError, Exclusion, NewArchiveRule, Selector, Transition};
pub(crate) use transition::apply_rules;
