//! `…/clusters/{cluster}/imagescan`: what the cluster's engine knows of images, in the shapes of before there was `/anchore`.

use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use engine_client::Client;
use model::{Digest, ImageReference};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::answer::{Answer, ApiError, ok};
use super::call::{ClusterCall, read_json};
use super::policies::{bad_request, each, older};
use crate::engines::soon;

/// More at once would not be done within the time of a request: each asks a registry.
const IMAGES_MAX: usize = 20;

/// An image as clients name it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageWire {
    #[serde(alias = "image_name")]
    image_name: String,
    #[serde(default, alias = "image_tag")]
    image_tag: Option<String>,
    #[serde(default, alias = "image_digest")]
    image_digest: Option<String>,
}

/// What an engine is asked to look at.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Tag(String),
    Digest { repository: ImageReference, digest: Digest, tag: String },
}

/// The image of the path.
#[derive(Deserialize)]
pub(super) struct ImagePath {
    digest: String,
}

/// `POST …/imagescan`.
pub(super) async fn create(State(shared): State<Shared>, call: ClusterCall, request: Request) -> Answer {
    let images: Vec<ImageWire> = read_json(request).await?;
    if images.len() > IMAGES_MAX {
        return Err(bad_request(&format!("at most {IMAGES_MAX} images are taken at once")));
    }
    // All of them are looked at before the first one is added.
    let wanted = images.iter().map(read_image).collect::<Result<Vec<_>, _>>();
    let wanted = wanted.map_err(|problem| bad_request(&problem))?;
    let client = shared.plane.cluster_engine(&call.cluster).await.map_err(older)?;
    let mut added = Vec::with_capacity(wanted.len());
    for (position, image) in wanted.iter().enumerate() {
        match add(&client, image).await {
            Ok(records) => added.extend(records.first().map(record)),
            Err(error) => return Err(named(error, &images[position].image_name, position)),
        }
    }
    ok(&added)
}

/// `GET …/imagescan/{digest}`: a list of one.
pub(super) async fn get(
    State(shared): State<Shared>,
    call: ClusterCall,
    Path(path): Path<ImagePath>,
) -> Answer {
    let digest = read_digest(&path)?;
    let client = shared.plane.cluster_engine(&call.cluster).await.map_err(older)?;
    let found = client.call_json(Method::GET, &["images", &digest], &[], None, soon()).await;
    let found = each(found.map_err(|error| older(error.into()))?);
    ok(&found.iter().map(record).collect::<Vec<_>>())
}

/// `GET …/imagescan/{digest}/vuln`.
pub(super) async fn vulnerabilities(
    State(shared): State<Shared>,
    call: ClusterCall,
    Path(path): Path<ImagePath>,
) -> Answer {
    let digest = read_digest(&path)?;
    let client = shared.plane.cluster_engine(&call.cluster).await.map_err(older)?;
    let segments = ["images", digest.as_str(), "vuln", "all"];
    let found = client.call_json(Method::GET, &segments, &[], None, soon()).await;
    let found = found.map_err(|error| older(error.into()))?;
    let list = found["vulnerabilities"].as_array().map(Vec::as_slice).unwrap_or_default();
    ok(&json!({
        "imageDigest": found["imageDigest"],
        "vulnerabilityType": found["vulnerability_type"],
        "vulnerabilities": list.iter().map(vulnerability).collect::<Vec<_>>(),
    }))
}

async fn add(client: &Client, image: &Wanted) -> Result<Vec<Value>, ApiError> {
    let body = match image {
        Wanted::Tag(tag) => json!({"tag": tag}),
        Wanted::Digest { repository, digest, tag } => {
            let added = client.add_image_at_digest(repository, digest, tag, soon()).await;
            added.map_err(|error| older(error.into()))?;
            let path = ["images", &digest.to_string()];
            let found = client.call_json(Method::GET, &path, &[], None, soon()).await;
            return Ok(each(found.map_err(|error| older(error.into()))?));
        }
    };
    let added = client.call_json(Method::POST, &["images"], &[], Some(&body), soon()).await;
    Ok(each(added.map_err(|error| older(error.into()))?))
}

