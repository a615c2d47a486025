//! `lazaret policy`: bundles checked, described and tried on an image, with the built program.

use std::path::PathBuf;
use std::sync::LazyLock;

use anyhow::{Context as _, Result, ensure};
use e2e::{build_database, run_lazaret};
use report_formats::POLICY_TEST_SCHEMA;
use serde_json::{Value, json};
use testkit::{Output, Scratch, debian_images};

const CLEAN: i32 = 0;
const ERROR: i32 = 1;
const REFUSED: i32 = 2;

const VULNERABILITY: &str = "CVE-2026-103111";

/// A folder with a database of the small feed, built once for all tests of this file.
static FOLDER: LazyLock<Scratch> = LazyLock::new(|| {
    let scratch = Scratch::new("policy").expect("a temporary folder can be made");
    build_database(&scratch.path().join("vulnerability.db")).expect("the feed of this repository is good");
    scratch
});

fn run(arguments: &[&str], expected_code: i32) -> Result<Output> {
    let output = run_lazaret(arguments)?;
    ensure!(
        output.status.code() == Some(expected_code),
        "`{}` ended with {}, not {expected_code}\n{}{}",
        output.command,
        output.status,
        output.stdout,
        output.stderr
    );
    Ok(output)
}

fn write(name: &str, document: &Value) -> Result<String> {
    let path = FOLDER.path().join(name);
    fs_err::write(&path, document.to_string())?;
    Ok(path.display().to_string())
}

/// Two mappings, a rule that fires on the vulnerable image and two that do not.
fn bundle() -> Value {
    let image = json!({"type": "tag", "value": "*"});
    json!({"id": "strict", "version": "1_0",
        "policies": [{"id": "main", "version": "1_0", "rules": [
            {"id": "high", "gate": "vulnerabilities", "trigger": "package", "action": "STOP", "params": [
                {"name": "package_type", "value": "all"},
                {"name": "severity_comparison", "value": ">="}, {"name": "severity", "value": "high"}]},
            {"gate": "vulnerabilities", "trigger": "stale_feed_data", "action": "WARN",
             "params": [{"name": "max_days_since_sync", "value": "36500"}]}]},
            {"id": "open", "version": "1_0", "rules": [{"gate": "always", "trigger": "always", "action": "WARN"}]}],
        "whitelists": [{"id": "w", "version": "1_0", "items": [
            {"id": "item", "gate": "vulnerabilities", "trigger_id": format!("{VULNERABILITY}+*")}]}],
        "mappings": [
            {"name": "free", "registry": "free.example.org", "repository": "*", "image": image, "policy_ids": ["open"]},
            {"name": "rest", "registry": "*", "repository": "*", "image": image, "policy_ids": ["main"]}]})
}

/// Runs `policy test` on the vulnerable image.
fn try_bundle(bundle: &str, more: &[&str], expected_code: i32) -> Result<Output> {
    let image = format!("oci-archive:{}", debian_images()?.vulnerable.display());
    let database = FOLDER.path().join("vulnerability.db").display().to_string();
    run(&[&["policy", "test", bundle, &image, "--db", &database], more].concat(), expected_code)
}

