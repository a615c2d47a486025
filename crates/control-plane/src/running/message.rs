//! The Events of Kubernetes about Pods that run.

use admission::audits::AuditSubject;
use admission::decision::{JudgedImage, Ruling};
use admission::message::{MessageSubject, write_ruling};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::PodState;
use super::store::KeptPod;

/// Why Pods are warned about.
pub(super) const REASON_REFUSED: &str = "ImageRefusedByPolicy";
/// Why they are no longer.
pub(super) const REASON_ACCEPTED: &str = "ImageAcceptedByPolicy";
const COMPONENT: &str = "lazaret";
/// Longer messages are refused by API servers.
const MESSAGE_BYTES_MAX: usize = 1_000;
/// Of a Pod's name in that of an Event, which must not be longer than 253 bytes.
const NAME_BYTES_MAX: usize = 230;

/// The Event that is due about a Pod; `None`: it was told before, or is no news.
pub(super) fn event(
    kept: &KeptPod,
    state: PodState,
    images: &[JudgedImage],
    now: Timestamp,
) -> Option<Value> {
    let subject = &kept.pod.subject;
    let (kind, reason, message) = match (kept.told, state) {
        (Some(PodState::Refused), PodState::Refused) => return None,
        (_, PodState::Refused) => ("Warning", REASON_REFUSED, refusal(subject, images)),
        (Some(PodState::Refused), PodState::Passed) => {
            let message = "The policy refuses the images of this Pod no longer.".to_owned();
            ("Normal", REASON_ACCEPTED, message)
        }
        (Some(PodState::Refused), PodState::Exempt) => {
            let message = format!("Release `{}` is on the whitelist now.", subject.release.name);
            ("Normal", REASON_ACCEPTED, message)
        }
        _ => return None,
    };
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Some(json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": { "name": event_name(kept), "namespace": subject.namespace },
        "involvedObject": {
            "apiVersion": "v1", "kind": "Pod", "namespace": subject.namespace, "name": subject.pod, "uid": kept.pod.uid,
        },
        "type": kind,
        "reason": reason,
        "message": shortened(&message),
        "source": { "component": COMPONENT },
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }))
}

fn refusal(subject: &AuditSubject, images: &[JudgedImage]) -> String {
    let whose = MessageSubject { release: &subject.release, has_owner: subject.owner.is_some() };
    format!("Runs, not evicted. {}", write_ruling(Ruling::Denied, images, &whose).message)
}

/// The same for the same news, so that whoever tells it again after a crash is told that it is there.
fn event_name(kept: &KeptPod) -> String {
    let text = format!("{}/{}", kept.pod.uid, kept.told_count + 1);
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(text)[..8]);
    let name = &kept.pod.subject.pod;
    // Names of objects are ASCII.
    let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
    format!("{}.{hash}", name.trim_end_matches(['.', '-']))
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MESSAGE_BYTES_MAX)]
}
