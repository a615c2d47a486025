//! The parts that the JSON of `sbom` and of `scan` share.

use model::{BaseImage, Diagnostic, Distro, Inventory, Location, NamedBase, Platform};
use serde::Serialize;

use crate::Sbom;
use crate::base::is_stated;

#[derive(Serialize)]
pub(crate) struct ImageJson<'a> {
    name: &'a str,
    digest: Option<String>,
    image_id: Option<String>,
    platform: Option<String>,
    size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<BaseJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    base_images: Vec<NamedBaseJson<'a>>,
    layers: Vec<String>,
    distro: Option<DistroJson<'a>>,
}

#[derive(Serialize)]
struct BaseJson<'a> {
    name: Option<&'a str>,
    digest: Option<String>,
}

#[derive(Serialize)]
struct NamedBaseJson<'a> {
    name: &'a str,
    digest: Option<String>,
    image_id: String,
    layer_count: usize,
    is_base: bool,
    objection: Option<String>,
    is_stated: Option<bool>,
}

#[derive(Serialize)]
struct DistroJson<'a> {
    id: &'a str,
    version_id: Option<&'a str>,
    version_codename: Option<&'a str>,
    id_like: &'a [String],
    pretty_name: Option<&'a str>,
    channel: Option<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct DiagnosticJson<'a> {
    code: &'static str,
    subject: &'a str,
    offset: Option<u64>,
    message: &'a str,
}

#[derive(Serialize)]
pub(crate) struct LocationJson<'a> {
    path: &'a str,
    layer: Option<String>,
}

pub(crate) fn image<'a>(sbom: &Sbom<'a>) -> ImageJson<'a> {
    let Inventory { distro, layers, .. } = sbom.inventory;
    ImageJson {
        name: sbom.image_name,
        digest: sbom.image.map(|image| image.digest.to_string()),
        image_id: sbom.image.map(|image| image.image_id.to_string()),
        platform: sbom.image.map(|image| platform(&image.platform)),
        size_bytes: sbom.image.map(|image| image.size_bytes),
        base: sbom.image.and_then(|image| image.base.as_ref()).map(|BaseImage { name, digest }| BaseJson {
            name: name.as_deref(),
            digest: digest.as_ref().map(ToString::to_string),
        }),
        base_images: sbom.bases.iter().map(|base| named_base(base, sbom)).collect(),
        layers: layers.iter().map(ToString::to_string).collect(),
        distro: distro.as_ref().map(|distro| {
            let Distro { id, version_id, version_codename, id_like, pretty_name, channel } = distro;
            DistroJson {
                id,
                version_id: version_id.as_deref(),
                version_codename: version_codename.as_deref(),
                id_like,
                pretty_name: pretty_name.as_deref(),
                channel: channel.as_deref(),
            }
        }),
    }
}

fn named_base<'a>(named: &'a NamedBase, sbom: &Sbom<'_>) -> NamedBaseJson<'a> {
    let NamedBase { name, digests, image_id, layer_count, objection } = named;
    NamedBaseJson {
        name,
        digest: digests.first().map(ToString::to_string),
        image_id: image_id.to_string(),
        layer_count: *layer_count,
        is_base: objection.is_none(),
        objection: objection.as_ref().map(ToString::to_string),
        is_stated: is_stated(named, sbom),
    }
}

/// `linux/arm64/v8`.
pub(crate) fn platform(platform: &Platform) -> String {
    match &platform.variant {
        Some(variant) => format!("{}/{}/{variant}", platform.os, platform.architecture),
        None => format!("{}/{}", platform.os, platform.architecture),
    }
}

pub(crate) fn diagnostic(diagnostic: &Diagnostic) -> DiagnosticJson<'_> {
    let Diagnostic { code, subject, offset, message } = diagnostic;
    DiagnosticJson { code: code.name(), subject, offset: *offset, message }
}

pub(crate) fn location(location: &Location) -> LocationJson<'_> {
    let Location { path, layer } = location;
    LocationJson { path, layer: layer.as_ref().map(ToString::to_string) }
}

/// JSON for files and pipes: indented, with a newline at the end.
pub(crate) fn to_text(value: &impl Serialize) -> String {
    let mut text =
        serde_json::to_string_pretty(value).expect("the types here have string keys and finite numbers");
    text.push('\n');
    text
}
