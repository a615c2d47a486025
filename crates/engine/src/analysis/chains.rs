//! What an analysis keeps of its layers so that images built on each other are found.

use model::{Digest, LayerFacts};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::stored::decompress;
use super::{DecodeError, FORM};

/// Of images with more layers, no base with more than so many is found.
const PREFIXES_MAX: usize = 1000;

/// OCI's ChainIDs of an image: a digest of a layer and everything below it
/// (<https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerChains {
    /// Of all layers; `None`: there is none.
    pub(crate) whole: Option<String>,
    /// Of fewer, the lowest alone first, separated by spaces.
    pub(crate) prefixes: String,
}

impl LayerChains {
    pub(super) fn of_layers(layers: &[LayerFacts]) -> Self {
        Self::of_diff_ids(layers.iter().map(|layer| layer.diff_id.to_string()))
    }

    fn of_diff_ids(diff_ids: impl Iterator<Item = String>) -> Self {
        let mut chains: Vec<String> = Vec::new();
        for diff_id in diff_ids {
            let chain = match chains.last() {
                None => diff_id,
                Some(below) => {
                    let hash = Sha256::digest(format!("{below} {diff_id}"));
                    Digest::from_sha256(&hash.into()).to_string()
                }
            };
            chains.push(chain);
        }
        let whole = chains.pop();
        chains.truncate(PREFIXES_MAX);
        Self { whole, prefixes: chains.join(" ") }
    }

    /// Of a stored analysis, of which nothing else is read.
    pub(crate) fn of_stored(form: i64, content: &[u8]) -> Result<Self, DecodeError> {
        if form != FORM {
            return Err(DecodeError::UnknownForm { found: form, known: FORM });
        }
        let stored: StoredLayers = decompress(content)?;
        Ok(Self::of_diff_ids(stored.facts.layers.into_iter().map(|layer| layer.diff_id)))
    }
}

/// The part of a stored analysis that is about layers.
#[derive(Deserialize)]
struct StoredLayers {
    facts: StoredLayerFacts,
}

#[derive(Deserialize)]
struct StoredLayerFacts {
    #[serde(default)]
    layers: Vec<StoredDiffId>,
}

#[derive(Deserialize)]
struct StoredDiffId {
    diff_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf 'A B' | sha256sum` with the chain below as A and the diff id as B.
    #[test]
    fn chains_are_those_of_the_specification() {
        let id = |fill: char| format!("sha256:{}", fill.to_string().repeat(64));
        let chains = |fills: &str| LayerChains::of_diff_ids(fills.chars().map(id));
        assert_eq!(chains(""), LayerChains { whole: None, prefixes: String::new() });
        assert_eq!(chains("a"), LayerChains { whole: Some(id('a')), prefixes: String::new() });
        let two = "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c".to_owned();
        assert_eq!(chains("ab"), LayerChains { whole: Some(two.clone()), prefixes: id('a') });
        let three = "sha256:c1377126441fb2f5ec2c21ae2a60255331d639e830f0ee1b40a36e52d4c40588".to_owned();
        assert_eq!(chains("abc"), LayerChains { whole: Some(three), prefixes: format!("{} {two}", id('a')) });
    }

    #[test]
    fn very_many_layers_keep_the_lowest() {
        let chains = LayerChains::of_diff_ids((0..PREFIXES_MAX + 2).map(|number| number.to_string()));
        assert_eq!(chains.prefixes.split(' ').count(), PREFIXES_MAX);
        assert!(chains.prefixes.starts_with("0 "));
    }
}
