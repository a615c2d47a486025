//! Gate `files`: when each trigger fires, with which message.

use model::{Diagnostic, DiagnosticCode, FileEntry, FileKind, ImageContents, PatternMatch};
use serde_json::json;

use crate::fixture::{
    RuleParts, Subject, check_bad_value, check_messages, check_refused, document, file, judge_document, rule,
};

const SHA256: &str = "abababababababababababababababababababababababababababababababab";

fn files() -> Vec<FileEntry> {
    vec![
        file(FileKind::Directory, "/etc", 0o755),
        file(FileKind::File, "/etc/passwd", 0o644),
        file(FileKind::File, "/home/a.pem", 0o600),
        file(FileKind::File, "/usr/bin/passwd", 0o4755),
        file(FileKind::SymbolicLink, "/usr/bin/vi", 0o777),
        file(FileKind::Directory, "/var/mail", 0o2775),
        file(FileKind::Other, "/dev/odd", 0o6600),
    ]
}

#[test]
fn names_are_matched_from_the_start_of_the_path() {
    let check = |regex: &str, paths: &[&str]| {
        let messages: Vec<String> = paths
            .iter()
            .map(|path| {
                format!("Application of regex matched file found in container: file={path} regexp={regex}")
            })
            .collect();
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        check_messages(
            ("files", "name_match"),
            &[("regex", regex)],
            &Subject::with_files(files()),
            &messages,
        );
    };
    check(r".*\.pem", &["/home/a.pem"]);
    check("passwd", &[]);
    check(".*passwd", &["/etc/passwd", "/usr/bin/passwd"]);
    check("/etc", &["/etc", "/etc/passwd"]);
    check("/etc$", &["/etc"]);
    check("/(?!etc|usr|dev|var)", &["/home/a.pem"]);
    check(r".*/(\w)\w*\1$", &[]);
    check(".*(?<=bin/)vi", &["/usr/bin/vi"]);
    // Python's `re.match` finds an empty expression in every text.
    check(
        "",
        &["/dev/odd", "/etc", "/etc/passwd", "/home/a.pem", "/usr/bin/passwd", "/usr/bin/vi", "/var/mail"],
    );
    check_bad_value(("files", "name_match"), &[("regex", "(")], "`regex`");
    check_bad_value(("files", "name_match"), &[], "Required parameter `regex`");
}

#[test]
fn a_newline_in_a_name_is_no_way_around_a_rule() {
    let subject = Subject::with_files(vec![file(FileKind::File, "/a\nb.pem", 0o644)]);
    check_messages(("files", "name_match"), &[("regex", r".*\.pem")], &subject, &[]);
    check_messages(
        ("files", "name_match"),
        &[("regex", r"(?s).*\.pem")],
        &subject,
        &["Application of regex matched file found in container: file=/a\nb.pem regexp=(?s).*\\.pem"],
    );
}

#[test]
fn all_given_attributes_must_hold() {
    let check = |params: &[(&str, &str)], message: Option<&str>| {
        let messages: Vec<&str> = message.into_iter().collect();
        check_messages(("files", "attribute_match"), params, &Subject::with_files(files()), &messages);
    };
    let passwd = ("filename", "/etc/passwd");
    let equal = format!("filename=/etc/passwd and checksum={SHA256} op=equals specified_checksum={SHA256}");
    check(&[passwd], None);
    check(&[passwd, ("checksum", ""), ("mode", "")], None);
    check(&[passwd, ("checksum", SHA256)], Some(&equal));
    check(&[passwd, ("checksum", SHA256), ("checksum_algorithm", "sha256")], Some(&equal));
    check(&[passwd, ("checksum", SHA256), ("checksum_match", "not_equals")], None);
    let other = format!("filename=/etc/passwd and checksum={SHA256} op=not_equals specified_checksum=abc");
    check(&[passwd, ("checksum", "abc"), ("checksum_match", "not_equals")], Some(&other));
    check(&[passwd, ("checksum", "abc")], None);
    let mode = "filename=/etc/passwd and mode=0o644 op=equals specified_mode=0o644";
    for text in ["644", "00644", "0o644", " 0644 "] {
        check(&[passwd, ("mode", text)], Some(mode));
    }
    check(&[passwd, ("mode", "600")], None);
    check(
        &[passwd, ("mode", "600"), ("mode_op", "not_equals")],
        Some("filename=/etc/passwd and mode=0o644 op=not_equals specified_mode=0o600"),
    );
    let both = format!("{equal} and mode=0o644 op=equals specified_mode=0o644");
    check(&[passwd, ("mode", "644"), ("checksum", SHA256)], Some(&both));
    check(&[passwd, ("mode", "600"), ("checksum", SHA256)], None);
    check(&[passwd, ("mode", "644"), ("checksum", "abc")], None);
    check(
        &[("filename", "/usr/bin/passwd"), ("mode", "4755")],
        Some("filename=/usr/bin/passwd and mode=0o4755 op=equals specified_mode=0o4755"),
    );
    // A folder has no checksum.
    check(
        &[("filename", "/etc"), ("checksum", SHA256), ("checksum_match", "not_equals")],
        Some(&format!("filename=/etc and checksum=None op=not_equals specified_checksum={SHA256}")),
    );
}

