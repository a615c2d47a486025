//! What the writers of package lists in other tools' formats share.

use jiff::Timestamp;

/// What a document says about itself besides its content.
///
/// Without a time the same content gives the same bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meta {
    /// When the document is made. Where a format wants a time and there is none here, it is when the image was built, or the
    /// beginning of 1970.
    pub created: Option<Timestamp>,
    /// Whether the files that packages own are listed too.
    pub has_files: bool,
}

impl Meta {
    /// For formats that want a time.
    pub(crate) fn time(&self, image: Option<&model::ImageFacts>) -> Timestamp {
        self.created.or_else(|| image?.created).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// The program, as documents name it.
pub(crate) const TOOL: &str = "lazaret";
/// Its version.
pub(crate) const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Editions of CycloneDX that are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CycloneDxVersion {
    /// 1.4.
    V1_4,
    /// 1.5.
    V1_5,
    /// 1.6.
    #[default]
    V1_6,
    /// 1.7.
    V1_7,
}

impl CycloneDxVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [Self::V1_4, Self::V1_5, Self::V1_6, Self::V1_7];

    /// As documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1_4 => "1.4",
            Self::V1_5 => "1.5",
            Self::V1_6 => "1.6",
            Self::V1_7 => "1.7",
        }
    }

    /// The edition of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.name() == name)
    }
}
