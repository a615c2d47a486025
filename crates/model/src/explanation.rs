//! Why a vulnerability is, or is not, a finding of an image: every record that speaks about it, held against every package that
//! it could mean.

use crate::{Ecosystem, FeedKind, FindingState, MatchedBy, PackageKind, SuppressionReason};

/// What is known about one vulnerability and one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// As it was asked for.
    pub id: String,
    /// All names of the records that were found, sorted.
    pub names: Vec<String>,
    /// One line about the vulnerability.
    pub summary: Option<String>,
    /// Where to read on.
    pub url: Option<String>,
    /// The answers: what is reported first, then the nearest misses. Never empty.
    pub answers: Vec<Answer>,
    /// How many more answers there are than are listed.
    pub answers_left_out: usize,
}

impl Explanation {
    /// Whether it is reported as a finding.
    pub fn is_reported(&self) -> bool {
        self.answers.iter().any(|answer| matches!(answer.outcome, AnswerOutcome::Reported { .. }))
    }
}

/// One record and one package, as far as there are such.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The record; `None` when there is none.
    pub record: Option<ExplainedRecord>,
    /// The installed package; `None` when no installed package is meant.
    pub package: Option<ExplainedPackage>,
    /// What was held against each other; `None` when nothing was.
    pub comparison: Option<Comparison>,
    /// What came out.
    pub outcome: AnswerOutcome,
}

/// One record, as far as it speaks about one name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExplainedRecord {
    /// Its identifier.
    pub id: String,
    /// The feed.
    pub feed: FeedKind,
    /// The body of packages it speaks about; `None` for withdrawn records, which speak about nothing.
    pub ecosystem: Option<Ecosystem>,
    /// The name it speaks about, as it is looked up; empty for withdrawn records.
    pub package: String,
    /// All it says about versions, in words: `< 1.2.3-4`, `= 1.0`, `not affected`.
    pub says: String,
}

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExplainedPackage {
    /// Package manager.
    pub kind: PackageKind,
    /// Name.
    pub name: String,
    /// Version, where it has one.
    pub version: Option<String>,
    /// Package URL.
    pub purl: String,
    /// Path of the first evidence.
    pub path: String,
}

/// What was held against each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Comparison {
    /// Whether the package's own name or its source's (origin's) was looked up.
    pub matched_by: MatchedBy,
    /// That name.
    pub name: String,
    /// The version that belongs to that name.
    pub version: String,
    /// The rules by which versions were ordered: `dpkg`, `semver`.
    pub scheme: &'static str,
}

/// What came out for one record and one package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnswerOutcome {
    /// It is a finding. The range is the one that holds the version.
    Reported {
        /// The identifier under which it is reported.
        finding: String,
        /// Its state.
        state: FindingState,
        /// The range.
        range: String,
        /// Versions that fix it.
        fixed_in: Vec<String>,
    },
    /// It would be a finding, but something speaks against it.
    Suppressed(SuppressionReason),
    /// The record holds, but records of higher standing say otherwise or the same better: the source package's over the
    /// binary's, the distro's own over others'.
    Overruled {
        /// The identifiers of the records that count.
        by: Vec<String>,
    },
    /// The installed version has the fix: the highest fixed version at or below it.
    Fixed {
        /// That version.
        fixed_in: String,
    },
    /// The installed version lies outside of all ranges.
    OutsideRange,
    /// The record says that the package is not affected.
    NotAffected,
    /// The version, or a bound of the record, cannot be ordered.
    Undecidable {
        /// What is wrong with it.
        problem: String,
    },
    /// The source has not decided whether its record applies.
    Undetermined,
    /// The record was withdrawn.
    Withdrawn,
    /// The package is installed, but as one of another build than the record speaks about: of a module or not, another stream.
    OtherModule {
        /// The module and stream that the record speaks about; `None`: builds outside of modules.
        wanted: Option<String>,
    },
    /// The record is about a body of packages that this image does not have: another distro or release, a language of which
    /// nothing is installed.
    OtherEcosystem,
    /// The record is about a body of packages that this image has, but not about an installed package.
    NotInstalled,
    /// The package is installed and has no version, so nothing can be compared.
    NoVersion,
    /// The package is installed and somebody else than the distro made it, so the distro's records do not count for it.
    ThirdParty,
    /// The package is installed, and no record of this vulnerability names it.
    NoRecordOfPackage,
    /// The package is installed, and the database has nothing for packages of its kind or distro.
    NoDataForPackage,
    /// No package of the asked name is installed.
    NoSuchPackage,
    /// No record of the database has this name.
    NotInDatabase,
}

impl AnswerOutcome {
    /// Stable name, kebab case.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Reported { .. } => "reported",
            Self::Suppressed(_) => "suppressed",
            Self::Overruled { .. } => "overruled",
            Self::Fixed { .. } => "fixed",
            Self::OutsideRange => "outside-range",
            Self::NotAffected => "not-affected",
            Self::Undecidable { .. } => "undecidable",
            Self::Undetermined => "undetermined",
            Self::Withdrawn => "withdrawn",
            Self::OtherModule { .. } => "other-module",
            Self::OtherEcosystem => "other-ecosystem",
            Self::NotInstalled => "not-installed",
            Self::NoVersion => "no-version",
            Self::ThirdParty => "third-party",
            Self::NoRecordOfPackage => "no-record-of-package",
            Self::NoDataForPackage => "no-data-for-package",
            Self::NoSuchPackage => "no-such-package",
            Self::NotInDatabase => "not-in-database",
        }
    }
}
