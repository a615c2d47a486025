//! The crate at its boundary: registries (a real one and one that misbehaves) and archives.

mod archives;
mod faults;
mod registry;
mod support;
