//! The part of a request that every handler needs: who asks, in which organization, about which cluster, with which body.
//!
//! [`Caller`], [`OrganizationCall`] and [`ClusterCall`] check who may; a handler that takes one of them cannot forget to.

use axum::body::Bytes;
use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::Duration;

use super::Shared;
use super::answer::ApiError;
use super::{body, cookies, same_origin};
use crate::storage_error::chain;
use crate::{AuthenticateError, Cluster, Organization, Role, User};

const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// Somebody whose token or session counts.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user: User,
}

/// A caller in an organization of his, who may do there what the method and the path say.
#[derive(Debug, Clone)]
pub(crate) struct OrganizationCall {
    pub(crate) user: User,
    pub(crate) organization: Organization,
}

/// The same, about a cluster of this organization.
#[derive(Debug, Clone)]
pub(crate) struct ClusterCall {
    pub(crate) user: User,
    pub(crate) cluster: Cluster,
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiError> {
        if let Some(token) = bearer(&parts.headers) {
            return by_token(token, shared).await;
        }
        // Of whoever sends another kind of credential, the cookie is not looked at: it might not be what he means.
        let cookie = cookies::find(&parts.headers, cookies::SESSION)
            .filter(|_| !parts.headers.contains_key(header::AUTHORIZATION));
        match cookie {
            Some(secret) => by_session(secret, parts, shared).await,
            None => Err(ApiError::Unauthorized {
                message: "Failed to extract token from request".to_owned(),
                error: "no token present in request: send `Authorization: Bearer TOKEN`".to_owned(),
            }),
        }
    }
}

async fn by_token(token: &str, shared: &Shared) -> Result<Caller, ApiError> {
    match shared.plane.authenticate(token).await {
        Ok(user) => Ok(Caller { user }),
        Err(AuthenticateError::Storage(error)) => Err(error.into()),
        Err(error) => Err(ApiError::Unauthorized {
            message: error.to_string(),
            error: match &error {
                AuthenticateError::Unreadable(source) => chain(source),
                _ => {
                    "the token was revoked or has ended: make another with `lazaret token create`".to_owned()
                }
            },
        }),
    }
}

async fn by_session(secret: &str, parts: &Parts, shared: &Shared) -> Result<Caller, ApiError> {
    let user = shared.plane.find_session(secret).await?.ok_or_else(|| ApiError::Unauthorized {
        message: "Invalid session".to_owned(),
        error: "the session has ended: log in again at `/auth/oidc/login`".to_owned(),
    })?;
    if !parts.method.is_safe() {
        same_origin::check(&parts.headers, shared)?;
    }
    Ok(Caller { user })
}

/// A caller who is a person: what belongs to people is nothing for virtual users.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user: User,
}

impl FromRequestParts<Shared> for Person {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiError> {
        let Caller { user } = Caller::from_request_parts(parts, shared).await?;
        if user.confined_to.is_some() { Err(ApiError::Forbidden) } else { Ok(Self { user }) }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl FromRequestParts<Shared> for OrganizationCall {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiError> {
        let Caller { user } = Caller::from_request_parts(parts, shared).await?;
        let id = parameter(parts, shared, "organization").await?;
        let id = id.parse::<i64>().map_err(|_| {
            ApiError::legacy(StatusCode::BAD_REQUEST, "organization id is no number", id.clone())
        })?;
        let membership = match &user.confined_to {
            Some((organization, role)) => Some((organization.clone(), *role)),
            None => shared.plane.find_membership(id, user.id).await?,
        };
        let membership = membership.filter(|(organization, _)| organization.id == id);
        let (organization, role) = membership.ok_or(ApiError::Forbidden)?;
        if !is_allowed(role, &parts.method, parts.uri.path()) {
            return Err(ApiError::Forbidden);
        }
        Ok(Self { user, organization })
    }
}

/// Members look, but not at secrets and not at the ways into clusters.
fn is_allowed(role: Role, method: &Method, path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let at = segments.iter().position(|segment| *segment == "orgs");
    let Some(below) = at.and_then(|at| segments.get(at + 2..)) else { return role == Role::Admin };
    match (role, below) {
        (Role::Admin, _) => true,
        (Role::Member, ["secrets", ..] | ["clusters", _, "config" | "anchore", ..]) => false,
        (Role::Member, _) => *method == Method::GET || *method == Method::HEAD,
    }
}

impl FromRequestParts<Shared> for ClusterCall {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, ApiError> {
        let OrganizationCall { user, organization } =
            OrganizationCall::from_request_parts(parts, shared).await?;
        let word = parameter(parts, shared, "cluster").await?;
        // `?field=name` says that the path has the name. What is no number then names nothing by accident.
        let is_name =
            parts.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "field=name"));
        let found = match word.parse::<i64>() {
            _ if is_name => shared.plane.find_cluster_by_name(organization.id, &word).await?,
            Ok(id) => shared.plane.find_cluster(organization.id, id).await?,
            Err(_) => None,
        };
        let cluster = found.ok_or_else(|| {
            ApiError::NoCluster(format!("cluster `{word}` does not exist in the organization"))
        })?;
        Ok(Self { user, cluster })
    }
}

async fn parameter(parts: &mut Parts, shared: &Shared, name: &str) -> Result<String, ApiError> {
    let Path(parameters) = Path::<BTreeMap<String, String>>::from_request_parts(parts, shared)
        .await
        .map_err(|_| ApiError::bad_request("the path is not UTF-8"))?;
    parameters.get(name).cloned().ok_or_else(|| ApiError::Internal(format!("the route has no `{name}`")))
}

/// The whole body, within its size and time. Take it after the caller: who may not, sends nothing.
pub(crate) async fn read_body(request: Request) -> Result<Bytes, ApiError> {
    let read = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX);
    match tokio::time::timeout(BODY_TIME_MAX, read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(ApiError::legacy(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {BODY_BYTES_MAX} bytes, or broke off"),
            "",
        )),
        Err(_) => Err(ApiError::legacy(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body was not there after {} s", BODY_TIME_MAX.as_secs()),
            "",
        )),
    }
}

/// The body as a JSON object of a form.
pub(crate) async fn read_json<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let bytes = read_body(request).await?;
    body::parse(&bytes)
        .map_err(|problem| ApiError::legacy(StatusCode::BAD_REQUEST, "Error parsing request", problem))
}
