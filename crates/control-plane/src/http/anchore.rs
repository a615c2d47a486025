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
    let mut passed = Response::new(bounded(answer.into_body(), ANSWER_BYTES_MAX, ANSWER_TIME_MAX));
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
fn bounded(body: Body, bytes_max: usize, time_max: Duration) -> Body {
    let deadline = Instant::now() + time_max;
    let chunks = Limited::new(body, bytes_max).into_data_stream();
    let stream = futures_util::stream::unfold(Some(chunks), move |chunks| async move {
        let mut chunks = chunks?;
        let problem = match tokio::time::timeout_at(deadline, chunks.next()).await {
            Ok(None) => return None,
            Ok(Some(Ok(chunk))) => return Some((Ok(chunk), Some(chunks))),
            Ok(Some(Err(error))) => error.to_string(),
            Err(_) => format!("it was not there after {} s", time_max.as_secs()),
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

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::response::IntoResponse as _;
    use engine_client::Client;

    use super::*;

    /// What comes through of chunks, and whether it ends as a whole.
    async fn read(chunks: Vec<&'static str>, is_endless: bool) -> (String, bool) {
        let chunks = futures_util::stream::iter(chunks.into_iter().map(Ok::<_, io::Error>));
        let body = if is_endless {
            Body::from_stream(chunks.chain(futures_util::stream::pending()))
        } else {
            Body::from_stream(chunks)
        };
        let mut found = String::new();
        let mut stream = bounded(body, 10, Duration::from_secs(300)).into_data_stream();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(bytes) => found.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => return (found, false),
            }
        }
        (found, true)
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_breaks_off_where_it_is_too_long_or_takes_too_long() {
        for (chunks, is_endless, expected) in [
            (vec!["12345", "6789"], false, ("123456789", true)),
            (vec!["12345", "67890"], false, ("1234567890", true)),
            (vec!["12345", "67890", "1"], false, ("1234567890", false)),
            (vec!["12345678901"], false, ("", false)),
            (vec!["12345"], true, ("12345", false)),
        ] {
            let began = Instant::now();
            let (found, is_whole) = read(chunks.clone(), is_endless).await;
            assert_eq!((found.as_str(), is_whole), expected, "{chunks:?}");
            assert_eq!(began.elapsed().as_secs(), if is_endless { 300 } else { 0 }, "{chunks:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_says_nothing_is_a_gateway_that_timed_out() {
        let silent = Router::new().fallback(std::future::pending::<StatusCode>);
        let client = Client::in_process(silent).unwrap();
        let request = ForwardRequest {
            method: Method::GET,
            path: &["images"],
            query: None,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let error = client.forward(request, soon()).await.unwrap_err();
        let answer = ApiError::from(EngineUseError::Engine(error)).into_response();
        assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    }
}
