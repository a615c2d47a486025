//! One call: sent, answered within its deadline and its size, and sorted into answer or error.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{self, HeaderMap};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::CallError;
use crate::settings::{BuildClientError, ConnectionSettings, Endpoint};
use crate::tls::{Fingerprint, find_tls_error};

/// Longer texts of a server are cut before they are shown.
const MESSAGE_CHARS_MAX: usize = 2000;

/// One call.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// What to do.
    pub method: Method,
    /// Where, below the endpoint; segments are encoded.
    pub path: &'a [&'a str],
    /// What comes behind the `?`.
    pub query: &'a [(&'a str, &'a str)],
    /// What is sent.
    pub body: Option<&'a Value>,
}

impl<'a> Call<'a> {
    /// A question.
    pub fn get(path: &'a [&'a str]) -> Self {
        Self { method: Method::GET, path, query: &[], body: None }
    }

    /// A change.
    pub fn new(method: Method, path: &'a [&'a str], body: Option<&'a Value>) -> Self {
        Self { method, path, query: &[], body }
    }

    /// The same with a query.
    #[must_use]
    pub fn with_query(self, query: &'a [(&'a str, &'a str)]) -> Self {
        Self { query, ..self }
    }
}

/// A good answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status, 2xx.
    pub status: u16,
    /// Its JSON; `null` for none.
    pub body: Value,
}

/// What is told about each call, for those who want to see what happens. It holds neither token nor bodies.
#[derive(Debug, Clone)]
pub struct CallRecord<'a> {
    /// What was done.
    pub method: &'a Method,
    /// Where.
    pub url: &'a Url,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// How long it took.
    pub duration: Duration,
}

