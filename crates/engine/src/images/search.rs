//! Which images of an account have a package or a vulnerability.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Digest, PackageKind, Severity};
use vulnerability_db::Database;

use super::{ImageFilter, ImageRecord};
use crate::reports::{StoredFinding, images_with, load_report};
use crate::{Engine, EvaluateError, StorageError};

/// Images whose records are read in one go.
const RECORDS_MAX: usize = 500;

/// What to look for in images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageQuestion {
    /// Name of the package, as it is written.
    pub name: String,
    /// Only this version.
    pub version: Option<String>,
    /// Only this kind.
    pub kind: Option<PackageKind>,
}

/// What to look for in the reports of images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VulnerabilityQuestion {
    /// Its id, as it is written.
    pub id: String,
    /// Only as this body of packages has it: `debian:12`.
    pub namespace: Option<String>,
    /// Only in this package.
    pub package: Option<String>,
    /// Only of this severity.
    pub severity: Option<Severity>,
    /// Leaves out what the vendor has said not to fix.
    pub vendor_only: bool,
}

/// Which part of the images that were found is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultPage {
    /// So many.
    pub limit: usize,
    /// Behind so many.
    pub offset: usize,
}

/// Images that were found, sorted by digest.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundImages<T> {
    /// In all.
    pub total: usize,
    /// Those of the page, each with what it was found by.
    pub images: Vec<(ImageRecord, Vec<T>)>,
}

/// A package of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its kind.
    pub kind: PackageKind,
}

/// A vulnerable package of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundVulnerability {
    /// The package.
    pub package: FoundPackage,
    /// In which body of packages it was found.
    pub namespace: String,
    /// How bad it is there.
    pub severity: String,
}

/// Why nothing can be said about vulnerabilities.
#[derive(Debug, thiserror::Error)]
pub enum VulnerabilityQueryError {
    /// There is no database: an empty answer would say that nothing is vulnerable.
    #[error(
        "there is no vulnerability database: see `GET /system/feeds` for what is known about its sources"
    )]
    NoDatabase,
    /// Tables, analyses or the database cannot be read.
    #[error("look for a vulnerability")]
    Evaluate(#[from] EvaluateError),
}

impl From<StorageError> for VulnerabilityQueryError {
    fn from(error: StorageError) -> Self {
        Self::Evaluate(error.into())
    }
}

impl Engine {
    /// The analyzed images of an account that have a package.
    pub async fn find_images_by_package(
        &self,
        account: &str,
        question: &PackageQuestion,
        page: Option<ResultPage>,
    ) -> Result<FoundImages<FoundPackage>, StorageError> {
        let PackageQuestion { name, version, kind } = question;
        let wanted = Matches::new(
            "packages p CROSS JOIN image_packages x CROSS JOIN images i",
            "x.package_id = p.id AND p.name = $2 AND ($3 = 0 OR p.version = $4) AND ($5 = '' OR p.kind = $5)",
        )
        .bind(account)
        .bind(name)
        .bind(version.is_some())
        .bind(version.as_deref().unwrap_or_default())
        .bind(kind.map_or("", PackageKind::purl_type));
        let total = wanted.count(&self.storage).await?;
        let digests = wanted.digests(&self.storage, page).await?;
        let rows: Vec<(String, String, String)> =
            wanted.rows_of(&self.storage, &digests, "p.version, p.kind").await?;
        let mut found: BTreeMap<String, Vec<FoundPackage>> = BTreeMap::new();
        for (digest, version, kind) in rows {
            let Some(kind) = kind_of(&kind) else { continue };
            found.entry(digest).or_default().push(FoundPackage { name: name.clone(), version, kind });
        }
        self.with_records(account, total, found).await
    }

    /// The analyzed images of an account that have a vulnerability, by the database in force.
    pub async fn find_images_by_vulnerability(
        &self,
        account: &str,
        question: &VulnerabilityQuestion,
        page: Option<ResultPage>,
    ) -> Result<FoundImages<FoundVulnerability>, VulnerabilityQueryError> {
        let data = self.vulnerability_data().await;
        let Some(database) = data.database.clone() else { return Err(VulnerabilityQueryError::NoDatabase) };
        let VulnerabilityQuestion { id, namespace, package, severity, vendor_only } = question;
        let unindexed = self.unindexed(account, &database.identity().revision).await?;
        let wanted = Matches::new(
            "findings f CROSS JOIN image_findings x CROSS JOIN images i",
            "x.finding_id = f.id AND f.vulnerability = $2 AND ($3 = '' OR f.body = $3) AND ($4 = '' OR f.package = $4) \
               AND ($5 = '' OR f.severity = $5) AND ($6 = 0 OR f.state <> $7)",
        )
        .bind(account)
        .bind(id)
        .bind(namespace.as_deref().unwrap_or_default())
        .bind(package.as_deref().unwrap_or_default())
        .bind(severity.map_or("", Severity::name))
        .bind(*vendor_only)
        .bind(model::FindingState::WillNotFix.name());
        let mut found = self.find_in_unindexed(account, question, &unindexed, &database).await?;
        let (total, digests) = if unindexed.is_empty() {
            (wanted.count(&self.storage).await?, wanted.digests(&self.storage, page).await?)
        } else {
            let mut all: BTreeSet<String> = wanted.digests(&self.storage, None).await?.into_iter().collect();
            // What the index says about them is about older data.
            all.retain(|digest| !unindexed.contains(digest));
            all.extend(found.keys().cloned());
            let (limit, offset) = page.map_or((usize::MAX, 0), |page| (page.limit, page.offset));
            (all.len(), all.into_iter().skip(offset).take(limit).collect())
        };
        found.retain(|digest, _| digests.binary_search(digest).is_ok());
        let columns = "f.package, f.version, f.kind, f.body, f.severity";
        let rows: Vec<(String, String, String, String, String, String)> =
            wanted.rows_of(&self.storage, &digests, columns).await?;
        for (digest, package, version, kind, namespace, severity) in rows {
            let Some(kind) = kind_of(&kind).filter(|_| !unindexed.contains(&digest)) else { continue };
            let package = FoundPackage { name: package, version, kind };
            found.entry(digest).or_default().push(FoundVulnerability { package, namespace, severity });
        }
        Ok(self.with_records(account, total, found).await?)
    }

