//! Why an image could not be resolved or loaded, sorted by what the caller can do about it.

use std::path::PathBuf;
use std::time::Duration;

use model::Digest;
use outbound_guard::RefusedAddress;

/// What the caller can do: the coarse classes of [`ScanError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScanErrorKind {
    /// There is no such image, archive, or platform of it.
    NotFound,
    /// The registry wants other credentials.
    Unauthorized,
    /// The registry asks to wait.
    RateLimited,
    /// The registry does not answer, or answers that it cannot work.
    Unreachable,
    /// The image is damaged or not what it claims to be.
    BadImage,
    /// Reading on would need more than a limit allows.
    LimitExceeded,
    /// A valid thing that this version does not read.
    Unsupported,
    /// A local file or program failed.
    Io,
    /// The caller asked to stop.
    Cancelled,
}

/// Why an image could not be resolved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The registry has no such image.
    #[error("image `{reference}` is not in the registry")]
    ImageNotFound {
        /// What was asked for.
        reference: String,
    },
    /// The program on this machine has no such image.
    #[error("{daemon} has no image `{name}`; ask a registry for it with `registry:{name}`")]
    ImageNotInDaemon {
        /// Docker, Podman or containerd.
        daemon: &'static str,
        /// What was asked for.
        name: String,
    },
    /// The registry has the manifest but not a blob that it names, or the archive lacks a file.
    #[error("`{name}` is named by `{referrer}` but is not there")]
    BlobMissing {
        /// Digest or path.
        name: String,
        /// Who names it.
        referrer: String,
    },
    /// The index has no image for the wanted platform.
    #[error("image has no platform `{wanted}`; it has {available}")]
    PlatformMissing {
        /// What was asked for.
        wanted: String,
        /// What is there, as text.
        available: String,
    },
    /// An archive has several images and none was chosen.
    #[error("archive `{path}` has several images, choose one of {names} by adding `:NAME` to the path")]
    SeveralImages {
        /// The archive.
        path: PathBuf,
        /// Their names, as text.
        names: String,
    },
    /// An archive has no image of the chosen name.
    #[error("archive `{path}` has no image `{wanted}`; it has {names}")]
    ImageNotInArchive {
        /// The archive.
        path: PathBuf,
        /// The chosen name.
        wanted: String,
        /// The names that are there, as text.
        names: String,
    },
    /// The registry or its token service refused the credentials or their absence.
    #[error("`{host}` refused access to `{repository}` ({reason})")]
    Unauthorized {
        /// Registry or token service.
        host: String,
        /// What was asked for.
        repository: String,
        /// In which step.
        reason: &'static str,
    },
    /// A credential helper failed.
    #[error("credential helper `{helper}` failed: {reason}")]
    CredentialHelper {
        /// Name of the program.
        helper: String,
        /// How it failed; never its output.
        reason: String,
    },
    /// What is to be looked for in files cannot be looked for.
    #[error("settings of what is looked for in files cannot be used")]
    BadContentSettings {
        /// What is wrong.
        #[source]
        source: crate::ContentSettingsError,
    },
    /// The credentials file cannot be understood.
    #[error("credentials file `{path}` is not a Docker configuration file")]
    BadCredentialsFile {
        /// The file.
        path: PathBuf,
        /// Why; the text of the file is not part of it.
        #[source]
        source: BadJson,
    },
    /// The entry of a registry in the credentials file cannot be understood.
    #[error("entry of `{registry}` in credentials file `{path}` is unusable: {problem}")]
    BadCredentialsEntry {
        /// The file.
        path: PathBuf,
        /// The registry.
        registry: String,
        /// The rule that is broken; never the text of the entry.
        problem: &'static str,
    },
    /// The registry said so, and went on saying so.
    #[error("`{host}` limits the rate of requests{}", after(*.retry_after))]
    RateLimited {
        /// Registry or token service.
        host: String,
        /// The wait it asked for.
        retry_after: Option<Duration>,
    },
    /// No connection, or it broke.
    #[error("`{host}` cannot be reached for {what}")]
    Unreachable {
        /// Registry, token service or the host it redirected to.
        host: String,
        /// What was asked for.
        what: String,
        /// The failure of the connection.
        #[source]
        source: reqwest::Error,
    },
    /// No answer, or no more bytes, in time.
    #[error("`{host}` did not {step} for {what} within {limit:?}")]
    TimedOut {
        /// Registry or token service.
        host: String,
        /// What was asked for.
        what: String,
        /// Which step was waited for.
        step: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// An answer that is neither success nor one of the refusals above.
    #[error("`{host}` answered status {status} for {what}")]
    UnexpectedStatus {
        /// Registry or token service.
        host: String,
        /// What was asked for.
        what: String,
        /// The HTTP status.
        status: u16,
    },
    /// An answer that breaks the protocol.
    #[error("`{host}` answered against the protocol for {what}: {problem}")]
    BadAnswer {
        /// Registry or token service.
        host: String,
        /// What was asked for.
        what: String,
        /// The rule that is broken.
        problem: String,
    },
    /// A redirect or a token realm that the rules forbid.
    #[error("`{host}` leads to `{target}`, which is refused: {rule}")]
    ForbiddenTarget {
        /// Who sent us.
        host: String,
        /// Where to, without path and query.
        target: String,
        /// The rule.
        rule: &'static str,
    },
    /// The host is at an address that the rules forbid.
    #[error("`{host}` is not connected to for {what}")]
    ForbiddenAddress {
        /// Registry, token service or the host it redirected to.
        host: String,
        /// What was asked for.
        what: String,
        /// The address, and who can allow it.
        #[source]
        source: RefusedAddress,
    },
    /// A document is not what its media type says.
    #[error("{what} is malformed")]
    Malformed {
        /// Which document.
        what: String,
        /// Why.
        #[source]
        source: BadJson,
    },
    /// A document contradicts itself or another one.
    #[error("{what} is inconsistent: {problem}")]
    Inconsistent {
        /// Which document.
        what: String,
        /// The rule that is broken, with the values.
        problem: String,
    },
    /// The bytes are not those that the digest names.
    #[error("{what} has digest `{actual}`, not `{expected}`")]
    DigestMismatch {
        /// Which document or layer.
        what: String,
        /// What was promised.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// A body has another length than promised.
    #[error("{what} has {actual} bytes, not {expected}")]
    SizeMismatch {
        /// Which document or layer.
        what: String,
        /// What was promised.
        expected: u64,
        /// What came.
        actual: u64,
    },
    /// A layer cannot be read.
    #[error("layer {number} (`{layer}`) cannot be read")]
    BadLayer {
        /// Counted from 1, lowest first.
        number: usize,
        /// Digest or path.
        layer: String,
        /// Why.
        #[source]
        source: image_layers::LayerError,
    },
    /// The code that reads the image stopped in a way it never should: a bug that the image provoked.
    #[error("reader of the image stopped unexpectedly")]
    ReaderStopped,
    /// Something is larger than allowed.
    #[error("{what} has {actual} {unit} (limit {limit})")]
    TooLarge {
        /// Which thing.
        what: String,
        /// Its size, or a lower bound of it.
        actual: u64,
        /// The limit.
        limit: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// The whole work took too long.
    #[error("image was not read within {limit:?}")]
    TooSlow {
        /// The limit.
        limit: Duration,
    },
    /// The manifest describes something else than an image: a chart, a signature, a bill of materials.
    #[error("manifest describes an artifact, not an image ({reason})")]
    NotAnImage {
        /// How one can tell.
        reason: String,
    },
    /// A media type or format that is not read.
    #[error("{what} has unsupported type `{media_type}`")]
    UnsupportedType {
        /// Which thing.
        what: String,
        /// The type.
        media_type: String,
    },
    /// A layer whose bytes are on some other server.
    #[error("layer {number} is foreign (`{media_type}`): its bytes are not kept with the image")]
    ForeignLayer {
        /// Counted from 1, lowest first.
        number: usize,
        /// The type.
        media_type: String,
    },
    /// The old manifest format, which holds no digest of the configuration.
    #[error("manifest has schema version 1, which registries have withdrawn; push the image again")]
    ManifestSchema1,
    /// A file or folder is not an image archive.
    #[error("`{path}` is not an image archive: {problem}")]
    NotAnArchive {
        /// The file or folder.
        path: PathBuf,
        /// How one can tell.
        problem: String,
    },
    /// A local file cannot be read.
    #[error("cannot read `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A certificate file or proxy address cannot be used.
    #[error("{what} cannot be used for connections")]
    BadConnectionSetting {
        /// The setting with its value.
        what: String,
        /// Why.
        #[source]
        source: Option<reqwest::Error>,
    },
    /// The caller asked to stop.
    #[error("scan was cancelled")]
    Cancelled,
}

/// Where JSON stops being what it should be; holds no text of the document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at line {line}, column {column}")]
pub struct BadJson {
    problem: String,
    line: usize,
    column: usize,
}

impl BadJson {
    /// Keeps place and class of the error. The message of the parser may quote a value, so it is kept only when
    /// the document holds no secrets.
    pub(crate) fn new(error: &serde_json::Error, is_secret: bool) -> Self {
        let class = match error.classify() {
            serde_json::error::Category::Io => "unreadable",
            serde_json::error::Category::Syntax => "not JSON",
            serde_json::error::Category::Data => "unexpected value",
            serde_json::error::Category::Eof => "unexpected end",
        };
        let problem = if is_secret {
            class.to_owned()
        } else {
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or_default();
            format!("{class}: {}", text.chars().take(200).collect::<String>())
        };
        Self { problem, line: error.line(), column: error.column() }
    }
}

fn after(wait: Option<Duration>) -> String {
    wait.map(|wait| format!("; it asks to wait {} s", wait.as_secs())).unwrap_or_default()
}

impl ScanError {
    /// A layer that cannot be read, counted from 1. Where the image as a whole has too much of something, no layer is named: which
    /// one is read when it shows differs from time to time.
    pub(crate) fn in_layer(number: usize, layer: String, source: image_layers::LayerError) -> Self {
        match source {
            image_layers::LayerError::Limit { breach, .. } if breach.is_of_image() => Self::TooLarge {
                what: "image".to_owned(),
                actual: breach.maximum.saturating_add(1),
                limit: breach.maximum,
                unit: breach.limit,
            },
            source => Self::BadLayer { number, layer, source },
        }
    }

    /// The class of the error.
    pub fn kind(&self) -> ScanErrorKind {
        match self {
            Self::ImageNotFound { .. }
            | Self::ImageNotInDaemon { .. }
            | Self::PlatformMissing { .. }
            | Self::SeveralImages { .. }
            | Self::ImageNotInArchive { .. } => ScanErrorKind::NotFound,
            Self::Unauthorized { .. } | Self::CredentialHelper { .. } => ScanErrorKind::Unauthorized,
            Self::RateLimited { .. } => ScanErrorKind::RateLimited,
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::UnexpectedStatus { .. }
            | Self::BadAnswer { .. }
            | Self::ForbiddenTarget { .. }
            | Self::ForbiddenAddress { .. } => ScanErrorKind::Unreachable,
            Self::BlobMissing { .. }
            | Self::Malformed { .. }
            | Self::Inconsistent { .. }
            | Self::DigestMismatch { .. }
            | Self::SizeMismatch { .. }
            | Self::ReaderStopped
            | Self::NotAnArchive { .. } => ScanErrorKind::BadImage,
            Self::BadLayer { source, .. } => crate::load::kind_of_layer_error(source),
            Self::TooLarge { .. } | Self::TooSlow { .. } => ScanErrorKind::LimitExceeded,
            Self::NotAnImage { .. }
            | Self::UnsupportedType { .. }
            | Self::ForeignLayer { .. }
            | Self::ManifestSchema1 => ScanErrorKind::Unsupported,
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                ScanErrorKind::NotFound
            }
            Self::Io { .. }
            | Self::BadCredentialsFile { .. }
            | Self::BadCredentialsEntry { .. }
            | Self::BadContentSettings { .. }
            | Self::BadConnectionSetting { .. } => ScanErrorKind::Io,
            Self::Cancelled => ScanErrorKind::Cancelled,
        }
    }

    /// Whether the same question may be answered later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::TooSlow { .. } => true,
            Self::UnexpectedStatus { status, .. } => *status >= 500,
            Self::ImageNotFound { .. }
            | Self::ImageNotInDaemon { .. }
            | Self::BlobMissing { .. }
            | Self::PlatformMissing { .. }
            | Self::SeveralImages { .. }
            | Self::ImageNotInArchive { .. }
            | Self::Unauthorized { .. }
            | Self::CredentialHelper { .. }
            | Self::BadContentSettings { .. }
            | Self::BadCredentialsFile { .. }
            | Self::BadCredentialsEntry { .. }
            | Self::BadAnswer { .. }
            | Self::ForbiddenTarget { .. }
            | Self::ForbiddenAddress { .. }
            | Self::Malformed { .. }
            | Self::Inconsistent { .. }
            | Self::DigestMismatch { .. }
            | Self::SizeMismatch { .. }
            | Self::BadLayer { .. }
            | Self::ReaderStopped
            | Self::TooLarge { .. }
            | Self::NotAnImage { .. }
            | Self::UnsupportedType { .. }
            | Self::ForeignLayer { .. }
            | Self::ManifestSchema1
            | Self::NotAnArchive { .. }
            | Self::Io { .. }
            | Self::BadConnectionSetting { .. }
            | Self::Cancelled => false,
        }
    }

    /// The wait that the registry asked for, where it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
