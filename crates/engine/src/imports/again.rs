//! Analyzing an imported image again: its documents are looked at once more, no registry is asked.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::Digest;
use storage::WriteTransaction;

use super::finish::resolve_documents;
use super::operations::set_status;
use super::{DocumentKind, FinishImportError, ImportError, ImportStatus, want_import};
use crate::images::AnalysisOrigin;
use crate::{AddImage, AddImageError, Engine, ImageFilter, ImageRecord, ImageStatus, Pull};

impl Engine {
    /// Wants an imported image to be worked on again. `None`: the request is not about such an image.
    pub(crate) async fn import_again(
        &self,
        request: &AddImage,
    ) -> Result<Option<ImageRecord>, AddImageError> {
        if !request.force {
            return Ok(None);
        }
        let filter = match &request.pull {
            Pull::Digest(digest) => ImageFilter::Digest(digest.clone()),
            Pull::Reference => match request.reference.digest() {
                Some(digest) => ImageFilter::Digest(digest.clone()),
                None => ImageFilter::Tag(request.reference.clone()),
            },
        };
        let found = self.find_images(&request.account, &filter).await.map_err(AddImageError::Storage)?;
        let Some(image) = found.into_iter().next().filter(|image| image.image_status == ImageStatus::Active)
        else {
            return Ok(None);
        };
        let mut tx = self.storage.begin().await.map_err(AddImageError::storage("begin"))?;
        if !store_again(self, &mut tx, request, &image.digest, self.now()).await? {
            return Ok(None);
        }
        tx.commit().await.map_err(AddImageError::storage("commit"))?;
        self.work_arrived.notify_one();
        let found = self.find_images(&request.account, &ImageFilter::Digest(image.digest)).await;
        Ok(found.map_err(AddImageError::Storage)?.pop())
    }
}

/// `false`: the image does not come from an import whose documents are still there.
async fn store_again(
    engine: &Engine,
    tx: &mut WriteTransaction,
    request: &AddImage,
    digest: &Digest,
    now: Timestamp,
) -> Result<bool, AddImageError> {
    let row: Option<(String, Option<String>)> = storage::query(
        "SELECT o.id, o.documents FROM images i JOIN image_imports o ON o.id = i.import_id AND o.account = i.account \
         WHERE i.account = $1 AND i.digest = $2",
    )
    .bind(&request.account)
    .bind(digest.to_string())
    .fetch_optional_as(&mut *tx)
    .await
    .map_err(AddImageError::storage("look for the import of an image"))?;
    let Some((id, Some(chosen))) = row else { return Ok(false) };
    let chosen: BTreeMap<String, String> =
        serde_json::from_str(&chosen).map_err(AddImageError::storage("read an import"))?;
    let documents = chosen
        .into_iter()
        .filter_map(|(kind, document)| Some((DocumentKind::from_name(&kind)?, document)))
        .collect();
    let resolved = match resolve_documents(tx, &id, &documents).await {
        Ok(resolved) => resolved,
        Err(FinishImportError::Import(ImportError::Storage(error))) => {
            return Err(AddImageError::Storage(error));
        }
        // They were good enough once.
        Err(error) => return Err(AddImageError::storage("read the documents of an import")(error)),
    };
    engine.store_resolved(tx, request, &resolved, AnalysisOrigin::Import(&id), now).await?;
    set_status(tx, &id, ImportStatus::Processing, now).await.map_err(AddImageError::Storage)?;
    want_import(tx, &id, now).await.map_err(AddImageError::Storage)?;
    Ok(true)
}
