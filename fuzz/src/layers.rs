//! Archives of layers: framing, members, what lies above what.

use image_layers::{ImageLimits, Layer, LayerError, LayerInput, LayerReaders, ReadBudget, squash};
use package_catalog::{CatalogLimits, LayerExtractor};

use crate::repair;

/// Reads a layer as a scan does.
pub(crate) fn read_layer(bytes: &[u8], limits: &ImageLimits) -> Result<Layer, LayerError> {
    let mut reader = bytes;
    let input = LayerInput { digest: None, diff_id: None, compression: None, reader: &mut reader };
    let mut extractor = LayerExtractor::new(&CatalogLimits::default());
    let readers = LayerReaders {
        is_wanted: &package_catalog::is_wanted,
        extractor: Some(&mut extractor),
        observer: None,
    };
    image_layers::read_layer_with(input, readers, limits, &ReadBudget::new())
}

/// Reads only these files of a layer, as a scan does that reads it once more.
pub(crate) fn read_bodies(bytes: &[u8], is_wanted: &dyn Fn(&str) -> bool) -> Result<Layer, LayerError> {
    let mut reader = bytes;
    let input = LayerInput { digest: None, diff_id: None, compression: None, reader: &mut reader };
    image_layers::read_layer(input, is_wanted, &ImageLimits::default(), &ReadBudget::new())
}

/// Limits that a short input can reach.
pub(crate) fn limits() -> ImageLimits {
    ImageLimits { ratio_max: 100, ratio_free_bytes: 1 << 20, ..ImageLimits::default() }
}

/// A layer in any compression, as it is and with the right sums in its headers.
pub(crate) fn read(bytes: &[u8]) {
    read_once(bytes);
    if let Some(repaired) = repair::tar(bytes) {
        read_once(&repaired);
    }
}

fn read_once(bytes: &[u8]) {
    if let Ok(layer) = read_layer(bytes, &limits()) {
        drop(package_catalog::catalog(&squash(vec![layer]), &CatalogLimits::default()));
    }
}

/// Two layers, the first as long as the first two bytes say.
pub(crate) fn squash_two(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return };
    let (lower, upper) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    let read = |bytes: &[u8]| {
        let repaired = repair::tar(bytes);
        read_layer(repaired.as_deref().unwrap_or(bytes), &limits())
    };
    let (Ok(lower), Ok(upper)) = (read(lower), read(upper)) else { return };
    let tree = squash(vec![lower, upper]);
    for entry in tree.entries() {
        let _ = tree.resolve(entry.path());
        let found = tree.find(entry.path());
        assert!(found.is_none_or(|found| !found.path().starts_with('/')), "paths have no slash in front");
    }
    drop(package_catalog::catalog(&tree, &CatalogLimits::default()));
}

/// What a cache has kept of a layer. What is read is written as it was.
pub(crate) fn read_facts(bytes: &[u8]) {
    let mut reader = bytes;
    let Ok(layer) = Layer::read_facts(&mut reader, &limits()) else { return };
    let mut written = Vec::new();
    layer.write_facts(&mut written).expect("memory takes every byte");
    assert_eq!(written, bytes, "facts have one form");
    drop(package_catalog::catalog(&squash(vec![layer]), &CatalogLimits::default()));
}
