//! How an analysis is kept: own structures as JSON, compressed with zstd.
//!
//! A type of the domain never gets into the database: it is taken apart field by field, so that a new field is a
//! compile error here. Every field of a stored structure but the names is optional to read, so older rows stay readable.

use std::io::{self, Read};

use jiff::Timestamp;
use model::{
    BaseImage, Diagnostic, DiagnosticCode, Digest, Distro, DockerfileMode, HistoryEntry, ImageFacts,
    Inventory, LayerFacts, ParseDigestError, Platform,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::stored_package::StoredPackage;

/// Number of the form below; a higher one in the database was written by a newer program.
pub(crate) const FORM: i64 = 1;

const COMPRESSION_LEVEL: i32 = 3;
/// A stored analysis unpacks to less; more is damage.
const UNPACKED_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// What was found out about an image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Analysis {
    pub(crate) facts: ImageFacts,
    pub(crate) inventory: Inventory,
}

/// Why a stored analysis cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("stored analysis has form {found}, this program knows {known}")]
    UnknownForm { found: i64, known: i64 },
    #[error("unpack the stored analysis")]
    Unpack(#[source] io::Error),
    #[error("stored analysis unpacks to more than {UNPACKED_BYTES_MAX} bytes")]
    TooLarge,
    #[error("read the stored analysis")]
    Parse(#[source] serde_json::Error),
    #[error("read a digest of the stored analysis")]
    Digest(#[from] ParseDigestError),
    #[error("stored analysis has unknown {what} `{word}`")]
    UnknownWord { what: &'static str, word: String },
    #[error("read bytes of the stored contents")]
    NotBase64,
}

pub(crate) fn encode(analysis: &Analysis) -> io::Result<Vec<u8>> {
    let Analysis { facts, inventory } = analysis;
    compress(&StoredAnalysis { facts: facts.into(), inventory: inventory.into() })
}

pub(super) fn compress<T: Serialize>(stored: &T) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), COMPRESSION_LEVEL)?;
    serde_json::to_writer(&mut encoder, stored)?;
    encoder.finish()
}

pub(crate) fn decode(form: i64, content: &[u8]) -> Result<Analysis, DecodeError> {
    if form != FORM {
        return Err(DecodeError::UnknownForm { found: form, known: FORM });
    }
    let stored: StoredAnalysis = decompress(content)?;
    Ok(Analysis { facts: stored.facts.try_into()?, inventory: stored.inventory.try_into()? })
}

pub(super) fn decompress<T: DeserializeOwned>(content: &[u8]) -> Result<T, DecodeError> {
    let decoder = zstd::Decoder::new(content).map_err(DecodeError::Unpack)?;
    let mut text = Vec::new();
    let mut bounded = decoder.take(UNPACKED_BYTES_MAX + 1);
    io::copy(&mut bounded, &mut text).map_err(DecodeError::Unpack)?;
    if bounded.limit() == 0 {
        return Err(DecodeError::TooLarge);
    }
    serde_json::from_slice(&text).map_err(DecodeError::Parse)
}

#[derive(Serialize, Deserialize)]
struct StoredAnalysis {
    facts: StoredFacts,
    inventory: StoredInventory,
}

