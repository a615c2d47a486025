//! Asking a registry for the table of contents of a layer.

use std::ops::Range;

use http::StatusCode;
use http::header::CONTENT_RANGE;
use image_layers::{
    ESTARGZ_FOOTER_BYTES, Toc, TocError, TocLimits, ZSTD_CHUNKED_HEADER_BYTES, estargz_toc_offset,
    read_estargz_toc, read_zstd_chunked_toc,
};
use model::Digest;
use reqwest::Response;

use super::TocPlace;
use crate::error::ScanError;
use crate::load::on_thread;
use crate::registry::{ByteSpan, RegistryClient, length};

/// A layer of a registry.
#[derive(Clone, Copy)]
pub(super) struct RemoteLayer<'a> {
    pub(super) client: &'a RegistryClient,
    pub(super) digest: &'a Digest,
    /// What the descriptor promises.
    pub(super) size: u64,
}

/// Something, or in words why the layer is to be read as a whole.
pub(super) type OrWhole<T> = Result<T, String>;

/// Why the layer is to be read as a whole after this. Whatever is wrong beside the range shows when the whole is asked for.
///
/// Errors: nobody may go on, or somebody says something false.
pub(super) fn reason_of(error: ScanError) -> Result<String, ScanError> {
    match error {
        ScanError::Cancelled | ScanError::ReaderStopped | ScanError::DigestMismatch { .. } => Err(error),
        error => Ok(error.to_string()),
    }
}

/// A table of contents, and what was fetched for it.
pub(super) struct FetchedToc {
    pub(super) toc: Toc,
    pub(super) bytes: u64,
}

impl RemoteLayer<'_> {
    /// For messages.
    pub(super) fn what(&self) -> String {
        format!("a part of layer `{}`", self.digest)
    }

    /// Asks for a range; whole layers and other ranges are not taken.
    pub(super) async fn open(&self, range: &Range<u64>) -> Result<OrWhole<Response>, ScanError> {
        let (what, span) = (self.what(), ByteSpan { start: range.start, end: Some(range.end) });
        let response = match self.client.blob_bytes(self.digest, span, &what).await {
            // Whatever is wrong beside the range shows when the whole is asked for.
            Err(ScanError::UnexpectedStatus { status, .. }) => {
                return Ok(Err(format!("the registry answers status {status} to a range")));
            }
            Err(error) => return reason_of(error).map(Err),
            Ok(answer) => answer,
        };
        let Some(response) = response else {
            return Ok(Err("the registry answers a range as if the layer were not there".to_owned()));
        };
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(Err("the registry answers a range with the whole".to_owned()));
        }
        let stated = response.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
        match stated.is_some_and(|text| self.is_range(text, range)) {
            true => Ok(Ok(response)),
            false => Ok(Err("the registry answers with another range".to_owned())),
        }
    }

    /// `bytes 100-199/5000`: exactly what was asked for, out of a blob of the size that the manifest says.
    fn is_range(&self, stated: &str, range: &Range<u64>) -> bool {
        let parts = stated.strip_prefix("bytes ").and_then(|rest| rest.trim().split_once('/'));
        let Some((span, total)) = parts else { return false };
        let expected = format!("{}-{}", range.start, range.end.saturating_sub(1));
        span == expected && (total == "*" || total.parse() == Ok(self.size))
    }

    async fn bytes(&self, range: Range<u64>) -> Result<OrWhole<Vec<u8>>, ScanError> {
        let expected = range.end - range.start;
        let response = match self.open(&range).await? {
            Ok(response) => response,
            Err(reason) => return Ok(Err(reason)),
        };
        match self.client.read_document(response, expected, &self.what()).await {
            Ok(bytes) if length(&bytes) == expected => Ok(Ok(bytes)),
            Ok(_) | Err(ScanError::TooLarge { .. }) => {
                Ok(Err("the registry sends more or less than the range".to_owned()))
            }
            Err(error) => reason_of(error).map(Err),
        }
    }

    /// Fetches the table and checks it.
    ///
    /// Errors: `DigestMismatch` for another table than the manifest names.
    pub(super) async fn toc(
        &self,
        place: &TocPlace,
        limits: TocLimits,
    ) -> Result<OrWhole<FetchedToc>, ScanError> {
        let (packed, mut bytes) = match place {
            TocPlace::Estargz { .. } => {
                let footer_start = self.size.saturating_sub(ESTARGZ_FOOTER_BYTES);
                let footer = match self.bytes(footer_start..self.size).await? {
                    Ok(footer) => footer,
                    Err(reason) => return Ok(Err(reason)),
                };
                let offset = estargz_toc_offset(&footer).filter(|offset| *offset < footer_start);
                let Some(offset) = offset else {
                    return Ok(Err("the layer does not end with a footer of eStargz".to_owned()));
                };
                (offset..footer_start, ESTARGZ_FOOTER_BYTES)
            }
            TocPlace::ZstdChunked { position, .. } => {
                let start = position.offset.checked_sub(ZSTD_CHUNKED_HEADER_BYTES);
                let end = position.offset.checked_add(position.packed_bytes);
                match (start, end.filter(|end| *end <= self.size)) {
                    (Some(start), Some(end)) => (start..end, 0),
                    _ => return Ok(Err("its table of contents is said to be outside of it".to_owned())),
                }
            }
        };
        if packed.end - packed.start > limits.packed_bytes_max {
            return Ok(Err("its table of contents is too large".to_owned()));
        }
        bytes += packed.end - packed.start;
        let start = packed.start;
        let packed = match self.bytes(packed).await? {
            Ok(packed) => packed,
            Err(reason) => return Ok(Err(reason)),
        };
        let place = place.clone();
        let read = move || match &place {
            TocPlace::Estargz { digest } => read_estargz_toc(&packed, start, digest, &limits),
            TocPlace::ZstdChunked { digest, position } => {
                read_zstd_chunked_toc(&packed, position, digest, &limits)
            }
        };
        match on_thread(read).await? {
            Ok(toc) => Ok(Ok(FetchedToc { toc, bytes })),
            Err(TocError::DigestMismatch { expected, actual }) => {
                let what = format!("table of contents of layer `{}`", self.digest);
                Err(ScanError::DigestMismatch { what, expected, actual })
            }
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}
