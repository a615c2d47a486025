//! What webhooks are told about Pods that run.

use admission::decision::{ImageOutcome, JudgedImage, sort_reasons};
use serde_json::{Map, Value, json};
use storage::WriteTransaction;

use super::PodState;
use super::look::{Look, LookError};
use super::pod::SeenPod;
use crate::StorageError;

/// Pods of one owner that are named; all are counted.
const PODS_MAX: usize = 20;
/// Reasons of one image.
const REASONS_MAX: usize = 5;

/// News about the Pods of one owner.
pub(super) struct Change {
    namespace: String,
    owner: Option<(String, String)>,
    release: String,
    state: PodState,
    images: Value,
    /// Names of those that are judged differently than before.
    pub(super) pods: Vec<String>,
}

impl Change {
    pub(super) fn new(pod: &SeenPod, state: PodState, images: &[JudgedImage]) -> Self {
        let subject = &pod.subject;
        Self {
            namespace: subject.namespace.clone(),
            owner: subject.owner.as_ref().map(|owner| (owner.kind.clone(), owner.name.clone())),
            release: subject.release.name.clone(),
            state,
            images: images.iter().map(image).collect(),
            pods: Vec::new(),
        }
    }

    fn to_json(&self) -> Value {
        let named: Vec<&String> = self.pods.iter().take(PODS_MAX).collect();
        let mut change = json!({
            "namespace": self.namespace, "release_name": self.release, "state": self.state.name(),
            "pods_count": self.pods.len(), "pods": named, "images": self.images,
        });
        if let Some((kind, name)) = &self.owner {
            change["owner"] = json!({"kind": kind, "name": name});
        }
        change
    }
}

fn image(image: &JudgedImage) -> Value {
    let (state, reasons) = match &image.outcome {
        ImageOutcome::Passed(_) => (PodState::Passed, Vec::new()),
        ImageOutcome::Refused(verdict) => {
            let reasons = sort_reasons(&verdict.reasons).into_iter().take(REASONS_MAX);
            (PodState::Refused, reasons.map(|reason| reason.message.clone()).collect())
        }
        ImageOutcome::RefusedUnseen { why, .. } => (PodState::Refused, vec![why.clone()]),
        ImageOutcome::Undecided { why } => (PodState::Undecided, vec![why.clone()]),
    };
    let reference = image.reference.as_ref().map(ToString::to_string);
    json!({
        "image": image.written, "reference": reference, "state": state.name(), "reasons": reasons,
        "image_digest": image.outcome.verdict().map(|verdict| verdict.digest.to_string()),
    })
}

impl Look<'_> {
    /// Has the webhooks told, if this transaction is stored.
    pub(super) async fn notify(&self, tx: &mut WriteTransaction, news: Vec<Change>) -> Result<(), LookError> {
        let Some(engine) = &self.plane.settings.services.engine else { return Ok(()) };
        if news.is_empty() {
            return Ok(());
        }
        let mut payload = Map::new();
        let cluster = json!({
            "id": self.cluster.id, "name": self.cluster.name, "organization_id": self.cluster.organization_id,
        });
        payload.insert("cluster".to_owned(), cluster);
        payload.insert("policy_revision".to_owned(), json!(self.basis.policy_revision));
        payload.insert("database_revision".to_owned(), json!(self.basis.database_revision));
        payload.insert("changes".to_owned(), news.iter().map(Change::to_json).collect());
        (engine.notify_running)(tx, &self.account, payload)
            .await
            .map_err(|error| StorageError::new("have webhooks told", error).into())
    }
}
