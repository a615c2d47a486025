//! Gate `passwd_file`: when each trigger fires, with which message.

use model::ImageContents;

use crate::fixture::{Subject, check_bad_value, check_messages, document, judge_document, rule};

const FILE: &str = "root:x:0:0:root:/root:/bin/bash\n\
    ftp:x:14:50:FTP User:/var/ftp:/sbin/nologin\r\n\
    \n\
    # a remark\n\
    short:x\n\
    odd:x:00:00050:odd:/:/bin/bash\n\
    app:x:1000:1000::/app:/bin/sh\n\
    +::::::\n\
    app:x:1001:1001::/app:/bin/ash\n";

const ROOT: &str = "root:x:0:0:root:/root:/bin/bash";
const FTP: &str = "ftp:x:14:50:FTP User:/var/ftp:/sbin/nologin";
const ODD: &str = "odd:x:00:00050:odd:/:/bin/bash";
const APP: &str = "app:x:1001:1001::/app:/bin/ash";

fn subject(password_file: Option<&[u8]>) -> Subject {
    Subject::with_contents(ImageContents {
        password_file: password_file.map(<[u8]>::to_vec),
        ..ImageContents::default()
    })
}

/// Compares the rows: what is refused, and the line.
fn check(trigger: &str, name: &str, value: &str, rows: &[(&str, &str)]) {
    let messages: Vec<String> = rows
        .iter()
        .map(|(what, line)| format!("Blacklisted {what} found in image's /etc/passwd: pentry={line}"))
        .collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    check_messages(("passwd_file", trigger), &[(name, value)], &subject(Some(FILE.as_bytes())), &messages);
    for silent in [subject(None), subject(Some(b""))] {
        check_messages(("passwd_file", trigger), &[(name, value)], &silent, &[]);
    }
}

#[test]
fn names_are_refused() {
    let check = |value, rows| check("blacklist_usernames", "user_names", value, rows);
    check("root", &[("user 'root'", ROOT)]);
    check("ftp, root", &[("user 'root'", ROOT), ("user 'ftp'", FTP)]);
    check("Root,roo", &[]);
    // The last line about a user counts.
    check("app", &[("user 'app'", APP)]);
    check("short", &[("user 'short'", "short:x")]);
}

#[test]
fn numbers_are_refused() {
    let check_ids = |value, rows| check("blacklist_userids", "user_ids", value, rows);
    check_ids("0", &[("uid '0'", ROOT), ("uid '0'", ODD)]);
    check_ids("14, 1001", &[("uid '14'", FTP), ("uid '1001'", APP)]);
    check_ids("1000,50", &[]);
    let check_groups = |value, rows| check("blacklist_groupids", "group_ids", value, rows);
    check_groups("50", &[("gid '50'", FTP), ("gid '50'", ODD)]);
    check_groups("14", &[]);
    for (trigger, name) in [("blacklist_userids", "user_ids"), ("blacklist_groupids", "group_ids")] {
        for value in ["", "root", "1,", "-1"] {
            check_bad_value(("passwd_file", trigger), &[(name, value)], name);
        }
    }
}

#[test]
fn shells_and_whole_lines_are_refused() {
    let check_shells = |value, rows| check("blacklist_shells", "shells", value, rows);
    check_shells("/bin/bash", &[("shell '/bin/bash'", ROOT), ("shell '/bin/bash'", ODD)]);
    check_shells("/bin/zsh, /sbin/nologin", &[("shell '/sbin/nologin'", FTP)]);
    check_shells("/bin/sh,bash", &[]);
    let refused = format!("pentry '{FTP}'");
    let padded = format!(" {FTP} ");
    let row = (refused.as_str(), FTP);
    for (entry, rows) in [(FTP, &[row][..]), (&padded, &[row]), ("ftp", &[]), ("", &[])] {
        check("blacklist_full_entry", "entry", entry, rows);
    }
}

#[test]
fn old_names_of_parameters_are_understood() {
    let check = |trigger: &str, params: &[(&str, &str)], message: &str| {
        check_messages(("passwd_file", trigger), params, &subject(Some(FILE.as_bytes())), &[message]);
    };
    let root = format!("Blacklisted user 'root' found in image's /etc/passwd: pentry={ROOT}");
    let ftp = format!("Blacklisted uid '14' found in image's /etc/passwd: pentry={FTP}");
    check("blacklist_usernames", &[("usernameblacklist", "root")], &root);
    check("blacklist_usernames", &[("UserNameBlackList", "root")], &root);
    check("blacklist_userids", &[("useridblacklist", "14")], &ftp);
    // Of a repeated parameter the last one counts, under whichever name.
    check("blacklist_usernames", &[("user_names", "ftp"), ("usernameblacklist", "root")], &root);
    check("blacklist_usernames", &[("usernameblacklist", "ftp"), ("user_names", "root")], &root);
    // Only where they were once right.
    let document = document(vec![rule(
        "STOP",
        "passwd_file",
        "blacklist_groupids",
        &[("group_ids", "1"), ("useridblacklist", "1")],
    )]);
    assert!(policy::Bundle::parse(&document).is_err());
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let message = "Cannot locate /etc/passwd in image stored files archive: check analyzer settings.";
    for (subject, messages) in [
        (Subject::new(), &[message][..]),
        (subject(None), &[message]),
        (subject(Some(b"")), &[message]),
        (subject(Some(b"\n")), &[]),
        (subject(Some(FILE.as_bytes())), &[]),
    ] {
        check_messages(("passwd_file", "content_not_available"), &[], &subject, messages);
    }
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    let subject = subject(Some(b"\xff\xfe:x:0:0:\xff:/:/bin/sh\n\x00\n:::::::::\nroot:x:0"));
    let params = [("user_ids", "0")];
    let rule = rule("STOP", "passwd_file", "blacklist_userids", &params);
    assert_eq!(judge_document(&document(vec![rule]), &subject).rows.len(), 2);
}
