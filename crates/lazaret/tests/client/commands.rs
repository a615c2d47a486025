//! What the commands ask for and print, compared with the contract of the API.

use serde_json::{Value, json};

use crate::support::{Home, Server, expect_code, words};

const BASE: &str = "/pipeline/api/v1/orgs/2";
const SCAN: &str = "/pipeline/api/v1/orgs/2/clusters/7/services/securityscan";

fn start() -> (Server, Home) {
    let server = Server::start();
    let home = Home::at(&server);
    (server, home)
}

fn line(method: &str, below: &str) -> String {
    format!("{method} {BASE}{below}")
}

#[test]
fn organizations_and_clusters_are_listed_in_tables_json_and_yaml() {
    let (server, home) = start();
    server.json("GET /pipeline/api/v1/orgs", json!([{"id": 2, "name": "acme"}, {"id": 3, "name": "other"}]));
    let output = home.done(&["organization", "list"]);
    let lines: Vec<Vec<&str>> = output.stdout.lines().map(words).collect();
    assert_eq!(lines, [vec!["Id", "Name", "Selected"], vec!["2", "acme", "✔"], vec!["3", "other"]]);

    let output = home.done(&["cluster", "list"]);
    let lines: Vec<Vec<&str>> = output.stdout.lines().map(words).collect();
    assert_eq!(
        lines[0],
        [
            "Id",
            "Name",
            "Distribution",
            "Location",
            "Version",
            "CreatorName",
            "CreatedAt",
            "Status",
            "StatusMessage"
        ]
    );
    assert_eq!(lines[1][..3], ["7", "demo", "unknown"]);
    let json: Value = serde_json::from_str(&home.done(&["cluster", "list", "-o", "json"]).stdout).unwrap();
    assert_eq!(json[0]["statusMessage"], "Cluster is running");
    let yaml = home.done(&["-o", "yaml", "cluster", "get", "demo"]).stdout;
    assert!(yaml.contains("status: RUNNING") && yaml.contains("id: 7"), "{yaml}");
}

#[test]
fn a_cluster_is_meant_by_flag_name_shell_or_because_it_is_the_only_one() {
    let (server, home) = start();
    for arguments in [
        &["cluster", "get", "--cluster", "7"][..],
        &["cluster", "get", "--cluster-name", "demo"],
        &["cluster", "--cluster-name", "demo", "get"],
        &["cluster", "get", "demo"],
        &["cluster", "get"],
    ] {
        assert!(home.done(arguments).stdout.contains("demo"), "{arguments:?}");
    }
    let text = home.failed(&["cluster", "get", "dem"]);
    assert!(text.contains("could not find cluster named \"dem\"; did you mean \"demo\"?"), "{text}");

    let in_shell = |arguments: &[&str]| {
        home.program(arguments).environment("BANZAI_CURRENT_CLUSTER_ID", "7").run(b"").unwrap()
    };
    expect_code(in_shell(&["cluster", "get"]), 0);
    expect_code(in_shell(&["cluster", "get", "demo"]), 0);
    let output = expect_code(in_shell(&["cluster", "delete", "other"]), 1);
    assert!(output.stderr.contains("this is a shell of cluster"), "{}", output.stderr);
    assert!(server.seen().iter().all(|seen| !seen.line.starts_with("DELETE")), "nothing was deleted");

    server.json(&line("GET", "/clusters"), json!([{"id": 7, "name": "demo"}, {"id": 8, "name": "two"}]));
    let text = home.failed(&["cluster", "get"]);
    assert!(text.contains("several clusters (demo, two)") && text.contains("--cluster-name"), "{text}");
    server.json(&line("GET", "/clusters"), json!([]));
    let text = home.failed(&["cluster", "get"]);
    assert!(
        text.contains("there are no clusters in the organization") && text.contains("cluster import"),
        "{text}"
    );
}

