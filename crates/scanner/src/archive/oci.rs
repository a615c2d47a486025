//! OCI image layouts: `index.json` and blobs by digest.

use model::{Digest, Platform};
use serde::Deserialize;

use crate::archive::names::{is_same_name, list};
use crate::archive::store::Store;
use crate::error::{BadJson, ScanError};
use crate::manifest::{
    Descriptor, MANIFEST_BYTES_MAX, Manifest, is_attestation, parse_manifest, select_platform,
};

pub(crate) const INDEX_FILE: &str = "index.json";
const LAYOUT_FILE: &str = "oci-layout";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// Where a layout keeps a blob.
pub(crate) fn blob_file(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// Whether there is an index that names at least one image. Docker also writes an empty one.
pub(crate) fn has_oci_images(store: &Store) -> Result<bool, ScanError> {
    if !store.has(INDEX_FILE) {
        return Ok(false);
    }
    Ok(!read_index(store)?.is_empty())
}

/// Chooses an image of the layout: the named one, else the only one, else the only one for the platform.
pub(crate) fn select_from_layout(
    store: &Store,
    name: Option<&str>,
    platform: &Platform,
) -> Result<Descriptor, ScanError> {
    check_version(store)?;
    let images: Vec<Descriptor> =
        read_index(store)?.into_iter().filter(|descriptor| !is_attestation(descriptor)).collect();
    let names = || list(images.iter().map(name_of));
    let path = || store.path().to_owned();
    if let Some(wanted) = name {
        let named: Vec<Descriptor> = images.iter().filter(|image| has_name(image, wanted)).cloned().collect();
        return match &named[..] {
            [] => {
                Err(ScanError::ImageNotInArchive { path: path(), wanted: wanted.to_owned(), names: names() })
            }
            [only] => Ok(only.clone()),
            several => select_platform(several, platform).cloned(),
        };
    }
    match &images[..] {
        [] => {
            Err(ScanError::NotAnArchive { path: path(), problem: format!("`{INDEX_FILE}` names no image") })
        }
        [only] => Ok(only.clone()),
        several if is_one_image(several) => select_platform(several, platform).cloned(),
        _ => Err(ScanError::SeveralImages { path: path(), names: names() }),
    }
}

/// One image for several platforms, listed flat: every entry says its platform, all have the same name or none.
fn is_one_image(images: &[Descriptor]) -> bool {
    let ref_name = |image: &Descriptor| image.annotations.get(REF_NAME).cloned();
    let mut platforms: Vec<String> = Vec::new();
    for image in images {
        let Some(platform) = &image.platform else { return false };
        let text = format!("{}/{}/{:?}", platform.os, platform.architecture, platform.variant);
        if platforms.contains(&text) || ref_name(image) != ref_name(&images[0]) {
            return false;
        }
        platforms.push(text);
    }
    true
}

fn has_name(image: &Descriptor, wanted: &str) -> bool {
    image.digest.to_string() == wanted
        || [REF_NAME, CONTAINERD_NAME]
            .iter()
            .filter_map(|key| image.annotations.get(*key))
            .any(|there| is_same_name(wanted, there))
}

fn name_of(image: &Descriptor) -> String {
    let annotation = |key| image.annotations.get(key).cloned();
    annotation(CONTAINERD_NAME).or_else(|| annotation(REF_NAME)).unwrap_or_else(|| image.digest.to_string())
}

fn read_index(store: &Store) -> Result<Vec<Descriptor>, ScanError> {
    let what = format!("`{INDEX_FILE}` of `{}`", store.path().display());
    let bytes =
        store.read_small(INDEX_FILE, MANIFEST_BYTES_MAX, &what)?.ok_or_else(|| ScanError::NotAnArchive {
            path: store.path().to_owned(),
            problem: format!("it has no `{INDEX_FILE}`"),
        })?;
    match parse_manifest(&bytes, None, &what)? {
        Manifest::Index(manifests) => Ok(manifests),
        Manifest::Image(_) => {
            Err(ScanError::Inconsistent { what, problem: "it is a manifest, not an index".to_owned() })
        }
    }
}

fn check_version(store: &Store) -> Result<(), ScanError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct RawLayout {
        image_layout_version: String,
    }
    let what = format!("`{LAYOUT_FILE}` of `{}`", store.path().display());
    // Some tools leave the file out; the index is what counts.
    let Some(bytes) = store.read_small(LAYOUT_FILE, MANIFEST_BYTES_MAX, &what)? else { return Ok(()) };
    let layout: RawLayout = serde_json::from_slice(&bytes)
        .map_err(|error| ScanError::Malformed { what: what.clone(), source: BadJson::new(&error, false) })?;
    if !layout.image_layout_version.starts_with("1.") {
        return Err(ScanError::UnsupportedType {
            what,
            media_type: format!("version {}", layout.image_layout_version),
        });
    }
    Ok(())
}
