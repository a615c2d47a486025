//! Our properties as a member of JSON that belongs to another format.

use std::collections::BTreeMap;

use model::{ImageFacts, Inventory, OwnedFile, Package};
use serde::Deserialize;

use super::{ListedPackage, Properties, own};
use crate::lenient::Lenient;

/// An object of texts; anything else says nothing.
#[derive(Debug, Default)]
pub(crate) struct OwnFacts(Properties);

impl<'de> Deserialize<'de> for OwnFacts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = BTreeMap::<String, Lenient>::deserialize(deserializer)?;
        let text = |(key, value): (String, Lenient)| match value {
            Lenient::Text(text) => Some((key, text)),
            _ => None,
        };
        Ok(Self(members.into_iter().filter_map(text).collect()))
    }
}

impl OwnFacts {
    /// Whether they are those of a document of ours.
    pub(crate) fn is_own(&self) -> bool {
        self.0.contains_key(own::FORMAT)
    }

    /// Whether they are those of a package of ours.
    pub(crate) fn is_own_package(&self) -> bool {
        self.0.contains_key(own::TYPE)
    }

    /// The document, without its packages.
    pub(crate) fn inventory(&self) -> Inventory {
        own::inventory(&self.0)
    }

    /// Which image it was.
    pub(crate) fn image(&self) -> Option<ImageFacts> {
        own::image(&self.0)
    }

    /// The exact name of the image, where it is an odd one.
    pub(crate) fn name(&self) -> Option<String> {
        own::name(&self.0)
    }

    /// The package; `Err`: what is wrong with it.
    pub(crate) fn package(
        self,
        name: String,
        version: Option<String>,
        purl: String,
        files: Vec<OwnedFile>,
    ) -> Result<Package, String> {
        let version = version.filter(|version| !version.is_empty());
        own::to_package(&mut ListedPackage {
            name,
            version,
            purl,
            properties: self.0,
            files,
            ..ListedPackage::default()
        })
    }
}