#[test]
fn a_specification_is_sent_wrapped_however_it_came() {
    let (server, home) = start();
    let spec = json!({"policy": {"policyId": "97b33e2c-3b57-4a3f-a12b-a8c0daa472a0"}});
    fs_err::write(
        home.folder.path().join("spec.yaml"),
        "policy:\n  policyId: 97b33e2c-3b57-4a3f-a12b-a8c0daa472a0\n",
    )
    .unwrap();
    let bare = spec.to_string();
    let wrapped = json!({"spec": spec}).to_string();
    for (arguments, input) in [
        (&["activate"][..], bare.as_str()),
        (&["activate"], wrapped.as_str()),
        (&["enable", "-f", "-"], bare.as_str()),
        (&["on", "-f", "spec.yaml"], ""),
        (&["add"], "spec:\n  policy: {policyId: 97b33e2c-3b57-4a3f-a12b-a8c0daa472a0}\n"),
    ] {
        let server = Server::start();
        let home = Home::at(&server);
        fs_err::write(
            home.folder.path().join("spec.yaml"),
            "policy:\n  policyId: 97b33e2c-3b57-4a3f-a12b-a8c0daa472a0\n",
        )
        .unwrap();
        server.reply(&format!("POST {SCAN}"), 202, "", b"");
        let arguments: Vec<&str> =
            ["cluster", "service", "securityscan"].iter().chain(arguments).copied().collect();
        let output = expect_code(home.run_with(&arguments, input), 0);
        assert_eq!(output.stdout, "");
        assert!(output.stderr.contains("service \"Security scan\" started to activate"), "{}", output.stderr);
        assert_eq!(server.body_of(&format!("POST {SCAN}")), json!({"spec": spec}));
    }
    server.reply(&format!("PUT {SCAN}"), 202, "", b"");
    let output = expect_code(home.run_with(&["cluster", "service", "securityscan", "update"], &bare), 0);
    assert!(output.stderr.contains("started to update"), "{}", output.stderr);
    server.reply(&format!("DELETE {SCAN}"), 204, "", b"");
    let output = home.done(&["cluster", "service", "securityscan", "rm"]);
    assert!(output.stderr.contains("started to deactivate"), "{}", output.stderr);
    server.reply(&format!("DELETE {SCAN}?removeResources=true"), 204, "", b"");
    home.done(&["cluster", "service", "securityscan", "deactivate", "--remove-resources"]);
}

#[test]
fn a_specification_that_says_nothing_is_refused_before_anybody_is_asked() {
    let (server, home) = start();
    for (input, expected) in [
        ("", "standard input is empty"),
        ("{", "is not JSON"),
        ("{}", "none of the keys"),
        ("{\"spec\": {\"policy\": {}}, \"registry\": {}}", "beside it"),
        ("[1]", "keys and values"),
    ] {
        let output =
            expect_code(home.run_with(&["cluster", "service", "securityscan", "activate"], input), 1);
        assert!(output.stderr.contains(expected), "{input}: {}", output.stderr);
    }
    assert!(server.seen().is_empty());
    server.reply(&format!("POST {SCAN}"), 202, "", b"");
    let input = "{\"policy\": {\"policyId\": \"deny_all\"}, \"webhokConfig\": {}}";
    let output = expect_code(home.run_with(&["cluster", "service", "securityscan", "activate"], input), 0);
    assert!(
        output.stderr.contains("key `webhokConfig`")
            && output.stderr.contains("did you mean `webhookConfig`?"),
        "{}",
        output.stderr
    );
}

#[test]
fn waiting_tells_how_it_goes_and_how_it_ended() {
    let (server, home) = start();
    let spec = "{\"policy\": {\"policyId\": \"deny_all\"}}";
    let arguments = ["cluster", "service", "securityscan", "activate", "--wait"];
    server.reply(&format!("POST {SCAN}"), 202, "", b"");
    server.json(
        &format!("GET {SCAN}"),
        json!({"status": "PENDING", "output": {"reason": "", "steps": [{"name": "policies", "state": "DONE"}, {"name": "webhook", "state": "RUNNING", "message": ""}]}}),
    );
    server.then_json(&format!("GET {SCAN}"), json!({"status": "ACTIVE"}));
    let output = expect_code(home.run_with(&arguments, spec), 0);
    assert!(
        output.stderr.contains("webhook, RUNNING") && output.stderr.contains(": active"),
        "{}",
        output.stderr
    );

    server.json(&format!("GET {SCAN}"), json!({"status": "PENDING"}));
    server.then_json(
        &format!("GET {SCAN}"),
        json!({"status": "ERROR", "output": {"reason": "policy `x` does not exist", "steps": [{"name": "policies", "state": "FAILED"}]}}),
    );
    let output = expect_code(home.run_with(&arguments, spec), 1);
    assert!(output.stderr.contains("failed: policy `x` does not exist"), "{}", output.stderr);
    let shown = home.done(&["cluster", "service", "securityscan"]).stdout;
    assert!(shown.contains("policy `x` does not exist") && shown.contains("FAILED"), "{shown}");

    server.json(&format!("GET {SCAN}"), json!({"status": "PENDING"}));
    let arguments = ["cluster", "service", "securityscan", "activate", "--wait", "--wait-timeout", "1s"];
    let output = expect_code(home.run_with(&arguments, spec), 1);
    assert!(output.stderr.contains("not done within 1 seconds"), "{}", output.stderr);
}

