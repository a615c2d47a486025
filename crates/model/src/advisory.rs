//! One record of a vulnerability feed, in one shape for all feeds.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;

use crate::Severity;

/// The form of a feed, as named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeedKind {
    /// Open Source Vulnerability records: a folder, a zip or JSON lines.
    Osv,
    /// Alpine's security database, YAML or JSON.
    AlpineSecdb,
    /// The JSON document of Debian's security tracker.
    DebianTracker,
}

impl FeedKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Osv, Self::AlpineSecdb, Self::DebianTracker];

    /// The name on the command line and in a finding's evidence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Osv => "osv",
            Self::AlpineSecdb => "alpine-secdb",
            Self::DebianTracker => "debian-tracker",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The body of packages that an advisory speaks about: `debian` 12, `alpine` 3.18, `npm`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ecosystem {
    /// Lower case: `debian`, `ubuntu`, `alpine`, `wolfi`, `npm`, `pypi`.
    pub family: String,
    /// Release without any letter in front: `12`, `3.18`, `edge`; `None` for unversioned bodies.
    pub release: Option<String>,
}

impl Ecosystem {
    /// The name of a package as this body of packages compares names: what people write in several ways is one package.
    pub fn normal_name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match self.family.as_str() {
            // Python's normal form: PEP 503.
            "pypi" => {
                let mut normal = String::with_capacity(name.len());
                for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
                    if !normal.is_empty() {
                        normal.push('-');
                    }
                    normal.push_str(&part.to_lowercase());
                }
                Cow::Owned(normal)
            }
            "nuget" | "packagist" | "hex" | "pub" | "bitnami" | "github actions" => {
                Cow::Owned(name.to_lowercase())
            }
            // The address of a repository, which people write with and without what git needs.
            "swifturl" => {
                let address = name.split_once("://").map_or(name, |(_, address)| address);
                let address = address.trim_end_matches('/');
                Cow::Owned(address.strip_suffix(".git").unwrap_or(address).to_lowercase())
            }
            _ => Cow::Borrowed(name),
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.release {
            Some(release) => write!(formatter, "{}:{release}", self.family),
            None => formatter.write_str(&self.family),
        }
    }
}

/// Somebody's rating.
#[derive(Debug, Clone, PartialEq)]
pub struct SeverityRating {
    /// Who says so: `debian`, `nvd`, `osv`.
    pub source: String,
    /// The class.
    pub severity: Severity,
    /// The CVSS vector it was derived from, if it was.
    pub vector: Option<String>,
    /// The CVSS base score, if there is one.
    pub score: Option<f64>,
}

/// Where an interval of versions ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RangeEnd {
    /// All later versions are affected: there is no fix.
    Open,
    /// This version is the first that is not affected.
    Fixed(String),
    /// This version is the last that is affected; which one fixes it is not known.
    LastAffected(String),
}

/// An interval of versions in the order of the ecosystem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionInterval {
    /// First affected version; `None` is the beginning of all versions.
    pub introduced: Option<String>,
    /// The end.
    pub end: RangeEnd,
}

impl fmt::Display for VersionInterval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.introduced, &self.end) {
            (None, RangeEnd::Open) => formatter.write_str("all versions"),
            (None, RangeEnd::Fixed(fixed)) => write!(formatter, "< {fixed}"),
            (None, RangeEnd::LastAffected(last)) => write!(formatter, "<= {last}"),
            (Some(introduced), RangeEnd::Open) => write!(formatter, ">= {introduced}"),
            (Some(introduced), RangeEnd::Fixed(fixed)) => write!(formatter, ">= {introduced}, < {fixed}"),
            (Some(introduced), RangeEnd::LastAffected(last)) => {
                write!(formatter, ">= {introduced}, <= {last}")
            }
        }
    }
}

/// What the source says about one package in one ecosystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AffectedState {
    /// Versions inside the intervals are affected.
    Affected,
    /// Affected, and the distro has said that it will not fix it.
    WillNotFix,
    /// Never affected: a negative fact, kept because it decides against other sources.
    NotAffected,
    /// The source has not decided yet.
    Undetermined,
}

/// The part of an advisory about one package.
#[derive(Debug, Clone, PartialEq)]
pub struct AffectedPackage {
    /// Body of packages.
    pub ecosystem: Ecosystem,
    /// Name as the source writes it: the source package (deb), the origin (apk).
    pub package: String,
    /// What is said about it.
    pub state: AffectedState,
    /// Affected intervals, ordered. Empty together with empty `versions` and state `Affected` or `WillNotFix` means all versions.
    pub intervals: Vec<VersionInterval>,
    /// Single affected versions, in addition to the intervals.
    pub versions: Vec<String>,
    /// Ratings that hold for this package only; they win over the record's.
    pub severities: Vec<SeverityRating>,
    /// For builds that belong to a module of rpm: module and stream, `nodejs:18`, several with blanks between them, empty where
    /// the source does not name them. `None`: builds outside of modules, and everything that is not rpm.
    pub modularity: Option<String>,
}

/// One record of a feed.
#[derive(Debug, Clone, PartialEq)]
pub struct Advisory {
    /// Identifier as written: `CVE-2023-0001`, `DSA-5000-1`, `GHSA-…`.
    pub id: String,
    /// Other names of the same vulnerability.
    pub aliases: Vec<String>,
    /// Which feed it comes from.
    pub feed: FeedKind,
    /// One line.
    pub summary: Option<String>,
    /// Where to read on.
    pub url: Option<String>,
    /// Ratings, the source's own first.
    pub severities: Vec<SeverityRating>,
    /// When it was published.
    pub published: Option<Timestamp>,
    /// When it was last changed.
    pub modified: Option<Timestamp>,
    /// Withdrawn records are kept as tombstones and never match.
    pub is_withdrawn: bool,
    /// What is affected.
    pub affected: Vec<AffectedPackage>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_one_package_are_one_name() {
        for (family, name, expected) in [
            ("pypi", "Zope.Interface", "zope-interface"),
            ("pypi", "ruamel__yaml-._clib", "ruamel-yaml-clib"),
            ("nuget", "Newtonsoft.Json", "newtonsoft.json"),
            ("packagist", "Symfony/HTTP-Kernel", "symfony/http-kernel"),
            ("npm", "@Scope/Name", "@Scope/Name"),
            ("swifturl", "https://github.com/Apple/swift-nio.git", "github.com/apple/swift-nio"),
            ("swifturl", "github.com/apple/swift-nio", "github.com/apple/swift-nio"),
            ("crates.io", "Some_Crate", "Some_Crate"),
            ("bitnami", "Redis", "redis"),
            ("go", "github.com/BurntSushi/toml", "github.com/BurntSushi/toml"),
            ("debian", "libA", "libA"),
        ] {
            let ecosystem = Ecosystem { family: family.to_owned(), release: None };
            assert_eq!(ecosystem.normal_name(name), expected, "{family} {name}");
        }
    }
}
