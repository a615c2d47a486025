//! Which files are kept: exact paths and paths with wildcards.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::settings::{ContentSettingsError, PASSWORD_FILE};

/// More paths than anybody needs.
const PATHS_MAX: usize = 1_000;

/// The paths of a setting, without their leading slash.
#[derive(Debug)]
pub(crate) struct RetrievedPaths {
    /// Sorted.
    exact: Vec<String>,
    globs: GlobSet,
    /// The folders that paths with wildcards begin with.
    glob_folders: Vec<String>,
}

impl RetrievedPaths {
    pub(crate) fn new(paths: &[String]) -> Result<Self, ContentSettingsError> {
        if paths.len() > PATHS_MAX {
            return Err(ContentSettingsError::TooManyPaths { count: paths.len(), maximum: PATHS_MAX });
        }
        let (mut exact, mut globs, mut glob_folders) = (Vec::new(), GlobSetBuilder::new(), Vec::new());
        for path in paths {
            let inner = path.strip_prefix('/').filter(|inner| !inner.is_empty());
            let inner = inner.ok_or_else(|| ContentSettingsError::RelativePath(path.clone()))?;
            let Some(wildcard) = inner.find(['*', '?', '[', '{', '\\']) else {
                exact.push(inner.to_owned());
                continue;
            };
            glob_folders.extend(inner[..wildcard].rsplit_once('/').map(|(folder, _)| folder.to_owned()));
            let bad = |error: globset::Error| ContentSettingsError::BadPath {
                path: path.clone(),
                reason: error.kind().to_string(),
            };
            globs.add(GlobBuilder::new(inner).literal_separator(true).build().map_err(bad)?);
        }
        exact.sort();
        exact.dedup();
        let globs = globs.build().map_err(|error| ContentSettingsError::BadPath {
            path: paths.join(", "),
            reason: error.kind().to_string(),
        })?;
        glob_folders.sort();
        glob_folders.dedup();
        Ok(Self { exact, globs, glob_folders })
    }

    /// Whether the content of the file at this path, without a leading slash, is of use.
    pub(crate) fn is_wanted(&self, path: &str) -> bool {
        path == PASSWORD_FILE || self.is_named(path)
    }

    /// Whether a setting names this path.
    pub(crate) fn is_named(&self, path: &str) -> bool {
        self.exact.binary_search_by(|known| known.as_str().cmp(path)).is_ok() || self.is_glob_match(path)
    }

    /// Whether a path with wildcards names this path.
    pub(crate) fn is_glob_match(&self, path: &str) -> bool {
        !self.globs.is_empty() && self.globs.is_match(path)
    }

    /// The paths without wildcards.
    pub(crate) fn exact(&self) -> &[String] {
        &self.exact
    }

    /// Whether there are paths with wildcards.
    pub(crate) fn has_globs(&self) -> bool {
        !self.globs.is_empty()
    }

    /// The folders that paths with wildcards begin with; a link may stand at one of them.
    pub(crate) fn glob_folders(&self) -> Vec<&str> {
        self.glob_folders.iter().map(String::as_str).collect()
    }
}