#[test]
fn the_service_is_shown() {
    let (server, home) = start();
    server.json(
        &format!("GET {SCAN}"),
        json!({"status": "ACTIVE", "spec": {}, "output": {"anchore": {"version": ""}, "imageValidator": {"version": "0.8.1"}}}),
    );
    let output = home.done(&["cluster", "service", "securityscan", "get"]);
    let lines: Vec<Vec<&str>> = output.stdout.lines().map(words).collect();
    assert_eq!(
        lines,
        [
            vec![],
            vec!["Security_scan"],
            vec!["----"],
            vec!["AnchoreVersion", "ImageValidatorVersion", "Status"],
            vec!["0.8.1", "ACTIVE"]
        ]
    );
    let json: Value = serde_json::from_str(
        &home.done(&["cluster", "service", "securityscan", "show", "-o", "json"]).stdout,
    )
    .unwrap();
    assert_eq!(json["output"]["imageValidator"]["version"], "0.8.1");
    server.json(&line("GET", "/clusters/7/services"), json!({"securityscan": {"status": "ACTIVE"}}));
    for arguments in [&["cluster", "service", "list"][..], &["cluster", "service"]] {
        let output = home.done(arguments);
        assert!(
            output.stdout.lines().any(|line| words(line) == ["securityscan", "ACTIVE"]),
            "{}",
            output.stdout
        );
    }
    server
        .json("GET /pipeline/api/v1/capabilities", json!({"features": {"securityScan": {"enabled": false}}}));
    let text = home.failed(&["cluster", "service", "securityscan", "get"]);
    assert!(text.contains("failed to check service: securityscan service disabled"), "{text}");
}

#[test]
fn secrets_come_and_go() {
    let (server, home) = start();
    let item = json!({"id": "7a81", "name": "registry", "type": "password", "values": {"username": "<hidden>"}, "tags": ["cli"], "version": 1, "updatedAt": "2026-01-02T03:04:05Z", "updatedBy": "ada"});
    server.json(&line("GET", "/secrets"), json!([item]));
    let output = home.done(&["secret", "list"]);
    let lines: Vec<Vec<&str>> = output.stdout.lines().map(words).collect();
    assert_eq!(
        lines,
        [["Id", "Name", "Type", "UpdatedBy", "Tags"], ["7a81", "registry", "password", "ada", "cli"]]
    );

    let mut shown = item.clone();
    shown["values"] = json!({"username": "ada", "password": "s3cret"});
    server.json(&line("GET", "/secrets/7a81"), shown);
    for (arguments, is_shown) in [
        (&["secret", "get", "registry"][..], true),
        (&["secret", "get", "--id", "7a81", "-H"], false),
        (&["secret", "get", "-n", "registry", "-o", "json", "--hide"], false),
    ] {
        let output = home.done(arguments);
        assert_eq!(output.stdout.contains("s3cret"), is_shown, "{}", output.stdout);
    }
    server.json(&line("POST", "/secrets?validate=true"), item);
    let input = "{\"name\": \"registry\", \"type\": \"password\", \"values\": {\"username\": \"ada\", \"password\": \"s3cret\"}, \"tags\": [\"cli\"]}";
    let output = expect_code(home.run_with(&["secret", "create"], input), 0);
    assert!(output.stdout.contains("7a81") && !output.stdout.contains("s3cret"), "{}", output.stdout);
    assert_eq!(server.body_of(&line("POST", "/secrets?validate=true"))["values"]["password"], "s3cret");

    server.reply(&line("DELETE", "/secrets/7a81"), 204, "", b"");
    home.done(&["secret", "delete", "--name", "registry"]);
    let output = home.failed(&["secret", "delete", "-n", "registry", "nothing"]);
    assert!(
        output.contains("\"registry\" deleted")
            && output.contains("named \"nothing\"")
            && output.contains("1 of 2"),
        "{output}"
    );
}

