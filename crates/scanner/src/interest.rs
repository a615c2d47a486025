//! What is looked for in the files of one image: packages always, contents when the options ask for them.

use std::sync::Arc;

use globset::GlobSet;
use image_layers::{ImageTree, MissingBody};
use model::{ImageContents, Inventory};
use package_catalog::{CatalogLimits, LayerExtractor};

use crate::contents::{
    Collection, ContentSettings, KeptBytes, LayerFindings, LayerObserver, Search, compare_owned,
};
use crate::error::ScanError;
use crate::options::ScanOptions;

/// What is looked for, and what was kept of it so far.
pub(crate) struct Interest {
    contents: Option<(ContentSettings, Arc<Search>)>,
    kept_bytes: KeptBytes,
    excluded: GlobSet,
}

impl Interest {
    pub(crate) fn new(options: &ScanOptions) -> Result<Self, ScanError> {
        let contents = match &options.contents {
            Some(settings) => {
                let search =
                    Search::new(settings).map_err(|source| ScanError::BadContentSettings { source })?;
                Some((settings.clone(), Arc::new(search)))
            }
            None => None,
        };
        Ok(Self { contents, kept_bytes: KeptBytes::default(), excluded: options.excluded.clone() })
    }

    /// Who looks at the files of one layer.
    pub(crate) fn lookers(&self) -> (Option<LayerExtractor>, Option<LayerObserver>) {
        let observer = self
            .contents
            .as_ref()
            .map(|(_, search)| LayerObserver::new(Arc::clone(search), Arc::clone(&self.kept_bytes)));
        (Some(LayerExtractor::new(&CatalogLimits::default())), observer)
    }

    /// Files that only links make wanted.
    pub(crate) fn missing(&self, tree: &ImageTree) -> Vec<MissingBody> {
        let mut missing = tree.missing(package_catalog::wanted_paths(), &package_catalog::is_wanted);
        if let Some((settings, search)) = &self.contents {
            missing.extend(Collection::new(settings, search, tree).missing());
            missing.sort();
            missing.dedup();
        }
        missing
    }

    /// Lists packages and contents. Blocking.
    pub(crate) fn catalog(
        &self,
        tree: &ImageTree,
        findings: &[LayerFindings],
    ) -> (Inventory, Option<ImageContents>) {
        let mut inventory = package_catalog::catalog(tree, &CatalogLimits::default());
        self.leave_out(&mut inventory);
        if self.contents.is_some() {
            compare_owned(tree, &mut inventory);
        }
        let contents = self
            .contents
            .as_ref()
            .map(|(settings, search)| Collection::new(settings, search, tree).collect(findings));
        (inventory, contents)
    }

    /// Packages whose evidence lies only in excluded paths, and what could not be read there.
    fn leave_out(&self, inventory: &mut Inventory) {
        if self.excluded.is_empty() {
            return;
        }
        let is_excluded = |path: &str| self.excluded.is_match(path.trim_start_matches('/'));
        inventory.packages.retain(|package| {
            package.locations.is_empty()
                || !package.locations.iter().all(|location| is_excluded(&location.path))
        });
        inventory.diagnostics.retain(|diagnostic| !is_excluded(&diagnostic.subject));
    }
}