    /// The same in images whose findings by this database are not in the index: stored before there was one, judged by older
    /// data, or not at all.
    async fn find_in_unindexed(
        &self,
        account: &str,
        question: &VulnerabilityQuestion,
        unindexed: &BTreeSet<String>,
        database: &Arc<Database>,
    ) -> Result<BTreeMap<String, Vec<FoundVulnerability>>, VulnerabilityQueryError> {
        let mut found = BTreeMap::new();
        if unindexed.is_empty() {
            return Ok(found);
        }
        for digest in self.candidates(unindexed, &question.id, database).await? {
            let Some(findings) = self.findings_of(account, &digest, database).await? else { continue };
            let vulnerable: Vec<FoundVulnerability> =
                findings.into_iter().filter(|finding| question.fits(finding)).filter_map(to_found).collect();
            if !vulnerable.is_empty() {
                found.insert(digest, vulnerable);
            }
        }
        Ok(found)
    }

    /// Analyzed images of the account whose findings by this revision of the data are not in the index.
    async fn unindexed(&self, account: &str, revision: &str) -> Result<BTreeSet<String>, StorageError> {
        // Mostly there are none in any account, which indexes tell at once.
        let is_any: bool = storage::query(
            "SELECT (SELECT count(*) FROM analyses) > (SELECT count(*) FROM image_reports) \
                OR EXISTS (SELECT 1 FROM image_reports WHERE database_revision < $1) \
                OR EXISTS (SELECT 1 FROM image_reports WHERE database_revision > $1) \
                OR EXISTS (SELECT 1 FROM image_reports WHERE is_indexed = 0)",
        )
        .bind(revision)
        .fetch_value(&self.storage)
        .await
        .map_err(StorageError::at("look for images that are not in the index"))?;
        if !is_any {
            return Ok(BTreeSet::new());
        }
        let rows: Vec<(String,)> = storage::query_built(format!(
            "SELECT i.digest FROM images i LEFT JOIN image_reports r ON r.digest = i.digest \
             WHERE i.account = $1 AND i.analysis_status = 'analyzed' AND i.image_status = 'active' \
               AND (r.digest IS NULL OR r.database_revision <> $2 OR r.is_indexed = 0) AND {NOT_OF_OTHERS}",
        ))
        .bind(account)
        .bind(revision)
        .fetch_all_as(&self.storage)
        .await
        .map_err(StorageError::at("list the images that are not in the index"))?;
        Ok(rows.into_iter().map(|(digest,)| digest).collect())
    }

    /// Those of some images that have a package that a record of this id speaks about.
    async fn candidates(
        &self,
        digests: &BTreeSet<String>,
        id: &str,
        database: &Arc<Database>,
    ) -> Result<Vec<String>, StorageError> {
        let (id, database) = (id.to_owned(), Arc::clone(database));
        let records = tokio::task::spawn_blocking(move || database.find_advisory(&id))
            .await
            .map_err(StorageError::at("look into the vulnerability database"))?
            .map_err(StorageError::at("look into the vulnerability database"))?;
        let packages: BTreeSet<_> = records
            .into_iter()
            .flat_map(|record| record.affected)
            .map(|affected| (affected.ecosystem, affected.package))
            .collect();
        if packages.is_empty() {
            return Ok(Vec::new());
        }
        let with = images_with(&self.storage, &packages, &BTreeSet::new()).await?;
        Ok(digests.intersection(&with).cloned().collect())
    }

