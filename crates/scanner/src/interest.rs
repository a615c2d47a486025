//! What is looked for in the files of one image: packages always, contents when the options ask for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use image_layers::{ImageTree, Layer, MissingBody, squash};
use model::{ImageContents, Inventory, Package};
use package_catalog::{CatalogLimits, LayerExtractor};

use crate::contents::{
    Collection, ContentSettings, KeptBytes, LayerFindings, LayerObserver, Search, compare_owned,
};
use crate::error::ScanError;
use crate::excluded::ExcludedPaths;
use crate::options::{ScanOptions, Scope};
use crate::progress::{Progress, Stopwatch};

/// What is looked for, and what was kept of it so far.
pub(crate) struct Interest {
    scope: Scope,
    contents: Option<(ContentSettings, Arc<Search>)>,
    kept_bytes: KeptBytes,
    excluded: ExcludedPaths,
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
        Ok(Self {
            scope: options.scope,
            contents,
            kept_bytes: KeptBytes::default(),
            excluded: options.excluded.clone(),
        })
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
        let mut missing = package_catalog::missing(tree);
        if let Some((settings, search)) = &self.contents {
            missing.extend(Collection::new(settings, search, tree).missing());
            missing.sort();
            missing.dedup();
        }
        missing
    }

    /// The layers that are looked at one by one besides what a container sees of them.
    pub(crate) fn single_layers(&self, layers: &[Layer]) -> Vec<Layer> {
        match self.scope {
            Scope::Squashed => Vec::new(),
            Scope::AllLayers => layers.to_vec(),
        }
    }

    /// Lists packages and contents. Blocking.
    pub(crate) fn catalog(
        &self,
        tree: &ImageTree,
        single_layers: Vec<Layer>,
        findings: &[LayerFindings],
        progress: Option<&dyn Progress>,
    ) -> (Inventory, Option<ImageContents>) {
        let mut stopwatch = Stopwatch::default();
        let mut inventory = package_catalog::catalog_watched(tree, &CatalogLimits::default(), &mut stopwatch);
        if let Some(progress) = progress {
            progress.catalogers(&stopwatch.times);
        }
        add_hidden(&mut inventory, single_layers);
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

/// Packages that only single layers have: later ones have replaced or removed them.
fn add_hidden(inventory: &mut Inventory, layers: Vec<Layer>) {
    let limits = CatalogLimits::default();
    let key = |package: &Package| (package.kind, package.name.clone(), package.version.clone());
    let mut known: BTreeSet<_> = inventory.packages.iter().map(key).collect();
    if layers.is_empty() {
        return;
    }
    for layer in layers {
        let tree = squash(vec![layer]);
        let part = package_catalog::catalog_part(&tree, inventory.distro.as_ref(), &limits);
        inventory.packages.extend(part.packages.into_iter().filter(|package| known.insert(key(package))));
        inventory.diagnostics.extend(part.diagnostics);
    }
    inventory.packages.sort_by(|left, right| {
        let key = |package: &Package| (package.kind, package.name.clone(), package.version.clone());
        key(left).cmp(&key(right)).then_with(|| left.cmp(right))
    });
    inventory.diagnostics.sort();
    inventory.diagnostics.dedup();
}
