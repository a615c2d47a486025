//! Executables that say in a note which package of which system they belong to, where that system's own list did not come along.
//!
//! Whether it did is known only when all is read, so a note gives a package of no kind with the package URL of the stated one;
//! [`crate::binary::settle`] makes it one of that kind or takes it away.
//!
//! Source: UAPI group, "ELF Package Metadata"; System V ABI, program headers and notes.

mod note;
mod package;
mod reader;
#[cfg(test)]
mod tests;

pub(crate) use note::NoteSearch;
pub(crate) use package::parse;
pub(crate) use reader::Reader;

/// The note as it is.
pub(crate) const TAG_NOTE: u8 = 21;
