//! Which tags an image with other findings stands under: their verdicts are judged again and told.

use model::Digest;

use crate::storage_error::chain;
use crate::watches::judge_tag;
use crate::{Engine, EvaluateError, StorageError};

impl Engine {
    /// Judges again, under each tag that has the image now, and tells whoever watches the tag what is different.
    pub(super) async fn judge_tags_of(&self, digest: &str) -> Result<(), StorageError> {
        let parsed: Digest = digest.parse().map_err(StorageError::at("read the digest of an image"))?;
        for (account, full_tag) in self.current_tags(digest).await? {
            match judge_tag(self, &account, &full_tag, &parsed).await {
                Ok(()) => {}
                Err(EvaluateError::Failed(error)) => {
                    tracing::error!(image.tag = full_tag, error = chain(&error), "cannot judge a tag again");
                }
                // Deleted, analyzed again, or without a policy: nobody waits for this verdict.
                Err(error) => tracing::debug!(image.tag = full_tag, %error, "a tag is not judged again"),
            }
        }
        Ok(())
    }

    /// A tag has the digest that was detected last.
    async fn current_tags(&self, digest: &str) -> Result<Vec<(String, String)>, StorageError> {
        let rows: Vec<(String, String, String, String)> = storage::query(
            "SELECT account, registry, repository, tag FROM image_tags WHERE digest = $1 AND NOT EXISTS ( \
               SELECT 1 FROM image_tags AS newer WHERE newer.account = image_tags.account \
                 AND newer.registry = image_tags.registry AND newer.repository = image_tags.repository \
                 AND newer.tag = image_tags.tag AND newer.detected_us > image_tags.detected_us) \
             ORDER BY account, registry, repository, tag",
        )
        .bind(digest)
        .fetch_all_as(&self.storage)
        .await
        .map_err(StorageError::at("read the tags of an image"))?;
        let full = |(account, registry, repository, tag)| (account, format!("{registry}/{repository}:{tag}"));
        Ok(rows.into_iter().map(full).collect())
    }
}
