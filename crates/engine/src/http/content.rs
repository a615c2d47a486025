//! `/images/{digest}/content`: what is installed.

use std::sync::Arc;

use axum::extract::{Path, State};
use model::Package;
use serde::Serialize;
use serde_json::json;

use super::answer::{Answer, ApiError, ok};
use super::call::Call;
use super::images::digest_filter;
use super::vulnerabilities::package_type;
use crate::Engine;

/// What clients may ask for here; the original has more, which come with their catalogers.
const TYPES: [&str; 1] = ["os"];
const NOT_STATED: &str = "N/A";

#[derive(Serialize)]
struct OsPackageWire {
    package: String,
    version: String,
    r#type: &'static str,
    license: String,
    licenses: Vec<String>,
    origin: String,
    size: String,
    cpes: [String; 0],
    sourcepkg: String,
}

/// `GET /images/{digest}/content`: also for images that nobody knows.
pub(super) async fn types(_call: Call) -> Answer {
    ok(&TYPES)
}

/// `GET /images/{digest}/content/{type}`.
pub(super) async fn list(
    State(engine): State<Arc<Engine>>,
    Path((digest, kind)): Path<(String, String)>,
    call: Call,
) -> Answer {
    if !TYPES.contains(&kind.as_str()) {
        return Err(ApiError::not_found(format!("content type ({kind}) not available")));
    }
    let image_report = engine.report(&call.account, &digest_filter(&digest)?).await?;
    let packages = image_report.inventory.packages.iter();
    let content: Vec<OsPackageWire> =
        packages.filter(|package| package.kind.is_operating_system()).map(to_wire).collect();
    ok(&json!({
        "imageDigest": image_report.image.digest.to_string(),
        "content_type": kind,
        "content": content,
    }))
}

fn to_wire(package: &Package) -> OsPackageWire {
    let not_stated = || NOT_STATED.to_owned();
    let source = package.source.as_ref();
    OsPackageWire {
        package: package.name.clone(),
        version: package.version.clone().unwrap_or_else(not_stated),
        r#type: package_type(package.kind),
        license: package.licenses.join(" "),
        licenses: package.licenses.clone(),
        origin: package.maintainer.clone().unwrap_or_else(not_stated),
        size: package.installed_size_bytes.map_or_else(not_stated, |bytes| bytes.to_string()),
        cpes: [],
        sourcepkg: source.map_or_else(not_stated, |source| source.name.clone()),
    }
}
