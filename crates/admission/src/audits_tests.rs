//! Under which name an audit is filed, who owns it, and what is in it.

use std::sync::Arc;

use model::Severity;

use super::*;
use crate::test_support::{now, reason, verdict};

fn owner(kind: &str, name: &str) -> OwnerReference {
    OwnerReference {
        api_version: "apps/v1".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        uid: "owner-uid".to_owned(),
        ..OwnerReference::default()
    }
}

fn subject(owner: Option<OwnerReference>, pod_exists: bool) -> AuditSubject {
    AuditSubject {
        namespace: "shop".to_owned(),
        pod: "web".to_owned(),
        pod_uid: Some("pod-uid".to_owned()),
        owner,
        release: ReleaseName { name: "web".to_owned(), other_name: None, is_fake: true },
        pod_exists,
    }
}

fn image(is_pass: bool) -> JudgedImage {
    let reasons = if is_pass { Vec::new() } else { vec![reason("CVE-2026-1", Severity::High, Some("2"))] };
    JudgedImage {
        written: "nginx".to_owned(),
        reference: "nginx".parse().ok(),
        outcome: ImageOutcome::from_verdict(Arc::new(verdict(is_pass, reasons, Vec::new()))),
    }
}

#[test]
fn names_come_from_the_owner_and_are_always_possible() {
    let check = |owner: Option<&OwnerReference>, pod: &str, expected: Option<&str>| {
        assert_eq!(audit_name(owner, pod).as_deref(), expected, "{owner:?} {pod}");
    };
    check(Some(&owner("ReplicaSet", "web-6d4")), "web-6d4-x", Some("replicaset-web-6d4"));
    check(None, "busybox1", Some("busybox1"));
    check(None, "", None);
    check(Some(&owner("Node", "n1.example.org")), "p", Some("node-n1.example.org"));
    let longest = "a".repeat(253 - "job-".len());
    check(Some(&owner("Job", &longest)), "p", Some(&format!("job-{longest}")));
    for odd in ["a".repeat(250), "a".repeat(5_000), "ü/..".to_owned(), "a_b".to_owned()] {
        let name = audit_name(Some(&owner("Job", &odd)), "p").unwrap();
        assert!(is_object_name(&name), "{name}");
        assert_ne!(Some(name), audit_name(Some(&owner("Job", &format!("{odd}x"))), "p"));
    }
    assert!(is_object_name(&audit_name(None, "___").unwrap()));
}

#[test]
fn an_audit_goes_with_its_owner_or_after_a_time() {
    let keep_for = jiff::SignedDuration::from_hours(24);
    let check = |has_owner: bool, pod_exists: bool, ruling: Ruling, expected: Option<(&str, &str)>| {
        let subject = subject(has_owner.then(|| owner("ReplicaSet", "web-6d4")), pod_exists);
        let record = audit_record(&subject, &[image(true)], ruling, now(), keep_for).unwrap();
        let found = record.owner.as_ref().map(|owner| (owner.kind.as_str(), owner.uid.as_str()));
        assert_eq!(found, expected, "{has_owner} {pod_exists} {ruling:?}");
        assert_eq!(record.expires_at.is_some(), expected.is_none());
        // Only what is still to be stored is waited for: the audit of a refused Pod is there at once.
        let is_waited_for = expected.is_some_and(|(kind, _)| kind == "Pod") && !pod_exists;
        assert_eq!(record.owner_is_new, is_waited_for, "{has_owner} {pod_exists} {ruling:?}");
        let object = record.to_object();
        let annotation = &object["metadata"]["annotations"][EXPIRES_ANNOTATION];
        let label = &object["metadata"]["labels"][EXPIRES_LABEL];
        match expected {
            Some(_) => assert!(annotation.is_null() && label.is_null(), "{object}"),
            None => assert_eq!(
                (annotation.as_str(), label.as_str()),
                (Some("2026-01-03T03:04:05Z"), Some("true"))
            ),
        }
    };
    check(true, false, Ruling::Allowed, Some(("ReplicaSet", "owner-uid")));
    check(true, false, Ruling::Denied, Some(("ReplicaSet", "owner-uid")));
    check(false, false, Ruling::Allowed, Some(("Pod", "pod-uid")));
    check(false, false, Ruling::Whitelisted, Some(("Pod", "pod-uid")));
    check(false, false, Ruling::Denied, None);
    check(false, false, Ruling::DeniedUndecided, None);
    check(false, true, Ruling::Denied, Some(("Pod", "pod-uid")));
}

