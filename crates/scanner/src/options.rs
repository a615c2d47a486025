//! What a caller chooses: limits, platform, and how registries are spoken to.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use image_layers::ImageLimits;
use model::Platform;
use outbound_guard::RegistryAddresses;
use tokio_util::sync::CancellationToken;

use crate::LayerCache;
use crate::contents::ContentSettings;
use crate::excluded::ExcludedPaths;
use crate::progress::Progress;
pub use crate::registry::Connections;

/// How an image is read.
#[derive(Clone)]
pub struct ScanOptions {
    /// Limits of layers and of the whole image.
    pub limits: ImageLimits,
    /// Which image of an index is taken.
    pub platform: Platform,
    /// What is looked for in files; `None`: attributes and contents of files are not looked at, which is faster.
    pub contents: Option<ContentSettings>,
    /// Where facts of layers and inventories of images are kept from scan to scan; `None`: nowhere.
    ///
    /// With `contents` it is not used: attributes, checksums and matches of patterns would make the facts many times larger, and
    /// files that a setting names must not lie in a folder of files.
    pub layer_cache: Option<LayerCache>,
    /// Whether layers of registries that have a table of contents are read in parts, where that spares bytes.
    ///
    /// What a layer is by its table is what whoever pushed it says: nothing holds it against the layer's digests, and a runtime
    /// may unpack something else. The inventory tells of each such layer, and none goes into `layer_cache`. Not used with
    /// `contents`, for which all bytes are needed.
    pub partial_reads: bool,
    /// Paths in which nothing is looked for.
    pub excluded: ExcludedPaths,
    /// Of which layers packages count.
    pub scope: Scope,
    /// How many layers are read at the same time, each by two threads. What one of them takes beside the facts that are kept is
    /// about 1.5 MB, and the window of a zstd layer.
    pub layers_at_once: usize,
    /// How registries are spoken to.
    pub registry: RegistryOptions,
    /// Where programs listen that keep images on this machine.
    pub daemons: DaemonSockets,
    /// Who is told how it goes on.
    pub progress: Option<Arc<dyn Progress>>,
    /// Stops the work when cancelled.
    pub cancellation: CancellationToken,
    /// Longest time for a whole [`crate::load`] or [`crate::resolve`].
    pub time_max: Duration,
}

impl Default for ScanOptions {
    /// `linux/amd64`, default limits, no credentials, as many layers at once as there are processors, 30 minutes.
    fn default() -> Self {
        Self {
            limits: ImageLimits::default(),
            platform: Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None },
            contents: None,
            excluded: ExcludedPaths::default(),
            scope: Scope::default(),
            daemons: DaemonSockets::default(),
            layer_cache: None,
            partial_reads: false,
            layers_at_once: layers_at_once_default(),
            registry: RegistryOptions::default(),
            progress: None,
            cancellation: CancellationToken::new(),
            time_max: Duration::from_secs(30 * 60),
        }
    }
}

/// What reading one layer takes beside what is kept of it and its window.
const LAYER_BYTES: u64 = 2 << 20;
/// Every decoder of zstd must know windows of so many bytes, as a logarithm.
const WINDOW_LOG_MIN: u32 = 23;

impl ScanOptions {
    /// What reading one image may take of memory where nobody says otherwise: 2 GiB.
    pub const MEMORY_BYTES_MAX_DEFAULT: u64 = 2 << 30;

    /// Bounds what reading one image takes of memory: half is for what is kept of all layers, half for reading them.
    ///
    /// An image that needs more than the first is refused. For the second fewer layers are read at once than is set, and then larger
    /// windows of zstd are refused; one layer is always read. The list of packages comes on top: it has limits of its own.
    pub fn bound_memory(&mut self, bytes_max: u64) {
        self.limits.held_bytes_max = bytes_max / 2;
        let layers = usize::try_from(bytes_max / 2 / (LAYER_BYTES + (1 << WINDOW_LOG_MIN)));
        self.layers_at_once = self.layers_at_once.min(layers.unwrap_or(usize::MAX)).max(1);
        let window = (bytes_max / 2 / self.layers_at_once as u64).saturating_sub(LAYER_BYTES);
        let window_log = window.checked_ilog2().unwrap_or_default().max(WINDOW_LOG_MIN);
        self.limits.zstd_window_log_max = self.limits.zstd_window_log_max.min(window_log);
    }
}

/// Never fewer than two: one is unpacked while the other is waited for.
fn layers_at_once_default() -> usize {
    std::thread::available_parallelism().map_or(2, |count| count.get().clamp(2, 16))
}

impl fmt::Debug for ScanOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ScanOptions")
            .field("platform", &self.platform)
            .field("contents", &self.contents)
            .field("layer_cache", &self.layer_cache)
            .field("partial_reads", &self.partial_reads)
            .field("registry", &self.registry)
            .field("time_max", &self.time_max)
            .finish_non_exhaustive()
    }
}

/// Of which layers packages count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// What a container sees.
    #[default]
    Squashed,
    /// Also what a later layer has replaced or removed: who has the image has that as well.
    AllLayers,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Squashed, Self::AllLayers];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Squashed => "squashed",
            Self::AllLayers => "all-layers",
        }
    }
}

/// Sockets of programs that keep images on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonSockets {
    /// Docker's.
    pub docker: PathBuf,
    /// Podman's.
    pub podman: PathBuf,
    /// containerd's.
    pub containerd: PathBuf,
    /// Which of containerd's bodies of images is asked.
    pub containerd_namespace: String,
}