#[test]
fn an_import_that_fails_leaves_no_secret() {
    let (server, home) = start();
    let kubeconfig = "clusters: [{name: a, cluster: {server: 'https://h'}}]\nusers: [{name: u, user: {token: t}}]\n\
        contexts: [{name: c, context: {cluster: a, user: u}}]\ncurrent-context: c\n";
    server.reply(
        &line("POST", "/secrets"),
        201,
        "application/json",
        br#"{"id":"abcd","name":"new-kubeconfig"}"#,
    );
    server.reply(&line("POST", "/clusters"), 202, "application/json", br#"{"id":7,"name":"new"}"#);
    let output = expect_code(home.run_with(&["cluster", "import", "-n", "new"], kubeconfig), 0);
    assert!(output.stdout.lines().any(|line| words(line) == ["7", "new"]), "{}", output.stdout);
    let body = server.body_of(&line("POST", "/secrets"));
    assert_eq!((&body["name"], &body["type"]), (&json!("new-kubeconfig"), &json!("kubernetes")));
    assert_eq!(
        server.body_of(&line("POST", "/clusters")),
        json!({"name": "new", "secretId": "abcd", "cloud": "kubernetes", "properties": {"kubernetes": {}}})
    );

    server.reply(
        &line("POST", "/clusters"),
        409,
        "application/json",
        br#"{"code":409,"message":"it is there"}"#,
    );
    server.reply(&line("DELETE", "/secrets/abcd"), 204, "", b"");
    let output = expect_code(home.run_with(&["cluster", "import", "-n", "new"], kubeconfig), 1);
    assert!(output.stderr.contains("it is there"), "{}", output.stderr);
    assert!(server.seen().iter().any(|seen| seen.line == line("DELETE", "/secrets/abcd")));

    let with_file = kubeconfig.replace("token: t", "client-key: /home/ada/k");
    let output = expect_code(home.run_with(&["cluster", "import", "-n", "new"], &with_file), 1);
    assert!(output.stderr.contains("`client-key` is a file of this machine"), "{}", output.stderr);
}

#[test]
fn how_running_pods_were_judged_is_shown_page_by_page() {
    let (server, home) = start();
    let image = |name: &str, state: &str, reasons: Value| {
        json!({"image": name, "imageDigest": "sha256:aa", "state": state, "reasons": reasons, "podCount": 4,
            "pods": [{"namespace": "shop", "name": "web-1", "state": state}]})
    };
    let summary = json!({"finishedAt": "2026-11-22T15:00:04Z", "policyRevision": "p", "databaseRevision": "d",
        "pods": {"refused": 4, "passed": 4}, "images": {"refused": 1, "passed": 1}});
    let reason = json!([{"action": "stop", "gate": "vulnerabilities", "trigger": "package", "message": "bad",
        "vulnerability": "CVE-1", "severity": "High", "package": "zlib"}, {"message": "more"}]);
    let page = |image: Value, next: Value| json!({"summary": summary, "images": [image], "next": next});
    server.json(
        &line("GET", "/clusters/7/podscan?limit=500"),
        page(image("docker.io/a:1", "refused", reason), json!("docker.io/a:1")),
    );
    server.json(
        &line("GET", "/clusters/7/podscan?limit=500&after=docker.io%2Fa%3A1"),
        page(image("docker.io/b:1", "passed", json!([])), Value::Null),
    );
    let output = home.done(&["cluster", "running"]).stdout;
    for part in [
        "Pods: 4 passed, 4 refused; images: 1 passed, 1 refused; last look: 2026-11-22T15:00:04Z",
        "shop/web-1 and 3 more",
        "CVE-1 High zlib (and 1 more)",
        "docker.io/b:1",
    ] {
        assert!(output.contains(part), "`{part}`: {output}");
    }
    let json: Value =
        serde_json::from_str(&home.done(&["cluster", "running", "demo", "-o", "json"]).stdout).unwrap();
    assert_eq!((json["images"].as_array().unwrap().len(), &json["summary"]), (2, &summary));
    server.json(
        &line("GET", "/clusters/7/podscan?limit=500&state=refused"),
        json!({"summary": {}, "images": []}),
    );
    let output = home.done(&["cluster", "running", "--state", "refused"]).stdout;
    assert!(output.contains("Pods: none; images: none; last look: not finished yet"), "{output}");
    expect_code(home.run_with(&["cluster", "running", "--state", "bad"], ""), 1);
}

#[test]
fn what_the_scan_did_is_listed_and_exceptions_are_made() {
    let (server, home) = start();
    let entry = |release: &str, action: &str| {
        json!({"releaseName": release, "resource": "Pod", "result": [format!("Image {action}: nginx")], "action": action,
            "image": [{"imageName": "docker.io/library/nginx", "imageTag": "1.25", "imageDigest": "sha256:aa", "lastUpdated": ""}]})
    };
    server.json(&line("GET", "/clusters/7/scanlog"), json!([entry("r1", "allowed"), entry("r2", "reject")]));
    let output = home.done(&["audits"]);
    assert!(
        output.stdout.contains("docker.io/library/nginx:1.25") && output.stdout.contains("r1"),
        "{}",
        output.stdout
    );
    let json: Value =
        serde_json::from_str(&home.done(&["scanlog", "--rejected", "-o", "json"]).stdout).unwrap();
    assert_eq!((json.as_array().unwrap().len(), &json[0]["releaseName"]), (1, &json!("r2")));
    server.json(&line("GET", "/clusters/7/scanlog/r1"), entry("r1", "allowed"));
    assert!(home.done(&["audits", "r1"]).stdout.contains("r1"));

    server.reply(&line("POST", "/clusters/7/whitelists"), 201, "", b"");
    home.done(&["whitelist", "create", "r2", "--reason", "known", "--regexp", "^r2-"]);
    assert_eq!(
        server.body_of(&line("POST", "/clusters/7/whitelists")),
        json!({"name": "r2", "owner": "ada", "reason": "known", "regexp": "^r2-"})
    );
    server.json(
        &line("GET", "/clusters/7/whitelists"),
        json!([{"name": "r2", "owner": "ada", "reason": "known"}]),
    );
    assert!(home.done(&["wl", "ls"]).stdout.lines().any(|line| words(line) == ["r2", "ada", "known"]));
    server.reply(&line("DELETE", "/clusters/7/whitelists/r2"), 204, "", b"");
    home.done(&["whitelist", "rm", "r2"]);
}

#[test]
fn policies_and_images_go_through_the_way_to_the_engine() {
    let (server, home) = start();
    let record = json!({"policyId": "deny_all", "active": false, "last_updated": "2026-01-02T03:04:05Z", "policybundle": {"id": "deny_all", "name": "Deny all images"}});
    server.json(&line("GET", "/clusters/7/anchore/policies?detail=true"), json!([record]));
    assert!(home.done(&["policy", "list"]).stdout.contains("Deny all images"));
    server.json(&line("GET", "/clusters/7/anchore/policies/deny_all?detail=true"), json!([record]));
    assert!(home.done(&["policy", "get", "deny_all"]).stdout.contains("\"name\": \"Deny all images\""));
    server.json(&line("POST", "/clusters/7/anchore/policies"), record);
    home.done(&["policy", "add", "deny_all"]);
    assert_eq!(server.body_of(&line("POST", "/clusters/7/anchore/policies"))["id"], "deny_all");
    server.json(&line("PUT", "/clusters/7/anchore/policies/deny_all?active=true"), json!({}));
    home.done(&["policy", "activate", "deny_all"]);
    assert_eq!(
        server.body_of(&line("PUT", "/clusters/7/anchore/policies/deny_all?active=true"))["active"],
        true
    );

    let image = |status: &str| json!([{"imageDigest": "sha256:aa", "analysis_status": status, "image_detail": [{"fulltag": "docker.io/library/nginx:1.25"}]}]);
    server.json(&line("POST", "/clusters/7/anchore/images"), image("not_analyzed"));
    server.json(&line("GET", "/clusters/7/anchore/images/sha256:aa"), image("analyzing"));
    server.then_json(&line("GET", "/clusters/7/anchore/images/sha256:aa"), image("analyzed"));
    let output = home.done(&["image", "scan", "nginx:1.25", "--wait"]);
    assert!(output.stdout.contains("analyzed") && output.stdout.contains("nginx:1.25"), "{}", output.stdout);
    server.json(&line("GET", "/clusters/7/anchore/images?fulltag=nginx%3A1.25"), image("analyzed"));
    server.json(
        &line("GET", "/clusters/7/anchore/images/sha256:aa/vuln/all"),
        json!({"vulnerabilities": [{"vuln": "CVE-2026-1", "severity": "High", "package": "a-1", "fix": "None"}]}),
    );
    assert!(home.done(&["image", "vuln", "nginx:1.25"]).stdout.contains("CVE-2026-1"));
}

#[test]
fn tokens_are_made_for_pipes() {
    let (server, home) = start();
    server.json("POST /pipeline/api/v1/tokens", json!({"id": "t1", "name": "ci", "token": "e30.e30.new"}));
    let output = home.done(&["token", "create", "--name", "ci", "--expires-at", "2030-01-31T00:00:00Z"]);
    assert_eq!(output.stdout, "e30.e30.new\n");
    assert_eq!(
        server.body_of("POST /pipeline/api/v1/tokens"),
        json!({"name": "ci", "expiresAt": "2030-01-31T00:00:00Z"})
    );
    server.json(
        "GET /pipeline/api/v1/tokens",
        json!([{"id": "t1", "name": "ci", "createdAt": "2026-01-02T03:04:05Z"}]),
    );
    assert!(home.done(&["token", "list"]).stdout.contains("never"));
    server.reply("DELETE /pipeline/api/v1/tokens/t1", 204, "", b"");
    home.done(&["token", "delete", "t1"]);
}
