//! Paths in which nothing is looked for.

use std::path::Path;

use globset::{Error, Glob, GlobSet, GlobSetBuilder};

/// Patterns of paths in which nothing is looked for, without a leading slash.
#[derive(Debug, Clone, Default)]
pub struct ExcludedPaths {
    globs: Vec<Glob>,
    set: GlobSet,
}

impl ExcludedPaths {
    /// Those that any of the patterns matches.
    ///
    /// Errors: together the patterns are too large.
    pub fn new(globs: Vec<Glob>) -> Result<Self, Error> {
        let mut set = GlobSetBuilder::new();
        for glob in &globs {
            set.add(glob.clone());
        }
        Ok(Self { globs, set: set.build()? })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.globs.is_empty()
    }

    pub(crate) fn is_match(&self, path: impl AsRef<Path>) -> bool {
        self.set.is_match(path)
    }

    /// What decides which paths are matched, options of the patterns included.
    pub(crate) fn expressions(&self) -> Vec<&str> {
        self.globs.iter().map(Glob::regex).collect()
    }
}
