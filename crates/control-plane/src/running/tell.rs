//! What is known about Pods, compared with what was told: Audits and Events for the difference.

use std::collections::BTreeMap;

use admission::Audit;
use admission::audit_writer::AUDIT_FIELD_MANAGER;
use admission::audits::{AuditRecord, running_audit_record};
use admission::decision::{ImageOutcome, JudgedImage, Ruling};
use futures_util::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};

use super::PodState;
use super::change::Change;
use super::look::{CALL_TIME, Look, LookError};
use super::pod::SeenImage;
use super::store::{self, KeptPod};
use crate::StorageError;
use crate::storage_error::chain;

/// Owners that are read at a time.
const OWNERS_PAGE: i64 = 100;
/// Owners that are told about at a time.
const OWNERS_AT_ONCE: usize = 4;
/// The hash of an Audit that says something else than the Pods that are there now.
pub(super) const STALE: &str = "-";

type States = BTreeMap<String, (PodState, bool)>;

/// What was told about the Pods of one owner.
#[derive(Default)]
struct Told {
    /// Pods whose row is another now.
    changed: Vec<KeptPod>,
    /// What the cluster did not take.
    problem: Option<String>,
    /// What webhooks are told.
    change: Option<Change>,
}

/// What telling has brought.
pub(super) struct Telling {
    /// What the cluster did not take.
    pub(super) refused: Vec<String>,
    /// Whether some image should be asked for again soon.
    pub(super) is_waiting: bool,
}

/// What became of one write to the cluster.
enum Written {
    Done,
    /// For good, or until somebody changes something.
    Refused(String),
}

