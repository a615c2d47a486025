//! When one image is built on another: the one's layers are the lowest layers of the other, which has more.

use model::{Digest, NotTheBase};
use sha2::{Digest as _, Sha256};

/// OCI's ChainIDs of an image: a digest of a layer and everything below it
/// (<https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid>), for each layer, the lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerChains(Vec<String>);

impl LayerChains {
    /// Of the diff ids of an image, the lowest first.
    pub fn new(diff_ids: impl IntoIterator<Item = impl ToString>) -> Self {
        let mut chains: Vec<String> = Vec::new();
        for diff_id in diff_ids {
            let diff_id = diff_id.to_string();
            let chain = match chains.last() {
                None => diff_id,
                Some(below) => {
                    let hash = Sha256::digest(format!("{below} {diff_id}"));
                    Digest::from_sha256(&hash.into()).to_string()
                }
            };
            chains.push(chain);
        }
        Self(chains)
    }

    /// Of all layers; `None`: there is none.
    pub fn whole(&self) -> Option<&str> {
        self.0.last().map(String::as_str)
    }

    /// What the image can be built on: of fewer layers than all, the lowest alone first.
    pub fn prefixes(&self) -> &[String] {
        self.0.split_last().map_or(&[], |(_, prefixes)| prefixes)
    }

    /// Whether the other image's layers are the lowest of this one's, which has more.
    pub fn is_built_on(&self, base: &Self) -> bool {
        base.0.len().checked_sub(1).is_some_and(|last| self.prefixes().get(last) == base.0.last())
    }
}

/// What speaks against one image being built on another, by the diff ids of both; `None`: nothing.
pub fn object_to_base(base: &[Digest], image: &[Digest]) -> Option<NotTheBase> {
    if LayerChains::new(image).is_built_on(&LayerChains::new(base)) {
        return None;
    }
    let differs = base.iter().zip(image).position(|(base, image)| base != image);
    Some(match (base.len(), image.len(), differs) {
        (_, 0, _) => NotTheBase::UnknownLayers,
        (0, _, _) => NotTheBase::NoLayers,
        (_, _, Some(index)) => NotTheBase::LayerDiffers { number: index + 1 },
        (base, image, None) if base == image => NotTheBase::SameLayers,
        (base, image, None) => NotTheBase::MoreLayers { base, image },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(fills: &str) -> Vec<Digest> {
        fills.chars().map(|fill| format!("sha256:{}", fill.to_string().repeat(64)).parse().unwrap()).collect()
    }

    /// `printf 'A B' | sha256sum` with the chain below as A and the diff id as B.
    #[test]
    fn chains_are_those_of_the_specification() {
        let chains = |fills: &str| LayerChains::new(digests(fills));
        assert_eq!((chains("").whole(), chains("").prefixes().len()), (None, 0));
        let one = digests("a")[0].to_string();
        assert_eq!((chains("a").whole(), chains("a").prefixes().len()), (Some(one.as_str()), 0));
        let two = "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c".to_owned();
        let three = "sha256:c1377126441fb2f5ec2c21ae2a60255331d639e830f0ee1b40a36e52d4c40588".to_owned();
        assert_eq!((chains("abc").whole(), chains("abc").prefixes()), (Some(&*three), &[one, two][..]));
    }

    #[test]
    fn a_base_has_the_lowest_layers_and_no_others() {
        for (base, image, expected) in [
            ("a", "ab", None),
            ("ab", "abc", None),
            ("aa", "aab", None),
            ("", "a", Some(NotTheBase::NoLayers)),
            ("a", "", Some(NotTheBase::UnknownLayers)),
            ("a", "a", Some(NotTheBase::SameLayers)),
            ("abc", "ab", Some(NotTheBase::MoreLayers { base: 3, image: 2 })),
            ("b", "ab", Some(NotTheBase::LayerDiffers { number: 1 })),
            ("abd", "abcd", Some(NotTheBase::LayerDiffers { number: 3 })),
            ("afc", "ab", Some(NotTheBase::LayerDiffers { number: 2 })),
        ] {
            assert_eq!(object_to_base(&digests(base), &digests(image)), expected, "{base} {image}");
        }
    }
}