#[test]
fn an_image_of_a_refused_pod_failed_even_when_nobody_knows_it() {
    let undecided = JudgedImage {
        written: "busybox".to_owned(),
        reference: "busybox".parse().ok(),
        outcome: ImageOutcome::Undecided { why: "the registry does not answer".to_owned() },
    };
    for (ruling, expected) in [
        (
            Ruling::DeniedUndecided,
            "Image failed policy check: busybox: not decided: the registry does not answer",
        ),
        (Ruling::Denied, "Image failed policy check: busybox: not decided: the registry does not answer"),
        (Ruling::AllowedUndecided, "Image not decided: busybox: the registry does not answer"),
    ] {
        let spec = audit_spec(&subject(None, false), std::slice::from_ref(&undecided), ruling, now());
        assert_eq!(spec.result, [expected], "{ruling:?}");
    }
}

#[test]
fn the_content_is_what_clients_of_the_original_read() {
    let keep_for = jiff::SignedDuration::from_hours(24);
    let record =
        audit_record(&subject(None, false), &[image(false)], Ruling::Denied, now(), keep_for).unwrap();
    let object = record.to_object();
    assert_eq!(object["metadata"]["labels"][FAKE_RELEASE_LABEL], "true");
    let expected = json!({
        "releaseName": "web",
        "resource": "Pod",
        "image": [{
            "imageName": "docker.io/library/nginx",
            "imageTag": "latest",
            "imageDigest": format!("sha256:{}", "07".repeat(32)),
            "lastUpdated": "2026-01-02T03:04:05Z",
            "resolvedAt": "2026-01-02T03:04:05Z",
        }],
        "result": ["Image failed policy check: nginx"],
        "action": "reject",
        "pod": "web",
        "policyId": "reject_high",
        "databaseRevision": "d1",
        "decidedAt": "2026-01-02T03:04:05Z",
        "reasons": [{
            "image": "nginx", "action": "stop", "gate": "vulnerabilities", "trigger": "package",
            "message": "CVE-2026-1 in openssl", "vulnerability": "CVE-2026-1", "severity": "High",
            "package": "openssl", "installed": "1.1.1n-0", "fixedIn": "2",
        }],
    });
    assert_eq!(object["spec"], expected);
    let read: crate::crd::Audit = serde_json::from_value(object.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read.spec).unwrap(), expected);
}

#[test]
fn times_and_names_of_sibling_pods_do_not_count_as_news() {
    let keep_for = jiff::SignedDuration::from_hours(24);
    let later = "2026-01-02T04:00:00Z".parse().unwrap();
    let one = subject(Some(owner("ReplicaSet", "web-6d4")), false);
    let mut other = one.clone();
    other.pod = "web-6d4-zzz".to_owned();
    other.release.name = other.pod.clone();
    let record = |subject: &AuditSubject, image: JudgedImage, now| {
        let ruling = if image.outcome.verdict().unwrap().is_pass { Ruling::Allowed } else { Ruling::Denied };
        audit_record(subject, &[image], ruling, now, keep_for).unwrap().content_hash()
    };
    let first = record(&one, image(true), now());
    assert_eq!(first, record(&one, image(true), later));
    assert_eq!(first, record(&other, image(true), now()));
    assert_ne!(first, record(&one, image(false), now()));
}
