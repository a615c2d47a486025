//! Why a call gave no answer, by what the caller can do about it.

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection, or it broke.
    #[error("engine `{url}` cannot be reached")]
    Unreachable {
        /// Its address.
        url: String,
        /// The failure of the connection.
        #[source]
        source: reqwest::Error,
    },
    /// No whole answer before the deadline.
    #[error("engine `{url}` did not answer in time")]
    Timeout {
        /// Its address.
        url: String,
    },
    /// User or password is wrong, or the account is not enabled.
    #[error("engine refuses the user or password: {message}")]
    Unauthorized {
        /// What the engine says.
        message: String,
    },
    /// There is no such thing.
    #[error("engine does not know it: {message}")]
    NotFound {
        /// What the engine says.
        message: String,
    },
    /// The image is known, its analysis is not done.
    #[error("image is not analyzed, its analysis status is `{status}`")]
    NotAnalyzed {
        /// `not_analyzed`, `analyzing` or `analysis_failed`.
        status: String,
    },
    /// The engine does not accept the request.
    #[error("engine refuses the request with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the engine says.
        message: String,
        /// Its codes: `REGISTRY_IMAGE_NOT_FOUND`.
        codes: Vec<String>,
    },
    /// The engine failed, or what answers is no engine.
    #[error("engine answered status {status} in an unexpected way: {problem}")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// What is wrong with the answer.
        problem: String,
    },
}

impl ClientError {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            Self::NotAnalyzed { status } => status != "analysis_failed",
            Self::Refused { status, .. } => *status == 429,
            Self::Unexpected { status, .. } => *status >= 500,
            Self::Unauthorized { .. } | Self::NotFound { .. } => false,
        }
    }
}
