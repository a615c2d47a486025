//! `/registries`: who the account is at which registry. Passwords come in and never go out.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use scanner::Secret;
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{Answer, ApiError, ok, time};
use super::call::Call;
use super::fields::{flag, text};
use crate::storage_error::chain;
use crate::{Engine, NewRegistry, RegistryError, RegistryRecord};

const NAME_BYTES_MAX: usize = 1024;
/// Keys of clouds are documents of a few KiB.
const PASSWORD_BYTES_MAX: usize = 64 * 1024;

#[derive(Serialize)]
struct RegistryWire {
    registry: String,
    registry_name: String,
    registry_type: Option<String>,
    registry_user: String,
    registry_verify: Option<bool>,
    #[serde(rename = "userId")]
    user_id: String,
    created_at: String,
    last_updated: String,
}

impl From<RegistryRecord> for RegistryWire {
    fn from(record: RegistryRecord) -> Self {
        let RegistryRecord { account, registry, name, kind, user, verify, created_at, updated_at } = record;
        Self {
            registry,
            registry_name: name,
            registry_type: kind,
            registry_user: user,
            registry_verify: verify,
            user_id: account,
            created_at: time(created_at),
            last_updated: time(updated_at),
        }
    }
}

/// `GET /registries`.
pub(super) async fn list(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let records = engine.list_registries(&call.account).await?;
    ok(&records.into_iter().map(RegistryWire::from).collect::<Vec<_>>())
}

/// `GET /registries/{registry}`: a list of one.
pub(super) async fn get(
    State(engine): State<Arc<Engine>>,
    Path(registry): Path<String>,
    call: Call,
) -> Answer {
    answer(engine.find_registry(&call.account, &registry).await, "")
}

/// `POST /registries`: a list of one.
pub(super) async fn add(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let validate = call.query.boolean("validate", true)?;
    let body = call.object()?;
    check_types(body)?;
    if text(body, "registry")?.is_none() {
        return Err(refused(StatusCode::BAD_REQUEST, "body does not contain registry key"));
    }
    let new = read(body)?;
    // The words of old: which step failed depended on whether the type was named.
    let step = match new.kind {
        Some(_) => "",
        None => "cannot refresh credentials for supplied registry, with supplied credentials - exception: ",
    };
    answer(engine.add_registry(&call.account, &new, validate).await, step)
}

/// `PUT /registries/{registry}`: a list of one.
pub(super) async fn update(
    State(engine): State<Arc<Engine>>,
    Path(registry): Path<String>,
    call: Call,
) -> Answer {
    let validate = call.query.boolean("validate", true)?;
    let body = call.object()?;
    check_types(body)?;
    if text(body, "registry")?.is_some_and(|named| named != registry) {
        return Err(refused(
            StatusCode::CONFLICT,
            "registry name in path does not equal registry name in body",
        ));
    }
    let mut body = body.clone();
    body.insert("registry".to_owned(), Value::String(registry));
    answer(engine.update_registry(&call.account, &read(&body)?, validate).await, "")
}

/// `DELETE /registries/{registry}`: also when there is none.
pub(super) async fn delete(
    State(engine): State<Arc<Engine>>,
    Path(registry): Path<String>,
    call: Call,
) -> Answer {
    engine.delete_registry(&call.account, &registry).await?;
    ok(&true)
}

fn answer(result: Result<RegistryRecord, RegistryError>, step: &str) -> Answer {
    ok(&[RegistryWire::from(result.map_err(|error| to_api_error(error, step))?)])
}

/// Types come before everything else.
fn check_types(body: &Map<String, Value>) -> Result<(), ApiError> {
    for name in ["registry", "registry_user", "registry_pass", "registry_type", "registry_name"] {
        text(body, name)?;
    }
    flag(body, "registry_verify").map(drop)
}

fn read(body: &Map<String, Value>) -> Result<NewRegistry, ApiError> {
    let required = |name: &str| match text(body, name)? {
        Some(value) => Ok(value.to_owned()),
        None => Err(refused(StatusCode::BAD_REQUEST, format!("'{name}'"))),
    };
    let registry = required("registry")?;
    if registry.ends_with('/') {
        return Err(refused(
            StatusCode::CONFLICT,
            "input registry name cannot end with trailing '/' characters",
        ));
    }
    if registry.starts_with("http://") || registry.starts_with("https://") {
        return Err(refused(
            StatusCode::CONFLICT,
            "input registry name must start with a hostname/ip, without URI schema (http://, https://)",
        ));
    }
    let is_name =
        |character: char| character.is_ascii_graphic() && !matches!(character, '?' | '#' | '%' | '\\' | '"');
    if registry.is_empty() || !registry.chars().all(is_name) || registry.starts_with('/') {
        return Err(refused(
            StatusCode::BAD_REQUEST,
            "input registry name must be host[:port], host[:port]/repository or a beginning of those with '*' at its end",
        ));
    }
    let user = required("registry_user")?;
    let password = required("registry_pass")?;
    let [name, kind] = ["registry_name", "registry_type"].map(|name| text(body, name).ok().flatten());
    let all = [Some(registry.as_str()), Some(&user), name, kind];
    if all.into_iter().flatten().any(|text| text.len() > NAME_BYTES_MAX || text.contains(char::is_control))
        || password.len() > PASSWORD_BYTES_MAX
    {
        let message = format!(
            "a name has at most {NAME_BYTES_MAX} bytes and no control characters, \
             a password at most {PASSWORD_BYTES_MAX} bytes"
        );
        return Err(refused(StatusCode::BAD_REQUEST, message));
    }
    Ok(NewRegistry {
        registry,
        name: name.map(str::to_owned),
        kind: kind.map(str::to_owned),
        user,
        password: Secret::new(password),
        verify: flag(body, "registry_verify")?,
    })
}

fn refused(status: StatusCode, message: impl Into<String>) -> ApiError {
    ApiError::engine(status, message)
}

fn to_api_error(error: RegistryError, step: &str) -> ApiError {
    let message = error.to_string();
    match error {
        RegistryError::NotFound | RegistryError::NothingToUpdate => ApiError::not_found(message),
        RegistryError::AlreadyExists => refused(StatusCode::CONFLICT, message),
        RegistryError::NoAccount(_) => refused(StatusCode::BAD_REQUEST, message),
        RegistryError::Refused { .. } | RegistryError::LetsEverybodyIn => {
            let message = format!(
                "{step}cannot ping supplied registry with supplied credentials - exception: {}; \
                 validate=false stores it all the same",
                chain(&error).replacen("): ", ") - exception: ", 1)
            );
            refused(StatusCode::NOT_ACCEPTABLE, message)
        }
        RegistryError::Sealing(_) => ApiError::Internal(chain(&error)),
        RegistryError::Storage(error) => error.into(),
    }
}
