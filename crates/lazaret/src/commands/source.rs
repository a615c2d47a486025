//! What `scan`, `sbom` and `policy test` read: an image, a folder or a file of this machine, or a package list.

use std::path::{Path, PathBuf};

use model::{ImageContents, ImageFacts, Inventory, Platform};
use scanner::{ContentSettings, ImageSource, ScannedImage};

use super::package_list::PackageList;
use crate::config::ImageConfig;

/// What was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    List(PackageList),
    /// A folder that is no layout of images, or any file.
    Files(PathBuf),
    Image(ImageSource),
}

/// What was read from it.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) name: String,
    /// `None`: it is no image, or nobody says of which.
    pub(super) facts: Option<ImageFacts>,
    pub(super) inventory: Inventory,
    pub(super) contents: Option<ImageContents>,
}

/// What makes a folder a layout of images.
const LAYOUT_FILES: [&str; 3] = ["oci-layout", "index.json", "manifest.json"];

impl Source {
    /// `dir:PATH`, `file:PATH`, a folder that is no layout of images, and what package lists and images are written as.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        for prefix in ["dir:", "file:"] {
            if let Some(path) = text.strip_prefix(prefix) {
                anyhow::ensure!(!path.is_empty(), "`{text}` names no path");
                return Ok(Self::Files(path.into()));
            }
        }
        if let Some(list) = PackageList::parse(text)? {
            return Ok(Self::List(list));
        }
        let path = Path::new(text);
        let is_plain_folder = (text.contains('/') || matches!(text, "." | ".."))
            && path.is_dir()
            && !LAYOUT_FILES.iter().any(|file| path.join(file).exists());
        if is_plain_folder {
            return Ok(Self::Files(path.to_owned()));
        }
        Ok(Self::Image(ImageSource::parse(text)?))
    }

    /// Why a policy cannot judge it.
    pub(super) fn not_an_image(&self) -> Option<&'static str> {
        match self {
            Self::List(_) => Some("a package list"),
            Self::Files(_) => Some("a folder or file"),
            Self::Image(_) => None,
        }
    }

    /// Reads it; `text` as it was typed.
    pub(super) fn load(
        &self,
        text: &str,
        platform: &Platform,
        images: &ImageConfig,
        contents: Option<ContentSettings>,
    ) -> anyhow::Result<Loaded> {
        let name = text.to_owned();
        match self {
            Self::List(list) => {
                let (name, facts, inventory) = list.load_as(text)?;
                Ok(Loaded { name, facts, inventory, contents: None })
            }
            Self::Files(path) => {
                let inventory = super::image::load_files(path, images)?;
                Ok(Loaded { name, facts: None, inventory, contents: None })
            }
            Self::Image(source) => {
                let scanned = super::image::load(source, text, platform, images, contents)?;
                let ScannedImage { facts, inventory, contents, .. } = scanned;
                if let Some(warning) = other_platform(platform, &facts.platform) {
                    crate::terminal::error_line(&warning);
                }
                Ok(Loaded { name, facts: Some(facts), inventory, contents })
            }
        }
    }
}

/// What to say about an image for one platform only, which is not the one that was asked for.
fn other_platform(wanted: &Platform, found: &Platform) -> Option<String> {
    let is_other = !found.architecture.is_empty()
        && (&found.os, &found.architecture) != (&wanted.os, &wanted.architecture);
    let name = |platform: &Platform| format!("{}/{}", platform.os, platform.architecture);
    is_other.then(|| {
        format!(
            "warning: the image is for {}, not for {}; it has no other platform",
            name(found),
            name(wanted)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_for_another_platform_is_told() {
        let platform = |text| crate::scan_arguments::parse_platform(text).unwrap();
        let warning = other_platform(&platform("linux/arm64"), &platform("linux/amd64")).unwrap();
        assert!(warning.contains("is for linux/amd64, not for linux/arm64"), "{warning}");
        assert_eq!(other_platform(&platform("linux/arm64"), &platform("linux/arm64/v8")), None);
    }

    #[test]
    fn folders_are_told_from_layouts() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().to_str().unwrap();
        assert_eq!(Source::parse(text).unwrap(), Source::Files(folder.path().to_owned()));
        assert_eq!(Source::parse(&format!("dir:{text}")).unwrap(), Source::Files(folder.path().to_owned()));
        assert_eq!(Source::parse("file:a.jar").unwrap(), Source::Files("a.jar".into()));
        fs_err::write(folder.path().join("index.json"), b"{}").unwrap();
        assert!(matches!(Source::parse(text).unwrap(), Source::Image(ImageSource::OciLayout { .. })));
        for (text, what) in [("docker:a", "Daemon"), ("nginx", "Registry"), ("sbom:a", "File")] {
            assert!(format!("{:?}", Source::parse(text).unwrap()).contains(what), "{text}");
        }
        assert!(Source::parse("dir:").is_err());
    }
}
