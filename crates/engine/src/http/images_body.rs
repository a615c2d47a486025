//! The body of `POST /images`, in its variants, and what is wrong with it in the API's words.

use axum::http::StatusCode;
use model::{Digest, ImageReference};
use serde_json::{Map, Value};

use super::answer::ApiError;
use super::call::python_text;
use super::imports_body::read_finish_import;
use crate::{AddImage, FinishImport, ParsePullStringError, Pull, PullString};

type Object = Map<String, Value>;

/// What a body asks for.
pub(super) enum AddRequest {
    /// To ask a registry.
    Pull(Box<AddImage>),
    /// To bring this digest back from the archive.
    Restore(String),
    /// To make an image of uploaded documents.
    Import(Box<FinishImport>),
}

/// Reads the body; the account and `force` come from elsewhere in the request.
pub(super) fn read_add_request(account: &str, body: &Object, force: bool) -> Result<AddRequest, ApiError> {
    check_types(body)?;
    let archive = body.get("source").and_then(|source| source.get("archive")).and_then(Value::as_object);
    if let Some(archive) = archive
        && body.get("tag").is_none()
        && body.get("digest").is_none()
    {
        return match archive.get("digest") {
            Some(Value::String(digest)) => Ok(AddRequest::Restore(digest.clone())),
            Some(other) => Err(type_error(other, "string", "source.archive.digest")),
            None => Err(ApiError::bad_request("'digest' is a required property - 'source.archive'")),
        };
    }
    let import = body.get("source").and_then(|source| source.get("import")).and_then(Value::as_object);
    if let Some(import) = import
        && body.get("tag").is_none()
        && body.get("digest").is_none()
    {
        let annotations = body.get("annotations").and_then(Value::as_object).cloned().unwrap_or_default();
        return read_finish_import(account, import, annotations)
            .map(|import| AddRequest::Import(Box::new(import)));
    }
    read_pull(account, body, force).map(|request| AddRequest::Pull(Box::new(request)))
}

fn read_pull(account: &str, body: &Object, force: bool) -> Result<AddImage, ApiError> {
    if body.is_empty() {
        return Err(validation_error("Invalid request object, must be a valid json object"));
    }
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let source = body.get("source").and_then(Value::as_object);
    let wanted = match (source, text("tag"), text("digest")) {
        (Some(_), tag, digest) if tag.is_some() || digest.is_some() || body.contains_key("dockerfile") => {
            return Err(engine_error(
                "Cannot use both source property and tag, digest, or dockerfile property at top level",
            ));
        }
        (Some(source), ..) if !source.is_empty() => from_source(source)?,
        (_, Some(tag), digest) => Wanted {
            tag: tag.to_owned(),
            digest: digest.map(str::to_owned),
            dockerfile: text("dockerfile").map(str::to_owned),
            created_at: text("created_at").map(str::to_owned),
        },
        (_, None, Some(_)) => {
            return Err(engine_error("Validation error")
                .with_detail("validation_error", "None is not of type 'string' - 'tag'"));
        }
        (_, None, None) => {
            return Err(engine_error(
                "Must include either \"tag\", \"tag\" and \"digest\", or \"source\" property in body",
            ));
        }
    };
    let reference = tag_reference(&wanted.tag)?;
    let pull = match wanted.digest.as_deref() {
        None => Pull::Reference,
        Some(digest) => Pull::Digest(parse_digest(digest)?),
    };
    let created_at = wanted.created_at.as_deref().map(|text| {
        text.parse().map_err(|_| {
            engine_error("Invalid formatted date")
                .with_detail("Property", "source.creation_timestamp_override")
                .with_detail("Value", text)
        })
    });
    Ok(AddImage {
        account: account.to_owned(),
        reference,
        pull,
        annotations: body.get("annotations").and_then(Value::as_object).cloned().unwrap_or_default(),
        dockerfile: wanted.dockerfile,
        created_at: created_at.transpose()?,
        force,
        priority: 0,
        autosubscribe: false,
    })
}

/// The variants in one form.
struct Wanted {
    tag: String,
    digest: Option<String>,
    dockerfile: Option<String>,
    created_at: Option<String>,
}

