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
        let rows: Vec<(String, String, String)> = storage::query(
            "SELECT DISTINCT i.digest, p.version, p.kind FROM packages p \
             JOIN image_packages ip ON ip.package_id = p.id \
             JOIN images i ON i.digest = ip.digest AND i.account = $1 AND i.analysis_status = 'analyzed' \
               AND i.image_status = 'active' \
             WHERE p.name = $2 AND ($3 = 0 OR p.version = $4) AND ($5 = '' OR p.kind = $5) \
               AND NOT EXISTS (SELECT 1 FROM analyses a \
                 WHERE a.digest = i.digest AND a.imported_by IS NOT NULL AND a.imported_by <> i.account)",
        )
        .bind(account)
        .bind(name)
        .bind(version.is_some())
        .bind(version.as_deref().unwrap_or_default())
        .bind(kind.map_or("", PackageKind::purl_type))
        .fetch_all_as(&self.storage)
        .await
        .map_err(StorageError::at("look for a package"))?;
        let mut found: BTreeMap<String, Vec<FoundPackage>> = BTreeMap::new();
        for (digest, version, kind) in rows {
            let Some(kind) = kind_of(&kind) else { continue };
            found.entry(digest).or_default().push(FoundPackage { name: name.clone(), version, kind });
        }
        self.page_of(account, found, page).await
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
        let candidates = self.candidates(account, &question.id, &database).await?;
        let mut found: BTreeMap<String, Vec<FoundVulnerability>> = BTreeMap::new();
        for digest in candidates {
            let Some(findings) = self.findings_of(account, &digest, &database).await? else { continue };
            let vulnerable: Vec<FoundVulnerability> =
                findings.into_iter().filter(|finding| question.fits(finding)).filter_map(to_found).collect();
            if !vulnerable.is_empty() {
                found.insert(digest, vulnerable);
            }
        }
        Ok(self.page_of(account, found, page).await?)
    }

    /// Images of the account with a package that a record of this id speaks about.
    async fn candidates(
        &self,
        account: &str,
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
        let own: Vec<(String,)> = storage::query(
            "SELECT i.digest FROM images i WHERE i.account = $1 AND i.analysis_status = 'analyzed' \
               AND i.image_status = 'active' AND NOT EXISTS (SELECT 1 FROM analyses a \
                 WHERE a.digest = i.digest AND a.imported_by IS NOT NULL AND a.imported_by <> i.account) \
             ORDER BY i.digest",
        )
        .bind(account)
        .fetch_all_as(&self.storage)
        .await
        .map_err(StorageError::at("list the images of an account"))?;
        Ok(own.into_iter().map(|(digest,)| digest).filter(|digest| with.contains(digest)).collect())
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

    async fn page_of<T: Ord>(
        &self,
        account: &str,
        mut found: BTreeMap<String, Vec<T>>,
        page: Option<ResultPage>,
    ) -> Result<FoundImages<T>, StorageError> {
        let total = found.len();
        let (limit, offset) = page.map_or((usize::MAX, 0), |page| (page.limit, page.offset));
        let wanted: Vec<Digest> = found
            .keys()
            .skip(offset)
            .take(limit)
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
