//! One request to a registry: redirects, deadlines, repeats, bounded bodies.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RANGE, RETRY_AFTER,
};
use outbound_guard::RegistryAddresses;
use reqwest::{Client, Method, Response, Url};

use crate::error::ScanError;
use crate::options::{RegistryOptions, RetryOptions, Secret, Timeouts};
use crate::registry::connections::{Clients, HostRules, authority};

const REDIRECTS_MAX: usize = 5;

/// Sends requests by the rules of one set of options.
#[derive(Clone)]
pub(crate) struct Transport {
    pub(crate) clients: Arc<Clients>,
    pub(crate) rules: HostRules,
    pub(crate) addresses: RegistryAddresses,
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: RetryOptions,
}

/// What to ask.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) url: Url,
    /// For messages: what the answer is for.
    pub(crate) what: String,
    pub(crate) accept: &'static str,
    /// Sent to the host of `url` only, never to where that redirects.
    pub(crate) authorization: Option<Secret>,
    /// Which bytes are wanted.
    pub(crate) bytes: ByteSpan,
    /// Body of a `POST`; `None` is `GET`.
    pub(crate) form: Option<Secret>,
}

/// Bytes of a document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ByteSpan {
    /// The first one.
    pub(crate) start: u64,
    /// Behind the last one; `None` is the end of the document.
    pub(crate) end: Option<u64>,
}

impl ByteSpan {
    fn to_header(self) -> Option<String> {
        match self {
            Self { start: 0, end: None } => None,
            Self { start, end: None } => Some(format!("bytes={start}-")),
            Self { start, end: Some(end) } => Some(format!("bytes={start}-{}", end.saturating_sub(1))),
        }
    }
}

/// An answer, and whether it is from the host that was asked (and not from one it redirected to).
pub(crate) struct Answer {
    pub(crate) response: Response,
    pub(crate) is_from_asked_host: bool,
}

impl Transport {
    /// Errors: the options cannot be used, such as a file without certificates.
    pub(crate) fn new(options: &RegistryOptions) -> Result<Self, ScanError> {
        Ok(Self {
            clients: options.connections.clients(options)?,
            rules: HostRules::new(&options.insecure_registries),
            addresses: options.addresses.clone(),
            timeouts: options.timeouts.clone(),
            retry: options.retry.clone(),
        })
    }

