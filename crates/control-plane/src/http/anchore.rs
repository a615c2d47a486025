//! `…/clusters/{cluster}/anchore/…`: the Anchore API of the cluster's engine, asked as the cluster's technical user.
//!
//! Of a request only what describes its body and the wanted answer is passed on, of an answer only what describes its body:
//! nobody's token or cookie reaches an engine, and no engine sets one here.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use engine_client::{ClientError, ForwardRequest};
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, Limited};
use tokio::time::Instant;

use super::Shared;
use super::answer::{Answer, ApiError};
use super::call::{ClusterCall, read_body};
use crate::anchore_proxy::{EngineUseError, engine_path, engine_query};
use crate::engines::soon;
use crate::storage_error::chain;

/// Longest answer that is passed on.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest time until the whole of it is there.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(300);
const REQUEST_HEADERS: [HeaderName; 3] = [header::ACCEPT, header::ACCEPT_LANGUAGE, header::CONTENT_TYPE];
const ANSWER_HEADERS: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_DISPOSITION,
    header::ALLOW,
    header::RETRY_AFTER,
];

/// Any method on `…/anchore/…`.
pub(super) async fn forward(State(shared): State<Shared>, call: ClusterCall, request: Request) -> Answer {
    let method = request.method().clone();
    let segments = engine_path(below_anchore(request.uri().path()))?;
    let query = engine_query(request.uri().query());
    let client = shared.plane.cluster_engine(&call.cluster).await?;
    let headers = only(request.headers(), &REQUEST_HEADERS);
    let body = if method == Method::GET || method == Method::HEAD {
        Bytes::new()
    } else {
        read_body(request).await?
    };
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let forwarded =
        ForwardRequest { method: method.clone(), path: &path, query: query.as_deref(), headers, body };
    let answer = client.forward(forwarded, soon()).await.map_err(EngineUseError::Engine)?;
    if method != Method::GET && method != Method::HEAD {
        tracing::info!(
            user.login = call.user.login,
            cluster.id = call.cluster.id,
            engine.path = segments.join("/"),
            engine.status = answer.status().as_u16(),
            "{method} at the engine of a cluster"
        );
    }
    pass_on(answer)
}

/// What stands behind `/anchore/`, as it was sent. The path is that of the route, with or without what is in front of it.
fn below_anchore(path: &str) -> &str {
    // `/orgs/{organization}/clusters/{cluster}/anchore/…`: no parameter holds a slash.
    let at = path.find("/orgs/").unwrap_or_default();
    path[at..].splitn(7, '/').nth(6).unwrap_or_default()
}

fn only(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in names {
        if let Some(value) = headers.get(name) {
            kept.insert(name, value.clone());
        }
    }
    kept
}

fn pass_on(answer: Response) -> Answer {
    let status = answer.status();
    let bad = |text: &str| Err(ApiError::problem(StatusCode::BAD_GATEWAY, text));
    if status == StatusCode::UNAUTHORIZED {
        // The caller's own token is good: this status would make clients throw it away.
        return bad("the engine refuses the technical user of the cluster: updating the service mends it");
    }
    if status.is_redirection() || status.is_informational() {
        return bad(&format!(
            "the engine answers {status}, which engines never do: see its address in the service"
        ));
    }
    let length = answer.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| length > ANSWER_BYTES_MAX)
    {
        return bad(&format!("the answer of the engine has more than {ANSWER_BYTES_MAX} bytes"));
    }
    let headers = only(answer.headers(), &ANSWER_HEADERS);
    let mut passed = Response::new(bounded(answer.into_body()));
    *passed.status_mut() = status;
    *passed.headers_mut() = headers;
    // A page of a foreign engine is no page of ours.
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        passed.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(passed)
}

/// The same body, which breaks off where it is too long or takes too long.
fn bounded(body: Body) -> Body {
    let deadline = Instant::now() + ANSWER_TIME_MAX;
    let chunks = Limited::new(body, ANSWER_BYTES_MAX).into_data_stream();
    let stream = futures_util::stream::unfold(Some(chunks), move |chunks| async move {
        let mut chunks = chunks?;
        let problem = match tokio::time::timeout_at(deadline, chunks.next()).await {
            Ok(None) => return None,
            Ok(Some(Ok(chunk))) => return Some((Ok(chunk), Some(chunks))),
            Ok(Some(Err(error))) => error.to_string(),
            Err(_) => format!("it was not there after {} s", ANSWER_TIME_MAX.as_secs()),
        };
        tracing::warn!(error = problem, "an answer of an engine broke off");
        Some((Err(io::Error::other(problem)), None))
    });
    Body::from_stream(stream)
}

/// The status of an answer that is not the engine's own.
pub(super) fn status_of(error: &EngineUseError) -> StatusCode {
    match error {
        EngineUseError::NotActive(_) | EngineUseError::NotReady { .. } | EngineUseError::Unusable { .. } => {
            StatusCode::CONFLICT
        }
        EngineUseError::BadPath(_) => StatusCode::BAD_REQUEST,
        EngineUseError::BadName(_) => StatusCode::NOT_FOUND,
        EngineUseError::Reserved => StatusCode::FORBIDDEN,
        EngineUseError::Engine(error) => match error {
            ClientError::NotFound { .. } | ClientError::NotAnalyzed { .. } => StatusCode::NOT_FOUND,
            ClientError::Refused { status, .. } => {
                StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST)
            }
            ClientError::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            ClientError::Unreachable { .. }
            | ClientError::Unauthorized { .. }
            | ClientError::Unexpected { .. } => StatusCode::BAD_GATEWAY,
        },
        EngineUseError::Secrets(_) | EngineUseError::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<EngineUseError> for ApiError {
    fn from(error: EngineUseError) -> Self {
        let status = status_of(&error);
        match error {
            EngineUseError::Secrets(error) => error.into(),
            EngineUseError::Storage(error) => error.into(),
            error => Self::problem(status, chain(&error)),
        }
    }
}
