//! `/imports/images`: package lists and documents of images that nobody pulls.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::answer::{Answer, ApiError, ok, time};
use super::call::{Call, UploadCall};
use crate::{DocumentKind, Engine, FinishImportError, ImportDocument, ImportError, ImportOperation};

/// Documents that are taken in at the same time: each may be large.
static UPLOADS: Semaphore = Semaphore::const_new(4);

#[derive(Serialize)]
struct OperationWire {
    account: String,
    uuid: String,
    status: &'static str,
    created_at: String,
    expires_at: String,
    last_update: String,
    /// The same once more, in another form: clients know both.
    last_updated: String,
}

#[derive(Serialize)]
struct DocumentWire {
    digest: String,
    created_at: String,
}

fn to_wire(operation: ImportOperation) -> OperationWire {
    OperationWire {
        account: operation.account,
        uuid: operation.id,
        status: operation.status.name(),
        created_at: time(operation.created_at),
        expires_at: time(operation.expires_at),
        last_update: time(operation.updated_at),
        last_updated: without_zone(operation.updated_at),
    }
}

fn without_zone(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}

fn document(document: ImportDocument) -> DocumentWire {
    DocumentWire { digest: document.digest, created_at: time(document.created_at) }
}

/// `POST /imports/images`.
pub(super) async fn begin(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    ok(&to_wire(engine.begin_import(&call.account).await?))
}

/// `GET /imports/images`.
pub(super) async fn list(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let operations = engine.list_imports(&call.account).await?;
    ok(&operations.into_iter().map(to_wire).collect::<Vec<_>>())
}

/// `GET /imports/images/{uuid}`.
pub(super) async fn get(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    ok(&to_wire(engine.find_import(&call.account, &id).await?))
}

/// `DELETE /imports/images/{uuid}`.
pub(super) async fn delete(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    ok(&to_wire(engine.give_up_import(&call.account, &id).await?))
}

/// `GET /imports/images/{uuid}/{type}`.
pub(super) async fn list_documents(
    State(engine): State<Arc<Engine>>,
    Path((id, kind)): Path<(String, String)>,
    call: Call,
) -> Answer {
    let documents = engine.list_documents(&call.account, &id, document_kind(&kind)?).await?;
    ok(&documents.into_iter().map(document).collect::<Vec<_>>())
}

/// `POST /imports/images/{uuid}/{type}`.
pub(super) async fn upload(
    State(engine): State<Arc<Engine>>,
    Path((id, kind)): Path<(String, String)>,
    call: UploadCall,
) -> Answer {
    let kind = document_kind(&kind)?;
    let is_json = super::call::is_json(&call.content_type);
    let is_text = call.content_type.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("text/plain");
    if (kind == DocumentKind::Dockerfile && !is_text) || (kind != DocumentKind::Dockerfile && !is_json) {
        let wanted = if kind == DocumentKind::Dockerfile { "text/plain" } else { "JSON data" };
        return Err(ApiError::Problem {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            title: format!("Invalid Content-type ({}), expected {wanted}", call.content_type),
            detail: None,
        });
    }
    // Who may not, or asks about what is not there, sends nothing.
    engine.find_import(&call.account, &id).await?;
    let account = call.account.clone();
    let _place = UPLOADS.acquire().await.map_err(|error| ApiError::Internal(error.to_string()))?;
    let content = call.read(kind.bytes_max()).await?;
    ok(&document(engine.upload_document(&account, &id, kind, content.to_vec()).await?))
}

fn document_kind(name: &str) -> Result<DocumentKind, ApiError> {
    DocumentKind::from_name(name).ok_or_else(|| {
        let names = DocumentKind::ALL.map(DocumentKind::name).join(", ");
        ApiError::not_found(format!("`{name}` is no document of an import: there are {names}"))
    })
}

/// `POST /import/images`: archives of other engines.
pub(super) async fn archive(call: UploadCall) -> Answer {
    drop(call);
    Err(ApiError::engine(
        StatusCode::BAD_REQUEST,
        "exported archives of other engines cannot be imported: add the image with POST /images, or upload its package list \
         with POST /imports/images; `lazaret backup` and `lazaret restore` move a whole engine",
    ))
}

impl From<ImportError> for ApiError {
    fn from(error: ImportError) -> Self {
        let message = error.to_string();
        match error {
            ImportError::NotFound(_) => Self::not_found(message),
            ImportError::NotPending(status) => {
                Self::engine(StatusCode::CONFLICT, message).with_detail("status", status.name())
            }
            ImportError::Malformed(_) => Self::bad_request(message),
            ImportError::NoAccount(_) | ImportError::TooMany(_) => {
                Self::engine(StatusCode::BAD_REQUEST, message)
            }
            ImportError::Storage(error) => error.into(),
        }
    }
}

impl From<FinishImportError> for ApiError {
    fn from(error: FinishImportError) -> Self {
        let message = error.to_string();
        let bad_request = |message: String| Self::engine(StatusCode::BAD_REQUEST, message);
        match error {
            FinishImportError::Import(error) => error.into(),
            FinishImportError::NotPending(status) => {
                Self::engine(StatusCode::CONFLICT, message).with_detail("status", status.name())
            }
            FinishImportError::ImportedByOther(_) => Self::engine(StatusCode::CONFLICT, message),
            FinishImportError::DocumentMissing(digest) => bad_request(message).with_detail("digest", digest),
            FinishImportError::Inconsistent(_) => bad_request(message),
            FinishImportError::Unreadable(source) => {
                bad_request(message).with_detail("validation_error", crate::storage_error::chain(&source))
            }
            FinishImportError::Add(source) => super::images::to_api_error(*source),
        }
    }
}
