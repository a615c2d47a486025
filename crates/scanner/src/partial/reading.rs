//! Deciding whether a layer is read in parts, and reading it so.

use image_layers::{FileExtractor, Layer, LayerError, LayerReaders, PartPlan, PartsInput, Toc};
use package_catalog::{CatalogLimits, LayerExtractor};
use reqwest::Response;

use super::fetch::{FetchedToc, OrWhole, RemoteLayer, reason_of};
use super::transfer::PartTransfer;
use super::{LAYER_BYTES_MIN, SHARE_PERCENT_MAX, plan_limits, toc_limits};
use crate::error::ScanError;
use crate::layers::{LayerJob, Reading};
use crate::load::on_thread;
use crate::open::Origin;
use crate::pipe::pipe;

/// What is fetched of a layer, with the answer to the first request for it.
pub(crate) struct Parts<'a> {
    layer: RemoteLayer<'a>,
    toc: Toc,
    plan: PartPlan,
    toc_bytes: u64,
    first: Option<Response>,
}

impl Reading<'_> {
    /// Finds out what to fetch of a layer; `None` when it is to be read as a whole.
    ///
    /// Errors: those of the registry, and `DigestMismatch` for a table of contents that is not the one that the manifest names.
    pub(crate) async fn find_parts<'a>(&'a self, job: &LayerJob<'a>) -> Result<Option<Parts<'a>>, ScanError> {
        // Members are numbered by what the first reading took them from: a second one must take them from the same.
        let is_second = self.parts.contains(job.index);
        let is_first = self.options.partial_reads && job.extractor.is_some() && job.observer.is_none();
        if !is_first && !is_second {
            return Ok(None);
        }
        let Origin::Registry(client) = &self.origin else { return Ok(None) };
        let (Some(toc), Some(digest)) = (&job.place.toc, &job.place.digest) else { return Ok(None) };
        if job.place.size < LAYER_BYTES_MIN {
            return Ok(None);
        }
        let layer = RemoteLayer { client, digest, size: job.place.size };
        let fetched = {
            let _one_at_a_time = self.reading_table.lock().await;
            layer.toc(toc, toc_limits(&self.options.limits)).await?
        };
        let found = match fetched {
            Ok(fetched) => open_parts(layer, fetched, job, is_second).await?,
            Err(reason) => Err(reason),
        };
        match found {
            Ok(parts) => Ok(Some(parts)),
            Err(reason) if is_second => Err(self.lose(layer, &reason)),
            Err(reason) => {
                self.tell_whole(job, &reason);
                Ok(None)
            }
        }
    }

    /// Parts of this layer were read before, and what is wanted now belongs to them: the image has to be read anew, without parts.
    fn lose(&self, layer: RemoteLayer<'_>, reason: &str) -> ScanError {
        self.parts.lose();
        ScanError::BadAnswer {
            host: layer.client.registry().to_owned(),
            what: layer.what(),
            problem: format!("it was read in parts before, and now: {reason}"),
        }
    }

    /// Tells why a layer is read as a whole that might have been read in parts.
    pub(crate) fn tell_whole(&self, job: &LayerJob<'_>, reason: &str) {
        tracing::debug!(layer.index = job.index, reason, "reading a layer as a whole");
        if let Some(progress) = self.options.progress.as_deref() {
            progress.layer_whole(job.index, reason);
        }
    }

    /// Reads the parts of a layer. What comes out was held against the table of contents only.
    ///
    /// Result: why it is to be read as a whole, when the registry stops sending parts. Errors: bytes that are not those that the table
    ///         names, and limits.
    pub(crate) async fn read_parts(
        &self,
        job: &LayerJob<'_>,
        parts: Parts<'_>,
    ) -> Result<OrWhole<Layer>, ScanError> {
        let (index, place, wanted, limits) = (job.index, job.place, job.wanted.clone(), job.limits.clone());
        let mut extractor = job.extractor.is_some().then(|| LayerExtractor::new(&CatalogLimits::default()));
        let attempt = job.budget.attempt();
        let budget = attempt.clone();
        let Parts { layer, toc, plan, toc_bytes, first } = parts;
        let progress = self.options.progress.as_deref();
        if let Some(progress) = progress {
            progress.layer_bytes(index, toc_bytes);
        }
        let ranges = plan.ranges().to_vec();
        let bytes = toc_bytes + plan.byte_count();
        let transfer = PartTransfer { layer, ranges: &ranges, layer_index: index, progress };
        let (sender, mut reader) = pipe();
        let (name, diff_id, size_bytes) = (layer.digest.clone(), place.diff_id.clone(), layer.size);
        let read = move || {
            let input =
                PartsInput { digest: name, diff_id, size_bytes, toc: &toc, plan: &plan, reader: &mut reader };
            let readers = LayerReaders {
                is_wanted: &*wanted,
                extractor: extractor.as_mut().map(|extractor| extractor as &mut dyn FileExtractor),
                observer: None,
            };
            image_layers::read_layer_in_parts(input, readers, &limits, &budget)
        };
        let (transferred, read) = tokio::join!(transfer.run(first, sender), on_thread(read));
        let read = match (transferred, read?) {
            (Ok(()), Ok(layer)) => layer,
            // The reader saw only that the transfer stopped; the transfer knows why.
            (Err(error), Ok(_) | Err(LayerError::Source { .. })) => {
                let reason = reason_of(error)?;
                if self.parts.contains(index) {
                    return Err(self.lose(layer, &reason));
                }
                attempt.give_back();
                return Ok(Err(reason));
            }
            (_, Err(source)) => return Err(ScanError::in_layer(index + 1, place.name(), source)),
        };
        self.parts.add(index, bytes);
        if let Some(progress) = progress {
            progress.layer_done(index);
        }
        Ok(Ok(read))
    }
}

/// Plans what to fetch and asks for the first of it, so that a registry that answers no ranges shows before anything is read.
async fn open_parts<'a>(
    layer: RemoteLayer<'a>,
    fetched: FetchedToc,
    job: &LayerJob<'_>,
    is_second: bool,
) -> Result<OrWhole<Parts<'a>>, ScanError> {
    let FetchedToc { toc, bytes: toc_bytes } = fetched;
    let (wanted, file_bytes_max) = (job.wanted.clone(), job.limits.file_bytes_max);
    let mut probe = job.extractor.is_some().then(|| LayerExtractor::new(&CatalogLimits::default()));
    let planning = move || {
        let plan = toc.plan(
            &mut |file| {
                (file.size_bytes <= file_bytes_max && wanted(file.path))
                    || probe.as_mut().is_some_and(|probe| probe.may_look_into(file))
            },
            &plan_limits(),
        );
        (toc, plan)
    };
    let (toc, plan) = on_thread(planning).await?;
    let bytes = u128::from(toc_bytes.saturating_add(plan.byte_count()));
    if !is_second && bytes * 100 > u128::from(layer.size) * u128::from(SHARE_PERCENT_MAX) {
        return Ok(Err(format!("{bytes} of {} bytes of it are wanted", layer.size)));
    }
    let first = match plan.ranges().first() {
        Some(range) => match layer.open(range).await? {
            Ok(response) => Some(response),
            Err(reason) => return Ok(Err(reason)),
        },
        None => None,
    };
    Ok(Ok(Parts { layer, toc, plan, toc_bytes, first }))
}
