//! Images that an earlier scan read: found before their layers are read, kept after.

use std::sync::atomic::Ordering;

use model::Inventory;

use crate::cache::{ImageKey, KnownImage};
use crate::error::ScanError;
use crate::layers::Reading;
use crate::load::on_thread;
use crate::open::LayerPlace;

impl Reading<'_> {
    /// What an image is found by; `None` where nothing is kept.
    pub(crate) fn image_key(&self, layers: &[LayerPlace]) -> Option<ImageKey> {
        self.cache.as_ref().and_then(|_| ImageKey::new(self.options, layers))
    }

    /// What is in the image, if it was read before with everything that decides it as it is now.
    pub(crate) async fn find_image(
        &self,
        key: Option<&ImageKey>,
        layers: &[LayerPlace],
    ) -> Result<Option<KnownImage>, ScanError> {
        let (Some(cache), Some(key)) = (self.cache.clone(), key.cloned()) else { return Ok(None) };
        let found = on_thread(move || cache.find_image(&key)).await?;
        let is_of_layers = |known: &KnownImage| {
            let of_image = layers.iter().map(|layer| &layer.diff_id);
            known.inventory.layers.iter().eq(of_image)
        };
        let found = found.filter(is_of_layers);
        if found.is_some() {
            for (index, layer) in layers.iter().enumerate() {
                self.tell_known(index, layer.size);
            }
        }
        Ok(found)
    }

    /// Keeps what was found, and brings the cache back within its size.
    pub(crate) async fn keep_image(
        &self,
        key: Option<ImageKey>,
        inventory: Inventory,
        unpacked_bytes: Vec<u64>,
    ) -> Result<KnownImage, ScanError> {
        let known = KnownImage { inventory, unpacked_bytes };
        let (Some(cache), Some(key)) = (self.cache.clone(), key) else {
            self.shrink_cache().await?;
            return Ok(known);
        };
        let keep = move || {
            let is_kept = cache.keep_image(&key, &known);
            (known, is_kept)
        };
        let (known, is_kept) = on_thread(keep).await?;
        self.has_kept.fetch_or(is_kept, Ordering::Relaxed);
        self.shrink_cache().await?;
        Ok(known)
    }
}