fn from_source(source: &Object) -> Result<Wanted, ApiError> {
    let member = |object: &Object, key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    let required = |object: &Object, key: &str, path: &str| {
        member(object, key)
            .ok_or_else(|| ApiError::bad_request(format!("'{key}' is a required property - '{path}'")))
    };
    let variant = |key: &str| source.get(key).and_then(Value::as_object);
    if let Some(tag) = variant("tag") {
        return Ok(Wanted {
            tag: required(tag, "pullstring", "source.tag")?,
            digest: None,
            dockerfile: member(tag, "dockerfile"),
            created_at: None,
        });
    }
    if let Some(digest) = variant("digest") {
        return Ok(Wanted {
            digest: Some(required(digest, "pullstring", "source.digest")?),
            tag: required(digest, "tag", "source.digest")?,
            dockerfile: member(digest, "dockerfile"),
            created_at: member(digest, "creation_timestamp_override"),
        });
    }
    Err(engine_error("Must have one source propery set"))
}

/// The reference to file the image under: it must have a tag, written or implied.
pub(super) fn tag_reference(tag: &str) -> Result<ImageReference, ApiError> {
    match PullString::parse(tag) {
        Ok(PullString::Reference(reference)) if reference.digest().is_none() => Ok(reference),
        Ok(_) => Err(engine_error("Must have tag-based pull string").with_detail("invalid_value", tag)),
        Err(ParsePullStringError::BadCharacter(_) | ParsePullStringError::BadReference { .. }) => {
            Err(validation_error(&format!("Error parsing pullstring {tag}")))
        }
    }
}

/// `repo@sha256:…` or `sha256:…`: only the digest counts, it is pulled from the tag's repository.
fn parse_digest(text: &str) -> Result<Digest, ApiError> {
    let digest = text.rsplit('@').next().unwrap_or(text);
    digest
        .parse()
        .map_err(|_| engine_error("Must have digest-based pull string").with_detail("invalid_value", text))
}

/// The request schema: which members are what.
fn check_types(body: &Object) -> Result<(), ApiError> {
    for key in ["tag", "digest", "created_at"] {
        check_text(body.get(key), key)?;
    }
    check_dockerfile(body.get("dockerfile"), "dockerfile")?;
    for key in ["annotations", "source"] {
        check_object(body.get(key), key)?;
    }
    let Some(source) = body.get("source").and_then(Value::as_object) else { return Ok(()) };
    for variant in ["tag", "digest", "archive", "import"] {
        let path = format!("source.{variant}");
        check_object(source.get(variant), &path)?;
        let Some(members) = source.get(variant).and_then(Value::as_object) else { continue };
        for key in ["pullstring", "tag", "creation_timestamp_override"] {
            check_text(members.get(key), &format!("{path}.{key}"))?;
        }
        check_dockerfile(members.get("dockerfile"), &format!("{path}.dockerfile"))?;
    }
    Ok(())
}

pub(super) fn check_text(value: Option<&Value>, path: &str) -> Result<(), ApiError> {
    match value {
        None | Some(Value::String(_)) => Ok(()),
        Some(other) => Err(type_error(other, "string", path)),
    }
}

pub(super) fn check_object(value: Option<&Value>, path: &str) -> Result<(), ApiError> {
    match value {
        None | Some(Value::Object(_)) => Ok(()),
        Some(other) => Err(type_error(other, "object", path)),
    }
}

fn check_dockerfile(value: Option<&Value>, path: &str) -> Result<(), ApiError> {
    let is_base64 = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    };
    match value {
        None => Ok(()),
        Some(Value::String(text)) if is_base64(text) => Ok(()),
        Some(text @ Value::String(_)) => Err(ApiError::bad_request(format!(
            "{} does not match '^[a-zA-Z0-9+/=]+$' - '{path}'",
            python_text(text)
        ))),
        Some(other) => Err(type_error(other, "string", path)),
    }
}

pub(super) fn type_error(value: &Value, expected: &str, path: &str) -> ApiError {
    ApiError::bad_request(format!("{} is not of type '{expected}' - '{path}'", python_text(value)))
}

fn engine_error(message: &str) -> ApiError {
    ApiError::engine(StatusCode::BAD_REQUEST, message)
}

fn validation_error(text: &str) -> ApiError {
    engine_error("Could not validate request due to error").with_detail("validation_error", text)
}
