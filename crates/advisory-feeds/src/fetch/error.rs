//! Why a file could not be fetched, by what the caller can do about it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A fetcher that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildFetcherError {
    /// A file with trusted certificates cannot be read.
    #[error("read the certificate file `{}`", path.display())]
    ReadCertificates {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file with trusted certificates is too large or holds none.
    #[error("the certificate file `{}` {problem}", path.display())]
    BadCertificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The address of a proxy is none, or no connection can be set up at all.
    #[error("prepare connections for fetching feeds")]
    Connections(#[source] reqwest::Error),
}

/// A file that was not fetched. The destination is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is none that can be fetched.
    #[error("`{url}` is no address of a feed: {problem}")]
    BadAddress {
        /// The address, without any password.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// No connection, or it broke before an answer came.
    #[error("`{url}` cannot be reached")]
    Unreachable {
        /// The address, without any password.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The other side did not do a step in time.
    #[error("`{url}` did not {step} within {limit:?}")]
    TimedOut {
        /// The address, without any password.
        url: String,
        /// What was waited for.
        step: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The other side asks for patience, or is out of order.
    #[error("`{url}` answers {status}{}", wait_text(*retry_after))]
    Busy {
        /// The address, without any password.
        url: String,
        /// The status.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The other side does not give the file, and asking again now changes nothing.
    #[error("`{url}` answers {status}; {}", advice_for_status(*status))]
    Refused {
        /// The address, without any password.
        url: String,
        /// The status.
        status: u16,
    },
    /// An answer that makes no sense.
    #[error("`{url}` gives an answer that cannot be used: {problem}")]
    BadAnswer {
        /// The address, without any password.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The body ended before its end.
    #[error("`{url}` was cut off after {received} bytes{}", expected_text(*expected))]
    Cut {
        /// The address, without any password.
        url: String,
        /// Bytes that came.
        received: u64,
        /// Bytes that were announced.
        expected: Option<u64>,
    },
    /// More bytes than allowed, announced or sent.
    #[error("`{url}` is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The address, without any password.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// A whole body, but not of such a file.
    #[error("`{url}` is not a feed: {problem}")]
    NotTheContent {
        /// The address, without any password.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The local file cannot be written or read: the disk is full, or the folder is not writable.
    #[error("keep the fetched file `{}`", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl FetchError {
    /// Whether the same request may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Busy { .. } | Self::Cut { .. } => true,
            Self::BadAddress { .. }
            | Self::Refused { .. }
            | Self::BadAnswer { .. }
            | Self::TooLarge { .. }
            | Self::NotTheContent { .. }
            | Self::Disk { .. } => false,
        }
    }

    /// How long the other side asks to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn wait_text(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!(" and asks to wait {} s", wait.as_secs()))
}

fn expected_text(expected: Option<u64>) -> String {
    expected.map_or_else(String::new, |expected| format!(" of {expected}"))
}

fn advice_for_status(status: u16) -> &'static str {
    match status {
        401 | 407 => "it wants a login: put it into the address of the source, or use another mirror",
        403 => "it does not let this machine read: check the address, the proxy, or use a mirror",
        404 | 410 => "the file is not there: check the address of the source",
        _ => "check the address of the source",
    }
}
