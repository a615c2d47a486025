//! Gates `retrieved_files`, `secret_scans` and `malware`: when each trigger fires, with which message.

use model::{ImageContents, MalwareFinding, MalwareScan, PatternMatch, RetrievedFile};

use crate::fixture::{Subject, check_bad_value, check_messages, check_rule, document, rule};

fn with_kept(path: &str, content: &[u8]) -> Subject {
    Subject::with_contents(ImageContents {
        retrieved: vec![RetrievedFile { path: path.to_owned(), content: content.to_vec() }],
        ..ImageContents::default()
    })
}

#[test]
fn kept_files_are_compared_line_by_line() {
    let subject = with_kept("/etc/ssh", b"# Port 1\nPort 22\r\n  PermitRootLogin yes\n\xff\xfe\n");
    for (regex, is_found) in [
        ("Port 22$", true),
        ("Port", true),
        ("22", false),
        ("yes", false),
        ("PermitRootLogin yes", true),
        (r"\s+PermitRootLogin\s+yes", true),
        (".*yes", true),
        ("# Port.*Port", false),
        ("(?i)permitrootlogin (?!no)", true),
        ("(?!.*Port)", true),
        ("", true),
        ("$", false),
    ] {
        for (check, fires) in [("match", is_found), ("no_match", !is_found)] {
            let message =
                format!("Content regex '{regex}' check '{check}' found in retrieved file '/etc/ssh'");
            check_messages(
                ("retrieved_files", "content_regex"),
                &[("path", "/etc/ssh"), ("regex", regex), ("check", check)],
                &subject,
                &[message.as_str()][..usize::from(fires)],
            );
            // A file that was not kept says nothing.
            check_messages(
                ("retrieved_files", "content_regex"),
                &[("path", "/etc/ss"), ("regex", regex), ("check", check)],
                &subject,
                &[],
            );
        }
    }
    let gate = ("retrieved_files", "content_regex");
    check_bad_value(gate, &[("path", "/a"), ("regex", "("), ("check", "match")], "`regex`");
    check_bad_value(gate, &[("path", "/a"), ("regex", "a"), ("check", "found")], "'found' is not one of");
    check_bad_value(gate, &[("regex", "a"), ("check", "match")], "Required parameter `path`");
}

#[test]
fn files_that_were_not_kept_are_told_once() {
    let message = "Cannot locate file in the image analysis";
    for (subject, messages) in [
        (with_kept("/etc/ssh", b""), &[][..]),
        (with_kept("/etc/sshd", b"x"), &[message]),
        (Subject::with_contents(ImageContents::default()), &[message]),
        (Subject::new(), &[message]),
    ] {
        check_messages(
            ("retrieved_files", "content_not_available"),
            &[("path", "/etc/ssh")],
            &subject,
            messages,
        );
    }
}

#[test]
fn a_bundle_names_the_files_it_asks_about() {
    let content = |path| {
        rule(
            "STOP",
            "retrieved_files",
            "content_regex",
            &[("path", path), ("regex", "a"), ("check", "match")],
        )
    };
    let document = document(vec![
        content("/b"),
        rule("STOP", "files", "attribute_match", &[("filename", "/other")]),
        rule("STOP", "retrieved_files", "content_not_available", &[("path", "/a")]),
        content("/b"),
    ]);
    let bundle = policy::Bundle::parse(&document).unwrap();
    assert_eq!(bundle.wanted_files().collect::<Vec<_>>(), ["/a", "/b"]);
}

fn secrets() -> Subject {
    let found = |path: &str, name: &str, pattern: &str| PatternMatch {
        path: path.to_owned(),
        name: name.to_owned(),
        pattern: pattern.to_owned(),
    };
    Subject::with_contents(ImageContents {
        secret_matches: vec![
            found("/app/key", "AWS_ACCESS_KEY", "AKIA[A-Z]{3,4}"),
            found("/app/key", "PRIV_KEY", "-----BEGIN"),
            found("/etc/key", "PRIV_KEY", "-----BEGIN"),
            found("/tmp/x", "", "token=.*"),
        ],
        content_matches: vec![found("/d", "PRIV_KEY", "x")],
        ..ImageContents::default()
    })
}

fn check_secrets(params: &[(&str, &str)], found: &[&str]) {
    let messages: Vec<String> = found
        .iter()
        .map(|found| format!("Secret content search analyzer found regexp match in container: file={found}"))
        .collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    check_messages(("secret_scans", "content_regex_checks"), params, &secrets(), &messages);
}

