//! `--base-image`: what the image was built on, held against its layers.

use anyhow::{Context as _, bail};
use model::{NamedBase, Platform};
use scanner::{ImageIdentity, ImageSource};

use super::source::{Loaded, Source};
use crate::config::ImageConfig;

/// What was typed, which is no more than named yet.
#[derive(Debug)]
pub(super) struct Bases(Vec<(String, ImageSource)>);

impl Bases {
    /// Checks what can be checked before anything is read.
    ///
    /// Errors: something that is no image, as the base or as what was built on it.
    pub(super) fn parse(texts: &[String], image: &Source, image_name: &str) -> anyhow::Result<Self> {
        if let (Source::Files(_), false) = (image, texts.is_empty()) {
            bail!(
                "`{image_name}` is a folder or file, and only images are built on others; leave --base-image out"
            );
        }
        let parse = |text: &String| match Source::parse(text).context("failed to read --base-image")? {
            Source::Image(source) => Ok((text.clone(), source)),
            other => {
                let what = other.not_an_image().unwrap_or("no image");
                bail!("`{text}` is {what}; --base-image wants an image")
            }
        };
        texts.iter().map(parse).collect::<anyhow::Result<_>>().map(Self)
    }

    /// Reads manifests and configurations, for the platform of the image where that is known.
    pub(super) fn hold_against(
        &self,
        image: &Loaded,
        platform: &Platform,
        images: &ImageConfig,
    ) -> anyhow::Result<Vec<NamedBase>> {
        let of_image = image.facts.as_ref().map(|facts| &facts.platform);
        let platform = of_image.filter(|platform| !platform.architecture.is_empty()).unwrap_or(platform);
        let read = |(name, source): &(String, ImageSource)| {
            let identity = super::image::identify(source, name, platform, images);
            let ImageIdentity { digests, image_id, diff_ids } =
                identity.with_context(|| format!("failed to read the base image `{name}`"))?;
            let objection = scanner::object_to_base(&diff_ids, &image.inventory.layers);
            Ok(NamedBase { name: name.clone(), digests, image_id, layer_count: diff_ids.len(), objection })
        };
        self.0.iter().map(read).collect()
    }
}
