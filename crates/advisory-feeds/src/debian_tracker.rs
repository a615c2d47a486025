//! The JSON document of Debian's security tracker: what each release says about each source package.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use model::{
    Advisory, AffectedPackage, AffectedState, DiagnosticCode, Ecosystem, FeedKind, RangeEnd, VersionInterval,
};
use package_versions::VersionScheme;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::ecosystem::debian_release;
use crate::severity_word::rate_word;
use crate::text::first_line;
use crate::{FeedError, FeedLimits, ParsedFeed};

/// Who rates, in this feed.
const SOURCE: &str = "debian";

/// Parses the document.
///
/// Shape:  `{source package: {CVE: {description, releases: {codename: {status, fixed_version, urgency, nodsa}}}}}`;
///         some 60 MB, so values are cut out and read one at a time.
/// Result: one advisory per CVE, for all packages.
/// Errors: no JSON object, one that breaks off, or more than the limits allow.
/// Source: <https://security-tracker.debian.org/tracker/data/json>, read 2026-08.
pub fn parse(bytes: &[u8], name: &str, limits: &FeedLimits) -> Result<ParsedFeed, FeedError> {
    let not_a_feed = |reason: String| FeedError::NotAFeed {
        path: name.to_owned(),
        kind: FeedKind::DebianTracker.name(),
        reason,
    };
    let packages: Pairs<'_> = serde_json::from_slice(bytes).map_err(|error| not_a_feed(error.to_string()))?;
    let mut reader =
        Reader { bytes, name, limits, advisories: BTreeMap::new(), parsed: ParsedFeed::default() };
    for (package, value) in packages.0 {
        reader.read_package(&package, value)?;
    }
    let mut parsed = reader.parsed;
    parsed.advisories = reader.advisories.into_values().collect();
    Ok(parsed)
}

struct Reader<'a> {
    bytes: &'a [u8],
    name: &'a str,
    limits: &'a FeedLimits,
    advisories: BTreeMap<String, Advisory>,
    parsed: ParsedFeed,
}

impl Reader<'_> {
    fn read_package(&mut self, package: &str, value: &RawValue) -> Result<(), FeedError> {
        let issues: Pairs<'_> = match serde_json::from_str(value.get()) {
            Ok(issues) => issues,
            Err(error) => {
                self.add_broken(package, value, &error.to_string());
                return Ok(());
            }
        };
        for (id, value) in issues.0 {
            let subject = format!("{package} {id}");
            if value.get().len() > self.limits.record_bytes_max {
                let reason = format!(
                    "record has {} bytes (limit {})",
                    value.get().len(),
                    self.limits.record_bytes_max
                );
                self.add_broken(&subject, value, &reason);
                continue;
            }
            match serde_json::from_str::<RawIssue>(value.get()) {
                Ok(issue) => self.add_issue(package, id, issue, value),
                Err(error) => self.add_broken(&subject, value, &error.to_string()),
            }
            if self.advisories.len() + self.parsed.records() > self.limits.records_max {
                return Err(FeedError::LimitExceeded {
                    path: self.name.to_owned(),
                    limit: "records_max",
                    allowed: self.limits.records_max as u64,
                });
            }
        }
        Ok(())
    }

    fn add_issue(&mut self, package: &str, id: String, issue: RawIssue, value: &RawValue) {
        let mut affected = Vec::with_capacity(issue.releases.0.len());
        for (codename, release) in issue.releases.0 {
            match affected_package(package, &codename, &release) {
                Ok(part) => affected.push(part),
                Err(reason) => {
                    let subject = format!("{package} {id} {codename}");
                    self.add_broken(&subject, value, &reason);
                }
            }
        }
        match self.advisories.entry(id) {
            Entry::Occupied(entry) => {
                let advisory = entry.into_mut();
                advisory.affected.append(&mut affected);
                if advisory.summary.is_none() {
                    advisory.summary = issue.description.as_deref().and_then(first_line);
                }
            }
            Entry::Vacant(entry) => {
                let id = entry.key().clone();
                entry.insert(Advisory {
                    url: Some(format!("https://security-tracker.debian.org/tracker/{id}")),
                    id,
                    aliases: Vec::new(),
                    feed: FeedKind::DebianTracker,
                    summary: issue.description.as_deref().and_then(first_line),
                    severities: Vec::new(),
                    published: None,
                    modified: None,
                    is_withdrawn: false,
                    affected,
                });
            }
        }
    }

    fn add_broken(&mut self, subject: &str, value: &RawValue, reason: &str) {
        // The value is a piece of the document, so the distance of the two is its offset.
        let offset = (value.get().as_ptr() as usize).checked_sub(self.bytes.as_ptr() as usize);
        let subject = format!("{}: {subject}", self.name);
        self.parsed.add_diagnostic(DiagnosticCode::BrokenRecord, subject, offset, reason);
    }
}

fn affected_package(package: &str, codename: &str, release: &RawRelease) -> Result<AffectedPackage, String> {
    let urgency = release.urgency.as_deref().unwrap_or_default();
    let whole = |end| vec![VersionInterval { introduced: None, end }];
    let (state, intervals) = match (release.status.as_str(), release.fixed_version.as_deref()) {
        ("resolved", Some("0")) => (AffectedState::NotAffected, Vec::new()),
        ("resolved", Some(fixed)) => {
            VersionScheme::Dpkg.check(fixed).map_err(|error| error.to_string())?;
            (AffectedState::Affected, whole(RangeEnd::Fixed(fixed.to_owned())))
        }
        ("resolved", None) => (AffectedState::Undetermined, Vec::new()),
        ("open", _) if release.nodsa.is_some() || urgency == "end-of-life" => {
            (AffectedState::WillNotFix, whole(RangeEnd::Open))
        }
        ("open", _) => (AffectedState::Affected, whole(RangeEnd::Open)),
        ("undetermined", _) => (AffectedState::Undetermined, Vec::new()),
        (status, _) => return Err(format!("status `{status}` is none of resolved, open, undetermined")),
    };
    Ok(AffectedPackage {
        ecosystem: Ecosystem { family: "debian".to_owned(), release: Some(debian_release(codename)) },
        package: package.to_owned(),
        state,
        intervals,
        versions: Vec::new(),
        severities: rate_word(urgency, SOURCE).into_iter().collect(),
        modularity: None,
    })
}

/// An object whose values are not read yet.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[derive(Deserialize)]
struct RawIssue {
    description: Option<String>,
    #[serde(default)]
    releases: Releases,
}

#[derive(Deserialize)]
struct RawRelease {
    status: String,
    fixed_version: Option<String>,
    urgency: Option<String>,
    nodsa: Option<IgnoredAny>,
}

#[derive(Default)]
struct Releases(BTreeMap<String, RawRelease>);

impl<'de> Deserialize<'de> for Releases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReleasesVisitor)
    }
}

struct ReleasesVisitor;

impl<'de> Visitor<'de> for ReleasesVisitor {
    type Value = Releases;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of releases")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Releases, A::Error> {
        let mut releases = BTreeMap::new();
        while let Some((codename, release)) = map.next_entry()? {
            releases.insert(codename, release);
        }
        Ok(Releases(releases))
    }

    /// The tracker writes an object without any entry as an empty list.
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Releases, A::Error> {
        match sequence.next_element::<IgnoredAny>()? {
            None => Ok(Releases::default()),
            Some(_) => Err(serde::de::Error::custom("`releases` is a list")),
        }
    }
}
