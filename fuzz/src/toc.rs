//! Tables of contents of layers, and layers that are read by them.

use image_layers::{
    ESTARGZ_FOOTER_BYTES, LayerReaders, PartsInput, PlanLimits, ReadBudget, Toc, TocError, TocLimits,
    ZSTD_CHUNKED_HEADER_BYTES, ZstdChunkedPosition, estargz_toc_offset, read_estargz_toc,
    read_layer_in_parts, read_zstd_chunked_toc, squash,
};
use model::Digest;
use package_catalog::{CatalogLimits, LayerExtractor};
use sha2::{Digest as _, Sha256};

use crate::layers;

fn limits() -> TocLimits {
    TocLimits {
        packed_bytes_max: 1 << 20,
        document_bytes_max: 4 << 20,
        entries_max: 10_000,
        ..TocLimits::default()
    }
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&Sha256::digest(bytes).into())
}

/// A layer of eStargz; whatever document its footer leads to is the one that the manifest names.
pub(crate) fn read_estargz(bytes: &[u8]) {
    let footer_at = (bytes.len() as u64).checked_sub(ESTARGZ_FOOTER_BYTES);
    let footer_at = footer_at.and_then(|at| usize::try_from(at).ok());
    let Some((data, footer)) = footer_at.map(|at| bytes.split_at(at)) else { return };
    let Some(offset) = estargz_toc_offset(footer) else { return };
    let Some(packed) = usize::try_from(offset).ok().and_then(|at| data.get(at..)) else { return };
    let read = |expected: &Digest| read_estargz_toc(packed, offset, expected, &limits());
    let toc = match read(&digest_of(b"")) {
        Err(TocError::DigestMismatch { actual, .. }) => read(&actual),
        other => other,
    };
    if let Ok(toc) = toc {
        read_parts(bytes, &toc);
    }
}

/// A document of zstd:chunked in front of the layer; the first four bytes are its length.
pub(crate) fn read_zstd_chunked(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX).min(rest.len());
    let (document, data) = rest.split_at(length);
    let Ok(packed) = zstd::encode_all(document, 1) else { return };
    let position = ZstdChunkedPosition {
        offset: data.len() as u64 + ZSTD_CHUNKED_HEADER_BYTES,
        packed_bytes: packed.len() as u64,
        document_bytes: document.len() as u64,
    };
    let size = u32::try_from(packed.len()).unwrap_or(u32::MAX).to_le_bytes();
    let frame = [&[0x50, 0x2a, 0x4d, 0x18], &size[..], &packed].concat();
    if let Ok(toc) = read_zstd_chunked_toc(&frame, &position, &digest_of(&packed), &limits()) {
        read_parts(data, &toc);
    }
}

fn read_parts(bytes: &[u8], toc: &Toc) {
    let plan = toc.plan(&mut |_| true, &PlanLimits { gap_bytes_max: 16, ranges_max: 8 });
    assert!(plan.ranges().len() <= 8, "no more ranges than allowed");
    assert!(plan.ranges().is_sorted_by(|left, right| left.end < right.start), "ranges ascend");
    let mut fetched = Vec::new();
    for range in plan.ranges() {
        let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
        let (Ok(start), Ok(end)) = (start, end) else { return };
        let part = bytes.get(start..end).expect("ranges are inside of the layer");
        fetched.extend_from_slice(part);
    }
    let mut reader = fetched.as_slice();
    let input = PartsInput {
        digest: digest_of(bytes),
        diff_id: digest_of(b""),
        size_bytes: bytes.len() as u64,
        toc,
        plan: &plan,
        reader: &mut reader,
    };
    let mut extractor = LayerExtractor::new(&CatalogLimits::default());
    let readers = LayerReaders {
        is_wanted: &package_catalog::is_wanted,
        extractor: Some(&mut extractor),
        observer: None,
    };
    if let Ok(layer) = read_layer_in_parts(input, readers, &layers::limits(), &ReadBudget::new()) {
        assert!(layer.is_in_parts() && layer.write_facts(&mut Vec::new()).is_err(), "it is never kept");
        drop(package_catalog::catalog(&squash(vec![layer]), &CatalogLimits::default()));
    }
}
