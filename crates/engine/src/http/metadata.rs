//! `/images/{digest}/metadata`: the documents that an image is made of.

use std::sync::Arc;

use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{DockerfileMode, ImageFacts};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, ok, time};
use super::call::Call;
use super::images::digest_filter;
use crate::Engine;

const TYPES: [&str; 3] = ["manifest", "docker_history", "dockerfile"];
/// Characters of a line of base64.
const LINE_CHARACTERS: usize = 76;
/// Stands for a layer that an entry of the history has not.
const NO_LAYER: &str = "<missing>";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HistoryWire {
    created: String,
    created_by: String,
    comment: String,
    id: String,
    size: u64,
    tags: [String; 0],
}

/// `GET /images/{digest}/metadata`: also for images that nobody knows.
pub(super) async fn types(_call: Call) -> Answer {
    ok(&TYPES)
}

/// `GET /images/{digest}/metadata/{type}`.
pub(super) async fn get(
    State(engine): State<Arc<Engine>>,
    Path((digest, kind)): Path<(String, String)>,
    call: Call,
) -> Answer {
    if !TYPES.contains(&kind.as_str()) {
        return Err(ApiError::not_found(format!("content type ({kind}) not available")));
    }
    let analyzed = engine.analyzed_image(&call.account, &digest_filter(&digest)?).await?;
    let facts = &analyzed.facts;
    let metadata = match kind.as_str() {
        "manifest" => Value::String(encode(facts.manifest.as_bytes())),
        "docker_history" => {
            let text = serde_json::to_string(&history(facts))
                .map_err(|error| ApiError::Internal(error.to_string()))?;
            Value::String(encode(text.as_bytes()))
        }
        // A guess is no document of the image.
        _ if facts.dockerfile_mode == DockerfileMode::Actual => {
            Value::String(encode(facts.dockerfile.as_bytes()))
        }
        _ => json!([]),
    };
    ok(
        &json!({"imageDigest": analyzed.image.digest.to_string(), "metadata_type": kind, "metadata": metadata}),
    )
}

/// The history of the configuration, oldest first; entries that made a layer have its digest and compressed size.
fn history(facts: &ImageFacts) -> Vec<HistoryWire> {
    let mut layers = facts.layers.iter();
    let to_wire = |entry: &model::HistoryEntry| {
        let layer = if entry.is_empty_layer { None } else { layers.next() };
        let id = layer.and_then(|layer| layer.digest.as_ref()).map(ToString::to_string);
        HistoryWire {
            created: entry.created.map(time).unwrap_or_default(),
            created_by: entry.created_by.clone().unwrap_or_default(),
            comment: entry.comment.clone().unwrap_or_default(),
            id: id.unwrap_or_else(|| NO_LAYER.to_owned()),
            size: layer.map_or(0, |layer| layer.size_bytes),
            tags: [],
        }
    };
    facts.history.iter().map(to_wire).collect()
}

/// Base64 in lines, each with its end.
fn encode(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut lines = String::with_capacity(text.len() + text.len() / LINE_CHARACTERS + 1);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(LINE_CHARACTERS));
        lines.push_str(line);
        lines.push('\n');
        rest = behind;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn base64_comes_in_lines() {
        for (length, expected) in [(0, vec![]), (56, vec![76]), (57, vec![76]), (58, vec![76, 4])] {
            let text = encode(&vec![0; length]);
            assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), expected, "{length}");
            assert!(text.is_empty() || text.ends_with('\n'));
        }
    }
}
