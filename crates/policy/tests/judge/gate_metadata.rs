//! Gate `metadata`: when each attribute compares, and with which message.

use model::{Distro, LayerFacts};

use crate::fixture::{Subject, check_bad_value, check_messages, digest, document, judge_document, rule};

fn layer(size_bytes: u64, unpacked_bytes: u64) -> LayerFacts {
    LayerFacts { digest: None, diff_id: digest('d'), size_bytes, unpacked_bytes }
}

/// An image of 1000 bytes in two layers, of Ubuntu 22.04 for arm64.
fn subject() -> Subject {
    let mut subject = Subject::new();
    subject.image.layers = vec![layer(100, 600), layer(100, 400)];
    subject.image.size_bytes = 300;
    subject.image.platform.architecture = "arm64".to_owned();
    subject.inventory.distro = Some(Distro {
        id: "ubuntu".to_owned(),
        version_id: Some("22.04".to_owned()),
        id_like: vec!["debian".to_owned(), "linux".to_owned()],
        ..Distro::default()
    });
    subject
}

/// Compares; `shown` are the values of the message, or nothing when the rule must not fire.
fn check_in(
    subject: &Subject,
    attribute: &str,
    check: &str,
    value: Option<&str>,
    shown: Option<(&str, &str)>,
) {
    let message = shown.map(|(expected, actual)| {
        format!(
            "Attribute check for attribute: '{attribute}' check: '{check}' check_value: '{expected}' matched image value: '{actual}'"
        )
    });
    let mut params = vec![("attribute", attribute), ("check", check)];
    params.extend(value.map(|value| ("value", value)));
    let messages: Vec<&str> = message.as_deref().into_iter().collect();
    check_messages(("metadata", "attribute"), &params, subject, &messages);
}

fn check(attribute: &str, comparison: &str, value: &str, shown: Option<(&str, &str)>) {
    check_in(&subject(), attribute, comparison, Some(value), shown);
}

#[test]
fn numbers_are_compared_as_numbers() {
    for (comparison, value, fires) in [
        ("=", "1000", true),
        ("=", "1001", false),
        ("!=", "1000", false),
        ("!=", "1001", true),
        (">", "999", true),
        (">", "1000", false),
        ("<", "1001", true),
        ("<", "1000", false),
        (">=", "1000", true),
        (">=", "1001", false),
        ("<=", "1000", true),
        ("<=", "999", false),
        (">", "99", true),
    ] {
        check("size", comparison, value, fires.then_some((value, "1000")));
    }
    check("layer_count", "=", "2", Some(("2", "2")));
    check("layer_count", "<", " 010 ", Some(("10", "2")));
    check("layer_count", ">", "2", None);
}

#[test]
fn sizes_have_units_of_1024() {
    for (value, bytes) in [
        ("1kb", "1024"),
        ("50mb", "52428800"),
        ("2gb", "2147483648"),
        ("1tb", "1099511627776"),
        ("0", "0"),
        ("18446744073709551615", "18446744073709551615"),
    ] {
        check("size", "!=", value, Some((bytes, "1000")));
    }
    for value in
        ["", "1KB", "1 kb", " 1", "-1", "+1", "1pb", "kb", "1.5mb", "18446744073709551616", "99999999tb"]
    {
        check_bad_value(
            ("metadata", "attribute"),
            &[("attribute", "size"), ("check", ">"), ("value", value)],
            "is not a size like 1073741824 or 50mb",
        );
    }
    for value in ["", "1.5", "-1", "x", "2mb"] {
        check_bad_value(
            ("metadata", "attribute"),
            &[("attribute", "layer_count"), ("check", ">"), ("value", value)],
            "is not a whole number",
        );
    }
}

#[test]
fn the_size_is_that_of_the_unpacked_layers_where_it_is_known() {
    for (layers, shown) in [
        (vec![layer(100, 600), layer(100, 400)], "1000"),
        (vec![layer(100, 600), layer(100, 0)], "700"),
        (vec![layer(100, 0), layer(100, 0)], "200"),
        (vec![layer(0, 0)], "300"),
        (vec![], "300"),
        (vec![layer(0, u64::MAX), layer(0, 1)], "18446744073709551615"),
    ] {
        let mut subject = subject();
        subject.image.layers = layers;
        check_in(&subject, "size", ">", Some("1"), Some(("1", shown)));
    }
}