#[test]
fn secrets_are_found_by_name_and_path() {
    let (aws, app, etc, token) = (
        "/app/key regexp=AWS_ACCESS_KEY=AKIA[A-Z]{3,4}",
        "/app/key regexp=PRIV_KEY=-----BEGIN",
        "/etc/key regexp=PRIV_KEY=-----BEGIN",
        "/tmp/x regexp=token=.*",
    );
    check_secrets(&[], &[aws, app, etc, token]);
    check_secrets(&[("match_type", "found"), ("content_regex_name", "")], &[aws, app, etc, token]);
    check_secrets(&[("content_regex_name", "PRIV_KEY")], &[app, etc]);
    check_secrets(&[("content_regex_name", "AWS_ACCESS_KEY, PRIV_KEY")], &[aws, app, etc]);
    check_secrets(&[("content_regex_name", "MY_PRIV_KEY_2")], &[]);
    check_secrets(&[("content_regex_name", "PRIV")], &[]);
    check_secrets(&[("content_regex_name", "-----BEGIN")], &[app, etc]);
    check_secrets(&[("content_regex_name", "AKIA[A-Z]{3,4}")], &[aws]);
    check_secrets(&[("content_regex_name", "AWS_ACCESS_KEY=AKIA[A-Z]{3,4}")], &[aws]);
    check_secrets(&[("content_regex_name", "token=.*")], &[token]);
    check_secrets(&[("content_regex_name", ",")], &[]);
    check_secrets(&[("filename_regex", "/etc/.*")], &[etc]);
    check_secrets(&[("filename_regex", "key")], &[]);
    check_secrets(&[("filename_regex", "")], &[aws, app, etc, token]);
    check_secrets(&[("filename_regex", "/(?!etc)"), ("content_regex_name", "PRIV_KEY")], &[app]);
    let gate = ("secret_scans", "content_regex_checks");
    check_bad_value(gate, &[("filename_regex", "(")], "`filename_regex`");
    check_bad_value(gate, &[("match_type", "any")], "'any' is not one of");
}

#[test]
fn secrets_can_be_missed() {
    let check = |params: &[(&str, &str)], selection: Option<&str>| {
        let message = selection.map(|selection| {
            format!("Secret content search analyzer did not find regexp match in container: {selection}")
        });
        let messages: Vec<&str> = message.as_deref().into_iter().collect();
        let params: Vec<(&str, &str)> = params.iter().copied().chain([("match_type", "notfound")]).collect();
        check_messages(("secret_scans", "content_regex_checks"), &params, &secrets(), &messages);
    };
    check(&[], None);
    check(&[("content_regex_name", "PRIV_KEY")], None);
    check(&[("content_regex_name", "API_KEY")], Some("filename_regex=* content_regex_name=API_KEY"));
    check(&[("filename_regex", "/home")], Some("filename_regex=/home content_regex_name=all"));
    check(
        &[("filename_regex", "/tmp"), ("content_regex_name", "PRIV_KEY, API_KEY")],
        Some("filename_regex=/tmp content_regex_name=PRIV_KEY, API_KEY"),
    );
}

#[test]
fn malware_is_told_by_scanner_signature_and_path() {
    let finding = |path: &str, signature: &str| MalwareFinding {
        path: path.to_owned(),
        signature: signature.to_owned(),
    };
    let scan = |scanner: &str, findings| MalwareScan { scanner: scanner.to_owned(), findings };
    let subject =
        |malware_scans| Subject::with_contents(ImageContents { malware_scans, ..ImageContents::default() });
    let both = subject(vec![
        scan("clamav", vec![finding("/elf", "Sig-1"), finding("", "Sig-2"), finding("/f", "")]),
        scan("other", vec![finding("/elf", "Sig-1")]),
    ]);
    check_rule(
        ("malware", "scans"),
        &[],
        &both,
        &[
            (
                "clamav+Sig-1+305c88b97bea4feeaf6e8263efd34e26",
                "Malware scan finding: scanner=clamav file=/elf signature=Sig-1",
            ),
            (
                "other+Sig-1+305c88b97bea4feeaf6e8263efd34e26",
                "Malware scan finding: scanner=other file=/elf signature=Sig-1",
            ),
        ],
    );
    check_rule(("malware", "scans"), &[], &subject(vec![]), &[]);
    let message = "No malware scans found for image";
    check_messages(("malware", "scan_not_run"), &[], &both, &[]);
    check_messages(("malware", "scan_not_run"), &[], &subject(vec![scan("clamav", vec![])]), &[]);
    check_messages(("malware", "scan_not_run"), &[], &subject(vec![]), &[message]);
    check_messages(("malware", "scan_not_run"), &[], &Subject::new(), &[message]);
}
