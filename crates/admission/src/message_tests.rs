//! What people read, and that it is never too long.

use std::sync::Arc;

use model::Severity;

use super::*;
use crate::test_support::{reason, verdict};

fn refused(written: &str, reasons: Vec<VerdictReason>) -> JudgedImage {
    let outcome = ImageOutcome::Refused(Arc::new(verdict(false, reasons, Vec::new())));
    JudgedImage { written: written.to_owned(), reference: written.parse().ok(), outcome }
}

fn undecided(written: &str, why: &str) -> JudgedImage {
    let outcome = ImageOutcome::Undecided { why: why.to_owned() };
    JudgedImage { written: written.to_owned(), reference: written.parse().ok(), outcome }
}

fn release(name: &str, is_fake: bool) -> ReleaseName {
    ReleaseName { name: name.to_owned(), other_name: None, is_fake }
}

fn check(images: &[JudgedImage], release: &ReleaseName, has_owner: bool, expected: &str) {
    let answer = write_ruling(Ruling::Denied, images, &MessageSubject { release, has_owner });
    assert_eq!(answer.message, expected);
}

#[test]
fn a_refusal_says_image_reasons_and_way_out() {
    let reasons = vec![
        reason("CVE-2026-3", Severity::High, None),
        reason("CVE-2026-1", Severity::Low, Some("9")),
        reason("CVE-2026-2", Severity::Critical, Some("1.1.1n-1")),
        reason("CVE-2026-4", Severity::High, Some("1.1.1n-2")),
    ];
    check(
        &[refused("nginx:1.25", reasons)],
        &release("shop", false),
        true,
        "Image failed policy check: nginx:1.25\n\
         CVE-2026-2 Critical openssl 1.1.1n-0 → 1.1.1n-1 (vulnerabilities/package)\n\
         CVE-2026-4 High openssl 1.1.1n-0 → 1.1.1n-2 (vulnerabilities/package)\n\
         CVE-2026-3 High openssl 1.1.1n-0 no fix yet (vulnerabilities/package) (and 1 more)\n\
         exception: ask for a WhiteListItem named shop",
    );
    let root = VerdictReason {
        gate: "dockerfile".to_owned(),
        trigger: "effective_user".to_owned(),
        message: "User root found".to_owned(),
        ..VerdictReason::default()
    };
    check(
        &[refused("a", vec![root]), undecided("b", "the registry has no such image")],
        &release("web-x1", true),
        true,
        "Image failed policy check: a, b\n\
         a: User root found (dockerfile/effective_user)\n\
         b: not decided: the registry has no such image\n\
         b: try again in a moment; if it stays so, ask the cluster's operators\n\
         exception: label the Pods app.kubernetes.io/instance=NAME and ask for a WhiteListItem named NAME",
    );
    check(
        &[refused("busybox", Vec::new())],
        &release("busybox1", true),
        false,
        "Image failed policy check: busybox\n\
         refused by policy `reject_high`\n\
         exception: ask for a WhiteListItem named busybox1",
    );
    check(
        &[refused("busybox", Vec::new())],
        &release("My_Release", false),
        false,
        "Image failed policy check: busybox\n\
         refused by policy `reject_high`\n\
         exception: ask for a WhiteListItem whose regexp matches My_Release",
    );
}

#[test]
fn nothing_makes_a_text_too_long() {
    let long = "ü".repeat(400);
    let wordy = VerdictReason {
        message: long.clone(),
        gate: "g".to_owned(),
        trigger: "t".to_owned(),
        ..VerdictReason::default()
    };
    for count in [1, 2, 3, 10, 300] {
        for name in ["n".to_owned(), "n".repeat(253), long.clone()] {
            let images: Vec<_> = (0..count)
                .flat_map(|number| {
                    [
                        refused(&format!("{name}{number}"), vec![wordy.clone(); 5]),
                        undecided(&format!("{name}:{number}"), &long),
                    ]
                })
                .collect();
            let release = release(&name, false);
            let subject = MessageSubject { release: &release, has_owner: false };
            let text = write_ruling(Ruling::Denied, &images, &subject).message;
            assert!(text.len() <= MESSAGE_BYTES_MAX, "{count} {} bytes", text.len());
            assert!(text.starts_with("Image failed policy check: "), "{text}");
            assert!(text.lines().last().unwrap().starts_with("exception: "), "{text}");
            let warnings = warnings(&images);
            assert!(warnings.len() <= WARNINGS_MAX);
            for warning in warnings {
                assert!(warning.chars().count() <= WARNING_CHARS_MAX, "{warning}");
            }
        }
    }
}

#[test]
fn warnings_name_the_worst() {
    let warned =
        vec![reason("CVE-2026-1", Severity::Low, None), reason("CVE-2026-2", Severity::High, Some("2"))];
    let outcome = ImageOutcome::Passed(Arc::new(verdict(true, Vec::new(), warned)));
    let image = JudgedImage { written: "a\n\u{1b}b".to_owned(), reference: None, outcome };
    assert_eq!(
        warnings(&[image, undecided("c", "why")]),
        [
            "a  b: 2 policy warnings, first CVE-2026-2 High openssl 1.1.1n-0 → 2 (vulnerabilities/package)",
            "c: not decided, let in unchecked: why",
        ]
    );
}

#[test]
fn names_in_images_cannot_steer_the_terminal_of_who_reads_the_refusal() {
    let reason = VerdictReason {
        package: Some("lib\u{1b}[2Jx\r".to_owned()),
        installed: Some("1\u{7}\n2".to_owned()),
        ..reason("CVE-2026-1", Severity::Low, Some("\u{9b}9"))
    };
    let message = VerdictReason { message: "path \u{1b}]0;x".to_owned(), ..VerdictReason::default() };
    let release = release("shop", false);
    let subject = MessageSubject { release: &release, has_owner: true };
    let answer = write_ruling(Ruling::Denied, &[refused("a", vec![reason, message])], &subject);
    let strange: String = answer.message.chars().filter(|it| it.is_control() && *it != '\n').collect();
    assert_eq!((strange.as_str(), answer.message.lines().count()), ("", 4), "{}", answer.message);
}

#[test]
fn names_of_objects_are_told_from_other_words() {
    for (name, is_good) in [
        ("a", true),
        ("a-b.c1", true),
        ("", false),
        ("A", false),
        ("a_b", false),
        ("-a", false),
        ("a.", false),
        ("a..b", false),
    ] {
        assert_eq!(is_object_name(name), is_good, "{name}");
    }
    assert!(is_object_name(&"a".repeat(253)));
    assert!(!is_object_name(&"a".repeat(254)));
}
