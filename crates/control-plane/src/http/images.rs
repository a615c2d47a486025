//! `/api/v1/orgs/{organization}/clusters/{cluster}/images`: what runs.

use axum::extract::{Path, State};
use serde::Serialize;

use super::Shared;
use super::answer::{Answer, ok};
use super::call::ClusterCall;
use super::scanlog::ReleasePath;
use crate::RunningImage;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunningImageWire {
    image_name: String,
    image_tag: String,
    image_digest: String,
}

impl From<RunningImage> for RunningImageWire {
    fn from(image: RunningImage) -> Self {
        let RunningImage { name, tag, digest } = image;
        Self { image_name: name, image_tag: tag, image_digest: digest.to_string() }
    }
}

/// `GET …/images`.
pub(super) async fn list(State(shared): State<Shared>, call: ClusterCall) -> Answer {
    let images = shared.plane.list_images(&call.cluster).await?;
    ok(&images.into_iter().map(RunningImageWire::from).collect::<Vec<_>>())
}

/// `GET …/deployments/{release}/images`.
pub(super) async fn of_release(
    State(shared): State<Shared>,
    call: ClusterCall,
    Path(path): Path<ReleasePath>,
) -> Answer {
    let images = shared.plane.list_release_images(&call.cluster, &path.release).await?;
    ok(&images.into_iter().map(RunningImageWire::from).collect::<Vec<_>>())
}
