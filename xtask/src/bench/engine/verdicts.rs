//! Verdicts of known images: `GET /v1/images/{digest}/check`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::bare::BareServer;
use super::client::{Connection, Load, Plan, beginning, load, request};
use super::server::PASSWORD;
use super::table::{Table, milliseconds};
use super::{REPOSITORY, Stage, data};

const CONNECTIONS: usize = 8;
const TIME: Duration = Duration::from_secs(5);
/// Images that are asked about, over and over.
const ASKED: usize = 200;
const TARGET: &str = ">= 5000/s, p99 < 5 ms";

pub(super) fn measure(stage: &Stage, table: &mut Table) -> Result<()> {
    let mut connection = Connection::open(stage.address)?;
    let token = token(stage, &mut connection)?;
    for (figure, authorization, query) in [
        ("verdict, basic auth", stage.basic.as_str(), ""),
        ("verdict, token", token.as_str(), ""),
        ("verdict without detail, basic auth", stage.basic.as_str(), "&detail=false"),
    ] {
        let ask = |number: usize| {
            let (digest, tag) = (data::copied_digest(number), data::copied_tag(number));
            let tag = format!("{}/{REPOSITORY}:{tag}", stage.registry);
            let path = format!("/v1/images/{digest}/check?tag={tag}{query}");
            request("GET", &path, authorization, None)
        };
        let requests: Vec<Vec<u8>> = (0..ASKED).map(ask).collect();
        // Warm: each was asked once, and rightly answered.
        for request in &requests {
            check(&connection.json(request)?)?;
        }
        let body = connection.ask(&requests[0])?.body.to_vec();
        let plan =
            Plan { requests: &requests, connections: CONNECTIONS, time: TIME, holds: "\"status\": \"fail\"" };
        let bare = BareServer::start(&body)?;
        let baseline = load(bare.address, &plan)?;
        let measured = load(stage.address, &plan)?;
        let figure = format!("{figure} ({:.1} KiB)", kib(body.len()));
        table.add(&figure, TARGET, describe(&measured), describe(&baseline), ratio(&measured, &baseline));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn kib(bytes: usize) -> f64 {
    bytes as f64 / 1024.0
}

fn describe(load: &Load) -> String {
    let (half, most) = (milliseconds(load.percentile(0.5)), milliseconds(load.percentile(0.99)));
    format!("{:.0}/s, p50 {half}, p99 {most}", load.rate)
}

fn ratio(measured: &Load, baseline: &Load) -> String {
    format!("{:.2}", measured.rate / baseline.rate)
}

/// The default bundle refuses all of these images: each has a vulnerability of high severity.
fn check(answer: &Value) -> Result<()> {
    let images = answer[0].as_object().context("the answer is no verdict")?;
    let verdict = images.values().next().and_then(|tags| tags.as_object()?.values().next());
    let status = verdict.and_then(|checks| checks[0]["status"].as_str());
    ensure!(status == Some("fail"), "wrong verdict: {}", beginning(&answer.to_string()));
    Ok(())
}

fn token(stage: &Stage, connection: &mut Connection) -> Result<String> {
    let password = PASSWORD.replace(' ', "+");
    let form = format!("grant_type=password&client_id=anonymous&username=admin&password={password}");
    let form = Some(("application/x-www-form-urlencoded", form.as_str()));
    let answer =
        connection.json(&request("POST", "/v1/oauth/token", "", form)).context(stage.registry.clone())?;
    Ok(format!("Bearer {}", answer["access_token"].as_str().context("no token")?))
}
