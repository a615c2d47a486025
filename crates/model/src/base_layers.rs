//! Which packages of an image came with the image that it was built on.

use std::collections::BTreeMap;

use crate::{Digest, Finding, Inventory, Package};

/// An image that somebody names as the base of another one, held against that one's layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBase {
    /// As it was named.
    pub name: String,
    /// Digest of its manifest, then of the index that the name means; empty where its source has none.
    pub digests: Vec<Digest>,
    /// Digest of its configuration.
    pub image_id: Digest,
    /// How many layers it has: so many of the lowest layers are its, if it is the base.
    pub layer_count: usize,
    /// `None`: it is a base.
    pub objection: Option<NotTheBase>,
}

/// Why one image is not the base of another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTheBase {
    /// The other one is a package list that does not say.
    #[error("the layers of the image are not known")]
    UnknownLayers,
    /// Any image could be built on it.
    #[error("it has no layers")]
    NoLayers,
    /// Both have the same: nothing was built on it.
    #[error("the image has its layers and no others")]
    SameLayers,
    /// The image is rather its base.
    #[error("it has {base} layers, the image only {image} of them")]
    MoreLayers {
        /// Layers of the one that is named.
        base: usize,
        /// Layers of the image.
        image: usize,
    },
    /// The lowest layer that is another one, counted from 1.
    #[error("layer {number} differs")]
    LayerDiffers {
        /// Which.
        number: usize,
    },
}

impl NamedBase {
    /// Of several bases the nearest one: with the most layers, and of those the one that was named first.
    pub fn nearest(bases: &[Self]) -> Option<&Self> {
        bases.iter().rev().filter(|base| base.objection.is_none()).max_by_key(|base| base.layer_count)
    }
}

/// Of each package of an image, whether it came with the base.
#[derive(Debug, Clone)]
pub struct BasePackages<'a>(BTreeMap<(&'a str, &'a str), bool>);

impl<'a> BasePackages<'a> {
    /// `base_layers`: so many of the lowest layers are the base's.
    pub fn new(inventory: &'a Inventory, base_layers: usize) -> Self {
        // Of a layer that is there twice the lower one counts.
        let layers: BTreeMap<_, _> =
            inventory.layers.iter().rev().zip((0..inventory.layers.len()).rev()).collect();
        let places = inventory.packages.iter().filter_map(|package| {
            let place = package.locations.first()?;
            let layer = layers.get(place.layer.as_ref()?)?;
            Some(((package.purl.as_str(), place.path.as_str()), *layer < base_layers))
        });
        Self(places.collect())
    }

    /// `None`: the layer that brought the package is not known.
    pub fn has(&self, package: &Package) -> Option<bool> {
        self.at(&package.purl, &package.locations.first()?.path)
    }

    /// The same of the package that a finding is about.
    pub fn has_finding(&self, finding: &Finding) -> Option<bool> {
        self.at(&finding.purl, &finding.package_path)
    }

    fn at(&self, purl: &str, path: &str) -> Option<bool> {
        self.0.get(&(purl, path)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Location, PackageKind};

    fn digest(fill: u8) -> Digest {
        Digest::from_sha256(&[fill; 32])
    }

    fn base(name: &str, layer_count: usize, objection: Option<NotTheBase>) -> NamedBase {
        NamedBase { name: name.to_owned(), digests: Vec::new(), image_id: digest(1), layer_count, objection }
    }

    #[test]
    fn the_nearest_base_has_the_most_layers() {
        let differs = Some(NotTheBase::LayerDiffers { number: 1 });
        let bases = [base("a", 1, None), base("b", 2, None), base("c", 2, None), base("d", 3, differs)];
        assert_eq!(NamedBase::nearest(&bases).map(|base| base.name.as_str()), Some("b"));
        assert_eq!(NamedBase::nearest(&bases[3..]), None);
    }

    #[test]
    fn a_package_came_with_the_base_if_its_layer_did() {
        let package = |name: &str, layer: Option<u8>| Package {
            purl: format!("pkg:generic/{name}"),
            locations: vec![Location { path: "/lib".to_owned(), layer: layer.map(digest) }],
            ..Package::new(PackageKind::Binary, name.to_owned(), Some("1".to_owned()))
        };
        let packages = [("low", Some(1)), ("high", Some(2)), ("of nobody", None), ("elsewhere", Some(9))];
        let packages = packages.map(|(name, layer)| package(name, layer));
        // The lowest layer is there once more above the base.
        let layers = vec![digest(1), digest(2), digest(1)];
        let inventory = Inventory { layers, packages: packages.to_vec(), ..Inventory::default() };
        let of_base = BasePackages::new(&inventory, 1);
        let found: Vec<_> = inventory.packages.iter().map(|package| of_base.has(package)).collect();
        assert_eq!(found, [Some(true), Some(false), None, None]);
    }
}
