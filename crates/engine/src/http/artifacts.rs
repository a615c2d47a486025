//! `/images/{digest}/artifacts`: files that were kept, and where patterns were found.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{PatternMatch, RetrievedFile};
use serde::Serialize;

use super::answer::{Answer, ApiError, ok};
use super::call::Call;
use super::images::digest_filter;
use crate::{Engine, EvaluateError};

#[derive(Serialize)]
struct RetrievedFileWire {
    path: String,
    b64_content: String,
}

#[derive(Serialize)]
struct SearchResultWire {
    path: String,
    matches: Vec<MatchWire>,
}

#[derive(Serialize)]
struct MatchWire {
    name: String,
    regex: String,
    /// A file is searched until a pattern is found, so lines are not counted.
    lines: [u64; 0],
}

/// `GET /images/{digest}/artifacts/{type}`.
pub(super) async fn get(
    State(engine): State<Arc<Engine>>,
    Path((digest, kind)): Path<(String, String)>,
    call: Call,
) -> Answer {
    if !["retrieved_files", "file_content_search", "secret_search"].contains(&kind.as_str()) {
        return Err(ApiError::not_found(format!("artifact type ({kind}) not available")));
    }
    let found = engine.image_contents(&call.account, &digest_filter(&digest)?).await;
    let (_, contents) = found.map_err(|error| no_artifacts(&error))?;
    match kind.as_str() {
        "retrieved_files" => ok(&contents.retrieved.iter().map(to_wire).collect::<Vec<_>>()),
        "secret_search" => ok(&by_file(&contents.secret_matches)),
        _ => ok(&by_file(&contents.content_matches)),
    }
}

/// The refusal of artifacts and of the native list of packages has its own words.
pub(super) fn no_artifacts(error: &EvaluateError) -> ApiError {
    match error {
        EvaluateError::NotAnalyzed { .. } | EvaluateError::NotRecorded => {
            ApiError::not_found("Resource artifacts not found").with_detail("details", error.to_string())
        }
        other => other.clone().into(),
    }
}

fn to_wire(RetrievedFile { path, content }: &RetrievedFile) -> RetrievedFileWire {
    RetrievedFileWire { path: path.clone(), b64_content: STANDARD.encode(content) }
}

fn by_file(matches: &[PatternMatch]) -> Vec<SearchResultWire> {
    let mut files: BTreeMap<&str, Vec<MatchWire>> = BTreeMap::new();
    for PatternMatch { path, name, pattern } in matches {
        let wire = MatchWire { name: name.clone(), regex: pattern.clone(), lines: [] };
        files.entry(path).or_default().push(wire);
    }
    files.into_iter().map(|(path, matches)| SearchResultWire { path: path.to_owned(), matches }).collect()
}
