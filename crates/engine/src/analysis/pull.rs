//! Pulling an image that is to be analyzed, as whichever account may.

use model::{Digest, ImageReference};
use scanner::{CancellationToken, ImageSource, ScanError, ScanErrorKind, ScannedImage};
use tracing::Instrument as _;

use crate::registries::PullChoice;
use crate::{Engine, StorageError};

/// Why there is nothing to analyze.
pub(super) enum PullError {
    Scan(ScanError),
    Storage(StorageError),
    /// A panic in a parser must cost one image, not the worker.
    BrokeOff(tokio::task::JoinError),
}

impl Engine {
    /// Reads an image. Who may not see it is followed by the next account that has it.
    pub(super) async fn pull(
        &self,
        digest: &str,
        reference: &ImageReference,
        cancellation: CancellationToken,
    ) -> Result<ScannedImage, PullError> {
        let mut base = self.settings.scan.clone();
        base.contents = self.settings.contents.clone();
        base.cancellation = cancellation;
        let choices = match digest.parse::<Digest>() {
            Ok(digest) => self.pull_choices(&digest, reference, &base).await.map_err(PullError::Storage)?,
            Err(_) => vec![PullChoice { reference: reference.clone(), options: base }],
        };
        // On a thread of its own: unpacking and cataloging must not hold up those who serve requests.
        let runtime = tokio::runtime::Handle::current();
        let span = tracing::info_span!("pull_image");
        let load =
            tokio::task::spawn_blocking(move || runtime.block_on(load_first(choices).instrument(span)));
        load.await.map_err(PullError::BrokeOff)?.map_err(PullError::Scan)
    }
}

/// What the first account was told is what is told when all are refused.
async fn load_first(choices: Vec<PullChoice>) -> Result<ScannedImage, ScanError> {
    let mut refusal = None;
    for PullChoice { reference, options } in choices {
        match scanner::load(&ImageSource::Registry(reference), &options).await {
            Err(error) if matches!(error.kind(), ScanErrorKind::Unauthorized | ScanErrorKind::NotFound) => {
                refusal = refusal.or(Some(error));
            }
            loaded => return loaded,
        }
    }
    Err(refusal.unwrap_or(ScanError::Cancelled))
}
