//! One look at a cluster: its Pods are listed, its images judged, and what is new is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use admission::index::ClusterIndex;
use admission::{SourceState, VerdictQuestion, VerdictSource, WhiteListItem};
use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use model::ImageReference;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::judgement::Judgement;
use super::pod::{SeenPod, why_unknown};
use super::store::{self, Basis};
use super::tell::Telling;
use crate::storage_error::chain;
use crate::{Cluster, ControlPlane, StorageError, WhitelistRecord};

/// For one answer of a cluster.
pub(super) const CALL_TIME: Duration = Duration::from_secs(30);
/// Pods that have not ended.
pub(super) const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";
const PAGE_PODS: u32 = 250;
/// More Pods of a cluster are not looked at, and that is told.
const PODS_MAX: usize = 50_000;
/// Rows of one transaction: others want to write, too.
const ROWS_MAX: usize = 100;
/// Images that are asked for at the same time, so that new Pods never wait for those that run.
const IMAGES_AT_ONCE: usize = 3;
/// How long one image is waited for; its analysis goes on, and is asked for again.
const IMAGE_TIME: Duration = Duration::from_secs(30);
/// So long, nothing is told of what is known already.
const TELL_EVERY: Duration = Duration::from_secs(15);

/// Why a look ended early. It begins again, and finds what was done.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    #[error("the cluster cannot be asked: {0}")]
    Cluster(String),
    #[error("the engine cannot be asked: {0}")]
    Engine(String),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// One look.
pub(super) struct Look<'a> {
    pub(super) plane: &'a ControlPlane,
    pub(super) cluster: &'a Cluster,
    /// Whose webhooks are told: the cluster's in the engine of this installation.
    pub(super) account: String,
    pub(super) client: kube::Client,
    pub(super) source: Arc<dyn VerdictSource>,
    pub(super) state: SourceState,
    pub(super) whitelist: ClusterIndex,
    pub(super) basis: Basis,
    pub(super) now: Timestamp,
}

/// What a look has brought.
pub(super) struct Seen {
    /// Whether some image should be asked for again soon.
    pub(super) is_waiting: bool,
    /// Whether every image was asked for.
    pub(super) is_complete: bool,
    /// What the cluster did not take, or what was left out.
    pub(super) problem: String,
}

