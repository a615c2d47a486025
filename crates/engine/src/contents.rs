//! What is known about the files of an image.

use std::sync::Arc;

use model::{ImageContents, ImageFacts, Inventory};
use storage::Row;

use crate::analysis;
use crate::evaluation::{analysis_key, require_analyzed};
use crate::{Engine, EvaluateError, ImageFilter, ImageRecord, StorageError};

/// An image with what its analysis found.
#[derive(Debug, Clone)]
pub struct AnalyzedImage {
    /// The image.
    pub image: ImageRecord,
    /// What its manifest and configuration say.
    pub facts: Arc<ImageFacts>,
    /// Its packages.
    pub inventory: Arc<Inventory>,
}

impl Engine {
    /// An image with what its analysis found, a Dockerfile that somebody supplied included.
    pub async fn analyzed_image(
        &self,
        account: &str,
        filter: &ImageFilter,
    ) -> Result<AnalyzedImage, EvaluateError> {
        let image = self.find_one_image(account, filter).await?;
        require_analyzed(&image)?;
        let (facts, inventory) = self.analysis_of(&image).await?;
        Ok(AnalyzedImage { image, facts, inventory })
    }

    /// What the files of an image say.
    ///
    /// Errors: `NotRecorded` for an image that was analyzed without looking at its files.
    pub async fn image_contents(
        &self,
        account: &str,
        filter: &ImageFilter,
    ) -> Result<(ImageRecord, Arc<ImageContents>), EvaluateError> {
        let image = self.find_one_image(account, filter).await?;
        require_analyzed(&image)?;
        let contents = self.contents_of(&image).await?.ok_or(EvaluateError::NotRecorded)?;
        Ok((image, contents))
    }

    /// What the files of an analyzed image say; `None` when nobody looked.
    pub(crate) async fn contents_of(
        &self,
        image: &ImageRecord,
    ) -> Result<Option<Arc<ImageContents>>, EvaluateError> {
        let digest = image.digest.to_string();
        let loaded = self.caches.contents.try_get_with(analysis_key(image), async {
            let row = storage::query("SELECT contents_form, contents FROM analyses WHERE digest = $1 AND (imported_by IS NULL OR imported_by = $2)")
                .bind(digest)
                .bind(&image.account)
                .fetch_one(&self.storage)
                .await
                .map_err(StorageError::at("read the contents of an image"))?;
            let Some((form, content)) =
                read_row(&row).map_err(StorageError::at("read the contents of an image"))?
            else {
                return Ok(None);
            };
            let contents = tokio::task::spawn_blocking(move || analysis::decode_contents(form, &content))
                .await
                .map_err(StorageError::at("unpack the contents of an image"))?
                .map_err(StorageError::at("unpack the contents of an image"))?;
            Ok::<_, EvaluateError>(Some(Arc::new(contents)))
        });
        loaded.await.map_err(|error| EvaluateError::clone(&error))
    }
}

fn read_row(row: &Row) -> Result<Option<(i64, Vec<u8>)>, sqlx::Error> {
    let form: Option<i64> = row.get("contents_form")?;
    let content: Option<Vec<u8>> = row.get("contents")?;
    Ok(form.zip(content))
}

/// How many bytes contents take in memory, about.
pub(crate) fn weigh(contents: Option<&ImageContents>) -> u32 {
    let Some(contents) = contents else { return 1 };
    let ImageContents { files, password_file, retrieved, secret_matches, content_matches, .. } = contents;
    let files: usize = files
        .iter()
        .map(|file| 160 + file.path.len() + file.link_target.as_ref().map_or(0, String::len))
        .sum();
    let kept: usize = retrieved.iter().map(|file| 64 + file.path.len() + file.content.len()).sum();
    let matches: usize = secret_matches
        .iter()
        .chain(content_matches)
        .map(|found| 72 + found.path.len() + found.name.len() + found.pattern.len())
        .sum();
    let passwords = password_file.as_ref().map_or(0, Vec::len);
    u32::try_from(files + kept + matches + passwords).unwrap_or(u32::MAX).saturating_add(1)
}
