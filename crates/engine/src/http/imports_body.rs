//! `source.import` in the body of `POST /images`: which uploaded documents become which image.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use model::{Digest, ImageReference};
use serde_json::{Map, Value};

use super::answer::ApiError;
use super::images_body::{check_object, check_text, tag_reference, type_error};
use crate::{DocumentKind, FinishImport};

/// Tags of one image; more is no use.
const TAGS_MAX: usize = 100;

type Object = Map<String, Value>;

/// Reads the end of an import.
pub(super) fn read_finish_import(
    account: &str,
    import: &Object,
    annotations: Object,
) -> Result<FinishImport, ApiError> {
    const PATH: &str = "source.import";
    let operation = required_text(import, "operation_uuid", PATH)?;
    let digest = required_text(import, "digest", PATH)?;
    check_object(import.get("contents"), "source.import.contents")?;
    // The id is that of the configuration, which is at hand: what a client calls it locally is not needed.
    for key in ["parent_digest", "local_image_id"] {
        check_text(import.get(key), &format!("{PATH}.{key}"))?;
    }
    let contents = import.get("contents").and_then(Value::as_object);
    let contents = contents.ok_or_else(|| missing("contents", PATH))?;
    let parent_digest = import.get("parent_digest").and_then(Value::as_str).filter(|text| !text.is_empty());
    Ok(FinishImport {
        account: account.to_owned(),
        operation: operation.to_owned(),
        tags: read_tags(import)?,
        digest: parse_digest(digest, "digest")?,
        documents: read_documents(contents)?,
        parent_digest: parent_digest.map(|text| parse_digest(text, "parent_digest")).transpose()?,
        annotations,
        autosubscribe: false,
    })
}

fn read_tags(import: &Object) -> Result<Vec<ImageReference>, ApiError> {
    let tags = match import.get("tags") {
        None => return Err(missing("tags", "source.import")),
        Some(Value::Array(tags)) => tags,
        Some(other) => return Err(type_error(other, "array", "source.import.tags")),
    };
    if tags.is_empty() {
        let message = "`source.import.tags` is empty: an image needs a tag to be filed under";
        return Err(ApiError::engine(StatusCode::BAD_REQUEST, message));
    }
    if tags.len() > TAGS_MAX {
        let text = format!("{} tags are too many (limit {TAGS_MAX}) - 'source.import.tags'", tags.len());
        return Err(ApiError::bad_request(text));
    }
    let tag = |tag: &Value| match tag {
        Value::String(tag) => tag_reference(tag),
        other => Err(type_error(other, "string", "source.import.tags")),
    };
    tags.iter().map(tag).collect()
}

fn read_documents(contents: &Object) -> Result<BTreeMap<DocumentKind, String>, ApiError> {
    const PATH: &str = "source.import.contents";
    let mut documents = BTreeMap::new();
    for kind in DocumentKind::ALL {
        match contents.get(kind.name()) {
            None | Some(Value::Null) if kind.is_optional() => {}
            None => return Err(missing(kind.name(), PATH)),
            // With and without the name of the algorithm in front: uploads are answered without.
            Some(Value::String(digest)) => drop(documents.insert(kind, digest.clone())),
            Some(other) => return Err(type_error(other, "string", &format!("{PATH}.{}", kind.name()))),
        }
    }
    Ok(documents)
}

fn required_text<'a>(object: &'a Object, key: &str, path: &str) -> Result<&'a str, ApiError> {
    check_text(object.get(key), &format!("{path}.{key}"))?;
    object.get(key).and_then(Value::as_str).ok_or_else(|| missing(key, path))
}

fn parse_digest(text: &str, key: &str) -> Result<Digest, ApiError> {
    text.parse().map_err(|_| bad_value(key, text))
}

fn missing(key: &str, path: &str) -> ApiError {
    ApiError::bad_request(format!("'{key}' is a required property - '{path}'"))
}

fn bad_value(key: &str, value: &str) -> ApiError {
    let shown: String = value.chars().take(100).collect();
    ApiError::engine(StatusCode::BAD_REQUEST, format!("`source.import.{key}` is no digest"))
        .with_detail("invalid_value", shown)
}
