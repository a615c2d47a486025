//! The row of an analysis: what was read, packed, and what lists show of it.

use jiff::Timestamp;
use model::DockerfileMode;
use storage::{WriteTransaction, to_micros};

use super::{Analysis, CONTENTS_FORM, FORM, LayerChains};
use crate::StorageError;

/// The columns of an analysis that lists show without unpacking it.
pub(crate) struct AnalysisRow {
    architecture: String,
    distro: Option<String>,
    distro_version: Option<String>,
    dockerfile_mode: &'static str,
    guessed_dockerfile: Option<String>,
    size_bytes: i64,
    unpacked_bytes: i64,
    layer_count: i64,
    chains: LayerChains,
}

impl AnalysisRow {
    pub(crate) fn new(analysis: &Analysis) -> Self {
        let distro = analysis.inventory.distro.as_ref();
        let layers = analysis.facts.layers.iter();
        let unpacked_bytes = layers.fold(0_u64, |sum, layer| sum.saturating_add(layer.unpacked_bytes));
        Self {
            architecture: analysis.facts.platform.architecture.clone(),
            distro: distro.map(|distro| distro.id.clone()),
            distro_version: distro.and_then(|distro| distro.version_id.clone()),
            dockerfile_mode: analysis.facts.dockerfile_mode.name(),
            guessed_dockerfile: (analysis.facts.dockerfile_mode == DockerfileMode::Guessed)
                .then(|| analysis.facts.dockerfile.clone()),
            size_bytes: i64::try_from(analysis.facts.size_bytes).unwrap_or(i64::MAX),
            unpacked_bytes: i64::try_from(unpacked_bytes).unwrap_or(i64::MAX),
            layer_count: i64::try_from(analysis.facts.layers.len()).unwrap_or(i64::MAX),
            chains: LayerChains::of_layers(&analysis.facts.layers),
        }
    }

    /// Writes it; `imported_by` is who uploaded the package list, where nobody read the image.
    pub(crate) async fn store(
        &self,
        tx: &mut WriteTransaction,
        digest: &str,
        content: &[u8],
        contents: Option<&[u8]>,
        imported_by: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        storage::query(
            "INSERT INTO analyses (digest, form, content, architecture, distro, distro_version, dockerfile_mode, \
                                   guessed_dockerfile, size_bytes, layer_count, created_us, contents, \
                                   contents_form, unpacked_bytes, imported_by, chain_id, prefix_chain_ids) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
             ON CONFLICT (digest) DO UPDATE SET form = excluded.form, content = excluded.content, \
               architecture = excluded.architecture, distro = excluded.distro, \
               distro_version = excluded.distro_version, dockerfile_mode = excluded.dockerfile_mode, \
               guessed_dockerfile = excluded.guessed_dockerfile, \
               size_bytes = excluded.size_bytes, layer_count = excluded.layer_count, created_us = excluded.created_us, \
               contents = excluded.contents, contents_form = excluded.contents_form, \
               unpacked_bytes = excluded.unpacked_bytes, imported_by = excluded.imported_by, \
               chain_id = excluded.chain_id, prefix_chain_ids = excluded.prefix_chain_ids",
        )
        .bind(digest)
        .bind(FORM)
        .bind(content)
        .bind(&self.architecture)
        .bind(&self.distro)
        .bind(&self.distro_version)
        .bind(self.dockerfile_mode)
        .bind(&self.guessed_dockerfile)
        .bind(self.size_bytes)
        .bind(self.layer_count)
        .bind(to_micros(now))
        .bind(contents)
        .bind(contents.map(|_| CONTENTS_FORM))
        .bind(self.unpacked_bytes)
        .bind(imported_by)
        .bind(self.chains.whole.as_deref())
        .bind(&self.chains.prefixes)
        .execute(tx)
        .await
        .map_err(StorageError::at("store an analysis"))?;
        Ok(())
    }
}
