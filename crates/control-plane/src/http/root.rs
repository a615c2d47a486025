//! What a load balancer, a browser and a client's first probe ask: is it alive, is it ready, which version.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Shared;
use super::answer::{Answer, ok};
use super::monitoring::is_ready;

/// The keys that clients know; those that mean nothing for this program are empty.
#[derive(Serialize)]
struct VersionWire<'a> {
    version: &'a str,
    commit_hash: &'a str,
    build_date: &'a str,
    go_version: &'a str,
    os: &'a str,
    arch: &'a str,
    compiler: &'a str,
    instance_uuid: String,
}

/// `GET /`.
pub(super) async fn index(State(shared): State<Shared>) -> Response {
    let settings = &shared.plane.settings;
    let text = format!(
        "Lazaret {}\n\nMay this image run here?\n\nAPI:        {base}/api/v1\nengine API: {}\nversion:    {base}/version\n\
         document:   {base}/openapi.json\n\
         alive:      {base}/healthz\nready:      {base}/readyz\n",
        settings.program_version,
        settings.engine_url,
        base = settings.base_path,
    );
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

/// `GET /version`.
pub(super) async fn version(State(shared): State<Shared>) -> Answer {
    ok(&VersionWire {
        version: &shared.plane.settings.program_version,
        commit_hash: "",
        build_date: "",
        go_version: "",
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        compiler: "rustc",
        instance_uuid: shared.plane.instance.to_string(),
    })
}

/// `GET /healthz`.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`.
pub(super) async fn ready(State(shared): State<Shared>) -> Response {
    is_ready(&shared.readiness).await
}
