//! What a policy may ask about an image besides its packages.

use jiff::Timestamp;

use crate::Digest;

/// Operating system and processor an image is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`.
    pub architecture: String,
    /// `v8`, where it matters.
    pub variant: Option<String>,
}

/// Where the Dockerfile lines come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DockerfileMode {
    /// A user supplied it.
    Actual,
    /// It was rebuilt from the history of the layers.
    Guessed,
    /// There is neither.
    Unknown,
}

impl DockerfileMode {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Actual => "Actual",
            Self::Guessed => "Guessed",
            Self::Unknown => "Unknown",
        }
    }
}

/// One step of an image's history, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When.
    pub created: Option<Timestamp>,
    /// The command, as the builder wrote it.
    pub created_by: Option<String>,
    /// A remark of the builder.
    pub comment: Option<String>,
    /// Whether the step made no layer.
    pub is_empty_layer: bool,
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerFacts {
    /// Digest of the compressed bytes, where the source has it.
    pub digest: Option<Digest>,
    /// Digest of the uncompressed tar.
    pub diff_id: Digest,
    /// Compressed size in bytes, where known.
    pub size_bytes: u64,
    /// Size of the uncompressed tar in bytes; 0 when it was not counted.
    pub unpacked_bytes: u64,
}

/// The image that another one was built from, as that one says. At least one of the two is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BaseImage {
    /// Its name: `docker.io/library/debian:12`.
    pub name: Option<String>,
    /// Digest of its manifest, or of the index that it was chosen from.
    pub digest: Option<Digest>,
}

/// What the manifest and the configuration of an image say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// Digest of the platform's manifest; for archives without one, of the manifest that the archive implies.
    pub digest: Digest,
    /// Digest of the index that the reference named, or equal to `digest`.
    pub parent_digest: Digest,
    /// Digest of the configuration: the image id.
    pub image_id: Digest,
    /// What it is for.
    pub platform: Platform,
    /// Layers, lowest first.
    pub layers: Vec<LayerFacts>,
    /// The image that it was built from, where it says so.
    pub base: Option<BaseImage>,
    /// Compressed size in bytes: configuration and layers.
    pub size_bytes: u64,
    /// When it was built.
    pub created: Option<Timestamp>,
    /// `USER`, as written; `None` is root.
    pub user: Option<String>,
    /// `EXPOSE`: `80/tcp`, sorted.
    pub exposed_ports: Vec<String>,
    /// `ENV`: `KEY=value`, in order.
    pub environment: Vec<String>,
    /// `ENTRYPOINT`.
    pub entrypoint: Vec<String>,
    /// `CMD`.
    pub command: Vec<String>,
    /// `WORKDIR`.
    pub working_directory: Option<String>,
    /// `LABEL`, sorted by key.
    pub labels: Vec<(String, String)>,
    /// Whether a health check is configured (and not `NONE`).
    pub has_health_check: bool,
    /// History, oldest first.
    pub history: Vec<HistoryEntry>,
    /// Where the Dockerfile lines come from.
    pub dockerfile_mode: DockerfileMode,
    /// The Dockerfile's text, supplied or rebuilt; empty when unknown.
    pub dockerfile: String,
    /// The manifest's bytes as text, for clients that ask for it.
    pub manifest: String,
}
