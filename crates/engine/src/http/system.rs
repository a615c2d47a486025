//! `/status` and `/system`: how the engine is, in the form of the five services that clients expect.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, ok, time};
use super::call::Call;
use super::root::{DATABASE_VERSION, SERVICE_VERSION};
use crate::Engine;

#[derive(Serialize)]
pub(super) struct StatusWire {
    available: bool,
    busy: bool,
    db_version: &'static str,
    detail: Value,
    message: &'static str,
    up: bool,
    version: &'static str,
}

pub(super) fn status_wire(detail: Value) -> StatusWire {
    StatusWire {
        available: true,
        busy: false,
        db_version: DATABASE_VERSION,
        detail,
        message: "all good",
        up: true,
        version: SERVICE_VERSION,
    }
}

/// `GET /status`.
pub(super) async fn status(State(engine): State<Arc<Engine>>, _call: Call) -> Answer {
    let status = engine.status().await?;
    ok(&status_wire(json!({
        "vulnerability_database": status.database.describe(),
        "analyses": {
            "queued": status.jobs.queued, "running": status.jobs.running, "given_up": status.jobs.failed,
        },
        "started_at": time(status.started_at),
    })))
}

/// `GET /system`: one process, shown as the services it stands for.
pub(super) async fn services(State(engine): State<Arc<Engine>>, headers: HeaderMap, _call: Call) -> Answer {
    ok(&json!({"service_states": super::services::records(&engine, &headers)}))
}

/// `GET /system/policy_spec`.
pub(super) async fn policy_specification(_call: Call) -> Answer {
    ok(&policy::specification())
}
