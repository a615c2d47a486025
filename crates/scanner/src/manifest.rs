//! Manifests and indexes, as registries and archives hold them, and the choice of a platform.

use model::{Digest, Platform};
use serde::{Deserialize, Deserializer};

use crate::error::{BadJson, ScanError};

/// Largest manifest or index.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// Largest configuration.
pub(crate) const CONFIG_BYTES_MAX: u64 = 8 << 20;
/// An index inside an index inside an index …
pub(crate) const INDEX_NESTING_MAX: usize = 4;
const LAYERS_MAX: usize = 1_000;
const MANIFESTS_MAX: usize = 10_000;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";

/// Something that a manifest or an index names by digest.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) media_type: String,
    #[serde(deserialize_with = "digest")]
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default)]
    pub(crate) platform: Option<RawPlatform>,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RawPlatform {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) os: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) architecture: String,
    #[serde(default)]
    pub(crate) variant: Option<String>,
}

/// An image manifest.
#[derive(Debug, Clone)]
pub(crate) struct ImageManifest {
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

/// A parsed manifest: an image, or a list of manifests.
#[derive(Debug, Clone)]
pub(crate) enum Manifest {
    Image(ImageManifest),
    Index(Vec<Descriptor>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawManifest {
    #[serde(default)]
    schema_version: Option<u64>,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
}

pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

/// Reads a manifest or an index.
///
/// `stated_type` is the media type of the HTTP answer or of the descriptor that led here; the document's own
/// `mediaType` must not contradict it, because the two kinds of document can be confused on purpose
/// (CVE-2021-41190).
pub(crate) fn parse_manifest(
    bytes: &[u8],
    stated_type: Option<&str>,
    what: &str,
) -> Result<Manifest, ScanError> {
    let raw: RawManifest = serde_json::from_slice(bytes).map_err(|error| ScanError::Malformed {
        what: what.to_owned(),
        source: BadJson::new(&error, false),
    })?;
    let inconsistent = |problem: String| ScanError::Inconsistent { what: what.to_owned(), problem };
    if raw.schema_version == Some(1) {
        return Err(ScanError::ManifestSchema1);
    }
    if raw.schema_version != Some(2) {
        return Err(inconsistent("`schemaVersion` is not 2".to_owned()));
    }
    let stated = stated_type.and_then(known_type);
    let own = raw.media_type.as_deref().filter(|text| !text.is_empty());
    if let Some(own) = own {
        match known_type(own) {
            None if own == OCI_ARTIFACT => {
                return Err(ScanError::NotAnImage { reason: format!("media type `{own}`") });
            }
            None => {
                return Err(ScanError::UnsupportedType { what: what.to_owned(), media_type: shorten(own) });
            }
            own_kind => {
                if stated.is_some() && own_kind != stated {
                    return Err(inconsistent(format!(
                        "it was announced as another type than its own `{own}`"
                    )));
                }
            }
        }
    }
    let kind = own.and_then(known_type).or(stated);
    match (raw.config, raw.layers, raw.manifests, kind) {
        // Docker writes an index of nothing with `null`.
        (None, None, None, Some(Kind::Index)) => Ok(Manifest::Index(Vec::new())),
        (None, None, Some(manifests), None | Some(Kind::Index)) => {
            too_many(what, manifests.len(), MANIFESTS_MAX, "manifests")?;
            Ok(Manifest::Index(manifests))
        }
        // An image of no layers at all is written with `null` by Go programs.
        (Some(config), layers, None, None | Some(Kind::Image)) => {
            let layers = layers.unwrap_or_default();
            check_layer_count(what, layers.len())?;
            check_config_type(&config, raw.artifact_type.as_deref())?;
            Ok(Manifest::Image(ImageManifest { config, layers }))
        }
        _ => Err(inconsistent(
            "it is neither exactly a manifest (config, layers) nor exactly an index (manifests)".to_owned(),
        )),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Image,
    Index,
}

fn known_type(media_type: &str) -> Option<Kind> {
    match media_type.split(';').next().unwrap_or_default().trim() {
        OCI_MANIFEST | DOCKER_MANIFEST => Some(Kind::Image),
        OCI_INDEX | DOCKER_INDEX => Some(Kind::Index),
        _ => None,
    }
}

/// Refuses an image of more layers than any has.
pub(crate) fn check_layer_count(what: &str, count: usize) -> Result<(), ScanError> {
    too_many(what, count, LAYERS_MAX, "layers")
}

fn too_many(what: &str, actual: usize, limit: usize, unit: &'static str) -> Result<(), ScanError> {
    if actual > limit {
        return Err(ScanError::TooLarge {
            what: what.to_owned(),
            actual: u64::try_from(actual).unwrap_or(u64::MAX),
            limit: u64::try_from(limit).unwrap_or(u64::MAX),
            unit,
        });
    }
    Ok(())
}

fn check_config_type(config: &Descriptor, artifact_type: Option<&str>) -> Result<(), ScanError> {
    match config.media_type.as_str() {
        // The first Docker releases with this format wrote `octet-stream`; the content of the document decides then.
        OCI_CONFIG | DOCKER_CONFIG | "application/octet-stream" | "" => Ok(()),
        other => {
            let mut reason = format!("its configuration has type `{}`", shorten(other));
            if let Some(artifact_type) = artifact_type {
                reason.push_str(&format!(", its artifact type is `{}`", shorten(artifact_type)));
            }
            Err(ScanError::NotAnImage { reason })
        }
    }
}

pub(crate) fn shorten(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(120).collect()
}

/// Chooses from an index: the exact platform first, then one that the wanted machine also runs.
pub(crate) fn select_platform<'a>(
    manifests: &'a [Descriptor],
    wanted: &Platform,
) -> Result<&'a Descriptor, ScanError> {
    let candidates: Vec<&Descriptor> =
        manifests.iter().filter(|descriptor| !is_attestation(descriptor)).collect();
    // An index with one image that does not say what it is for: there is nothing to choose.
    if let [only] = candidates[..]
        && only.platform.is_none()
    {
        return Ok(only);
    }
    let platform_of = |descriptor: &&&Descriptor| descriptor.platform.as_ref().map(to_platform);
    let wanted = normalize(wanted.clone());
    let fits = |platform: &Platform| platform.os == wanted.os && platform.architecture == wanted.architecture;
    let ranks: [&dyn Fn(&Platform) -> bool; 3] = [
        &|platform| *platform == wanted,
        &|platform| fits(platform) && platform.variant.is_none(),
        // Without a wish any variant will do; `v7` machines run what is made for `v6`.
        &|platform| {
            fits(platform)
                && match (&wanted.variant, &platform.variant) {
                    (None, _) => true,
                    (Some(wanted), Some(there)) => {
                        wanted.starts_with('v') && there.starts_with('v') && there < wanted
                    }
                    (Some(_), None) => true,
                }
        },
    ];
    for rank in ranks {
        let best = candidates
            .iter()
            .filter(|descriptor| platform_of(descriptor).is_some_and(|platform| rank(&platform)))
            .max_by(|left, right| {
                platform_of(left).cmp(&platform_of(right)).then(std::cmp::Ordering::Greater)
            });
        if let Some(best) = best {
            return Ok(best);
        }
    }
    Err(ScanError::PlatformMissing { wanted: platform_name(&wanted), available: list_platforms(&candidates) })
}

/// Attestations of the builder lie in the index beside the images.
pub(crate) fn is_attestation(descriptor: &Descriptor) -> bool {
    descriptor.annotations.contains_key("vnd.docker.reference.type")
        || descriptor
            .platform
            .as_ref()
            .is_some_and(|platform| platform.os == "unknown" && platform.architecture == "unknown")
}

fn list_platforms(candidates: &[&Descriptor]) -> String {
    const SHOWN_MAX: usize = 20;
    if candidates.is_empty() {
        return "none".to_owned();
    }
    let mut names: Vec<String> = candidates
        .iter()
        .take(SHOWN_MAX)
        .map(|descriptor| match &descriptor.platform {
            Some(platform) => format!("`{}`", shorten(&platform_name(&to_platform(platform)))),
            None => "one without a platform".to_owned(),
        })
        .collect();
    if candidates.len() > SHOWN_MAX {
        names.push(format!("{} more", candidates.len() - SHOWN_MAX));
    }
    names.join(", ")
}

pub(crate) fn to_platform(raw: &RawPlatform) -> Platform {
    normalize(Platform {
        os: raw.os.clone(),
        architecture: raw.architecture.clone(),
        variant: raw.variant.clone().filter(|variant| !variant.is_empty()),
    })
}

/// One spelling per processor, as the Go tool chain names them; `arm64` is always `v8` and `amd64` is `v1`.
pub(crate) fn normalize(platform: Platform) -> Platform {
    let Platform { os, architecture, variant } = platform;
    let os = os.to_ascii_lowercase();
    let (architecture, implied) = match architecture.to_ascii_lowercase().as_str() {
        "x86_64" | "x86-64" => ("amd64".to_owned(), None),
        "aarch64" => ("arm64".to_owned(), None),
        "armhf" | "armv7l" => ("arm".to_owned(), Some("v7")),
        "armel" => ("arm".to_owned(), Some("v6")),
        "i386" | "i686" => ("386".to_owned(), None),
        other => (other.to_owned(), None),
    };
    let variant = variant.or(implied.map(str::to_owned)).map(|variant| {
        if variant.starts_with(|character: char| character.is_ascii_digit()) {
            format!("v{variant}")
        } else {
            variant
        }
    });
    let variant = match (architecture.as_str(), variant.as_deref()) {
        ("arm64", Some("v8")) | ("amd64", Some("v1")) => None,
        _ => variant,
    };
    Platform { os, architecture, variant }
}

pub(crate) fn platform_name(platform: &Platform) -> String {
    let mut name = format!("{}/{}", platform.os, platform.architecture);
    if let Some(variant) = &platform.variant {
        name.push('/');
        name.push_str(variant);
    }
    name
}

#[cfg(test)]
mod tests;
