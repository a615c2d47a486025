//! The images of the accounts: which digests were seen under which tags, and how far their analysis is.

mod add;
mod base;
mod delete;
mod lookup;
mod query;
mod reference;
mod search;

use jiff::Timestamp;
use model::Digest;
use serde_json::{Map, Value};

pub use add::{AddImage, AddImageError, Pull};
pub(crate) use add::{AnalysisOrigin, want_analysis};
pub use base::FoundBaseImage;
pub(crate) use base::fill_layer_chains;
pub use delete::ImageDeletion;
pub(crate) use delete::remove_deleted;
pub use query::{ImageFilter, ImageList};
pub(crate) use reference::parse_image_id;
pub use reference::{ParsePullStringError, PullString};
pub use search::{
    FoundImages, FoundPackage, FoundVulnerability, PackageQuestion, ResultPage, VulnerabilityQueryError,
    VulnerabilityQuestion,
};

/// How far the analysis of an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnalysisStatus {
    /// Wanted.
    NotAnalyzed,
    /// A worker has it.
    Analyzing,
    /// Done.
    Analyzed,
    /// Given up; the record says why.
    AnalysisFailed,
}

impl AnalysisStatus {
    /// All, in the order of the API's document.
    pub const ALL: [Self; 4] = [Self::NotAnalyzed, Self::Analyzed, Self::Analyzing, Self::AnalysisFailed];

    /// The word on the wire and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAnalyzed => "not_analyzed",
            Self::Analyzing => "analyzing",
            Self::Analyzed => "analyzed",
            Self::AnalysisFailed => "analysis_failed",
        }
    }

    /// The status of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// Whether an image is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageStatus {
    /// It is.
    Active,
    /// It waits to be removed.
    Deleting,
}

impl ImageStatus {
    /// The word on the wire and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleting => "deleting",
        }
    }

    /// The status of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Deleting].into_iter().find(|status| status.name() == name)
    }
}

/// One image of an account.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageRecord {
    /// The account.
    pub account: String,
    /// Digest of the platform's manifest.
    pub digest: Digest,
    /// Digest of the index it was found in, or `digest`.
    pub parent_digest: Digest,
    /// Digest of the configuration.
    pub image_id: Digest,
    /// How far the analysis is.
    pub status: AnalysisStatus,
    /// Whether it is there, or waits to be removed.
    pub image_status: ImageStatus,
    /// Why the last attempt failed.
    pub analysis_error: Option<String>,
    /// What users noted.
    pub annotations: Map<String, Value>,
    /// The Dockerfile that a user supplied, base64.
    pub dockerfile: Option<String>,
    /// When the image was first seen, or what the user said.
    pub created_at: Timestamp,
    /// When the record was changed.
    pub updated_at: Timestamp,
    /// When the last analysis ended well.
    pub analyzed_at: Option<Timestamp>,
    /// What the analysis found, in short.
    pub summary: Option<AnalysisSummary>,
    /// Its tags, the one detected last first.
    pub tags: Vec<TagRecord>,
}

/// What an analysis found, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalysisSummary {
    /// `amd64`.
    pub architecture: String,
    /// `debian`.
    pub distro: Option<String>,
    /// `12`.
    pub distro_version: Option<String>,
    /// `Actual`, `Guessed` or `Unknown`.
    pub dockerfile_mode: String,
    /// The Dockerfile that was guessed from the history.
    pub guessed_dockerfile: Option<String>,
    /// Bytes of all layers as they are unpacked; the compressed size of images that were analyzed before that was counted.
    pub size_bytes: i64,
    /// Number of layers.
    pub layer_count: i64,
}

/// One tag of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRecord {
    /// Host with port.
    pub registry: String,
    /// Repository without `library/`.
    pub repository: String,
    /// The tag; `None` where the image was named by digest only.
    pub tag: Option<String>,
    /// When the tag was first seen on this digest.
    pub created_at: Timestamp,
    /// When it was last asked for.
    pub updated_at: Timestamp,
    /// When the tag last moved to this digest.
    pub detected_at: Timestamp,
}

impl TagRecord {
    /// `registry/repository:tag`, where there is a tag.
    pub fn full_tag(&self) -> Option<String> {
        self.tag.as_ref().map(|tag| format!("{}/{}:{tag}", self.registry, self.repository))
    }
}