#[derive(Serialize, Deserialize)]
struct StoredFacts {
    digest: String,
    parent_digest: String,
    image_id: String,
    os: String,
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    layers: Vec<StoredLayer>,
    #[serde(default)]
    size_bytes: u64,
    #[serde(default)]
    created: Option<Timestamp>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    exposed_ports: Vec<String>,
    #[serde(default)]
    environment: Vec<String>,
    #[serde(default)]
    entrypoint: Vec<String>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    working_directory: Option<String>,
    #[serde(default)]
    labels: Vec<(String, String)>,
    #[serde(default)]
    has_health_check: bool,
    #[serde(default)]
    history: Vec<StoredHistory>,
    dockerfile_mode: String,
    #[serde(default)]
    dockerfile: String,
    #[serde(default)]
    manifest: String,
    #[serde(default)]
    base_name: Option<String>,
    #[serde(default)]
    base_digest: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredLayer {
    #[serde(default)]
    digest: Option<String>,
    diff_id: String,
    #[serde(default)]
    size_bytes: u64,
    #[serde(default)]
    unpacked_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredHistory {
    #[serde(default)]
    created: Option<Timestamp>,
    #[serde(default)]
    created_by: Option<String>,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    is_empty_layer: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredInventory {
    #[serde(default)]
    distro: Option<StoredDistro>,
    #[serde(default)]
    packages: Vec<StoredPackage>,
    #[serde(default)]
    diagnostics: Vec<StoredDiagnostic>,
    #[serde(default)]
    layers: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredDistro {
    id: String,
    #[serde(default)]
    version_id: Option<String>,
    #[serde(default)]
    version_codename: Option<String>,
    #[serde(default)]
    id_like: Vec<String>,
    #[serde(default)]
    pretty_name: Option<String>,
    #[serde(default)]
    channel: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredDiagnostic {
    code: String,
    subject: String,
    #[serde(default)]
    offset: Option<u64>,
    message: String,
}

impl From<&ImageFacts> for StoredFacts {
    fn from(facts: &ImageFacts) -> Self {
        let ImageFacts {
            digest,
            parent_digest,
            image_id,
            platform: Platform { os, architecture, variant },
            layers,
            size_bytes,
            created,
            user,
            exposed_ports,
            environment,
            entrypoint,
            command,
            working_directory,
            labels,
            has_health_check,
            history,
            dockerfile_mode,
            dockerfile,
            manifest,
            base,
        } = facts.clone();
        let BaseImage { name: base_name, digest: base_digest } = base.unwrap_or_default();
        Self {
            digest: digest.to_string(),
            parent_digest: parent_digest.to_string(),
            image_id: image_id.to_string(),
            os,
            architecture,
            variant,
            layers: layers.into_iter().map(StoredLayer::from).collect(),
            size_bytes,
            created,
            user,
            exposed_ports,
            environment,
            entrypoint,
            command,
            working_directory,
            labels,
            has_health_check,
            history: history.into_iter().map(StoredHistory::from).collect(),
            dockerfile_mode: dockerfile_mode.name().to_owned(),
            dockerfile,
            manifest,
            base_name,
            base_digest: base_digest.map(|digest| digest.to_string()),
        }
    }
}

impl TryFrom<StoredFacts> for ImageFacts {
    type Error = DecodeError;

    fn try_from(stored: StoredFacts) -> Result<Self, DecodeError> {
        let dockerfile_mode = [DockerfileMode::Actual, DockerfileMode::Guessed, DockerfileMode::Unknown]
            .into_iter()
            .find(|mode| mode.name() == stored.dockerfile_mode)
            .ok_or(DecodeError::UnknownWord { what: "Dockerfile mode", word: stored.dockerfile_mode })?;
        Ok(Self {
            digest: stored.digest.parse()?,
            parent_digest: stored.parent_digest.parse()?,
            image_id: stored.image_id.parse()?,
            platform: Platform { os: stored.os, architecture: stored.architecture, variant: stored.variant },
            layers: stored.layers.into_iter().map(LayerFacts::try_from).collect::<Result<_, _>>()?,
            size_bytes: stored.size_bytes,
            created: stored.created,
            user: stored.user,
            exposed_ports: stored.exposed_ports,
            environment: stored.environment,
            entrypoint: stored.entrypoint,
            command: stored.command,
            working_directory: stored.working_directory,
            labels: stored.labels,
            has_health_check: stored.has_health_check,
            history: stored.history.into_iter().map(HistoryEntry::from).collect(),
            dockerfile_mode,
            dockerfile: stored.dockerfile,
            manifest: stored.manifest,
            base: Some(BaseImage {
                name: stored.base_name,
                digest: stored.base_digest.map(|digest| digest.parse()).transpose()?,
            })
            .filter(|base| *base != BaseImage::default()),
        })
    }
}

impl From<LayerFacts> for StoredLayer {
    fn from(LayerFacts { digest, diff_id, size_bytes, unpacked_bytes }: LayerFacts) -> Self {
        let digest = digest.map(|digest| digest.to_string());
        Self { digest, diff_id: diff_id.to_string(), size_bytes, unpacked_bytes }
    }
}

impl TryFrom<StoredLayer> for LayerFacts {
    type Error = DecodeError;

    fn try_from(stored: StoredLayer) -> Result<Self, DecodeError> {
        let StoredLayer { digest, diff_id, size_bytes, unpacked_bytes } = stored;
        let digest = digest.map(|digest| digest.parse::<Digest>()).transpose()?;
        Ok(Self { digest, diff_id: diff_id.parse()?, size_bytes, unpacked_bytes })
    }
}

impl From<HistoryEntry> for StoredHistory {
    fn from(HistoryEntry { created, created_by, comment, is_empty_layer }: HistoryEntry) -> Self {
        Self { created, created_by, comment, is_empty_layer }
    }
}

impl From<StoredHistory> for HistoryEntry {
    fn from(StoredHistory { created, created_by, comment, is_empty_layer }: StoredHistory) -> Self {
        Self { created, created_by, comment, is_empty_layer }
    }
}

impl From<&Inventory> for StoredInventory {
    fn from(Inventory { distro, packages, diagnostics, layers }: &Inventory) -> Self {
        Self {
            distro: distro.clone().map(StoredDistro::from),
            packages: packages.iter().map(StoredPackage::from).collect(),
            diagnostics: diagnostics.iter().cloned().map(StoredDiagnostic::from).collect(),
            layers: layers.iter().map(ToString::to_string).collect(),
        }
    }
}

impl TryFrom<StoredInventory> for Inventory {
    type Error = DecodeError;

    fn try_from(stored: StoredInventory) -> Result<Self, DecodeError> {
        let StoredInventory { distro, packages, diagnostics, layers } = stored;
        Ok(Self {
            distro: distro.map(Distro::from),
            packages: packages.into_iter().map(TryFrom::try_from).collect::<Result<_, DecodeError>>()?,
            diagnostics: diagnostics
                .into_iter()
                .map(TryFrom::try_from)
                .collect::<Result<_, DecodeError>>()?,
            layers: layers.iter().map(|layer| layer.parse()).collect::<Result<_, _>>()?,
        })
    }
}

impl From<Distro> for StoredDistro {
    fn from(Distro { id, version_id, version_codename, id_like, pretty_name, channel }: Distro) -> Self {
        Self { id, version_id, version_codename, id_like, pretty_name, channel }
    }
}

impl From<StoredDistro> for Distro {
    fn from(stored: StoredDistro) -> Self {
        let StoredDistro { id, version_id, version_codename, id_like, pretty_name, channel } = stored;
        Self { id, version_id, version_codename, id_like, pretty_name, channel }
    }
}

impl From<Diagnostic> for StoredDiagnostic {
    fn from(Diagnostic { code, subject, offset, message }: Diagnostic) -> Self {
        Self { code: code.name().to_owned(), subject, offset, message }
    }
}

impl TryFrom<StoredDiagnostic> for Diagnostic {
    type Error = DecodeError;

    fn try_from(stored: StoredDiagnostic) -> Result<Self, DecodeError> {
        let StoredDiagnostic { code, subject, offset, message } = stored;
        let code = DiagnosticCode::from_name(&code)
            .ok_or(DecodeError::UnknownWord { what: "diagnostic code", word: code })?;
        Ok(Self { code, subject, offset, message })
    }
}

#[cfg(test)]
mod tests {
    use model::{JavaVersions, Location, OwnedFile, Package, PackageKind, SourcePackage};

    use super::*;

    fn digest(fill: char) -> Digest {
        format!("sha256:{}", fill.to_string().repeat(64)).parse().unwrap()
    }

    /// Every field has a value that is not the one it has when it is missing.
    fn full() -> Analysis {
        let text = |text: &str| Some(text.to_owned());
        let facts = ImageFacts {
            digest: digest('1'),
            parent_digest: digest('2'),
            image_id: digest('3'),
            platform: Platform { os: "linux".into(), architecture: "arm64".into(), variant: text("v8") },
            layers: vec![LayerFacts {
                digest: Some(digest('4')),
                diff_id: digest('5'),
                size_bytes: 6,
                unpacked_bytes: 60,
            }],
            base: Some(BaseImage { name: text("debian:12"), digest: Some(digest('9')) }),
            size_bytes: 7,
            created: Some("2026-01-02T03:04:05.678Z".parse().unwrap()),
            user: text("nobody"),
            exposed_ports: vec!["80/tcp".into()],
            environment: vec!["A=b".into()],
            entrypoint: vec!["/a".into()],
            command: vec!["-b".into()],
            working_directory: text("/w"),
            labels: vec![("k".into(), "v".into())],
            has_health_check: true,
            history: vec![HistoryEntry {
                created: Some(Timestamp::UNIX_EPOCH),
                created_by: text("RUN x"),
                comment: text("c"),
                is_empty_layer: true,
            }],
            dockerfile_mode: DockerfileMode::Guessed,
            dockerfile: "FROM x".into(),
            manifest: "{}".into(),
        };
        let package = |kind| Package {
            kind,
            name: "n".into(),
            version: text("1:2-3"),
            architecture: text("all"),
            source: Some(SourcePackage { name: "s".into(), version: "2-3".into() }),
            purl: "pkg:deb/n".into(),
            licenses: vec!["MIT".into()],
            maintainer: text("m"),
            installed_size_bytes: Some(8),
            locations: vec![Location { path: "/p".into(), layer: Some(digest('6')) }],
            files: vec![OwnedFile {
                path: "/f".into(),
                checksum: text("md5:0"),
                permissions: Some(0o644),
                size_bytes: Some(9),
                is_configuration: true,
                is_content_changed: Some(false),
            }],
            java: Some(JavaVersions {
                specification: text("1"),
                implementation: text("2"),
                maven: text("3"),
                sha1: text("4"),
            }),
            is_third_party: Some(true),
            owner: text("o"),
            modularity: text("a:1"),
            cpes: vec!["cpe:2.3:a:a:a:1".into()],
        };
        let inventory = Inventory {
            distro: Some(Distro {
                id: "debian".into(),
                version_id: text("12"),
                version_codename: text("bookworm"),
                id_like: vec!["x".into()],
                pretty_name: text("Debian"),
                channel: text("eus"),
            }),
            packages: PackageKind::ALL.into_iter().map(package).collect(),
            diagnostics: vec![Diagnostic {
                code: DiagnosticCode::BrokenRecord,
                subject: "/s".into(),
                offset: Some(9),
                message: "m".into(),
            }],
            layers: vec![digest('7')],
        };
        Analysis { facts, inventory }
    }

    #[test]
    fn everything_survives_being_stored() {
        let content = encode(&full()).unwrap();
        assert_eq!(decode(FORM, &content).unwrap(), full());
    }

    #[test]
    fn what_an_older_program_did_not_store_is_absent() {
        let text = format!(
            r#"{{"facts":{{"digest":"{0}","parent_digest":"{0}","image_id":"{0}","os":"linux","architecture":"amd64",
                "dockerfile_mode":"Unknown"}},"inventory":{{"packages":[{{"kind":"deb","name":"a","purl":"p"}}]}}}}"#,
            digest('1')
        );
        let analysis = decode(FORM, &zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
        assert_eq!(analysis.inventory.packages[0].version, None);
        assert_eq!(analysis.facts.layers, []);
    }

    #[test]
    fn damage_is_an_error() {
        let content = encode(&full()).unwrap();
        assert!(matches!(decode(FORM + 1, &content), Err(DecodeError::UnknownForm { found: 2, .. })));
        for length in 0..content.len() {
            assert!(decode(FORM, &content[..length]).is_err(), "{length}");
        }
        let text = zstd::encode_all(&b"{}"[..], 1).unwrap();
        assert!(matches!(decode(FORM, &text), Err(DecodeError::Parse(_))));
    }
}
