//! `/api/v1/orgs/{organization}/secrets`: the secrets of an organization.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::answer::{Answer, ApiError, ok, with_status};
use super::call::{OrganizationCall, read_json};
use crate::secrets::SecretFilter;
use crate::storage_error::{chain, wire_time};
use crate::{NewSecret, Secret, SecretError, SecretKind, SecretStoreError, SecretSummary, SecretValue};

/// Longer lists of tags or ids ask for nothing anybody has.
const PARAMETERS_MAX: usize = 1000;
const KUBECONFIG_KEY: &str = "K8Sconfig";

#[derive(Deserialize)]
struct NewSecretWire {
    #[serde(default)]
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    values: Option<BTreeMap<String, String>>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    version: Option<i64>,
}

impl NewSecretWire {
    fn read(self, updated_by: String) -> Result<(NewSecret, Option<i64>), ApiError> {
        let Self { name, kind, values, tags, version } = self;
        let known =
            SecretKind::from_name(&kind).ok_or_else(|| invalid(format!("wrong secret type: {kind}")))?;
        let values = values.unwrap_or_default();
        let values = values.into_iter().map(|(key, value)| (key, SecretValue::new(value))).collect();
        let new = NewSecret { name, kind: known, values, tags: tags.unwrap_or_default(), updated_by };
        // Clients that know of no versions send 0.
        Ok((new, version.filter(|version| *version > 0)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecretWire {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<BTreeMap<String, String>>,
    tags: Vec<String>,
    version: i64,
    updated_at: String,
    updated_by: String,
}

impl From<SecretSummary> for SecretWire {
    fn from(secret: SecretSummary) -> Self {
        let SecretSummary { id, name, kind, keys: _, tags, version, updated_at, updated_by } = secret;
        let (id, kind, updated_at) = (id.to_string(), kind.name(), wire_time(updated_at));
        Self { id, name, kind, values: None, tags, version, updated_at, updated_by }
    }
}

impl From<Secret> for SecretWire {
    fn from(secret: Secret) -> Self {
        let values = secret.values.iter().map(|(key, value)| (key.clone(), value.reveal().to_owned()));
        Self { values: Some(values.collect()), ..Self::from(secret.summary()) }
    }
}

/// `GET …/secrets`.
pub(super) async fn list(
    State(shared): State<Shared>,
    call: OrganizationCall,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Answer {
    let filter = read_filter(parameters)?;
    let secrets = shared.plane.show_secrets(call.organization.id, &filter).await?;
    ok(&secrets.into_iter().map(SecretWire::from).collect::<Vec<_>>())
}

/// `POST …/secrets`.
pub(super) async fn create(
    State(shared): State<Shared>,
    call: OrganizationCall,
    Query(parameters): Query<Vec<(String, String)>>,
    request: Request,
) -> Answer {
    let is_verified = read_switch(&parameters, "validate", true)?;
    let (new, _) = read_json::<NewSecretWire>(request).await?.read(call.user.login)?;
    if is_verified {
        verify(&shared, &new).await?;
    }
    let kept = shared.plane.add_secret(call.organization.id, new).await?;
    with_status(StatusCode::CREATED, &SecretWire::from(kept))
}

/// `GET …/secrets/{id}`.
pub(super) async fn get(
    State(shared): State<Shared>,
    call: OrganizationCall,
    Path((_, id)): Path<(String, String)>,
) -> Answer {
    ok(&SecretWire::from(shared.plane.show_secret(call.organization.id, &id).await?))
}

/// `PUT …/secrets/{id}`.
pub(super) async fn update(
    State(shared): State<Shared>,
    call: OrganizationCall,
    Path((_, id)): Path<(String, String)>,
    Query(parameters): Query<Vec<(String, String)>>,
    request: Request,
) -> Answer {
    let is_verified = read_switch(&parameters, "validate", true)?;
    let (new, version) = read_json::<NewSecretWire>(request).await?.read(call.user.login)?;
    if is_verified {
        verify(&shared, &new).await?;
    }
    let kept = shared.plane.change_secret(call.organization.id, &id, new, version).await?;
    ok(&SecretWire::from(kept))
}

/// Tries what can be tried: whether a kubeconfig leads to a cluster that answers.
async fn verify(shared: &Shared, new: &NewSecret) -> Result<(), ApiError> {
    let value = new.values.get(KUBECONFIG_KEY).filter(|_| new.kind == SecretKind::Kubernetes);
    let Some(kubeconfig) = value.map(SecretValue::reveal).filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    shared.plane.verify_kubeconfig(kubeconfig).await.map_err(|error| {
        ApiError::legacy(
            StatusCode::BAD_REQUEST,
            "Validation error",
            format!("{}; `?validate=false` keeps the secret untried", error.text()),
        )
    })
}

/// `DELETE …/secrets/{id}`.
pub(super) async fn delete(
    State(shared): State<Shared>,
    call: OrganizationCall,
    Path((_, id)): Path<(String, String)>,
) -> Answer {
    shared.plane.remove_secret(call.organization.id, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn read_filter(parameters: Vec<(String, String)>) -> Result<SecretFilter, ApiError> {
    if parameters.len() > PARAMETERS_MAX {
        return Err(bad_request(format!("the query has more than {PARAMETERS_MAX} parameters")));
    }
    let mut filter =
        SecretFilter { with_values: read_switch(&parameters, "values", false)?, ..SecretFilter::default() };
    for (key, value) in parameters {
        match key.as_str() {
            "type" if !value.is_empty() => {
                let kind = SecretKind::from_name(&value);
                filter.kind = Some(kind.ok_or_else(|| bad_request(format!("wrong secret type: {value}")))?);
            }
            "tags" => filter.tags.push(value),
            "ids" => filter.ids.push(value),
            _ => {}
        }
    }
    Ok(filter)
}

fn read_switch(parameters: &[(String, String)], name: &str, default: bool) -> Result<bool, ApiError> {
    match parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()) {
        None | Some("") => Ok(default),
        Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(bad_request(format!("`{name}` is true or false"))),
    }
}

fn bad_request(text: String) -> ApiError {
    ApiError::legacy(StatusCode::BAD_REQUEST, text.clone(), text)
}

fn invalid(text: String) -> ApiError {
    ApiError::legacy(StatusCode::BAD_REQUEST, "Validation error", text)
}

impl From<SecretError> for ApiError {
    fn from(error: SecretError) -> Self {
        let status = match error {
            SecretError::Invalid(text) => return invalid(text),
            SecretError::Storage(error) => return error.into(),
            SecretError::Store(error) => return error.into(),
            SecretError::NotFound => StatusCode::NOT_FOUND,
            SecretError::AlreadyExists | SecretError::Changed { .. } => StatusCode::CONFLICT,
            SecretError::Protected(_) | SecretError::InUse { .. } | SecretError::InUseByService { .. } => {
                StatusCode::BAD_REQUEST
            }
        };
        Self::legacy(status, error.to_string(), error.to_string())
    }
}

impl From<SecretStoreError> for ApiError {
    fn from(error: SecretStoreError) -> Self {
        match error {
            SecretStoreError::Unavailable(_)
            | SecretStoreError::Refused(_)
            | SecretStoreError::Unseal { .. } => {
                let text = chain(&error);
                tracing::warn!(error = text, "secrets are not reached");
                Self::legacy(StatusCode::SERVICE_UNAVAILABLE, "secrets cannot be reached now", text)
            }
            SecretStoreError::Conflict
            | SecretStoreError::Unreadable(_)
            | SecretStoreError::Storage(_)
            | SecretStoreError::Seal(_) => Self::Internal(chain(&error)),
        }
    }
}
