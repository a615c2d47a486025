//! Reports of images as they were computed last, and judging again the images that new data is about.
//!
//! A report is computed from the stored inventory whenever somebody asks. What is kept here is what cannot be computed again:
//! when each finding and its fix were first seen, and what the findings were before the data changed.

mod compare;
mod index;
mod judge;
mod stored;
mod tell;
mod times;

pub(crate) use compare::compare;
pub(crate) use index::{images_with, store_packages};
pub(crate) use judge::judge_due;
pub(crate) use stored::{StoredFinding, StoredReport, load_report, store_report};

use jiff::Timestamp;
use model::Inventory;
use storage::WriteTransaction;
use vulnerability_db::Database;

use crate::StorageError;
use crate::storage_error::chain;
use crate::watches::remember_findings;

/// What a new analysis adds to the tables here.
#[derive(Debug)]
pub(crate) struct NewReport {
    packages: Vec<index::IndexedPackage>,
    report: Option<(String, Vec<StoredFinding>)>,
}

impl NewReport {
    /// Computes it; takes as long as matching takes.
    pub(crate) fn compute(inventory: &Inventory, database: Option<&Database>) -> Self {
        let report = database.and_then(|database| {
            match vulnerability_db::matching::match_inventory(inventory, database) {
                Ok(report) => {
                    let findings = report.findings.iter().map(StoredFinding::from).collect();
                    Some((database.identity().revision.clone(), findings))
                }
                Err(error) => {
                    // Whoever asks for the report gets the error; here it only means that nothing is kept.
                    tracing::warn!(error = chain(&error), "no report of a new analysis can be kept");
                    None
                }
            }
        });
        Self { packages: index::indexed(inventory), report }
    }

    /// Stores it, in the transaction that stores the analysis.
    pub(crate) async fn store(
        self,
        tx: &mut WriteTransaction,
        digest: &str,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        store_packages(tx, digest, &self.packages).await?;
        if let Some((revision, findings)) = self.report {
            let before = load_report(&mut *tx, digest).await?;
            let (report, _) = compare(before.as_ref().map(|(_, report)| report), findings, now);
            store_report(tx, digest, &revision, Some(&report), now).await?;
            remember_findings(tx, digest, &report, now).await?;
        }
        Ok(())
    }
}
