//! `DELETE /images…`: one image by digest or id, or several.

use std::sync::Arc;

use axum::extract::{Path, State};
use model::Digest;
use serde::Serialize;

use super::answer::{Answer, ApiError, ok};
use super::call::Call;
use super::images::image_id_filter;
use crate::{Engine, ImageDeletion, StorageError};

/// Digests in one request.
const DIGESTS_MAX: usize = 1000;

#[derive(Serialize)]
struct DeletionWire {
    digest: String,
    status: &'static str,
    detail: Option<&'static str>,
}

/// `DELETE /images/{digest}`.
pub(super) async fn delete(
    State(engine): State<Arc<Engine>>,
    Path(digest): Path<String>,
    call: Call,
) -> Answer {
    let force = call.query.boolean("force", false)?;
    ok(&delete_one(&engine, &call.account, digest, force).await?)
}

/// `DELETE /images/by_id/{image_id}`.
pub(super) async fn delete_by_id(
    State(engine): State<Arc<Engine>>,
    Path(image_id): Path<String>,
    call: Call,
) -> Answer {
    let force = call.query.boolean("force", false)?;
    let found = match image_id_filter(&image_id) {
        Ok(filter) => engine.find_images(&call.account, &filter).await?.into_iter().next(),
        Err(_) => None,
    };
    let digest = found.map_or(image_id, |image| image.digest.to_string());
    ok(&delete_one(&engine, &call.account, digest, force).await?)
}

/// `DELETE /images?imageDigests=a,b`.
pub(super) async fn delete_several(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let force = call.query.boolean("force", false)?;
    let digests = call
        .query
        .text("imageDigests")
        .ok_or_else(|| ApiError::bad_request("Missing query parameter 'imageDigests'"))?;
    let digests: Vec<&str> = digests.split(',').collect();
    if digests.len() > DIGESTS_MAX {
        return Err(ApiError::bad_request(format!("more than {DIGESTS_MAX} digests in 'imageDigests'")));
    }
    let mut deletions = Vec::with_capacity(digests.len());
    for digest in digests {
        deletions.push(delete_one(&engine, &call.account, digest.to_owned(), force).await?);
    }
    ok(&deletions)
}

async fn delete_one(
    engine: &Engine,
    account: &str,
    text: String,
    force: bool,
) -> Result<DeletionWire, StorageError> {
    let deletion = match text.parse::<Digest>() {
        Ok(digest) => engine.delete_image(account, &digest, force).await?,
        Err(_) => ImageDeletion::NotFound,
    };
    let (status, detail) = match deletion {
        ImageDeletion::Deleting => ("deleting", None),
        ImageDeletion::NotFound => ("not_found", Some("No image found with the digest")),
        ImageDeletion::Refused(reason) => ("delete_failed", Some(reason)),
    };
    Ok(DeletionWire { digest: text, status, detail })
}