    /// The findings of an image by this database: as stored, or computed where that is not done yet.
    async fn findings_of(
        &self,
        account: &str,
        digest: &str,
        database: &Database,
    ) -> Result<Option<Vec<StoredFinding>>, EvaluateError> {
        if let Some((revision, report)) = load_report(&self.storage, digest).await?
            && revision == database.identity().revision
        {
            return Ok(Some(report.findings));
        }
        let digest: Digest = digest.parse().map_err(StorageError::at("read the digest of an image"))?;
        match self.report(account, &ImageFilter::Digest(digest)).await {
            Ok(report) => Ok(Some(report.report.findings.iter().map(StoredFinding::from).collect())),
            // Deleted, or analyzed again, since it was listed.
            Err(EvaluateError::ImageNotFound | EvaluateError::NotAnalyzed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts the records of the images to what they were found by.
    async fn with_records<T: Ord>(
        &self,
        account: &str,
        total: usize,
        mut found: BTreeMap<String, Vec<T>>,
    ) -> Result<FoundImages<T>, StorageError> {
        let wanted: Vec<Digest> = found
            .keys()
            .map(|digest| digest.parse().map_err(StorageError::at("read the digest of an image")))
            .collect::<Result<_, _>>()?;
        let mut images = Vec::with_capacity(wanted.len());
        for some in wanted.chunks(RECORDS_MAX) {
            let mut records = self.find_images(account, &ImageFilter::Several(some.to_vec())).await?;
            records.sort_by_key(|record| record.digest.to_string());
            for record in records {
                let mut by = found.remove(&record.digest.to_string()).unwrap_or_default();
                by.sort();
                by.dedup();
                images.push((record, by));
            }
        }
        Ok(FoundImages { total, images })
    }
}

/// What another account has imported is known to that account alone.
const NOT_OF_OTHERS: &str = "i.digest NOT IN (SELECT a.digest FROM analyses a \
    WHERE a.imported_by IS NOT NULL AND a.imported_by <> $1)";

/// Rows about analyzed images `i`, by rows `x` that name their digests, of the account `$1`.
struct Matches {
    sql: String,
    values: Vec<storage::Value>,
}

impl Matches {
    /// `CROSS JOIN` makes SQLite join in the order that is written: it has no statistics to find a better one by.
    fn new(tables: &str, condition: &str) -> Self {
        let sql = format!(
            "FROM {tables} WHERE i.account = $1 AND i.digest = x.digest AND i.image_status = 'active' \
               AND i.analysis_status = 'analyzed' AND {NOT_OF_OTHERS} AND {condition}"
        );
        Self { sql, values: Vec::new() }
    }

    fn bind(mut self, value: impl Into<storage::Value>) -> Self {
        self.values.push(value.into());
        self
    }

    fn query(&self, sql: String) -> storage::Query {
        self.values.iter().cloned().fold(storage::query_built(sql), |query, value| query.bind(value))
    }

    /// How many images there are.
    async fn count(&self, storage: &storage::Database) -> Result<usize, StorageError> {
        let count: i64 = self
            .query(format!("SELECT count(DISTINCT i.digest) {}", self.sql))
            .fetch_value(storage)
            .await
            .map_err(StorageError::at("count the images that were found"))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// The digests of a page, in their order.
    async fn digests(
        &self,
        storage: &storage::Database,
        page: Option<ResultPage>,
    ) -> Result<Vec<String>, StorageError> {
        let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let (limit, offset) = page.map_or((i64::MAX, 0), |page| (number(page.limit), number(page.offset)));
        let sql =
            format!("SELECT DISTINCT i.digest {} ORDER BY i.digest LIMIT {limit} OFFSET {offset}", self.sql);
        let rows: Vec<(String,)> =
            self.query(sql).fetch_all_as(storage).await.map_err(StorageError::at("look for images"))?;
        Ok(rows.into_iter().map(|(digest,)| digest).collect())
    }

    /// What these images were found by.
    async fn rows_of<T: storage::FromRow>(
        &self,
        storage: &storage::Database,
        digests: &[String],
        columns: &str,
    ) -> Result<Vec<T>, StorageError> {
        let mut rows = Vec::new();
        for some in digests.chunks(RECORDS_MAX) {
            let places = storage::places(self.values.len() + 1, some.len());
            let sql = format!("SELECT DISTINCT i.digest, {columns} {} AND x.digest IN ({places})", self.sql);
            let query = some.iter().fold(self.query(sql), |query, digest| query.bind(digest));
            rows.extend(query.fetch_all_as(storage).await.map_err(StorageError::at("look for images"))?);
        }
        Ok(rows)
    }
}

impl VulnerabilityQuestion {
    fn fits(&self, finding: &StoredFinding) -> bool {
        let Self { id, namespace, package, severity, vendor_only } = self;
        finding.id == *id
            && namespace.as_ref().is_none_or(|namespace| *namespace == finding.group)
            && package.as_ref().is_none_or(|package| *package == finding.package)
            && severity.is_none_or(|severity| severity.name() == finding.severity)
            && !(*vendor_only && finding.state == model::FindingState::WillNotFix.name())
    }
}

fn kind_of(purl_type: &str) -> Option<PackageKind> {
    PackageKind::from_purl_type(purl_type)
}

fn to_found(finding: StoredFinding) -> Option<FoundVulnerability> {
    let StoredFinding { package, version, kind, group, severity, .. } = finding;
    let package = FoundPackage { name: package, version, kind: kind_of(&kind)? };
    Some(FoundVulnerability { package, namespace: group, severity })
}
