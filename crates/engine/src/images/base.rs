//! The image that another one was built on: the one of the same account whose layers are the lowest layers of that one.
//!
//! Nothing is stored about which image is the base of which: that changes with every image that comes or goes, and differs
//! between accounts. Stored are the chains of layers, with which it is asked for.

use std::sync::Arc;

use model::Digest;

use crate::analysis::LayerChains;
use crate::storage_error::chain;
use crate::{AnalysisStatus, Engine, ImageRecord, StorageError};

/// Analyses whose chains are computed in one transaction.
const BATCH: u32 = 50;

/// The image that another one was built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBaseImage {
    /// Digest of its manifest.
    pub digest: Digest,
    /// The tag under which the account saw it first; `None` where it was named by digest only.
    pub full_tag: Option<String>,
    /// How many layers it has: so many of the lowest layers are its.
    pub layer_count: usize,
}

impl Engine {
    /// The image of the same account that has the most of this image's layers, lowest first, and no others. Of several with the
    /// same layers one with a tag, and of those the one that was there first.
    pub async fn find_base_image(&self, image: &ImageRecord) -> Result<Option<FoundBaseImage>, StorageError> {
        if image.status != AnalysisStatus::Analyzed {
            return Ok(None);
        }
        let (account, digest) = (image.account.as_str(), image.digest.to_string());
        let prefixes: Option<(Option<String>,)> = storage::query(
            "SELECT prefix_chain_ids FROM analyses WHERE digest = $1 AND (imported_by IS NULL OR imported_by = $2)",
        )
        .bind(&digest)
        .bind(account)
        .fetch_optional_as(&self.storage)
        .await
        .map_err(StorageError::at("read the layers of an image"))?;
        let prefixes = prefixes.and_then(|(prefixes,)| prefixes).unwrap_or_default();
        let prefixes: Vec<&str> = prefixes.split_whitespace().collect();
        if prefixes.is_empty() {
            return Ok(None);
        }
        let places = storage::places(2, prefixes.len());
        let sql = format!(
            "SELECT i.digest, a.layer_count FROM analyses a JOIN images i ON i.digest = a.digest AND i.account = $1 \
             WHERE a.chain_id IN ({places}) AND (a.imported_by IS NULL OR a.imported_by = $1) \
               AND i.image_status = 'active' AND i.analysis_status = 'analyzed' \
             ORDER BY a.layer_count DESC, CASE WHEN EXISTS (SELECT 1 FROM image_tags t WHERE t.account = i.account \
               AND t.digest = i.digest AND t.tag <> '') THEN 0 ELSE 1 END, i.created_us, i.digest LIMIT 1"
        );
        let query =
            prefixes.iter().fold(storage::query_built(sql).bind(account), |query, one| query.bind(*one));
        let found: Option<(String, i64)> = query
            .fetch_optional_as(&self.storage)
            .await
            .map_err(StorageError::at("look for a base image"))?;
        let Some((digest, layer_count)) = found else { return Ok(None) };
        Ok(Some(FoundBaseImage {
            full_tag: self.first_tag(account, &digest).await?,
            digest: digest.parse().map_err(StorageError::at("read a digest"))?,
            layer_count: usize::try_from(layer_count).unwrap_or_default(),
        }))
    }

    async fn first_tag(&self, account: &str, digest: &str) -> Result<Option<String>, StorageError> {
        let tag: Option<(String, String, String)> = storage::query(
            "SELECT registry, repository, tag FROM image_tags WHERE account = $1 AND digest = $2 AND tag <> '' \
             ORDER BY created_us, registry, repository, tag LIMIT 1",
        )
        .bind(account)
        .bind(digest)
        .fetch_optional_as(&self.storage)
        .await
        .map_err(StorageError::at("read the tag of a base image"))?;
        Ok(tag.map(|(registry, repository, tag)| format!("{registry}/{repository}:{tag}")))
    }
}

/// Computes the chains of analyses that an earlier release stored, or that came from an archive of one.
pub(crate) async fn fill_layer_chains(engine: &Arc<Engine>) -> Result<(), StorageError> {
    while fill_some(engine).await? {}
    Ok(())
}

/// Returns whether there may be more.
async fn fill_some(engine: &Engine) -> Result<bool, StorageError> {
    let rows: Vec<(String, i64, Vec<u8>)> = storage::query(
        "SELECT digest, form, content FROM analyses WHERE prefix_chain_ids IS NULL ORDER BY digest LIMIT $1",
    )
    .bind(BATCH)
    .fetch_all_as(&engine.storage)
    .await
    .map_err(StorageError::at("look for analyses without chains of layers"))?;
    if rows.is_empty() {
        return Ok(false);
    }
    let compute = move || rows.into_iter().map(|(digest, form, content)| (digest, chains_of(form, &content)));
    let chains = tokio::task::spawn_blocking(move || compute().collect::<Vec<_>>())
        .await
        .map_err(StorageError::at("compute chains of layers"))?;
    let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
    for (digest, LayerChains { whole, prefixes }) in chains {
        // An analysis that was stored meanwhile has its own.
        storage::query(
            "UPDATE analyses SET chain_id = $2, prefix_chain_ids = $3 WHERE digest = $1 AND prefix_chain_ids IS NULL",
        )
        .bind(digest)
        .bind(whole)
        .bind(prefixes)
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("store chains of layers"))?;
    }
    tx.commit().await.map_err(StorageError::at("commit"))?;
    Ok(true)
}

/// One that cannot be read is nobody's base and has none: it is told where the image itself is asked for.
fn chains_of(form: i64, content: &[u8]) -> LayerChains {
    LayerChains::of_stored(form, content).unwrap_or_else(|error| {
        tracing::warn!(error = chain(&error), "the layers of an analysis cannot be read");
        LayerChains { whole: None, prefixes: String::new() }
    })
}
