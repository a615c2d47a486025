//! Which images a mapping or an entry of the image lists is about.

use model::{DOCKER_HUB, Digest, ImageFacts, ImageReference};

use crate::budget::{Budget, Failure};
use crate::pattern::Pattern;
use crate::prefix_regex::{RegexCompiler, RegexError};
use crate::raw::{RawImage, RawImageKind};

/// The image that is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    registry: &'a str,
    repository: &'a str,
    tag: Option<&'a str>,
    /// Digest of the manifest and image id; `None` while nobody has looked at the image.
    identity: Option<(&'a Digest, &'a Digest)>,
}

impl<'a> Target<'a> {
    pub(crate) fn new(reference: &'a ImageReference, image: Option<&'a ImageFacts>) -> Self {
        let registry = reference.registry();
        let repository = reference.repository();
        // `dockerhub/nginx` is an old way to write `docker.io/nginx`; the parser puts Docker Hub in front of both.
        let repository = match repository.strip_prefix("dockerhub/") {
            Some(rest) if registry == DOCKER_HUB => rest,
            _ => repository,
        };
        let identity = image.map(|image| (&image.digest, &image.image_id));
        Self { registry, repository, tag: reference.tag(), identity }
    }

    /// `registry/repository`.
    pub(crate) fn full_repository(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

/// Whether a rule is about the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    Yes,
    No,
    /// It depends on the image, which nobody has looked at.
    Unknown,
}

/// Registry, repository, and one of tag, digest and image id.
#[derive(Debug)]
pub(crate) struct ImageRule {
    registry: Pattern,
    repository: Pattern,
    image: ImagePattern,
}

#[derive(Debug)]
enum ImagePattern {
    Tag(Pattern),
    Digest(String),
    Id(String),
}

impl ImageRule {
    pub(crate) fn new(
        registry: &str,
        repository: &str,
        image: &RawImage,
        regexes: &mut RegexCompiler,
    ) -> Self {
        Self {
            registry: Pattern::new(registry, regexes),
            repository: Pattern::new(repository, regexes),
            image: match image.kind {
                RawImageKind::Tag => ImagePattern::Tag(Pattern::new(&image.value, regexes)),
                RawImageKind::Digest => ImagePattern::Digest(image.value.clone()),
                RawImageKind::Id => ImagePattern::Id(image.value.clone()),
            },
        }
    }

    /// The patterns that cannot be compiled.
    pub(crate) fn broken_patterns(&self) -> impl Iterator<Item = &RegexError> {
        let tag = match &self.image {
            ImagePattern::Tag(pattern) => Some(pattern),
            ImagePattern::Digest(_) | ImagePattern::Id(_) => None,
        };
        [&self.registry, &self.repository].into_iter().chain(tag).filter_map(|pattern| match pattern {
            Pattern::Broken(error) => Some(error),
            Pattern::Literal(_) | Pattern::Wildcard(_) | Pattern::Regex(_) => None,
        })
    }

    pub(crate) fn fit(&self, target: &Target<'_>, budget: &mut Budget) -> Result<Fit, Failure> {
        if !self.registry.is_match(target.registry, budget)?
            || !self.repository.is_match(target.repository, budget)?
        {
            return Ok(Fit::No);
        }
        let is_match = match (&self.image, target.identity) {
            (ImagePattern::Tag(pattern), _) => match target.tag {
                Some(tag) => pattern.is_match(tag, budget)?,
                None => pattern.is_anything(),
            },
            (ImagePattern::Digest(_) | ImagePattern::Id(_), None) => return Ok(Fit::Unknown),
            (ImagePattern::Digest(value), Some((digest, _))) => *value == digest.to_string(),
            (ImagePattern::Id(value), Some((_, image_id))) => {
                value == image_id.hex() || *value == image_id.to_string()
            }
        };
        Ok(if is_match { Fit::Yes } else { Fit::No })
    }
}
