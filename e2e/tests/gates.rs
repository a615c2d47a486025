//! Rules about the files and packages of an image, asked from a terminal: from the layers' bytes to rows.

use anyhow::{Result, ensure};
use e2e::{build_database, run_lazaret};
use serde_json::{Value, json};
use testkit::{ImageBuilder, Layer, Scratch};

const STATUS: &str = "Package: tool\nStatus: install ok installed\nVersion: 1:2.0-3\nArchitecture: all\n\n";
const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\napp:x:1000:1000::/app:/bin/sh\n";
const KEY: &str = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n";

fn layers() -> ImageBuilder {
    let below = Layer::new()
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file("var/lib/dpkg/status", STATUS)
        .file("var/lib/dpkg/info/tool.list", "/.\n/lib\n/lib/tool\n/usr/bin/tool\n")
        .file("etc/passwd", PASSWD)
        .file("etc/app.conf", "# remark\n  Debug yes\n")
        .symlink("lib", "usr/lib")
        .file("usr/lib/tool", "content")
        .file_with_mode("bin/su", 0o4755, "su")
        .file("app/credentials", KEY)
        .file("app/old.pem", "gone");
    let above = Layer::new().whiteout("app/old.pem").file("app/new.pem", "here");
    ImageBuilder::new().layer(below).layer(above).user("app")
}

/// Gate, trigger, parameters, messages.
type Row<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

const ROWS: &[Row<'_>] = &[
    (
        "files",
        "name_match",
        &[("regex", r"/(?!etc/).*\.pem")],
        &[r"Application of regex matched file found in container: file=/app/new.pem regexp=/(?!etc/).*\.pem"],
    ),
    ("files", "suid_or_guid_set", &[], &["SUID or SGID found set on file /bin/su. Mode: 0o104755"]),
    (
        "files",
        "attribute_match",
        &[("filename", "/bin/su"), ("mode", "4755")],
        &["filename=/bin/su and mode=0o4755 op=equals specified_mode=0o4755"],
    ),
    (
        "files",
        "attribute_match",
        &[("filename", "/app/old.pem"), ("skip_missing", "false")],
        &["filename=/app/old.pem and skip_missing=False"],
    ),
    (
        "passwd_file",
        "blacklist_shells",
        &[("shells", "/bin/bash")],
        &[
            "Blacklisted shell '/bin/bash' found in image's /etc/passwd: pentry=root:x:0:0:root:/root:/bin/bash",
        ],
    ),
    ("passwd_file", "content_not_available", &[], &[]),
    (
        "retrieved_files",
        "content_regex",
        &[("path", "/etc/app.conf"), ("regex", "Debug yes"), ("check", "match")],
        &["Content regex 'Debug yes' check 'match' found in retrieved file '/etc/app.conf'"],
    ),
    (
        "retrieved_files",
        "content_not_available",
        &[("path", "/etc/none")],
        &["Cannot locate file in the image analysis"],
    ),
    (
        "secret_scans",
        "content_regex_checks",
        &[("content_regex_name", "PRIV_KEY"), ("match_type", "notfound")],
        &[
            "Secret content search analyzer did not find regexp match in container: filename_regex=* content_regex_name=PRIV_KEY",
        ],
    ),
    ("malware", "scan_not_run", &[], &["No malware scans found for image"]),
    (
        "packages",
        "verify",
        &[],
        &[
            "VERIFY check against package db for package 'tool' failed on entry '/usr/bin/tool' with status: 'missing'",
        ],
    ),
    (
        "packages",
        "required_package",
        &[("name", "tool"), ("version", "1:2.1"), ("version_match_type", "minimum")],
        &[
            "Required min-version input package (tool) is present (1:2.0-3), but is lower version than what is specified in policy (1:2.1)",
        ],
    ),
    ("packages", "blacklist", &[("name", "tool"), ("version", "2.0")], &["Package is blacklisted: tool-2.0"]),
    (
        "metadata",
        "attribute",
        &[("attribute", "layer_count"), ("check", "="), ("value", "2")],
        &[
            "Attribute check for attribute: 'layer_count' check: '=' check_value: '2' matched image value: '2'",
        ],
    ),
    ("ruby_gems", "feed_data_unavailable", &[], &[]),
];

fn bundle(rules: Vec<Value>) -> Value {
    json!({"id": "b", "version": "1_0",
        "policies": [{"id": "p", "version": "1_0", "rules": rules}],
        "mappings": [{"name": "m", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
            "policy_ids": ["p"]}]})
}

#[test]
fn each_gate_sees_the_image() -> Result<()> {
    let scratch = Scratch::new("gates")?;
    let path = |name: &str| scratch.path().join(name);
    build_database(&path("vulnerability.db"))?;
    fs_err::write(path("image.tar"), layers().build().oci_archive("image"))?;
    let secret = (
        "secret_scans",
        "content_regex_checks",
        &[("filename_regex", "/app/")][..],
        &["Secret content search analyzer found regexp match in container: file=/app/credentials regexp="][..],
    );
    for (gate, trigger, params, messages) in ROWS.iter().copied().chain([secret]) {
        let params: Vec<Value> =
            params.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let rule = json!({"gate": gate, "trigger": trigger, "action": "STOP", "params": params});
        fs_err::write(path("bundle.json"), bundle(vec![rule]).to_string())?;
        let image = format!("oci-archive:{}", path("image.tar").display());
        let (database, bundle) = (path("vulnerability.db"), path("bundle.json"));
        let (database, bundle) = (database.display().to_string(), bundle.display().to_string());
        let output = run_lazaret(&["scan", &image, "--db", &database, "--policy", &bundle, "-o", "json"])?;
        let answer: Value = serde_json::from_str(&output.stdout)?;
        let decision = &answer["decision"];
        let found: Vec<&str> = decision["rows"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|row| row["message"].as_str())
            .collect();
        let is_same = found.len() == messages.len()
            && found.iter().zip(messages).all(|(found, expected)| found.starts_with(expected));
        ensure!(is_same, "{gate}/{trigger}: {found:#?}, not {messages:#?}; {:#}", decision["problems"]);
        let expected_action = if messages.is_empty() { "go" } else { "stop" };
        ensure!(decision["final_action"] == expected_action, "{gate}/{trigger}: {decision:#}");
    }
    Ok(())
}
