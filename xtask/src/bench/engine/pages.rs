//! Pages of the lists of an account with thousands of images.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::bare::BareServer;
use super::client::{Connection, Load, Plan, beginning, load, request};
use super::table::{Table, milliseconds};
use super::{Stage, data};

const TIME: Duration = Duration::from_secs(5);
const TARGET: &str = "< 20 ms a page";
const LIMIT: usize = 100;

struct List {
    figure: &'static str,
    path: String,
    /// Whether a page has as many as it should have.
    is_right: fn(&Value) -> bool,
    /// Text of every page.
    holds: &'static str,
    pages: usize,
}

pub(super) fn measure(stage: &Stage, table: &mut Table) -> Result<()> {
    let lists = [
        List {
            figure: "images",
            path: "/v1/images?".to_owned(),
            is_right: |page| page.as_array().is_some_and(|images| images.len() == LIMIT),
            holds: "\"imageDigest\"",
            pages: data::IMAGES / LIMIT,
        },
        List {
            figure: "events",
            path: "/v1/events?".to_owned(),
            is_right: |page| page["item_count"] == LIMIT && page["next_page"] == true,
            holds: "\"generated_uuid\"",
            pages: data::EVENTS / LIMIT,
        },
        List {
            figure: "images by package",
            path: format!("/v1/query/images/by_package?name={}&", data::PACKAGE),
            is_right: |page| page["total_count"] == data::IMAGES / 2,
            holds: "\"packages\"",
            pages: data::IMAGES / 2 / LIMIT,
        },
        List {
            figure: "images by vulnerability",
            path: format!("/v1/query/images/by_vulnerability?vulnerability_id={}&", data::VULNERABILITY),
            is_right: |page| page["returned_count"] == LIMIT && page["total_count"].as_u64() > Some(1000),
            holds: "\"vulnerable_packages\"",
            pages: 10,
        },
    ];
    for list in lists {
        measure_list(stage, &list, table).with_context(|| format!("measure pages of {}", list.figure))?;
    }
    Ok(())
}

fn measure_list(stage: &Stage, list: &List, table: &mut Table) -> Result<()> {
    let page = |number: usize| {
        let path = format!("{}limit={LIMIT}&page={}", list.path, number + 1);
        request("GET", &path, &stage.basic, None)
    };
    let requests: Vec<Vec<u8>> = (0..list.pages).map(page).collect();
    let mut connection = Connection::open(stage.address)?;
    let first = connection.json(&requests[0])?;
    ensure!((list.is_right)(&first), "wrong page: {}", beginning(&first.to_string()));
    let body = connection.ask(&requests[0])?.body.to_vec();
    let plan = Plan { requests: &requests, connections: 1, time: TIME, holds: list.holds };
    let bare = BareServer::start(&body)?;
    let (baseline, measured) = (load(bare.address, &plan)?, load(stage.address, &plan)?);
    let ratio = measured.percentile(0.5).as_secs_f64() / baseline.percentile(0.5).as_secs_f64();
    let figure = format!("page of {LIMIT} {} ({} KiB)", list.figure, body.len() / 1024);
    table.add(&figure, TARGET, describe(&measured), describe(&baseline), format!("{ratio:.1}"));
    Ok(())
}

fn describe(load: &Load) -> String {
    format!("p50 {}, p99 {}", milliseconds(load.percentile(0.5)), milliseconds(load.percentile(0.99)))
}