/// Says which image of several it was.
fn named(error: ApiError, name: &str, before: usize) -> ApiError {
    match error {
        ApiError::Legacy { status, message, error } => ApiError::Legacy {
            status,
            message: format!("image `{name}`: {message}"),
            error: if before == 0 { error } else { format!("the {before} images in front of it were added") },
        },
        other => other,
    }
}

fn read_image(image: &ImageWire) -> Result<Wanted, String> {
    let ImageWire { image_name, image_tag, image_digest } = image;
    let tag = image_tag.as_deref().filter(|tag| !tag.is_empty());
    let written = match tag {
        Some(tag) => format!("{image_name}:{tag}"),
        None => image_name.clone(),
    };
    let reference: ImageReference = written.parse().map_err(|error| format!("image `{written}`: {error}"))?;
    match image_digest.as_deref().filter(|digest| !digest.is_empty()) {
        None => Ok(Wanted::Tag(written)),
        Some(digest) => {
            let digest: Digest =
                digest.parse().map_err(|_| format!("`{digest}` is no digest of an image"))?;
            let tag = tag.map_or_else(|| format!("digest-{}", digest.hex()), str::to_owned);
            Ok(Wanted::Digest { repository: reference, digest, tag })
        }
    }
}

fn read_digest(path: &ImagePath) -> Result<String, ApiError> {
    let digest = path.digest.parse::<Digest>();
    let digest =
        digest.map_err(|_| ApiError::legacy(StatusCode::BAD_REQUEST, "invalid image digest format", ""));
    Ok(digest?.to_string())
}

fn record(record: &Value) -> Value {
    let details = record["image_detail"].as_array().map(Vec::as_slice).unwrap_or_default();
    let detail = |detail: &Value| {
        json!({
            "createdAt": detail["created_at"],
            "lastUpdated": detail["last_updated"],
            "fulltag": detail["fulltag"],
            "fulldigest": detail["fulldigest"],
            "userId": detail["userId"],
            "imageId": detail["imageId"],
            "registry": detail["registry"],
            "repo": detail["repo"],
            "dockerfile": detail["dockerfile"],
            "imageDigest": detail["imageDigest"],
        })
    };
    json!({
        "imageContent": record["image_content"],
        "imageDetail": details.iter().map(detail).collect::<Vec<_>>(),
        "imageDigest": record["imageDigest"],
        "userId": record["userId"],
        "imageStatus": record["image_status"],
        "analysisStatus": record["analysis_status"],
        "createdAt": record["created_at"],
        "lastUpdated": record["last_updated"],
    })
}

fn vulnerability(found: &Value) -> Value {
    json!({
        "vuln": found["vuln"],
        "fix": found["fix"],
        "severity": found["severity"],
        "package": found["package"],
        "url": found["url"],
        "feed": found["feed"],
        "feedGroup": found["feed_group"],
        "packageName": found["package_name"],
        "packageVersion": found["package_version"],
        "packageType": found["package_type"],
        "packageCpe": found["package_cpe"],
        "packagePath": found["package_path"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_in_both_spellings() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (sent, expected) in [
            (json!({"imageName": "nginx", "imageTag": "1.25"}), Some("nginx:1.25")),
            (
                json!({"image_name": "r.example.org:5000/a/b", "image_tag": "x"}),
                Some("r.example.org:5000/a/b:x"),
            ),
            (json!({"imageName": "nginx"}), Some("nginx")),
            (json!({"imageName": "nginx", "imageTag": "", "imageDigest": ""}), Some("nginx")),
            (json!({"imageName": "Not An Image"}), None),
            (json!({"imageName": "nginx", "imageTag": "a b"}), None),
            (json!({"imageName": "nginx", "imageDigest": "sha256:12"}), None),
        ] {
            let image: ImageWire = serde_json::from_value(sent.clone()).unwrap();
            let expected = expected.map(|tag| Wanted::Tag(tag.to_owned()));
            assert_eq!(read_image(&image).ok(), expected, "{sent}");
        }
        let image = json!({"imageName": "nginx", "imageTag": "1", "imageDigest": digest});
        let read = read_image(&serde_json::from_value(image).unwrap()).unwrap();
        let expected = Wanted::Digest {
            repository: "nginx:1".parse().unwrap(),
            digest: digest.parse().unwrap(),
            tag: "1".to_owned(),
        };
        assert_eq!(read, expected);
    }
}
