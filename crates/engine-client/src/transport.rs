//! One request: sent, answered within its deadline and its size, and sorted into answer or error.

use base64::Engine as _;
use reqwest::{Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::ClientError;

/// Longer texts of an engine are cut before they are shown.
const MESSAGE_CHARS_MAX: usize = 1000;
/// Before this word comes the status in the text that says an image is not analyzed.
const ANALYSIS_STATUS: &str = "analysis_status: ";

/// One request.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<&'a Value>,
}

/// Who answers and what is accepted.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    pub(crate) way: Way,
    pub(crate) base_url: Url,
    /// Who asks; `None`: whoever the engine in this process takes its own program for.
    pub(crate) credentials: Option<(String, crate::Password)>,
    /// For which account, if it is not the user's own.
    pub(crate) account: Option<String>,
    pub(crate) answer_bytes_max: usize,
}

/// How requests get to the engine.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    Network(reqwest::Client),
    /// An engine in the same process: its routes are called as functions.
    InProcess(axum::Router),
}

const ACCOUNT: &str = "x-anchore-account";

impl Transport {
    /// The JSON of a good answer.
    pub(crate) async fn call<T: for<'de> Deserialize<'de>>(
        &self,
        request: &Request<'_>,
        deadline: Instant,
    ) -> Result<T, ClientError> {
        let called = tokio::time::timeout_at(deadline, self.send(request)).await;
        let (status, body) =
            called.map_err(|_| ClientError::Timeout { url: self.base_url.to_string() })??;
        if !status.is_success() {
            return Err(to_error(status, &body));
        }
        // Some calls answer nothing when they are done.
        let body = if body.is_empty() { b"null" } else { body.as_slice() };
        serde_json::from_slice(body).map_err(|error| ClientError::Unexpected {
            status: status.as_u16(),
            problem: format!("the answer is not the expected JSON: {error}"),
        })
    }

    async fn send(&self, request: &Request<'_>) -> Result<(StatusCode, Vec<u8>), ClientError> {
        let mut url = self.url(request.path, None)?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query);
        }
        match &self.way {
            Way::Network(connections) => self.send_over(connections, request, url).await,
            Way::InProcess(router) => self.send_inside(router, request, &url).await,
        }
    }

    /// The address of a path below the engine's.
    pub(crate) fn url(&self, path: &[&str], query: Option<&str>) -> Result<Url, ClientError> {
        // Addresses have no such segments: they would be dropped, and another resource be asked for.
        if let Some(name) = path.iter().find(|part| matches!(**part, "" | "." | "..")) {
            return Err(ClientError::NotFound { message: format!("nothing is called `{name}`") });
        }
        let mut url = self.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url.set_query(query);
        Ok(url)
    }

    pub(crate) fn failed(&self, source: reqwest::Error) -> ClientError {
        match source.is_timeout() {
            true => ClientError::Timeout { url: self.base_url.to_string() },
            false => {
                ClientError::Unreachable { url: self.base_url.to_string(), source: source.without_url() }
            }
        }
    }

    async fn send_over(
        &self,
        connections: &reqwest::Client,
        request: &Request<'_>,
        url: Url,
    ) -> Result<(StatusCode, Vec<u8>), ClientError> {
        let mut builder = connections
            .request(request.method.clone(), url)
            .header(reqwest::header::ACCEPT, "application/json");
        if let Some((user, password)) = &self.credentials {
            builder = builder.basic_auth(user, Some(&password.0));
        }
        if let Some(account) = &self.account {
            builder = builder.header(ACCOUNT, account);
        }
        if let Some(body) = request.body {
            builder = builder.json(body);
        }
        let mut response = builder.send().await.map_err(|source| self.failed(source))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|source| self.failed(source))? {
            if body.len() + chunk.len() > self.answer_bytes_max {
                return Err(self.too_long(status));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }

    async fn send_inside(
        &self,
        router: &axum::Router,
        request: &Request<'_>,
        url: &Url,
    ) -> Result<(StatusCode, Vec<u8>), ClientError> {
        let mut builder = self.request_inside(&request.method, url);
        let body = match request.body {
            Some(body) => {
                builder = builder.header(reqwest::header::CONTENT_TYPE, "application/json");
                axum::body::Body::from(body.to_string())
            }
            None => axum::body::Body::empty(),
        };
        let response = self.answer_inside(router, builder, body).await?;
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), self.answer_bytes_max).await;
        Ok((status, body.map_err(|_| self.too_long(status))?.to_vec()))
    }

    /// A request without a body to an engine in this process.
    pub(crate) fn request_inside(&self, method: &Method, url: &Url) -> axum::http::request::Builder {
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let mut builder = axum::http::Request::builder().method(method.clone()).uri(path);
        if let Some((user, password)) = &self.credentials {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", password.0));
            builder = builder.header(reqwest::header::AUTHORIZATION, format!("Basic {pair}"));
        }
        if let Some(account) = &self.account {
            builder = builder.header(ACCOUNT, account);
        }
        builder
    }

    /// What an engine in this process says.
    pub(crate) async fn answer_inside(
        &self,
        router: &axum::Router,
        builder: axum::http::request::Builder,
        body: axum::body::Body,
    ) -> Result<axum::http::Response<axum::body::Body>, ClientError> {
        let request = builder.body(body).map_err(|error| ClientError::Unexpected {
            status: 0,
            problem: format!("the request cannot be made: {error}"),
        })?;
        match router.clone().oneshot(request).await {
            Ok(response) => Ok(response),
            Err(never) => match never {},
        }
    }

    fn too_long(&self, status: StatusCode) -> ClientError {
        ClientError::Unexpected {
            status: status.as_u16(),
            problem: format!("the answer has more than {} bytes, or broke off", self.answer_bytes_max),
        }
    }
}

/// What both shapes of an engine's errors have.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorWire {
    message: Option<String>,
    title: Option<String>,
    detail: Value,
}

fn to_error(status: StatusCode, body: &[u8]) -> ClientError {
    let wire: ErrorWire = serde_json::from_slice(body).unwrap_or_default();
    let text = wire
        .message
        .or_else(|| wire.detail.as_str().map(str::to_owned))
        .or(wire.title)
        .unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let message: String = text.chars().take(MESSAGE_CHARS_MAX).collect();
    // A foreign engine wraps this text into other statuses as well.
    if let Some((_, rest)) = message.split_once(ANALYSIS_STATUS) {
        let is_word = |character: &char| character.is_ascii_lowercase() || *character == '_';
        return ClientError::NotAnalyzed { status: rest.chars().take_while(is_word).collect() };
    }
    let codes = wire.detail.get("error_codes").and_then(Value::as_array);
    let codes = codes.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ClientError::Unauthorized { message },
        StatusCode::NOT_FOUND => ClientError::NotFound { message },
        status if status.is_client_error() => ClientError::Refused {
            status: status.as_u16(),
            message: with_details(message, &wire.detail),
            codes,
        },
        status => ClientError::Unexpected { status: status.as_u16(), problem: message },
    }
}

/// The mistakes of a bundle, or the words of a registry, behind the general message.
fn with_details(message: String, detail: &Value) -> String {
    let mut parts = vec![message];
    let problems = detail.get("validation_details").and_then(Value::as_array);
    parts.extend(
        problems
            .into_iter()
            .flatten()
            .filter_map(|problem| problem.get("details")?.as_str())
            .map(str::to_owned),
    );
    for key in ["validation_error", "raw_exception_message"] {
        parts.extend(detail.get(key).and_then(Value::as_str).map(str::to_owned));
    }
    parts.join(": ").chars().take(MESSAGE_CHARS_MAX).collect()
}
