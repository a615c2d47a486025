//! What matching finds, and what it could not cover.

use jiff::Timestamp;

use crate::{Diagnostic, Ecosystem, FeedKind, PackageKind, Severity, SuppressedFinding};

/// One CVSS base score.
#[derive(Debug, Clone, PartialEq)]
pub struct CvssScore {
    /// Who rated it.
    pub source: String,
    /// The vector as written.
    pub vector: String,
    /// Base score from 0 to 10.
    pub score: f64,
}

/// What can be done about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingState {
    /// A fixed version exists.
    Fixed,
    /// Affected, and no fix exists yet.
    NotFixed,
    /// The distro will not fix it.
    WillNotFix,
    /// A version could not be ordered, so nobody knows: reported, never dropped.
    Undecided,
}

impl FindingState {
    /// Stable name, kebab case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::NotFixed => "not-fixed",
            Self::WillNotFix => "will-not-fix",
            Self::Undecided => "undecided",
        }
    }
}

/// Which name of the package the advisory named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchedBy {
    /// The source package or origin.
    SourcePackage,
    /// The binary package's own name.
    PackageName,
}

/// Why a finding is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The form of the feed.
    pub feed: FeedKind,
    /// Identifier of the record that matched.
    pub record: String,
    /// Body of packages in which it matched: `debian:12`.
    pub ecosystem: Ecosystem,
    /// Which name was compared.
    pub matched_by: MatchedBy,
    /// That name.
    pub matched_name: String,
    /// The version that was compared: the source's for deb and apk.
    pub matched_version: String,
    /// The interval that holds it, in words: `< 1.2.3-4`.
    pub range: String,
}

/// How likely a vulnerability is used, by the EPSS model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epss {
    /// Probability in the next thirty days, from 0 to 1.
    pub probability: f64,
    /// Share of vulnerabilities with a lower one, from 0 to 1.
    pub percentile: f64,
}

/// When a finding and its fix were first seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingTimes {
    /// When it was first found in this image.
    pub detected_at: Option<Timestamp>,
    /// When a fix was first seen in the data; `None` while there is none, or when that is not known.
    pub fix_observed_at: Option<Timestamp>,
}

/// One advisory that applies to one package.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Identifier shown to people: the CVE where there is one.
    pub id: String,
    /// Other names, sorted.
    pub aliases: Vec<String>,
    /// The class that counts.
    pub severity: Severity,
    /// Who rated it so.
    pub severity_source: Option<String>,
    /// All CVSS scores.
    pub cvss: Vec<CvssScore>,
    /// One line.
    pub summary: Option<String>,
    /// Where to read on.
    pub url: Option<String>,
    /// When it was published.
    pub published: Option<Timestamp>,
    /// Whether it is known to be used by attackers; `None`: no catalog of such vulnerabilities was asked.
    pub is_known_exploited: Option<bool>,
    /// How likely it is used; `None`: not known.
    pub epss: Option<Epss>,
    /// What can be done.
    pub state: FindingState,
    /// Versions (of the source package for deb and apk) that fix it.
    pub fixed_in: Vec<String>,
    /// Package manager of the package.
    pub package_kind: PackageKind,
    /// Name of the installed package.
    pub package: String,
    /// Its installed version.
    pub version: String,
    /// Its package URL.
    pub purl: String,
    /// Path of the first evidence.
    pub package_path: String,
    /// Why.
    pub evidence: Evidence,
}

/// Which database was asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DatabaseIdentity {
    /// Digest of the database's content: equal revisions answer equally.
    pub revision: String,
    /// When it was built from its feeds.
    pub built_at: Timestamp,
}

/// Why nothing can be said about the packages of a distro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoDataReason {
    /// There is no database at all.
    NoDatabase,
    /// The image names no distro.
    UnknownDistro,
    /// The image names a distro or has a package database, but not all of its packages could be read: a database that was
    /// removed, is not understood or hits a limit hides packages, it does not make the image clean.
    PackagesNotRead,
    /// The database has no record for this distro and release.
    NotInDatabase {
        /// `debian:9`.
        namespace: String,
    },
}

/// Whether the operating system packages could be looked up at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DistroCoverage {
    /// There was data.
    Covered {
        /// The body of packages that was asked.
        ecosystem: Ecosystem,
        /// When the data of this body was taken over.
        synced_at: Timestamp,
    },
    /// There was none: an empty list of findings means nothing.
    NoData(NoDataReason),
    /// The image has no operating system packages.
    NotNeeded,
}

/// All findings of one inventory.
///
/// Findings are sorted by severity (worst first), package, version and id.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchReport {
    /// Which database was asked; `None` when there is none.
    pub database: Option<DatabaseIdentity>,
    /// Whether the distro is known to it.
    pub coverage: DistroCoverage,
    /// The findings.
    pub findings: Vec<Finding>,
    /// What would be a finding, if nothing spoke against it, in the same order.
    pub suppressed: Vec<SuppressedFinding>,
    /// How many suppressed findings there are besides those that are listed.
    pub suppressed_left_out: usize,
    /// What could not be decided.
    pub diagnostics: Vec<Diagnostic>,
}

impl MatchReport {
    /// The report when there is no database: nothing is known, which is not the same as nothing found.
    pub fn without_database() -> Self {
        Self {
            database: None,
            coverage: DistroCoverage::NoData(NoDataReason::NoDatabase),
            findings: Vec::new(),
            suppressed: Vec::new(),
            suppressed_left_out: 0,
            diagnostics: Vec::new(),
        }
    }

    /// Whether the packages of the operating system were looked up, or there are none.
    pub fn is_covered(&self) -> bool {
        !matches!(self.coverage, DistroCoverage::NoData(_))
    }
}
