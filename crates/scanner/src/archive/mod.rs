//! Images in local files: OCI layouts (folder or tar) and what `docker save` writes.
//!
//! Nothing is unpacked to disk. A plain tar is indexed once and read by seeking. A compressed tar is read from its start
//! for every file that is taken from it: slow, but in bounded memory and without temporary files.

mod docker;
mod names;
mod oci;
mod store;
mod tar_index;

use std::path::Path;
use std::sync::Arc;

use image_layers::ImageLimits;
use model::Platform;

pub(crate) use docker::{DockerImage, SavedFiles, find_docker_image};
pub(crate) use oci::blob_file;
use oci::{has_oci_images, select_from_layout};
pub(crate) use store::Store;

use crate::error::ScanError;
use crate::manifest::Descriptor;

/// What an archive holds for the caller's choice.
pub(crate) enum ArchiveImage {
    /// A descriptor that leads on to a manifest.
    Oci(Box<Descriptor>),
    /// An image without a manifest.
    Docker(Box<DockerImage>),
}

/// Which kind of archive is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    Oci,
    Docker,
    /// An OCI index with images wins: Docker writes both, and only that one has the digests of the registry.
    Either,
}

/// Opens an archive and chooses an image. Blocking.
pub(crate) fn open(
    path: &Path,
    name: Option<&str>,
    expected: Expected,
    platform: &Platform,
    limits: &ImageLimits,
) -> Result<(Arc<Store>, ArchiveImage), ScanError> {
    let store = Arc::new(Store::open(path, limits)?);
    let is_oci = match expected {
        Expected::Oci => true,
        Expected::Docker => false,
        Expected::Either if has_oci_images(&store)? => true,
        Expected::Either if store.has(docker::MANIFEST_FILE) => false,
        Expected::Either => {
            let problem = format!(
                "it has neither an `{}` with images nor a `{}`",
                oci::INDEX_FILE,
                docker::MANIFEST_FILE
            );
            return Err(ScanError::NotAnArchive { path: path.to_owned(), problem });
        }
    };
    let image = if is_oci {
        ArchiveImage::Oci(Box::new(select_from_layout(&store, name, platform)?))
    } else {
        ArchiveImage::Docker(Box::new(find_docker_image(&*store, name)?))
    };
    Ok((store, image))
}