#[test]
fn a_file_can_be_missed() {
    let check = |params: &[(&str, &str)], message: Option<&str>| {
        let messages: Vec<&str> = message.into_iter().collect();
        check_messages(("files", "attribute_match"), params, &Subject::with_files(files()), &messages);
    };
    let missing = Some("filename=/nope and skip_missing=False");
    check(&[("filename", "/nope"), ("skip_missing", "False")], missing);
    check(&[("filename", "/nope"), ("skip_missing", "false"), ("mode", "644")], missing);
    check(&[("filename", "/nope"), ("skip_missing", "true")], None);
    check(&[("filename", "/nope"), ("mode", "644")], None);
    check(&[("filename", "/etc/passwd"), ("skip_missing", "false")], None);
    check(
        &[("filename", "etc/passwd"), ("skip_missing", "false")],
        Some("filename=etc/passwd and skip_missing=False"),
    );
}

#[test]
fn a_mode_that_is_none_is_refused_on_upload() {
    for mode in
        ["888", "rw-r--r--", "10000", "0100644", "-644", "+644", "0o", "0x1ff", "99999999999999999999"]
    {
        check_bad_value(("files", "attribute_match"), &[("filename", "/a"), ("mode", mode)], "`mode`");
    }
    check_bad_value(
        ("files", "attribute_match"),
        &[("filename", "/a"), ("checksum_algorithm", "md5")],
        "'md5' is not one of",
    );
}

#[test]
fn files_with_set_id_bits_are_told() {
    check_messages(
        ("files", "suid_or_guid_set"),
        &[],
        &Subject::with_files(files()),
        &[
            "SUID or SGID found set on file /dev/odd. Mode: 0o26600",
            "SUID or SGID found set on file /usr/bin/passwd. Mode: 0o104755",
            "SUID or SGID found set on file /var/mail. Mode: 0o42775",
        ],
    );
}

fn found(path: &str, name: &str, pattern: &str) -> PatternMatch {
    PatternMatch { path: path.to_owned(), name: name.to_owned(), pattern: pattern.to_owned() }
}

#[test]
fn content_patterns_are_told_by_name_expression_or_key() {
    let subject = Subject::with_contents(ImageContents {
        content_matches: vec![
            found("/a", "PASSWORD", "(?i)password="),
            found("/b", "", "secret.*"),
            found("/c", "PASSWORD", "(?i)password="),
        ],
        secret_matches: vec![found("/d", "PASSWORD", "x")],
        ..ImageContents::default()
    });
    let a = "File content analyzer found regexp match in container: file=/a regexp=PASSWORD=(?i)password=";
    let b = "File content analyzer found regexp match in container: file=/b regexp=secret.*";
    let c = "File content analyzer found regexp match in container: file=/c regexp=PASSWORD=(?i)password=";
    for (wanted, messages) in [
        ("", &[a, b, c][..]),
        ("PASSWORD", &[a, c]),
        ("(?i)password=", &[a, c]),
        ("UEFTU1dPUkQ9KD9pKXBhc3N3b3JkPQ==", &[a, c]),
        ("secret.*", &[b]),
        ("c2VjcmV0Lio=", &[b]),
        ("PASS", &[]),
        ("password", &[]),
    ] {
        check_messages(("files", "content_regex_match"), &[("regex_name", wanted)], &subject, messages);
    }
    check_messages(("files", "content_regex_match"), &[], &subject, &[a, b, c]);
}

fn with_diagnostics(diagnostics: &[(DiagnosticCode, &str)]) -> Subject {
    let diagnostics = diagnostics.iter().map(|(code, path)| Diagnostic {
        code: *code,
        subject: (*path).to_owned(),
        offset: None,
        message: "why not".to_owned(),
    });
    Subject::with_contents(ImageContents { diagnostics: diagnostics.collect(), ..ImageContents::default() })
}

/// The rule passes, and the decision says what was not seen.
fn check_gap((gate, trigger, params): RuleParts, subject: &Subject, gap: Option<&str>) {
    let decision = judge_document(&document(vec![rule("STOP", gate, trigger, params)]), subject);
    assert!(decision.is_pass() && decision.rows.is_empty());
    let found: Vec<(&str, &str)> = decision
        .problems
        .iter()
        .map(|problem| (problem.problem_type.as_str(), problem.details.split(" (gate=").next().unwrap()))
        .collect();
    let expected: Vec<(&str, &str)> = gap.map(|gap| ("ImageNotFullySeenWarning", gap)).into_iter().collect();
    assert_eq!(found, expected, "{gate}/{trigger}");
}

