//! When a request is repeated, and what `Retry-After` says.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use tokio::time::Instant;

use super::{FetchError, FetchRetry};

/// A longer wait is a mistake of whoever asks for it.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Repeats an attempt while its error says that this may help.
pub(super) async fn repeat<T, F: Future<Output = Result<T, FetchError>>>(
    retry: &FetchRetry,
    mut attempt: impl FnMut() -> F,
) -> Result<T, FetchError> {
    let begun = Instant::now();
    let mut wait = retry.wait_first;
    let mut attempts = 1;
    loop {
        let error = match attempt().await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let pause = error.retry_after().unwrap_or_else(|| with_jitter(wait));
        let is_last = attempts >= retry.attempts_max
            || pause > retry.wait_max.mul_f64(JITTER_MAX)
            || begun.elapsed().saturating_add(pause) > retry.deadline;
        if is_last || !error.is_retryable() {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        attempts += 1;
        wait = wait.saturating_mul(2).min(retry.wait_max);
    }
}

const JITTER_MAX: f64 = 1.25;

/// Many installations that failed together must not come back together.
fn with_jitter(wait: Duration) -> Duration {
    wait.mul_f64(rand::random_range(0.75..JITTER_MAX))
}

/// How long the other side asks to wait: seconds, or a date, which is read against the date of the same answer so that
/// two clocks that differ do no harm.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = parse_date(text)?;
            let now = headers.get(DATE).and_then(|date| parse_date(date.to_str().ok()?)).unwrap_or(now);
            Duration::try_from(until.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

fn parse_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(retry_after: &str, date: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-22T08:00:00Z".parse().unwrap();
        let at = "Sun, 22 Nov 2026 08:02:00 GMT";
        for (text, date, expected) in [
            ("7", None, Some(7)),
            (" 0 ", None, Some(0)),
            ("99999999999", None, Some(86_400)),
            ("-1", None, None),
            ("soon", None, None),
            (at, None, Some(120)),
            (at, Some("Sun, 22 Nov 2026 08:01:50 GMT"), Some(10)),
            (at, Some("nonsense"), Some(120)),
            ("Sun, 22 Nov 2026 07:00:00 GMT", None, Some(0)),
            ("Wed, 22 Nov 2028 08:00:00 GMT", None, Some(86_400)),
        ] {
            let found = retry_after(&headers(text, date), now);
            assert_eq!(found, expected.map(Duration::from_secs), "{text} {date:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    fn busy(retry_after: Option<u64>) -> FetchError {
        FetchError::Busy {
            url: "http://a/".to_owned(),
            status: 503,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn refused() -> FetchError {
        FetchError::Refused { url: "http://a/".to_owned(), status: 403 }
    }

    /// How many attempts are made, and how long it takes.
    async fn count(retry: &FetchRetry, error: fn() -> FetchError) -> (u32, Duration) {
        let attempts = std::cell::Cell::new(0);
        let begun = Instant::now();
        let result: Result<(), _> = repeat(retry, || {
            attempts.set(attempts.get() + 1);
            std::future::ready(Err(error()))
        })
        .await;
        assert!(result.is_err());
        (attempts.get(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded_by_count_by_patience_and_by_time() {
        let retry = FetchRetry {
            attempts_max: 4,
            wait_first: Duration::from_secs(2),
            wait_max: Duration::from_secs(5),
            deadline: Duration::from_secs(600),
        };
        let (attempts, took) = count(&retry, || busy(None)).await;
        assert_eq!(attempts, 4);
        // 2 + 4 + 5 seconds, each a quarter more or less.
        assert!(took >= Duration::from_secs_f64(8.25) && took <= Duration::from_secs(14), "{took:?}");
        assert_eq!(count(&retry, refused).await.0, 1);
        let (attempts, took) = count(&retry, || busy(Some(3))).await;
        assert_eq!((attempts, took.as_secs()), (4, 9));
        assert_eq!(count(&retry, || busy(Some(100))).await, (1, Duration::ZERO));
        let hurried = FetchRetry { deadline: Duration::from_secs(5), ..retry };
        assert_eq!(count(&hurried, || busy(Some(3))).await.0, 2);
    }
}