impl Look<'_> {
    /// Looks, judges and tells. With the version of the list up to which all Pods are kept, where they are.
    pub(super) async fn run(&self) -> Result<(Seen, Option<String>), LookError> {
        let (is_whole, version) = self.list().await?;
        Ok((self.conclude(is_whole).await?, version.filter(|_| is_whole)))
    }

    /// Judges and tells what is kept.
    pub(super) async fn conclude(&self, is_whole: bool) -> Result<Seen, LookError> {
        let is_complete = self.judge().await?;
        let Telling { refused, is_waiting } = self.tell().await?;
        let mut problems = Vec::new();
        if !is_whole {
            problems.push(format!("there are more than {PODS_MAX} Pods: the rest is not looked at"));
        }
        if let Some(first) = refused.first() {
            problems.push(format!("the cluster did not take {} of the news, first {first}", refused.len()));
        }
        Ok(Seen { is_complete, is_waiting, problem: problems.join("; ") })
    }

    /// Keeps the Pods as they are now, page by page. `false`: there are too many. With the version of the list.
    async fn list(&self) -> Result<(bool, Option<String>), LookError> {
        let mut known = store::known_pods(&self.plane.storage, self.cluster.id).await?;
        let api: Api<Pod> = Api::all(self.client.clone());
        let mut params = ListParams::default().fields(RUNNING).limit(PAGE_PODS);
        let (mut seen, mut version) = (0, None);
        let is_whole = loop {
            let page = match tokio::time::timeout(CALL_TIME, api.list(&params)).await {
                Ok(Ok(page)) => page,
                Ok(Err(error)) => return Err(LookError::Cluster(format!("list Pods: {}", chain(&error)))),
                Err(_) => {
                    let text = format!("list Pods: no answer within {} s", CALL_TIME.as_secs());
                    return Err(LookError::Cluster(text));
                }
            };
            seen += page.items.len();
            // All pages are of the moment of the first.
            version = version.or(page.metadata.resource_version);
            self.keep(page.items.iter().filter_map(SeenPod::new), &mut known).await?;
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(_) if seen >= PODS_MAX => break false,
                Some(token) => params = params.continue_token(&token),
                None => break true,
            }
        };
        if is_whole {
            self.forget(known).await?;
            self.forget_images().await?;
        }
        Ok((is_whole, version))
    }

    /// Keeps the Pods of a page that are new or have changed, and strikes all of it off those that are known. Returns whether
    /// there was one.
    pub(super) async fn keep(
        &self,
        pods: impl Iterator<Item = SeenPod>,
        known: &mut BTreeMap<String, String>,
    ) -> Result<bool, LookError> {
        let changed: Vec<(SeenPod, String)> = pods
            .filter_map(|pod| {
                let hash = pod.content_hash();
                (known.remove(&pod.uid).as_ref() != Some(&hash)).then_some((pod, hash))
            })
            .collect();
        for some in changed.chunks(ROWS_MAX) {
            let mut tx = self.plane.storage.begin().await.map_err(StorageError::at("begin"))?;
            for (pod, hash) in some {
                store::save_pod(&mut tx, self.cluster.id, pod, hash).await?;
            }
            tx.commit().await.map_err(StorageError::at("commit"))?;
        }
        Ok(!changed.is_empty())
    }

    /// Forgets Pods that are gone. Returns whether an Audit is old now.
    pub(super) async fn forget(&self, gone: BTreeMap<String, String>) -> Result<bool, LookError> {
        let gone: Vec<String> = gone.into_keys().collect();
        let mut is_news = false;
        for some in gone.chunks(ROWS_MAX) {
            let mut tx = self.plane.storage.begin().await.map_err(StorageError::at("begin"))?;
            for uid in some {
                is_news |= store::forget_pod(&mut tx, self.cluster.id, uid).await?;
            }
            tx.commit().await.map_err(StorageError::at("commit"))?;
        }
        Ok(is_news)
    }

    pub(super) async fn forget_images(&self) -> Result<(), LookError> {
        let mut tx = self.plane.storage.begin().await.map_err(StorageError::at("begin"))?;
        store::forget_images(&mut tx, self.cluster.id).await?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(())
    }

    /// Asks for what is missing or old. What is known is told meanwhile. `false`: the time was too short for all.
    async fn judge(&self) -> Result<bool, LookError> {
        let every =
            SignedDuration::try_from(self.plane.settings.running.every).unwrap_or(SignedDuration::MAX);
        let older_than = self.now.checked_sub(every).unwrap_or(Timestamp::MIN);
        let wanted =
            store::images_to_judge(&self.plane.storage, self.cluster.id, &self.basis, older_than).await?;
        let mut left = wanted.len();
        let mut answers = futures_util::stream::iter(wanted)
            .map(|text| async move {
                let judgement = self.ask(&text).await;
                (text, judgement)
            })
            .buffer_unordered(IMAGES_AT_ONCE);
        let until = Instant::now() + self.plane.settings.running.judge_time;
        let mut told_at = Instant::now();
        while let Some((text, judgement)) = answers.next().await {
            let mut tx = self.plane.storage.begin().await.map_err(StorageError::at("begin"))?;
            store::save_judgement(&mut tx, self.cluster.id, &text, &judgement).await?;
            tx.commit().await.map_err(StorageError::at("commit"))?;
            left -= 1;
            if told_at.elapsed() > TELL_EVERY {
                self.tell().await?;
                told_at = Instant::now();
            }
            if Instant::now() >= until {
                return Ok(left == 0);
            }
        }
        Ok(true)
    }

    async fn ask(&self, text: &str) -> Judgement {
        let reference: ImageReference = match text.parse() {
            Ok(reference) => reference,
            Err(_) => return Judgement::undecided(why_unknown(text), &self.state, self.plane.now()),
        };
        let deadline = Instant::now() + IMAGE_TIME;
        let question = VerdictQuestion { reference, deadline };
        // A source keeps its deadline; the second one is for those that do not.
        let patience = deadline + Duration::from_secs(5);
        let answer = match tokio::time::timeout_at(patience, self.source.verdict(&question)).await {
            Ok(answer) => answer,
            Err(_) => Err(admission::VerdictError::NotYet),
        };
        Judgement::new(&question.reference, &self.state, answer, self.plane.now())
    }
}

/// The whitelist as the webhook has it, and a hash of what it exempts now.
pub(super) fn read_whitelist(records: Vec<WhitelistRecord>, now: Timestamp) -> (ClusterIndex, String) {
    let mut records = records;
    records.sort_by(|one, other| one.name.cmp(&other.name));
    let mut hash = Sha256::new();
    for WhitelistRecord { name, spec } in &records {
        let end = spec.expires_at.as_deref().map(|text| text.parse::<Timestamp>().is_ok_and(|end| now < end));
        hash.update(format!("{name}\n{:?}\n{:?}\n{end:?}\n", spec.regexp, spec.namespaces));
    }
    let items: Vec<WhiteListItem> =
        records.into_iter().map(|record| WhiteListItem::new(&record.name, record.spec)).collect();
    let index = ClusterIndex::default();
    index.replace_items(&items);
    (index, data_encoding::HEXLOWER.encode(&hash.finalize()[..16]))
}