impl Look<'_> {
    /// Tells what is not told yet.
    pub(super) async fn tell(&self) -> Result<Telling, LookError> {
        let states = store::image_states(&self.plane.storage, self.cluster.id).await?;
        let is_waiting = states.values().any(|(_, is_retryable)| *is_retryable);
        let mut place = (String::new(), String::new());
        let mut refused = Vec::new();
        loop {
            let behind = (place.0.as_str(), place.1.as_str());
            let owners =
                store::next_audits(&self.plane.storage, self.cluster.id, behind, OWNERS_PAGE).await?;
            let Some(last) = owners.last().cloned() else { return Ok(Telling { refused, is_waiting }) };
            let told: Vec<Told> = futures_util::stream::iter(owners)
                .map(|owner| self.tell_about(owner, &states))
                .buffer_unordered(OWNERS_AT_ONCE)
                .try_collect()
                .await?;
            let mut tx = self.plane.storage.begin().await.map_err(StorageError::at("begin"))?;
            let mut news = Vec::new();
            for Told { changed, problem, change } in told {
                for pod in &changed {
                    store::save_state(&mut tx, self.cluster.id, pod).await?;
                }
                refused.extend(problem);
                news.extend(change);
            }
            self.notify(&mut tx, news).await?;
            tx.commit().await.map_err(StorageError::at("commit"))?;
            place = last;
        }
    }

    /// Tells about the Pods of one owner. Returns those whose row changed.
    async fn tell_about(
        &self,
        (namespace, audit): (String, String),
        states: &States,
    ) -> Result<Told, LookError> {
        let cluster = self.cluster.id;
        let pods = store::pods_of(&self.plane.storage, cluster, (&namespace, &audit)).await?;
        let decided: Vec<(KeptPod, PodState, bool)> = pods
            .into_iter()
            .map(|kept| {
                let (state, is_waited_for) = self.decide(&kept, states);
                (kept, state, is_waited_for)
            })
            .collect();
        let worst = decided.iter().map(|(_, state, _)| *state).max().unwrap_or(PodState::New);
        // What is refused is refused, whatever the rest will be; all else is told when all is known.
        let is_waiting = decided.iter().any(|(_, _, is_waited_for)| *is_waited_for);
        if worst == PodState::New || (is_waiting && worst != PodState::Refused) || !is_news(&decided, worst) {
            let changed = decided.into_iter().filter(|(kept, state, _)| kept.state != *state);
            let changed = changed.map(|(kept, state, _)| KeptPod { state, ..kept }).collect();
            return Ok(Told { changed, ..Told::default() });
        }
        self.write_news(decided, worst).await
    }

    fn decide(&self, kept: &KeptPod, states: &States) -> (PodState, bool) {
        let subject = &kept.pod.subject;
        let snapshot = self.whitelist.snapshot();
        if snapshot.find_exemption(&subject.release, &subject.namespace, self.now).is_some() {
            return (PodState::Exempt, false);
        }
        let mut worst = PodState::Passed;
        let mut is_waited_for = false;
        for image in &kept.pod.images {
            let state = match states.get(&image.reference) {
                None | Some((PodState::New, _)) => {
                    is_waited_for = true;
                    PodState::Undecided
                }
                Some((state, is_retryable)) => {
                    is_waited_for |= *is_retryable;
                    *state
                }
            };
            worst = worst.max(state);
        }
        (worst, is_waited_for && worst != PodState::Refused)
    }

    async fn write_news(
        &self,
        decided: Vec<(KeptPod, PodState, bool)>,
        worst: PodState,
    ) -> Result<Told, LookError> {
        let Some(example) = decided.iter().find(|(_, state, _)| *state == worst).map(|(kept, ..)| kept)
        else {
            return Ok(Told::default());
        };
        let images = self.judged(&example.pod.images).await?;
        let ruling = match worst {
            PodState::Refused => Ruling::Denied,
            PodState::Exempt => Ruling::Whitelisted,
            PodState::Undecided | PodState::New => Ruling::AllowedUndecided,
            PodState::Passed => Ruling::Allowed,
        };
        let record = running_audit_record(&example.pod.subject, &images, ruling, self.now);
        let hash = record.as_ref().map(|record| data_encoding::HEXLOWER.encode(&record.content_hash()));
        let hash = hash.unwrap_or_default();
        if let Some(record) = record.filter(|_| decided.iter().any(|(kept, ..)| kept.audit_hash != hash))
            && let Written::Refused(problem) = self.write_audit(&record).await?
        {
            return Ok(Told { problem: Some(problem), ..Told::default() });
        }
        let mut change = Change::new(&example.pod, worst, &images);
        let mut told_now = Told::default();
        for (kept, state, _) in decided {
            let images = self.judged(&kept.pod.images).await?;
            let event = super::message::event(&kept, state, &images, self.now);
            let has_event = event.is_some();
            if let Some(event) = event
                && let Written::Refused(problem) = self.write_event(&kept, &event).await?
            {
                told_now.problem = Some(problem);
                break;
            }
            if has_event {
                change.pods.push(kept.pod.subject.pod.clone());
            }
            let told = match (kept.told, state) {
                (None, PodState::Passed) => None,
                _ => Some(state),
            };
            let is_same = kept.state == state && kept.told == told && kept.audit_hash == hash;
            if !is_same {
                let told_count = kept.told_count + i64::from(has_event);
                told_now.changed.push(KeptPod { state, told, audit_hash: hash.clone(), told_count, ..kept });
            }
        }
        told_now.change = (!change.pods.is_empty()).then_some(change);
        Ok(told_now)
    }

    /// What is known about the images of a Pod, as the webhook would have it.
    async fn judged(&self, images: &[SeenImage]) -> Result<Vec<JudgedImage>, LookError> {
        let mut judged = Vec::with_capacity(images.len());
        for image in images {
            let SeenImage { written, reference } = image.clone();
            let judgement = store::find_judgement(&self.plane.storage, self.cluster.id, &reference).await?;
            let outcome = match judgement {
                Some(judgement) => judgement.to_outcome(),
                None => ImageOutcome::Undecided { why: "nobody has looked at it yet".to_owned() },
            };
            let reference = reference.parse().ok();
            judged.push(JudgedImage { written, reference, outcome });
        }
        Ok(judged)
    }

    async fn write_audit(&self, record: &AuditRecord) -> Result<Written, LookError> {
        let api: Api<Audit> = Api::namespaced(self.client.clone(), &record.namespace);
        let parameters = PatchParams::apply(AUDIT_FIELD_MANAGER).force();
        let patch = Patch::Apply(record.to_object());
        let write = api.patch(&record.name, &parameters, &patch);
        let written = tokio::time::timeout(CALL_TIME, write).await;
        self.written("Audit", (&record.namespace, &record.name), written.map(|written| written.map(drop)))
    }

    async fn write_event(&self, kept: &KeptPod, event: &serde_json::Value) -> Result<Written, LookError> {
        let namespace = &kept.pod.subject.namespace;
        let event: Event =
            serde_json::from_value(event.clone()).map_err(StorageError::at("write an Event"))?;
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let parameters = PostParams::default();
        let written = match tokio::time::timeout(CALL_TIME, api.create(&parameters, &event)).await {
            // It was told by somebody who could not note it any more.
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Ok(Ok(())),
            other => other.map(|written| written.map(drop)),
        };
        self.written("Event", (namespace, &kept.pod.subject.pod), written)
    }

    fn written(
        &self,
        what: &str,
        (namespace, name): (&str, &str),
        written: Result<Result<(), kube::Error>, tokio::time::error::Elapsed>,
    ) -> Result<Written, LookError> {
        let failed =
            |error: String| LookError::Cluster(format!("{what} about `{namespace}/{name}`: {error}"));
        match written {
            Ok(Ok(())) => Ok(Written::Done),
            Ok(Err(error)) => match &error {
                kube::Error::Api(status) if !matches!(status.code, 401 | 409 | 429 | 500..) => {
                    Ok(Written::Refused(format!("{what} about `{namespace}/{name}`: {}", chain(&error))))
                }
                _ => Err(failed(chain(&error))),
            },
            Err(_) => Err(failed(format!("no answer within {} s", CALL_TIME.as_secs()))),
        }
    }
}

/// Whether the cluster has to be told something, or may have to.
fn is_news(decided: &[(KeptPod, PodState, bool)], worst: PodState) -> bool {
    match worst {
        PodState::Refused | PodState::Undecided | PodState::Exempt => true,
        // Pods that always passed are no news: the webhook has written about them, if anybody has to.
        PodState::Passed => decided.iter().any(|(kept, ..)| {
            kept.audit_hash == STALE || kept.told.is_some_and(|told| told != PodState::Passed)
        }),
        PodState::New => false,
    }
}