impl Default for DaemonSockets {
    /// Where they listen when nobody says otherwise; `default` of containerd.
    fn default() -> Self {
        Self {
            docker: "/var/run/docker.sock".into(),
            podman: "/run/podman/podman.sock".into(),
            containerd: "/run/containerd/containerd.sock".into(),
            containerd_namespace: "default".to_owned(),
        }
    }
}

/// How registries are spoken to.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// Registries without verified TLS, as they are written in references (`host` or `host:port`).
    ///
    /// Such a registry is asked over plain HTTP, or, if its port is 443, over TLS whose certificate is not checked.
    /// Written as `https://host:port` it is TLS without a check on any port. Nothing else ever skips the check.
    pub insecure_registries: BTreeSet<String>,
    /// Who to be.
    pub credentials: Credentials,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// How often to ask again.
    pub retry: RetryOptions,
    /// PEM files with certificate authorities that are trusted besides those of the system.
    pub ca_certificates: Vec<PathBuf>,
    /// Proxies; the environment is not read. Where names lead is then the proxy's to know and to restrict.
    pub proxy: ProxyOptions,
    /// To which addresses references, token services and redirects may lead; by default to all.
    pub addresses: RegistryAddresses,
    /// Open connections; keep (clone) the value between calls to reuse them.
    pub connections: Connections,
}

/// Proxies of outgoing connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyOptions {
    /// Address of the proxy for `https`, with user and password if it wants them.
    pub https: Option<Secret>,
    /// Address of the proxy for `http`.
    pub http: Option<Secret>,
    /// Hosts that are asked directly, in the usual `NO_PROXY` form.
    pub exceptions: Option<String>,
}

/// How long to wait for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the head of an answer, after the request was sent.
    pub answer: Duration,
    /// For the next bytes of a body.
    pub idle: Duration,
    /// For the whole body of a small document: manifest, configuration, token.
    pub document: Duration,
    /// For a credential helper.
    pub helper: Duration,
}

impl Default for Timeouts {
    /// 10 s, 30 s, 30 s, 60 s, 20 s.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connect: seconds(10),
            answer: seconds(30),
            idle: seconds(30),
            document: seconds(60),
            helper: seconds(20),
        }
    }
}

/// How often a registry is asked again after 429, 502, 503, 504 or a failed connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryOptions {
    /// All tries of one request, the first included.
    pub tries_max: u32,
    /// Wait before the second try; doubles each time. `Retry-After` wins.
    pub wait_first: Duration,
    /// A longer wait is not waited for: the error tells it, and the caller can come back.
    pub wait_max: Duration,
}

impl Default for RetryOptions {
    /// 4 tries, 0.5 s, 20 s.
    fn default() -> Self {
        Self { tries_max: 4, wait_first: Duration::from_millis(500), wait_max: Duration::from_secs(20) }
    }
}

/// Who to be at a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Credentials {
    /// Nobody.
    #[default]
    Anonymous,
    /// The most specific login whose scope covers the image; nobody where none does.
    Logins(Vec<RegistryLogin>),
    /// What a Docker configuration file says, with its helpers.
    DockerConfig(DockerConfig),
    /// The first that has something for the image.
    FirstOf(Vec<Credentials>),
}

/// A user and password for a registry or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegistryLogin {
    /// `host[:port]`, `host/repository` (with everything below it) or `host/prefix*`.
    pub scope: String,
    /// User.
    pub user: String,
    /// Password or access token.
    pub password: Secret,
}

/// A Docker configuration file (`config.json`, also podman's `auth.json`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DockerConfig {
    /// The file. It need not exist.
    pub path: PathBuf,
    /// Folder with the helper programs (`docker-credential-NAME`); `None` is the search path.
    pub helper_folder: Option<PathBuf>,
}

/// A text that must not be seen: its `Debug` form hides it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for sending it to whom it is for.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared_by_what_is_kept_and_what_is_read() {
        const MIB: u64 = 1 << 20;
        for (bytes_max, layers_at_once, expected) in [
            (2048 * MIB, 2, (1024 * MIB, 2, 27)),
            (2048 * MIB, 16, (1024 * MIB, 16, 25)),
            (256 * MIB, 16, (128 * MIB, 12, 23)),
            (60 * MIB, 4, (30 * MIB, 3, 23)),
            (MIB, 4, (MIB / 2, 1, 23)),
        ] {
            let mut options = ScanOptions { layers_at_once, ..ScanOptions::default() };
            options.bound_memory(bytes_max);
            let limits = options.limits;
            let actual = (limits.held_bytes_max, options.layers_at_once, limits.zstd_window_log_max);
            assert_eq!(actual, expected, "{bytes_max} {layers_at_once}");
        }
    }

    #[test]
    fn options_can_be_printed_without_secrets() {
        let login = RegistryLogin { scope: "h".into(), user: "u".into(), password: Secret::new("hunter2") };
        let mut options = ScanOptions::default();
        options.registry.credentials = Credentials::FirstOf(vec![Credentials::Logins(vec![login])]);
        options.registry.proxy.https = Some(Secret::new("http://u:hunter2@proxy"));
        let printed = format!("{options:?}");
        assert!(!printed.contains("hunter2"), "{printed}");
        assert!(printed.contains("Secret(…)"), "{printed}");
    }
}
