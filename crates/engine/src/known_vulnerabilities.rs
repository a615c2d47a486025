//! What the vulnerability database says about ids, whether any image has them or not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Advisory, AffectedPackage, AffectedState, RangeEnd, Severity, SeverityRating};
use vulnerability_db::{Database, LookupError};

use crate::{Engine, StorageError, VulnerabilityQueryError};

/// Ids and what to leave out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownQuestion {
    /// As they are written; aliases do not count.
    pub ids: BTreeSet<String>,
    /// Only where this package is affected.
    pub package: Option<String>,
    /// Only where this is one of its versions in the answer.
    pub version: Option<String>,
    /// Only in these bodies of packages; `None` is all.
    pub namespaces: Option<BTreeSet<String>>,
}

/// A vulnerability in one body of packages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KnownVulnerability {
    /// Its id.
    pub id: String,
    /// The body of packages: `debian:12`.
    pub namespace: String,
    /// How bad it is there: the worst of its packages.
    pub severity: Severity,
    /// Where to read on.
    pub url: Option<String>,
    /// One line.
    pub summary: Option<String>,
    /// What is affected.
    pub packages: BTreeSet<KnownPackage>,
    /// Ratings with a vector, of the vulnerability or of a package in it.
    pub ratings: Vec<SeverityRating>,
}

/// An affected package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownPackage {
    /// Its name.
    pub name: String,
    /// The version that fixes it, `None` where there is none; or a version or range that is affected where it says only that.
    pub version: String,
    /// The distro has said not to fix it.
    pub will_not_fix: bool,
}

impl Engine {
    /// What the database in force knows, sorted by id and body of packages.
    pub async fn known_vulnerabilities(
        &self,
        question: KnownQuestion,
    ) -> Result<Vec<KnownVulnerability>, VulnerabilityQueryError> {
        let data = self.vulnerability_data().await;
        let Some(database) = data.database.clone() else { return Err(VulnerabilityQueryError::NoDatabase) };
        let known = tokio::task::spawn_blocking(move || find(&database, &question))
            .await
            .map_err(StorageError::at("look into the vulnerability database"))?
            .map_err(StorageError::at("look into the vulnerability database"))?;
        Ok(known)
    }
}

fn find(database: &Arc<Database>, question: &KnownQuestion) -> Result<Vec<KnownVulnerability>, LookupError> {
    let mut known: BTreeMap<(String, String), KnownVulnerability> = BTreeMap::new();
    for id in &question.ids {
        for record in database.find_advisory(id)? {
            if record.id == *id && !record.is_withdrawn {
                add(&mut known, &record);
            }
        }
    }
    Ok(known.into_values().filter(|vulnerability| question.fits(vulnerability)).collect())
}

impl KnownQuestion {
    fn fits(&self, vulnerability: &KnownVulnerability) -> bool {
        let is_named = |package: &KnownPackage| {
            self.package.as_ref().is_none_or(|name| *name == package.name)
                && self.version.as_ref().is_none_or(|version| *version == package.version)
        };
        self.namespaces.as_ref().is_none_or(|namespaces| namespaces.contains(&vulnerability.namespace))
            && vulnerability.packages.iter().any(is_named)
    }
}

/// Takes over what a record says; several feeds may speak about the same vulnerability.
fn add(known: &mut BTreeMap<(String, String), KnownVulnerability>, record: &Advisory) {
    for affected in &record.affected {
        if affected.state == AffectedState::NotAffected {
            continue;
        }
        let namespace = affected.ecosystem.to_string();
        let entry = known.entry((record.id.clone(), namespace.clone())).or_insert_with(|| {
            KnownVulnerability { id: record.id.clone(), namespace, ..KnownVulnerability::default() }
        });
        entry.severity = entry.severity.max(severity(affected, record));
        entry.url = entry.url.take().or_else(|| record.url.clone());
        entry.summary = entry.summary.take().or_else(|| record.summary.clone());
        let will_not_fix = affected.state == AffectedState::WillNotFix;
        for version in versions(affected) {
            entry.packages.insert(KnownPackage { name: affected.package.clone(), version, will_not_fix });
        }
        for rating in affected.severities.iter().chain(&record.severities) {
            if rating.vector.is_some() && !entry.ratings.contains(rating) {
                entry.ratings.push(rating.clone());
            }
        }
    }
}

/// A rating for the package comes before one for the whole record, and a word of the source before a derived one.
fn severity(affected: &AffectedPackage, record: &Advisory) -> Severity {
    let chosen = |ratings: &[SeverityRating]| {
        let rated = ratings.iter().filter(|rating| rating.severity != Severity::Unknown);
        rated.min_by_key(|rating| rating.vector.is_some()).map(|rating| rating.severity)
    };
    chosen(&affected.severities).or_else(|| chosen(&record.severities)).unwrap_or_default()
}

fn versions(affected: &AffectedPackage) -> BTreeSet<String> {
    let of_interval = |interval: &model::VersionInterval| match &interval.end {
        RangeEnd::Fixed(version) => version.clone(),
        RangeEnd::Open => "None".to_owned(),
        RangeEnd::LastAffected(_) => interval.to_string(),
    };
    let mut versions: BTreeSet<String> = affected.intervals.iter().map(of_interval).collect();
    versions.extend(affected.versions.iter().cloned());
    if versions.is_empty() {
        versions.insert("None".to_owned());
    }
    versions
}