/// Somebody who is told about each call.
pub type Observer = Arc<dyn Fn(&CallRecord<'_>) + Send + Sync>;

/// A client of one server.
#[derive(Clone)]
pub struct Client {
    connections: reqwest::Client,
    settings: ConnectionSettings,
    observer: Option<Observer>,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Client {
    /// A client; no connection is made yet.
    pub fn new(settings: ConnectionSettings) -> Result<Self, BuildClientError> {
        Ok(Self { connections: settings.connections()?, settings, observer: None })
    }

    /// The same, and somebody is told about each call.
    #[must_use]
    pub fn with_observer(self, observer: Option<Observer>) -> Self {
        Self { observer, ..self }
    }

    /// Where the server is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.settings.endpoint
    }

    /// The answer to a question, in a type of its own.
    pub async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, CallError> {
        self.read(&Call::get(path)).await
    }

    /// The answer to a call, in a type of its own.
    pub async fn read<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, CallError> {
        let answer = self.send(call).await?;
        serde_json::from_value(answer.body)
            .map_err(|error| self.unexpected(format!("the answer is not what it should be: {error}")))
    }

    /// The answer to a call as it is.
    pub async fn send(&self, call: &Call<'_>) -> Result<Answer, CallError> {
        let mut url = self.settings.endpoint.join(call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let (status, headers, body) = self.transfer(&call.method, &url, self.request(call, &url)).await?;
        self.sort(status, &headers, &body)
    }

    /// Sends within the deadline, reads within the limit, and tells the observer.
    pub(crate) async fn transfer(
        &self,
        method: &Method,
        url: &Url,
        request: RequestBuilder,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), CallError> {
        let began = Instant::now();
        let deadline = self.settings.call_timeout;
        let result = match tokio::time::timeout(deadline, self.exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(self.timeout()),
        };
        if let Some(observer) = &self.observer {
            let status = result.as_ref().ok().map(|(status, ..)| status.as_u16());
            observer(&CallRecord { method, url, status, duration: began.elapsed() });
        }
        result
    }

    /// The fingerprint of the certificate that the server shows, for somebody to compare.
    ///
    /// Asks for the version of the server and sends no token. `None`: the server has no certificate.
    pub async fn find_certificate(&self) -> Result<Option<Fingerprint>, CallError> {
        let url = self.settings.endpoint.join(&["version"]);
        let sent = tokio::time::timeout(self.settings.call_timeout, self.connections.get(url).send()).await;
        let response = sent.map_err(|_| self.timeout())?.map_err(|error| self.broken(error))?;
        let information = response.extensions().get::<reqwest::tls::TlsInfo>();
        Ok(information.and_then(|tls| tls.peer_certificate()).map(Fingerprint::of))
    }

    fn request(&self, call: &Call<'_>, url: &Url) -> RequestBuilder {
        let request = self.start_request(call.method.clone(), url);
        match call.body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    /// A request with the headers that all have.
    pub(crate) fn start_request(&self, method: Method, url: &Url) -> RequestBuilder {
        let request = self
            .connections
            .request(method, url.clone())
            .header(header::ACCEPT, "application/json")
            .header("Client", "banzai-cli");
        match &self.settings.token {
            Some(token) => request.bearer_auth(token.reveal()),
            None => request,
        }
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<(StatusCode, HeaderMap, Vec<u8>), CallError> {
        let mut response = request.send().await.map_err(|error| self.broken(error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + chunk.len() > self.settings.answer_bytes_max {
                let limit = self.settings.answer_bytes_max;
                return Err(self.unexpected(format!("the answer has more than {limit} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, headers, body))
    }

    pub(crate) fn sort(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Answer, CallError> {
        let content_type = header_text(headers, header::CONTENT_TYPE.as_str());
        let is_json = is_json(&content_type);
        if status.is_redirection() {
            let place = header_text(headers, header::LOCATION.as_str());
            return Err(self.unexpected(format!("it redirects to `{}`: log in there instead", cut(&place))));
        }
        if !status.is_success() {
            return Err(refusal(status, is_json, body));
        }
        if body.is_empty() {
            return Ok(Answer { status: status.as_u16(), body: Value::Null });
        }
        if !is_json {
            let found = if content_type.is_empty() {
                "nothing that says what it is".to_owned()
            } else {
                cut(&content_type)
            };
            return Err(self.unexpected(format!(
                "it answers with `{found}` instead of JSON; is this a Pipeline server?"
            )));
        }
        let body = serde_json::from_slice(body)
            .map_err(|error| self.unexpected(format!("its answer is broken JSON: {error}")))?;
        Ok(Answer { status: status.as_u16(), body })
    }

    fn broken(&self, error: reqwest::Error) -> CallError {
        let url = self.settings.endpoint.to_string();
        if error.is_timeout() {
            return self.timeout();
        }
        match find_tls_error(&error) {
            Some(rustls::Error::InvalidCertificate(problem)) => {
                CallError::Untrusted { url, problem: format!("its certificate is not valid: {problem}") }
            }
            Some(rustls::Error::General(problem)) => CallError::Untrusted { url, problem: problem.clone() },
            _ => CallError::Unreachable { url, source: error.without_url() },
        }
    }

    fn timeout(&self) -> CallError {
        let Self { settings, .. } = self;
        CallError::Timeout { url: settings.endpoint.to_string(), seconds: settings.call_timeout.as_secs() }
    }

    pub(crate) fn unexpected(&self, problem: String) -> CallError {
        CallError::Unexpected { url: self.settings.endpoint.to_string(), problem }
    }
}

fn header_text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    value.unwrap_or_default()
}

/// JSON, problem+json, and the JSON of vendors.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some((kind, form)) = essence.split_once('/') else { return false };
    matches!(kind, "application" | "text") && (form == "json" || form.ends_with("+json"))
}

/// What the shapes of a server's errors have.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorWire {
    message: Value,
    error: Value,
    detail: Value,
    title: Value,
    violations: Value,
}

fn refusal(status: StatusCode, is_json: bool, body: &[u8]) -> CallError {
    let wire: ErrorWire =
        if is_json { serde_json::from_slice(body).unwrap_or_default() } else { ErrorWire::default() };
    let mut parts: Vec<String> = Vec::new();
    let violations = wire.violations.as_array().into_iter().flatten().filter_map(Value::as_str);
    let texts = [&wire.message, &wire.detail, &wire.error].into_iter().filter_map(Value::as_str);
    for text in texts.chain(violations) {
        if !text.is_empty() && !parts.iter().any(|part| part.contains(text)) {
            parts.push(text.to_owned());
        }
    }
    if parts.is_empty() {
        parts.extend(wire.title.as_str().map(str::to_owned));
    }
    if parts.is_empty() && is_json {
        parts.push(String::from_utf8_lossy(body).into_owned());
    }
    CallError::Refused {
        status: status.as_u16(),
        reason: status.canonical_reason().unwrap_or("(a status without a name)"),
        message: cut(&parts.join("; ")),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_json() {
        for (content_type, expected) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("Application/Problem+JSON", true),
            ("text/json", true),
            ("application/vnd.x+json", true),
            ("text/html", false),
            ("application/jsonx", false),
            ("image/json", false),
            ("json", false),
            ("", false),
        ] {
            assert_eq!(is_json(content_type), expected, "{content_type}");
        }
    }

    #[test]
    fn every_shape_of_error_is_told() {
        for (body, expected) in [
            (
                r#"{"code":400,"message":"Validation error","error":"missing key: username"}"#,
                "Validation error; missing key: username",
            ),
            (
                r#"{"type":"about:blank","title":"Conflict","detail":"it is there","message":"it is there"}"#,
                "it is there",
            ),
            (
                r#"{"code":"503","message":"service is in maintenance mode"}"#,
                "service is in maintenance mode",
            ),
            (
                r#"{"message":"invalid","violations":["a is wrong","b is wrong"]}"#,
                "invalid; a is wrong; b is wrong",
            ),
            (r#"{"title":"Not Found"}"#, "Not Found"),
            (r#"{"message":7}"#, r#"{"message":7}"#),
            ("", ""),
        ] {
            let CallError::Refused { message, .. } = refusal(StatusCode::CONFLICT, true, body.as_bytes())
            else {
                unreachable!("a refusal is one");
            };
            assert_eq!(message, expected);
        }
        let html = refusal(StatusCode::BAD_GATEWAY, false, b"<html>");
        assert_eq!(html.to_string(), "the server says 502 Bad Gateway");
        assert!(html.is_retryable());
        let long = refusal(
            StatusCode::BAD_REQUEST,
            true,
            format!("{{\"message\":\"{}\"}}", "x".repeat(5000)).as_bytes(),
        );
        assert!(long.to_string().len() < 2200);
    }
}