#[test]
fn texts_are_compared_letter_by_letter() {
    check("architecture", "=", "arm64", Some(("arm64", "arm64")));
    check("architecture", "=", "ARM64", None);
    check("os_type", "!=", "windows", Some(("windows", "linux")));
    check("distro", "=", "ubuntu", Some(("ubuntu", "ubuntu")));
    check("distro_version", ">", "22.03", Some(("22.03", "22.04")));
    check("distro_version", "<", "9", Some(("9", "22.04")));
    check("distro_version", "<=", "22.04", Some(("22.04", "22.04")));
    check("like_distro", "=", "debian,linux", Some(("debian,linux", "debian,linux")));
    check("distro", "in", "debian, ubuntu", Some(("debian, ubuntu", "ubuntu")));
    check("distro", "in", "debian,ubunt", None);
    check("distro", "not_in", "debian,alpine", Some(("debian,alpine", "ubuntu")));
    check("distro", "not_in", "debian,ubuntu", None);
    check("distro", "like", "ubu", Some(("ubu", "ubuntu")));
    check("distro", "like", "bun", None);
    check("distro", "like", "(?!debian)", Some(("(?!debian)", "ubuntu")));
    check("like_distro", "not_like", ".*fedora", Some((".*fedora", "debian,linux")));
    check("distro", "not_like", "ubuntu", None);
    for comparison in ["=", "!=", ">", "<", ">=", "<=", "like", "not_like", "in", "not_in"] {
        check("distro", comparison, "", None);
    }
}

#[test]
fn what_is_not_known_differs_and_has_no_order() {
    let mut subject = subject();
    subject.inventory.distro = None;
    for (comparison, fires) in [
        ("=", false),
        ("!=", true),
        (">", false),
        ("<", false),
        (">=", false),
        ("<=", false),
        ("like", false),
        ("not_like", true),
        ("in", false),
        ("not_in", true),
    ] {
        for attribute in ["distro", "distro_version", "like_distro"] {
            check_in(&subject, attribute, comparison, Some("a"), fires.then_some(("a", "None")));
        }
    }
}

#[test]
fn presence_needs_no_value() {
    check_in(&subject(), "distro", "exists", None, Some(("None", "ubuntu")));
    check_in(&subject(), "distro", "exists", Some("x"), Some(("x", "ubuntu")));
    check_in(&subject(), "distro", "exists", Some(""), Some(("", "ubuntu")));
    check_in(&subject(), "size", "exists", Some("1kb"), Some(("1024", "1000")));
    check_in(&subject(), "distro", "not_exists", None, None);
    let mut empty = subject();
    empty.inventory.distro = Some(Distro::default());
    empty.image.layers.clear();
    empty.image.size_bytes = 0;
    for (attribute, shown) in [
        ("distro", "None"),
        ("distro_version", "None"),
        ("like_distro", "None"),
        ("size", "0"),
        ("layer_count", "0"),
    ] {
        check_in(&empty, attribute, "exists", None, None);
        check_in(&empty, attribute, "not_exists", None, Some(("None", shown)));
    }
    for comparison in ["=", "!=", ">", "like", "in"] {
        check_bad_value(
            ("metadata", "attribute"),
            &[("attribute", "distro"), ("check", comparison)],
            "Required parameter is missing",
        );
    }
}

#[test]
fn checks_without_meaning_say_so() {
    for (attribute, comparison) in
        [("size", "like"), ("size", "not_in"), ("layer_count", "in"), ("layer_count", "not_like")]
    {
        let params = [("attribute", attribute), ("check", comparison), ("value", "2")];
        let decision =
            judge_document(&document(vec![rule("STOP", "metadata", "attribute", &params)]), &subject());
        assert!(decision.is_pass() && decision.rows.is_empty());
        assert!(decision.problems[0].details.contains("never fires"), "{:?}", decision.problems);
    }
    check_bad_value(
        ("metadata", "attribute"),
        &[("attribute", "distro"), ("check", "like"), ("value", "(")],
        "`value`",
    );
    check_bad_value(
        ("metadata", "attribute"),
        &[("attribute", "os"), ("check", "exists")],
        "'os' is not one of",
    );
}
