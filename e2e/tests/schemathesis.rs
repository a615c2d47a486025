//! Bad input: schemathesis makes requests out of our OpenAPI document, and every answer must be one that the document promises.

use anyhow::{Context as _, Result, ensure};
use e2e::{ADMIN_PASSWORD, Engine, EngineOptions};
use testkit::exchanges::ExchangeStage;
use testkit::{Program, PythonTool, Scratch};

/// Requests per operation and phase; the seed makes them the same in every run.
const EXAMPLES: &str = "10";
const SEED: &str = "20261122";
/// Fewer would mean that the document was not understood.
const OPERATIONS_MIN: usize = 60;
/// What is promised: no failure of ours, and answers as described.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// Operations that are left out: those that would change the password of the one who asks, and the account of a namespace nobody
/// has, which has always been answered with an empty body.
const LEFT_OUT: &str = "^/user/credentials$|^/accounts/.account./users/.username.|^/account$";

#[test]
fn no_request_breaks_the_engine_or_the_document() -> Result<()> {
    let folder = Scratch::new("schemathesis")?;
    let mut engine = Engine::start(EngineOptions {
        feeds: ExchangeStage::write_feeds(folder.path())?,
        settings: vec!["feeds.disable=*".to_owned()],
        ..EngineOptions::default()
    })?;
    let output = Program::at(&PythonTool::SCHEMATHESIS.find()?)
        .arguments(["run", &format!("{}/openapi.json", engine.url())])
        .arguments(["--auth", &format!("admin:{ADMIN_PASSWORD}"), "--checks", CHECKS])
        .arguments(["--phases", "examples,fuzzing", "--max-examples", EXAMPLES, "--seed", SEED])
        .arguments(["--exclude-path-regex", LEFT_OUT, "--suppress-health-check", "all", "--workers", "2"])
        .arguments(["--continue-on-failure", "--no-color", "--warnings", "off", "--request-timeout", "20"])
        .in_folder(folder.path())
        .run(b"")?;
    let text = format!("{}{}", output.stdout, output.stderr);
    ensure!(output.is_success(), "schemathesis ended with {}:\n{text}", output.status);
    let tested = text.lines().find_map(|line| line.trim().strip_prefix("Tested: "));
    let tested: usize = tested.context("the summary says how much was tested")?.trim().parse()?;
    ensure!(tested >= OPERATIONS_MIN, "only {tested} operations were tested:\n{text}");
    engine.stop()
}