fn require(text: &str, parts: &[&str]) -> Result<()> {
    for part in parts {
        ensure!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
    Ok(())
}

#[test]
fn a_verdict_is_explained_rule_by_rule() -> Result<()> {
    let bundle = write("explained.json", &bundle())?;
    let text = try_bundle(&bundle, &[], REFUSED)?.stdout;
    require(
        &text,
        &[
            "mappings.1 `rest`",
            "policies.0.rules.0 `high` of policy `main`: stop on vulnerabilities/package package_type=all",
            &format!("id {VULNERABILITY}+libpcre2-8-0"),
            "because debian-tracker says in CVE-2026-103111 about debian:12: pcre2 < 10.42-1+deb12u2",
            "1 rules did not fire; --all lists them",
            "REFUSED: ",
        ],
    )?;
    let text = try_bundle(&bundle, &["--all"], REFUSED)?.stdout;
    require(
        &text,
        &["did not fire\n  policies.0.rules.1 of policy `main`: warn on vulnerabilities/stale_feed_data"],
    )?;
    // Under another name another mapping counts.
    let text = try_bundle(&bundle, &["--as", "free.example.org/a:1"], CLEAN)?.stdout;
    require(&text, &["mappings.0 `free`", "Unconditional trigger match", "ALLOWED with warnings"])?;
    Ok(())
}

#[test]
fn what_accepts_a_finding_is_named() -> Result<()> {
    let mut whitelisting = bundle();
    whitelisting["mappings"][1]["whitelist_ids"] = json!(["w"]);
    let whitelisting = write("whitelisting.json", &whitelisting)?;
    let text = try_bundle(&whitelisting, &[], CLEAN)?.stdout;
    require(&text, &["accepted by whitelist `w`, item `item`", "ALLOWED: 0 rows stop"])?;

    let bundle = write("excepting.json", &bundle())?;
    let exception = |scope: Value, end: &str| {
        json!([{"id": "e-1", "vulnerability": VULNERABILITY, "scope": scope, "owner": "team",
            "reason": "not reachable", "expires_at": end}])
    };
    let account = json!({"type": "account"});
    let far = "2199-01-01T00:00:00Z";
    let good = write("good.json", &exception(account.clone(), far))?;
    let text = try_bundle(&bundle, &["--exceptions", &good], CLEAN)?.stdout;
    require(&text, &["accepted by exception e-1 of team: not reachable", "exceptions that applied: e-1"])?;
    let expired = write("expired.json", &exception(account, "2020-01-01T00:00:00Z"))?;
    try_bundle(&bundle, &["--exceptions", &expired], REFUSED)?;
    let elsewhere = json!({"type": "repository", "value": "registry.example.org/*"});
    let elsewhere = write("elsewhere.json", &exception(elsewhere, far))?;
    try_bundle(&bundle, &["--exceptions", &elsewhere], REFUSED)?;
    let here = ["--exceptions", &elsewhere, "--as", "registry.example.org/app:1"];
    try_bundle(&bundle, &here, CLEAN)?;
    let wrong = write("wrong.json", &json!([{"vulnerability": "CVE-1"}, {"expires": 1}]))?;
    let text = try_bundle(&bundle, &["--exceptions", &wrong], ERROR)?.stderr;
    require(&text, &["wrong.json", "0.scope: scope: is missing", "1.expires: expires: there is no member"])
}

#[test]
fn the_json_has_every_rule_and_what_its_rows_rest_on() -> Result<()> {
    let bundle = write("json.json", &bundle())?;
    let output = try_bundle(&bundle, &["-o", "json"], REFUSED)?;
    let value = serde_json::from_str::<Value>(&output.stdout)?;
    let validator = jsonschema::validator_for(&serde_json::from_str(POLICY_TEST_SCHEMA)?)?;
    let errors = validator.iter_errors(&value).map(|error| error.to_string()).collect::<Vec<_>>();
    ensure!(errors.is_empty(), "{errors:#?}");
    ensure!(value["mapping"]["path"] == "mappings.1" && value["final_action"] == "stop", "{value:#}");
    let rules = value["rules"].as_array().context("there are rules")?;
    ensure!(rules.len() == 2 && rules[1]["rows"] == json!([]), "{value:#}");
    ensure!(rules[0]["parameters"]["severity"] == "high", "{value:#}");
    ensure!(rules[0]["rows"][0]["finding"]["id"] == VULNERABILITY, "{value:#}");
    Ok(())
}

#[test]
fn scan_and_test_come_to_the_same_verdict() -> Result<()> {
    let image = format!("oci-archive:{}", debian_images()?.vulnerable.display());
    let database = FOLDER.path().join("vulnerability.db").display().to_string();
    for policy in ["reject_high", "reject_critical", "deny_all", "allow_all_and_warn", "block_root"] {
        let scan = run_lazaret(&["scan", &image, "--db", &database, "--policy", policy, "-o", "json"])?;
        let test = run_lazaret(&["policy", "test", policy, &image, "--db", &database, "-o", "json"])?;
        ensure!(scan.status.code() == test.status.code(), "{policy}: {} and {}", scan.status, test.status);
        let (scan, test) =
            (serde_json::from_str::<Value>(&scan.stdout)?, serde_json::from_str::<Value>(&test.stdout)?);
        let rows = test["rules"].as_array().into_iter().flatten().flat_map(|rule| rule["rows"].as_array());
        let messages = rows.flatten().map(|row| &row["message"]).collect::<Vec<_>>();
        let expected = scan["decision"]["rows"].as_array().into_iter().flatten().map(|row| &row["message"]);
        ensure!(messages == expected.collect::<Vec<_>>(), "{policy}");
    }
    Ok(())
}

#[test]
fn a_bundle_is_checked_with_all_problems_at_once() -> Result<()> {
    run(&["policy", "check", "reject_high"], CLEAN)?;
    let text = run(&["policy", "check", &write("unused.json", &bundle())?], CLEAN)?.stdout;
    require(&text, &["warning at whitelists.0: No mapping names whitelist `w`", "is good, with 1 warning"])?;

    let mut broken = bundle();
    broken["policies"][0]["rules"][0]["params"][0]["value"] = json!("some");
    broken["policies"][0]["rules"][1]["gate"] = json!("nosuch");
    broken["mappings"][0]["repository"] = json!("regexp:(");
    let broken = write("broken.json", &broken)?;
    let text = run(&["policy", "check", &broken], ERROR)?.stdout;
    require(
        &text,
        &[
            "at policies.0.rules.0: ",
            "at policies.0.rules.1: ",
            "at mappings.0: ",
            "has 3 errors and 1 warning",
        ],
    )?;
    let output = run(&["policy", "check", &broken, "-o", "json"], ERROR)?;
    let value = serde_json::from_str::<Value>(&output.stdout)?;
    ensure!(value["is_valid"] == false && value["problems"].as_array().map(Vec::len) == Some(4), "{value:#}");

    let mut schema = bundle();
    schema["policies"][0]["rules"][0]["action"] = json!("stop");
    schema["mappings"][0]["image"] = json!(null);
    let text = run(&["policy", "check", &write("schema.json", &schema)?], ERROR)?.stdout;
    require(&text, &["at policies.0.rules.0.action: ", "at mappings.0.image: "])?;
    Ok(())
}

#[test]
fn mistakes_say_what_to_do_next() -> Result<()> {
    let path = |name: &str| -> PathBuf { FOLDER.path().join(name) };
    let (deep, text) = (path("deep.json"), path("text.json"));
    fs_err::write(&deep, "[".repeat(100_000))?;
    fs_err::write(&text, "policy: yes")?;
    let mut broken = bundle();
    broken["policies"][0]["rules"][0]["gate"] = json!("nosuch");
    let broken = write("refused.json", &broken)?;
    let (deep, text) = (deep.display().to_string(), text.display().to_string());
    for (arguments, parts) in [
        (vec!["policy", "check", "reject_hihg"], vec!["reject_high"]),
        (vec!["policy", "check", &deep], vec!["deep.json", "not JSON", "recursion limit"]),
        (vec!["policy", "check", &text], vec!["text.json", "not JSON", "line 1"]),
        (vec!["policy", "test", &broken, "nginx"], vec!["lazaret policy check", "nosuch"]),
        (vec!["policy", "test", "deny_all"], vec!["Usage"]),
        (vec!["policy", "test", "deny_all", "nginx", "--as", "A B"], vec!["A B"]),
        (vec!["policy", "describe", "--gate", "nosuch"], vec!["vulnerabilities", "signatures"]),
        (vec!["policy", "describe", "--gate", "always", "--trigger", "x"], vec!["it has always"]),
        (vec!["policy", "describe", "--trigger", "x"], vec!["--gate"]),
    ] {
        let text = run(&arguments, ERROR)?.stderr;
        require(&text, &parts)?;
        ensure!(!text.contains("panicked"), "{arguments:?}:\n{text}");
    }
    Ok(())
}

#[test]
fn gates_triggers_and_parameters_are_described() -> Result<()> {
    let text = run(&["policy", "describe"], CLEAN)?.stdout;
    require(&text, &["vulnerabilities: ", "  known_exploited: ", "no longer evaluated: suiddiff"])?;
    let text = run(&["policy", "describe", "--gate", "Vulnerabilities"], CLEAN)?.stdout;
    require(&text, &["    package_type (required): ", "Default: >. One of =, !="])?;
    let arguments = ["policy", "describe", "--gate", "vulnerabilities", "--trigger", "risk"];
    let text = run(&arguments, CLEAN)?.stdout;
    require(&text, &["minimum_risk (required)", "as a rule: "])?;
    ensure!(!text.contains("known_exploited:"), "{text}");
    // The example is a rule that an engine accepts.
    let (_, rule) = text.split_once("as a rule: ").context("there is an example")?;
    let mut document = bundle();
    document["policies"][0]["rules"] = json!([serde_json::from_str::<Value>(rule.trim())?]);
    run(&["policy", "check", &write("example.json", &document)?], CLEAN)?;
    let json = run(&[&arguments[..], &["-o", "json"]].concat(), CLEAN)?.stdout;
    let value = serde_json::from_str::<Value>(&json)?;
    ensure!(value[0]["triggers"].as_array().map(Vec::len) == Some(1), "{value:#}");

    for command in ["check", "describe", "test"] {
        let text = run(&["policy", command, "--help"], CLEAN)?.stdout;
        require(&text, &["Usage: lazaret policy", "--output"])?;
    }
    require(&run(&["completions", "bash"], CLEAN)?.stdout, &["lazaret__subcmd__policy", "--exceptions"])
}
