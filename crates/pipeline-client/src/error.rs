//! Why a call gave no answer, by what the caller can do about it.

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection, or it broke.
    #[error("`{url}` cannot be reached")]
    Unreachable {
        /// Its address.
        url: String,
        /// The failure of the connection.
        #[source]
        source: reqwest::Error,
    },
    /// Somebody is there, but not one whom the settings say to believe.
    #[error("the server at `{url}` is not trusted: {problem}")]
    Untrusted {
        /// Its address.
        url: String,
        /// What is wrong with its certificate.
        problem: String,
    },
    /// No whole answer in time.
    #[error("`{url}` did not answer within {seconds} seconds")]
    Timeout {
        /// Its address.
        url: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The server does not accept the request.
    #[error("the server says {status} {reason}{}{message}", if message.is_empty() { "" } else { ": " })]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The word for it.
        reason: &'static str,
        /// What the server says about it; may be empty.
        message: String,
    },
    /// What answers is no Pipeline server, or one that is broken.
    #[error("`{url}` does not answer as a Pipeline server does: {problem}")]
    Unexpected {
        /// Its address.
        url: String,
        /// What is wrong with the answer.
        problem: String,
    },
}

impl CallError {
    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::Timeout { .. }
            | Self::Unexpected { .. } => None,
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            Self::Refused { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            Self::Untrusted { .. } | Self::Unexpected { .. } => false,
        }
    }
}
