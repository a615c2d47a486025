//! Ranges of a layer into the pipe of its reader.

use std::ops::Range;

use reqwest::Response;

use super::fetch::RemoteLayer;
use crate::error::ScanError;
use crate::pipe::BlobSender;
use crate::progress::Progress;
use crate::registry::length;

/// What is transferred.
pub(super) struct PartTransfer<'a> {
    pub(super) layer: RemoteLayer<'a>,
    pub(super) ranges: &'a [Range<u64>],
    pub(super) layer_index: usize,
    pub(super) progress: Option<&'a dyn Progress>,
}

impl PartTransfer<'_> {
    /// Sends the ranges one after the other, of which the first was asked for already; a connection that breaks is continued.
    ///
    /// Errors: `BadAnswer` when the registry stops answering ranges as it did at first, and those of the client. A reader that
    /// hangs up early ends the transfer without an error.
    pub(super) async fn run(&self, first: Option<Response>, sender: BlobSender) -> Result<(), ScanError> {
        let mut opened = first;
        for range in self.ranges {
            if !self.send(opened.take(), range, &sender).await? {
                return Ok(());
            }
        }
        sender.finish().await;
        Ok(())
    }

    /// Sends one range; `false` when the reader is gone.
    async fn send(
        &self,
        mut opened: Option<Response>,
        range: &Range<u64>,
        sender: &BlobSender,
    ) -> Result<bool, ScanError> {
        let (what, mut at, mut tries) = (self.layer.what(), range.start, 1);
        while at < range.end {
            let mut response = match opened.take() {
                Some(response) => response,
                None => {
                    let opened = self.layer.open(&(at..range.end)).await?;
                    opened.map_err(|problem| self.bad(&what, problem))?
                }
            };
            let ended = loop {
                match self.layer.client.next_chunk(&mut response, &what).await {
                    Ok(Some(bytes)) => {
                        at += length(&bytes);
                        if at > range.end {
                            return Err(self.bad(&what, "more bytes than the range has".to_owned()));
                        }
                        if let Some(progress) = self.progress {
                            progress.layer_bytes(self.layer_index, length(&bytes));
                        }
                        if !sender.send(bytes).await {
                            return Ok(false);
                        }
                    }
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            if at == range.end {
                break;
            }
            let is_broken_off = matches!(ended, None | Some(ScanError::Unreachable { .. }));
            if !is_broken_off || tries >= self.layer.client.tries_max() {
                return Err(ended.unwrap_or_else(|| self.bad(&what, "fewer bytes than the range has".into())));
            }
            tries += 1;
            tracing::debug!(layer.digest = %self.layer.digest, layer.at = at, "continuing a part of a layer");
        }
        Ok(true)
    }

    fn bad(&self, what: &str, problem: String) -> ScanError {
        ScanError::BadAnswer { host: self.layer.client.registry().to_owned(), what: what.to_owned(), problem }
    }
}
