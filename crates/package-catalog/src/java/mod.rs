//! Java: archives and the archives in them, read while they stream by.
//!
//! An archive is a package of Maven. Which one, its Maven properties say, or its manifest and its file name; the properties of other
//! packages in it are packages whose classes were put into it.

mod archive;
mod directory;
mod entry;
mod facts;
mod file_name;
mod folders;
mod groups;
mod identity;
mod limits;
mod parse;
mod pom;
mod search;
#[cfg(test)]
mod tests;
mod zip;

pub(crate) use archive::is_archive_name;
pub use limits::ArchiveLimits;
pub(crate) use parse::parse_archive;
pub(crate) use search::{ArchiveSearch, TAG_ARCHIVE};
