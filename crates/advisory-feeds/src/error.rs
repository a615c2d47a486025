//! Why a whole feed cannot be used.

use std::io;

/// A feed that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// A file or folder cannot be opened or read. The cause names the path.
    #[error("reading feed `{path}`")]
    Read {
        /// The feed.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Ends in `.zip` but is none, or is damaged.
    #[error("reading the archive `{path}`")]
    Archive {
        /// The archive.
        path: String,
        /// Why.
        #[source]
        source: zip::result::ZipError,
    },
    /// Something else than a feed of this kind, or one that breaks off.
    #[error("`{path}` is not a feed of kind `{kind}`: {reason}")]
    NotAFeed {
        /// The feed.
        path: String,
        /// Name of the expected kind.
        kind: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Larger than allowed.
    #[error("feed `{path}` is over the limit `{limit}` of {allowed}")]
    LimitExceeded {
        /// The feed.
        path: String,
        /// Name of the limit.
        limit: &'static str,
        /// How much is allowed.
        allowed: u64,
    },
}