#[test]
fn what_was_not_searched_is_told() {
    use DiagnosticCode::{BrokenLink, ContentNotSearched, FileTooLarge};
    let subject = with_diagnostics(&[
        (ContentNotSearched, "/a"),
        (ContentNotSearched, "/b"),
        (ContentNotSearched, "/c"),
        (ContentNotSearched, "/d"),
        (ContentNotSearched, "/e"),
        (FileTooLarge, "/huge"),
        (BrokenLink, "/link"),
    ]);
    let gap = "Not everything was searched: `/a`: why not; `/b`: why not; `/c`: why not; and 2 more";
    check_gap(("files", "content_regex_match", &[]), &subject, Some(gap));
    check_gap(("secret_scans", "content_regex_checks", &[]), &subject, Some(gap));
    check_gap(("files", "suid_or_guid_set", &[]), &subject, None);
    check_gap(("files", "content_regex_match", &[]), &with_diagnostics(&[(FileTooLarge, "/huge")]), None);
    let huge: RuleParts =
        ("retrieved_files", "content_regex", &[("path", "/huge"), ("regex", "a"), ("check", "match")]);
    check_gap(huge, &subject, Some("The file was not kept: `/huge`: why not"));
    check_gap(huge, &with_diagnostics(&[(FileTooLarge, "/")]), Some("The file was not kept: `/`: why not"));
    check_gap(huge, &with_diagnostics(&[(FileTooLarge, "/other"), (ContentNotSearched, "/")]), None);
}

#[test]
fn a_list_of_paths_that_ends_too_early_refuses_the_image() {
    let subject = with_diagnostics(&[(DiagnosticCode::PathsLeftOut, "/")]);
    for (gate, trigger, params) in [
        ("files", "name_match", &[("regex", "a")][..]),
        ("files", "attribute_match", &[("filename", "/a")]),
        ("files", "suid_or_guid_set", &[]),
        ("packages", "verify", &[]),
    ] {
        check_refused((gate, trigger), params, &subject, ("EvaluationLimitError", "more than the 0 paths"));
    }
    check_gap(("secret_scans", "content_regex_checks", &[]), &subject, None);
}

/// Triggers that cannot answer without a look into the image.
const NEEDING: &[RuleParts] = &[
    ("files", "content_regex_match", &[]),
    ("files", "name_match", &[("regex", "a")]),
    ("files", "attribute_match", &[("filename", "/a")]),
    ("files", "suid_or_guid_set", &[]),
    ("malware", "scans", &[]),
    ("packages", "verify", &[]),
    ("passwd_file", "blacklist_usernames", &[("user_names", "a")]),
    ("passwd_file", "blacklist_userids", &[("user_ids", "0")]),
    ("passwd_file", "blacklist_groupids", &[("group_ids", "0")]),
    ("passwd_file", "blacklist_shells", &[("shells", "/bin/sh")]),
    ("passwd_file", "blacklist_full_entry", &[("entry", "a")]),
    ("retrieved_files", "content_regex", &[("path", "/a"), ("regex", "a"), ("check", "match")]),
    ("secret_scans", "content_regex_checks", &[]),
];

#[test]
fn an_image_that_was_never_looked_into_is_refused_with_the_reason() {
    for (gate, trigger, params) in NEEDING {
        check_refused(
            (gate, trigger),
            params,
            &Subject::new(),
            ("ImageContentsNotRecordedError", &format!("gate `{gate}`")),
        );
        check_refused((gate, trigger), params, &Subject::new(), ("ImageContentsNotRecordedError", "force"));
    }
    // To ask whether something is there is possible: it is not.
    for (gate, trigger, params) in [
        ("malware", "scan_not_run", &[][..]),
        ("passwd_file", "content_not_available", &[]),
        ("retrieved_files", "content_not_available", &[("path", "/a")]),
    ] {
        let decision = judge_document(&document(vec![rule("STOP", gate, trigger, params)]), &Subject::new());
        assert_eq!((decision.rows.len(), decision.problems.len()), (1, 0), "{gate}/{trigger}");
    }
}

#[test]
fn a_bundle_says_whether_it_needs_contents() {
    let needs = |document: &serde_json::Value| policy::Bundle::parse(document).unwrap().needs_contents();
    for (gate, trigger, params) in NEEDING {
        assert!(needs(&document(vec![rule("STOP", gate, trigger, params)])), "{gate}/{trigger}");
    }
    let without = [
        rule("STOP", "always", "always", &[]),
        rule("STOP", "packages", "blacklist", &[("name", "a")]),
        rule("STOP", "vulnerabilities", "package", &[("package_type", "all")]),
        rule("STOP", "metadata", "attribute", &[("attribute", "distro"), ("check", "exists")]),
        rule("STOP", "npms", "feed_data_unavailable", &[]),
    ];
    assert!(!needs(&document(without.to_vec())));
    // A policy that no mapping names asks nothing.
    let mut document = document(without.to_vec());
    document["policies"].as_array_mut().unwrap().push(
        json!({"id": "unused", "version": "1_0", "rules": [rule("STOP", "files", "suid_or_guid_set", &[])]}),
    );
    assert!(!needs(&document));
}
