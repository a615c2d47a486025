//! What an analysis keeps of its layers so that images built on each other are found.

use model::LayerFacts;
use serde::Deserialize;

use super::stored::decompress;
use super::{DecodeError, FORM};

/// Of images with more layers, no base with more than so many is found.
const PREFIXES_MAX: usize = 1000;

/// The [`scanner::LayerChains`] of an image as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerChains {
    /// Of all layers; `None`: there is none.
    pub(crate) whole: Option<String>,
    /// Of fewer, the lowest alone first, separated by spaces.
    pub(crate) prefixes: String,
}

impl LayerChains {
    pub(super) fn of_layers(layers: &[LayerFacts]) -> Self {
        Self::of_diff_ids(layers.iter().map(|layer| &layer.diff_id))
    }

    fn of_diff_ids(diff_ids: impl Iterator<Item = impl ToString>) -> Self {
        let chains = scanner::LayerChains::new(diff_ids);
        let prefixes = chains.prefixes();
        Self {
            whole: chains.whole().map(str::to_owned),
            prefixes: prefixes[..prefixes.len().min(PREFIXES_MAX)].join(" "),
        }
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

    #[test]
    fn chains_are_stored_as_a_text() {
        let chains = |ids: &[&str]| LayerChains::of_diff_ids(ids.iter());
        assert_eq!(chains(&[]), LayerChains { whole: None, prefixes: String::new() });
        let three = scanner::LayerChains::new(["a", "b", "c"]);
        let stored = chains(&["a", "b", "c"]);
        assert_eq!(stored.whole.as_deref(), three.whole());
        assert_eq!(stored.prefixes, format!("a {}", three.prefixes()[1]));
    }

    #[test]
    fn very_many_layers_keep_the_lowest() {
        let chains = LayerChains::of_diff_ids((0..PREFIXES_MAX + 2).map(|number| number.to_string()));
        assert_eq!(chains.prefixes.split(' ').count(), PREFIXES_MAX);
        assert!(chains.prefixes.starts_with("0 "));
    }
}