    /// Sends a document once, with these headers; a redirect is an answer.
    pub(crate) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: String,
        what: &str,
    ) -> Result<Response, ScanError> {
        let client = self.client(url, url, what)?;
        let limit = self.timeouts.answer;
        let sending = client.post(url.clone()).headers(headers).body(body).send();
        match tokio::time::timeout(limit, sending).await {
            Ok(sent) => sent.map_err(|error| self.connection_error(error, url, what)),
            Err(_) => Err(ScanError::TimedOut {
                host: authority(url),
                what: what.to_owned(),
                step: "answer",
                limit,
            }),
        }
    }

    /// Sends a request, follows redirects, and repeats it while the host is overloaded or cannot be reached.
    ///
    /// Errors: `RateLimited`, `Unreachable`, `TimedOut`, `ForbiddenTarget`, `BadAnswer`; any other status is an answer.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, ScanError> {
        let mut wait = self.retry.wait_first;
        let mut tries = 1;
        loop {
            let outcome = self.follow(request).await;
            let pause = match &outcome {
                Ok(answer) if is_overload(answer.response.status()) => {
                    retry_after(answer.response.headers()).unwrap_or(wait)
                }
                Err(error) if is_worth_repeating(error) => wait,
                _ => return outcome,
            };
            if tries >= self.retry.tries_max || pause > self.retry.wait_max {
                return outcome.and_then(|answer| Err(overload_error(&answer.response, request)));
            }
            tracing::debug!(registry.what = %request.what, registry.tries = tries, "asking a registry again");
            tokio::time::sleep(pause).await;
            tries += 1;
            wait = wait.saturating_mul(2);
        }
    }

    async fn follow(&self, request: &Request) -> Result<Answer, ScanError> {
        let mut url = request.url.clone();
        for _ in 0..=REDIRECTS_MAX {
            let is_from_asked_host = url.origin() == request.url.origin();
            let response = self.send_once(request, &url, is_from_asked_host).await?;
            let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            if !is_redirect || request.form.is_some() {
                return Ok(Answer { response, is_from_asked_host });
            }
            url = redirect_target(&url, response.headers(), &request.what)?;
        }
        Err(ScanError::BadAnswer {
            host: authority(&request.url),
            what: request.what.clone(),
            problem: format!("more than {REDIRECTS_MAX} redirects"),
        })
    }

    async fn send_once(
        &self,
        request: &Request,
        url: &Url,
        with_secrets: bool,
    ) -> Result<Response, ScanError> {
        let client = self.client(url, &request.url, &request.what)?;
        let method = if request.form.is_some() { Method::POST } else { Method::GET };
        let mut builder = client.request(method, url.clone()).header(ACCEPT, request.accept);
        if let Some(range) = request.bytes.to_header() {
            builder = builder.header(RANGE, range);
        }
        if with_secrets && let Some(secret) = &request.authorization {
            let mut value = HeaderValue::from_str(secret.reveal()).map_err(|_| ScanError::BadAnswer {
                host: authority(url),
                what: request.what.clone(),
                problem: "its token has characters that no header can carry".to_owned(),
            })?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some(form) = &request.form {
            builder = builder
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.reveal().to_owned());
        }
        let limit = self.timeouts.answer;
        match tokio::time::timeout(limit, builder.send()).await {
            Ok(sent) => sent.map_err(|error| self.connection_error(error, url, &request.what)),
            Err(_) => Err(ScanError::TimedOut {
                host: authority(url),
                what: request.what.clone(),
                step: "answer",
                limit,
            }),
        }
    }

    /// The client for an address that the one that was `asked` led to.
    fn client(&self, url: &Url, asked: &Url, what: &str) -> Result<Client, ScanError> {
        let is_verified = self.rules.is_verified(url).map_err(|rule| ScanError::ForbiddenTarget {
            host: authority(asked),
            target: format!("{}://{}", url.scheme(), authority(url)),
            rule,
        })?;
        self.clients.client(url, self.addresses.rule(url), is_verified, what)
    }

    fn connection_error(&self, error: reqwest::Error, url: &Url, what: &str) -> ScanError {
        let host = authority(url);
        if error.is_timeout() {
            let limit = self.timeouts.connect;
            return ScanError::TimedOut { host, what: what.to_owned(), step: "accept a connection", limit };
        }
        if let Some(source) = outbound_guard::find_refusal(&error) {
            let source = source.clone();
            return ScanError::ForbiddenAddress { host, what: what.to_owned(), source };
        }
        // The address may hold a signature.
        ScanError::Unreachable { host, what: what.to_owned(), source: error.without_url() }
    }

    /// The next bytes of a body, `None` at its end.
    pub(crate) async fn next_chunk(
        &self,
        response: &mut Response,
        what: &str,
    ) -> Result<Option<bytes::Bytes>, ScanError> {
        let limit = self.timeouts.idle;
        match tokio::time::timeout(limit, response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => {
                let host = authority(response.url());
                Err(ScanError::Unreachable { host, what: what.to_owned(), source: error.without_url() })
            }
            Err(_) => {
                let host = authority(response.url());
                Err(ScanError::TimedOut { host, what: what.to_owned(), step: "send more bytes", limit })
            }
        }
    }

    /// A small document as a whole.
    pub(crate) async fn read_document(
        &self,
        mut response: Response,
        limit: u64,
        what: &str,
    ) -> Result<Vec<u8>, ScanError> {
        let time_limit = self.timeouts.document;
        let host = authority(response.url());
        let read = async {
            let too_large =
                |actual| ScanError::TooLarge { what: what.to_owned(), actual, limit, unit: "bytes" };
            if let Some(length) = response.content_length().filter(|length| *length > limit) {
                return Err(too_large(length));
            }
            let mut body = Vec::new();
            while let Some(chunk) = self.next_chunk(&mut response, what).await? {
                let length = length(&body) + length(&chunk);
                if length > limit {
                    return Err(too_large(length));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(body)
        };
        tokio::time::timeout(time_limit, read).await.unwrap_or_else(|_| {
            Err(ScanError::TimedOut {
                host,
                what: what.to_owned(),
                step: "send the whole body",
                limit: time_limit,
            })
        })
    }
}

pub(crate) fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn redirect_target(from: &Url, headers: &HeaderMap, what: &str) -> Result<Url, ScanError> {
    let bad = |problem: &str| ScanError::BadAnswer {
        host: authority(from),
        what: what.to_owned(),
        problem: problem.to_owned(),
    };
    let location = headers.get(LOCATION).ok_or_else(|| bad("a redirect without `Location`"))?;
    let location = location.to_str().map_err(|_| bad("a redirect to an unreadable `Location`"))?;
    let target = from.join(location).map_err(|_| bad("a redirect to an unreadable `Location`"))?;
    if from.scheme() == "https" && target.scheme() != "https" {
        return Err(ScanError::ForbiddenTarget {
            host: authority(from),
            target: format!("{}://{}", target.scheme(), authority(&target)),
            rule: "a redirect must not leave https",
        });
    }
    Ok(target)
}

fn is_overload(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// A connection that fails may succeed a moment later; an answer that took too long already cost its time.
fn is_worth_repeating(error: &ScanError) -> bool {
    matches!(error, ScanError::Unreachable { .. })
}

/// Seconds; the other form, a date, needs a clock and is treated as absent.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn overload_error(response: &Response, request: &Request) -> ScanError {
    let host = authority(response.url());
    match response.status().as_u16() {
        429 => ScanError::RateLimited { host, retry_after: retry_after(response.headers()) },
        status => ScanError::UnexpectedStatus { host, what: request.what.clone(), status },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScanErrorKind;

    #[test]
    fn a_redirect_never_leaves_https() {
        for (from, location, expected) in [
            ("https://a/v2/x", "https://b/y", Some("https://b/y")),
            ("https://a/v2/x", "/y", Some("https://a/y")),
            ("https://a/v2/x", "//b/y", Some("https://b/y")),
            ("https://a/v2/x", "http://b/y", None),
            ("https://a/v2/x", "file:///etc/passwd", None),
            ("http://a/v2/x", "https://b/y", Some("https://b/y")),
            ("http://a/v2/x", "http://b/y", Some("http://b/y")),
            ("https://a/v2/x", "http://[", None),
        ] {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]);
            let target = redirect_target(&from.parse().unwrap(), &headers, "x");
            assert_eq!(target.as_ref().ok().map(Url::as_str), expected, "{from} {location}");
            if let Err(error) = target {
                assert_eq!(error.kind(), ScanErrorKind::Unreachable);
            }
        }
        assert!(redirect_target(&"https://a/".parse().unwrap(), &HeaderMap::new(), "x").is_err());
    }

    #[test]
    fn only_seconds_are_waited_for() {
        for (text, expected) in
            [("7", Some(7)), (" 7 ", Some(7)), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
        {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{text}");
        }
    }
}
