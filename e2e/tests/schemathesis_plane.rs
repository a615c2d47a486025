//! Bad input for the control plane: schemathesis makes requests out of its OpenAPI document, about a real cluster with the service
//! active, and every answer must be one that the document promises.

use anyhow::{Context as _, Result, ensure};
use e2e::{EngineOptions, Plane};
use serde_json::json;
use testkit::{Cluster, Program, PythonTool, Scratch};

/// Requests per operation and phase; the seed makes them the same in every run.
const EXAMPLES: &str = "10";
const SEED: &str = "20261122";
/// Fewer would mean that the document was not understood.
const OPERATIONS_MIN: usize = 60;
/// What is promised: no failure of ours, and answers as described.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
/// Operations that would take away what the others are about, one that is not below the base path, and two that are for the
/// provider of identities.
const LEFT_OUT: [&str; 11] = [
    "getIndex",
    "deleteCluster",
    "deactivateService",
    "deactivateServiceFormerly",
    "updateService",
    "updateServiceFormerly",
    "deleteSecret",
    "deleteToken",
    "deleteSession",
    "finishLogin",
    "admitProgram",
];

#[test]
fn no_request_breaks_the_control_plane_or_its_document() -> Result<()> {
    let plane = Plane::start(EngineOptions {
        settings: vec!["feeds.disable=*".to_owned()],
        ..EngineOptions::default()
    })?;
    let cluster = Cluster::start()?;
    let id = plane.import("one", &cluster)?;
    plane.activate(id, &json!({"policy": {"policyId": "deny_all"}, "webhookConfig": {"enabled": false}}))?;
    let folder = Scratch::new("schemathesis-plane")?;
    let configuration = format!("[parameters]\n\"path.organization\" = 1\n\"path.cluster\" = \"{id}\"\n");
    fs_err::write(folder.path().join("schemathesis.toml"), configuration)?;
    let left_out = LEFT_OUT.into_iter().flat_map(|name| ["--exclude-operation-id", name]);
    let output = Program::at(&PythonTool::SCHEMATHESIS.find()?)
        .arguments(["run", &format!("{}/openapi.json", plane.url()?)])
        .arguments(["--header", &format!("Authorization: Bearer {}", plane.token()?), "--checks", CHECKS])
        .arguments(["--phases", "examples,fuzzing", "--max-examples", EXAMPLES, "--seed", SEED])
        .arguments(left_out)
        .arguments(["--suppress-health-check", "all", "--workers", "2"])
        .arguments(["--continue-on-failure", "--no-color", "--warnings", "off", "--request-timeout", "20"])
        .in_folder(folder.path())
        .run(b"")?;
    let text = format!("{}{}", output.stdout, output.stderr);
    ensure!(output.is_success(), "schemathesis ended with {}:\n{text}", output.status);
    let tested = text.lines().find_map(|line| line.trim().strip_prefix("Tested: "));
    let tested: usize = tested.context("the summary says how much was tested")?.trim().parse()?;
    ensure!(tested >= OPERATIONS_MIN, "only {tested} operations were tested:\n{text}");
    ensure!(plane.wait_for(id, "ACTIVE").is_ok(), "the service is as it was");
    Ok(())
}
