//! All packages of an image, and what could not be read.

use crate::{Digest, Distro, Package};

/// What kind of thing could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiagnosticCode {
    /// A file looks like a package database but is not understood.
    UnreadableDatabase,
    /// One record of a database is broken; the others were read.
    BrokenRecord,
    /// No os-release file, or one without an `ID`.
    UnknownDistro,
    /// A file was left out because it is larger than the limit.
    FileTooLarge,
    /// A package database names packages that are not in the inventory, because a limit was reached or a part of it is broken.
    PackagesLeftOut,
    /// A file was not searched, or not all of it, because a limit was reached.
    ContentNotSearched,
    /// The image has more paths than are listed, because a limit was reached.
    PathsLeftOut,
    /// A link leads nowhere, in a circle or out of the image.
    BrokenLink,
    /// A package has no version, so it cannot be matched.
    MissingVersion,
    /// A version cannot be ordered by the rules of its ecosystem.
    UnparsableVersion,
    /// An advisory has a bound that cannot be ordered.
    UnparsableBound,
    /// Packages of a kind for which nothing is looked up.
    UnmatchedEcosystem,
    /// A source has not decided yet whether its advisories apply to installed packages.
    UndeterminedAdvisory,
    /// Packages of the operating system that somebody else than the distro made; its advisories say nothing about them.
    ThirdPartyPackages,
    /// A layer was read by its table of contents: nothing holds that against the layer's digest.
    LayerReadInParts,
}

impl DiagnosticCode {
    /// Stable name, kebab case.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnreadableDatabase => "unreadable-database",
            Self::BrokenRecord => "broken-record",
            Self::UnknownDistro => "unknown-distro",
            Self::FileTooLarge => "file-too-large",
            Self::PackagesLeftOut => "packages-left-out",
            Self::ContentNotSearched => "content-not-searched",
            Self::PathsLeftOut => "paths-left-out",
            Self::BrokenLink => "broken-link",
            Self::MissingVersion => "missing-version",
            Self::UnparsableVersion => "unparsable-version",
            Self::UnparsableBound => "unparsable-bound",
            Self::UnmatchedEcosystem => "unmatched-ecosystem",
            Self::UndeterminedAdvisory => "undetermined-advisory",
            Self::ThirdPartyPackages => "third-party-packages",
            Self::LayerReadInParts => "layer-read-in-parts",
        }
    }

    /// The code with this stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::UnreadableDatabase,
            Self::BrokenRecord,
            Self::UnknownDistro,
            Self::FileTooLarge,
            Self::PackagesLeftOut,
            Self::ContentNotSearched,
            Self::PathsLeftOut,
            Self::BrokenLink,
            Self::MissingVersion,
            Self::UnparsableVersion,
            Self::UnparsableBound,
            Self::UnmatchedEcosystem,
            Self::UndeterminedAdvisory,
            Self::ThirdPartyPackages,
            Self::LayerReadInParts,
        ]
        .into_iter()
        .find(|code| code.name() == name)
    }
}

/// Something that could not be read or decided: a visible fact, never a silent gap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// What kind.
    pub code: DiagnosticCode,
    /// Absolute path in the image, or the package, advisory or layer it is about.
    pub subject: String,
    /// Byte offset in the file, where there is one.
    pub offset: Option<u64>,
    /// One sentence for people, without the subject.
    pub message: String,
}

/// All packages of one image.
///
/// Packages are sorted by kind, name, version and location, so that the same bytes give the same inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The operating system, if the image names one.
    pub distro: Option<Distro>,
    /// The packages.
    pub packages: Vec<Package>,
    /// What could not be read.
    pub diagnostics: Vec<Diagnostic>,
    /// Diff ids of the layers, lowest first.
    pub layers: Vec<Digest>,
}
