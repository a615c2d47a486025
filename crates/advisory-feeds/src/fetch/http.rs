//! One request over HTTP, with its redirects.

use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION,
};
use reqwest::{Response, StatusCode, Url};

use super::body::{Encoding, Receiver};
use super::{FeedRequest, FetchError, FetchOutcome, Fetcher, Validators, retry, shown};

/// A longer validator is not worth keeping.
const VALIDATOR_BYTES_MAX: usize = 1024;

impl Fetcher {
    pub(super) async fn fetch_once(
        &self,
        url: &Url,
        request: &FeedRequest<'_>,
    ) -> Result<FetchOutcome, FetchError> {
        let limit = self.limits.attempt;
        let attempt = async {
            let response = self.ask(url, &request.validators).await?;
            self.receive(url, request, response).await
        };
        within(limit, url, "send the whole file", attempt).await
    }

    /// The answer after all redirects.
    async fn ask(&self, asked: &Url, validators: &Validators) -> Result<Response, FetchError> {
        let mut url = asked.clone();
        for _ in 0..=self.limits.redirects_max {
            let mut builder =
                self.client.get(url.clone()).header(ACCEPT, "*/*").header(ACCEPT_ENCODING, "gzip");
            if let Some(etag) = &validators.etag {
                builder = builder.header(IF_NONE_MATCH, etag);
            }
            if let Some(last_modified) = &validators.last_modified {
                builder = builder.header(IF_MODIFIED_SINCE, last_modified);
            }
            let sent = async { builder.send().await.map_err(|error| self.connection_error(asked, error)) };
            let response = within(self.limits.answer, asked, "answer", sent).await?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            url = redirect_target(asked, &url, response.headers())?;
        }
        let problem = format!("it redirects more than {} times", self.limits.redirects_max);
        Err(FetchError::BadAnswer { url: shown(asked), problem })
    }

    async fn receive(
        &self,
        url: &Url,
        request: &FeedRequest<'_>,
        mut response: Response,
    ) -> Result<FetchOutcome, FetchError> {
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if request.validators != Validators::default() => {
                return Ok(FetchOutcome::NotModified);
            }
            status => return Err(self.status_error(url, status, response.headers())),
        }
        let encoding = encoding_of(url, response.headers())?;
        let expected = response.content_length();
        let too_large = |limit| FetchError::TooLarge { url: shown(url), limit };
        if expected.is_some_and(|expected| expected > self.limits.bytes_max) {
            return Err(too_large(self.limits.bytes_max));
        }
        let validators = validators_of(response.headers());
        let mut receiver = Receiver::new(url, request, encoding, self.limits.bytes_max)?;
        loop {
            let received = receiver.received();
            let next = async {
                // The cause is always the same: the other side went away before the end.
                response.chunk().await.map_err(|_| FetchError::Cut { url: shown(url), received, expected })
            };
            match within(self.limits.idle, url, "send more bytes", next).await? {
                Some(chunk) => receiver.add(&chunk).await?,
                None => break,
            }
        }
        receiver.finish(expected, validators).await.map(FetchOutcome::Fetched)
    }

    fn connection_error(&self, url: &Url, error: reqwest::Error) -> FetchError {
        if error.is_timeout() {
            let limit = self.limits.connect;
            return FetchError::TimedOut { url: shown(url), step: "accept a connection", limit };
        }
        // The address may hold a login.
        FetchError::Unreachable { url: shown(url), source: error.without_url() }
    }

    fn status_error(&self, url: &Url, status: StatusCode, headers: &HeaderMap) -> FetchError {
        let (url, code) = (shown(url), status.as_u16());
        match code {
            408 | 425 | 429 | 500 | 502 | 503 | 504 => {
                let retry_after = retry::retry_after(headers, (self.clock)());
                FetchError::Busy { url, status: code, retry_after }
            }
            400..=599 => FetchError::Refused { url, status: code },
            _ => FetchError::BadAnswer { url, problem: format!("status {code} where the file was expected") },
        }
    }
}

async fn within<T>(
    limit: Duration,
    url: &Url,
    step: &'static str,
    work: impl Future<Output = Result<T, FetchError>>,
) -> Result<T, FetchError> {
    let late = |_| Err(FetchError::TimedOut { url: shown(url), step, limit });
    tokio::time::timeout(limit, work).await.unwrap_or_else(late)
}

fn encoding_of(url: &Url, headers: &HeaderMap) -> Result<Encoding, FetchError> {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("(unreadable)").trim());
    match encoding {
        None | Some("" | "identity") => Ok(Encoding::Plain),
        Some("gzip" | "x-gzip") => Ok(Encoding::Gzip),
        Some(other) => {
            let problem = format!("it is packed as `{}`", other.escape_default());
            Err(FetchError::BadAnswer { url: shown(url), problem })
        }
    }
}

fn validators_of(headers: &HeaderMap) -> Validators {
    let text = |name: HeaderName| {
        let text = headers.get(name)?.to_str().ok()?.to_owned();
        (!text.is_empty() && text.len() <= VALIDATOR_BYTES_MAX).then_some(text)
    };
    Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED) }
}

fn redirect_target(asked: &Url, from: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    let bad = |problem: &str| FetchError::BadAnswer { url: shown(asked), problem: problem.to_owned() };
    let target = headers
        .get(LOCATION)
        .and_then(|location| from.join(location.to_str().ok()?).ok())
        .ok_or_else(|| bad("it redirects to no readable address"))?;
    match (from.scheme(), target.scheme()) {
        ("https", "https") | ("http", "http" | "https") => Ok(target),
        ("https", "http") => Err(bad("it redirects from https to http")),
        _ => Err(bad("it redirects to something else than http")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_never_leaves_https_nor_reads_files() {
        for (from, location, expected) in [
            ("https://a/x", Some("https://b/y"), Some("https://b/y")),
            ("https://a/x", Some("/y"), Some("https://a/y")),
            ("https://a/x", Some("http://b/y"), None),
            ("http://a/x", Some("https://b/y"), Some("https://b/y")),
            ("http://a/x", Some("file:///etc/passwd"), None),
            ("http://a/x", Some("http://["), None),
            ("http://a/x", None, None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(location) = location {
                headers.insert(LOCATION, location.parse().unwrap());
            }
            let from: Url = from.parse().unwrap();
            let target = redirect_target(&from, &from, &headers).ok();
            assert_eq!(target.as_ref().map(Url::as_str), expected, "{from} {location:?}");
        }
    }
}
