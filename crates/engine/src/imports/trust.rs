//! Whose word an analysis is.
//!
//! What holds at any time: an image whose status is `analyzed` has an analysis that was really read, or one that its own account
//! imported. So whoever reads analyses of analyzed images of one account never sees what another one made up. It is kept by
//! those who write: [`super::work`] (an import never takes the place of anything else), the workers and the archive (what was
//! read replaces every import, for all accounts), and the statuses, which an import moves in its own account only.

use jiff::Timestamp;
use model::Digest;
use storage::{WriteTransaction, to_micros};

use crate::StorageError;

/// Where the analysis that is stored for a digest comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OriginOfAnalysis {
    /// The image was really read.
    Read,
    /// This account uploaded a package list.
    ImportedBy(String),
}

/// Where the analysis that is stored for a digest comes from; `None`: there is none.
pub(crate) async fn analysis_origin(
    tx: &mut WriteTransaction,
    digest: &Digest,
) -> Result<Option<OriginOfAnalysis>, StorageError> {
    let found: Option<(Option<String>,)> =
        storage::query("SELECT imported_by FROM analyses WHERE digest = $1")
            .bind(digest.to_string())
            .fetch_optional_as(tx)
            .await
            .map_err(StorageError::at("look where an analysis comes from"))?;
    Ok(found.map(|(account,)| account.map_or(OriginOfAnalysis::Read, OriginOfAnalysis::ImportedBy)))
}

/// Removes what was imported for a digest, with reports and packages: what was really read comes in its place.
pub(crate) async fn forget_imported(tx: &mut WriteTransaction, digest: &str) -> Result<(), StorageError> {
    storage::query("DELETE FROM analyses WHERE digest = $1 AND imported_by IS NOT NULL")
        .bind(digest)
        .execute(tx)
        .await
        .map_err(StorageError::at("remove an imported analysis"))?;
    Ok(())
}

/// Images that rested on an import rest on what was read from now on; the new time keeps them off what is in memory.
pub(crate) async fn rest_on_what_was_read(
    tx: &mut WriteTransaction,
    digest: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "UPDATE images SET import_id = NULL, analyzed_us = $2 \
         WHERE digest = $1 AND import_id IS NOT NULL AND analysis_status = 'analyzed'",
    )
    .bind(digest)
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(StorageError::at("tell images that they were read"))?;
    Ok(())
}

/// Removes what no account needs any more: what an account imported is of no use to the others.
pub(crate) async fn forget_unused(tx: &mut WriteTransaction) -> Result<(), StorageError> {
    storage::query(
        "DELETE FROM analyses WHERE imported_by IS NOT NULL AND NOT EXISTS (SELECT 1 FROM images \
           WHERE images.digest = analyses.digest AND images.account = analyses.imported_by)",
    )
    .execute(tx)
    .await
    .map_err(StorageError::at("remove unused imports"))?;
    Ok(())
}
