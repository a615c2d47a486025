//! Settings of the program: file, environment and flags become checked values. The environment is read only here.

pub(crate) mod cluster_webhooks;
mod control_plane;
mod feeds;
pub(crate) mod flags;
pub(crate) mod layers;
mod login;
pub(crate) mod print;
mod registries;
mod secrets;
pub(crate) mod server;
pub(crate) mod setting;
pub(crate) mod table;
#[cfg(test)]
mod tests;
pub(crate) mod traces;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use scanner::{
    Credentials, DaemonSockets, DockerConfig, Glob, LayerCache, ProxyOptions, RegistryOptions, Scope, Secret,
};

use crate::arguments::ImageArguments;
use crate::commands::cache::CacheArguments;
use crate::timing::Timing;

/// Version of the program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Name of the database inside the data folder.
pub(crate) const DATABASE_FILE: &str = "vulnerability.db";
/// Name of the layer cache inside the data folder, and inside the user's folder of caches.
pub(crate) const LAYER_CACHE_FOLDER: &str = "layers";

/// Variables that are no settings of the file: those of `admission`, and what names the file.
pub(crate) const OTHER_VARIABLES: &[&str] = &[
    "LAZARET_CONFIG",
    "LAZARET_CACHE_FOLDER",
    "LAZARET_KUBECONFIG",
    "LAZARET_CONTEXT",
    "LAZARET_ENGINE_URL",
    "LAZARET_ENGINE_USER",
    "LAZARET_ENGINE_PASSWORD",
    "LAZARET_ENGINE_PASSWORD_FILE",
    "LAZARET_ENGINE_CA",
    "LAZARET_ENGINE_INSECURE",
    "LAZARET_POLICY",
    "LAZARET_ADMISSION_LISTEN",
    "LAZARET_ADMISSION_NAME",
    "LAZARET_HEALTH_LISTEN",
    "LAZARET_STATE_DIR",
    "LAZARET_NAMESPACE",
    "LAZARET_UNDECIDED",
    "LAZARET_WAIT",
    "LAZARET_TAG_TTL",
    "LAZARET_AUDIT_TTL",
];

/// Checked settings about where images are had from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageConfig {
    pub(crate) insecure_registries: BTreeSet<String>,
    pub(crate) ca_certificates: Vec<PathBuf>,
    pub(crate) docker_config: Option<PathBuf>,
    /// Whether no progress is drawn.
    pub(crate) is_quiet: bool,
    pub(crate) layer_cache: Option<LayerCache>,
    /// `None`: as many as there are processors.
    pub(crate) layers_at_once: Option<usize>,
    /// Bytes for reading an image; `None`: as many as the scanner says.
    pub(crate) memory_bytes_max: Option<u64>,
    /// Whether layers may be read by their tables of contents.
    pub(crate) partial_reads: bool,
    /// Where nothing is looked for.
    pub(crate) excluded: Vec<Glob>,
    pub(crate) scope: Scope,
    pub(crate) daemons: DaemonSockets,
    /// Who takes the time.
    pub(crate) timing: Option<Arc<Timing>>,
}

impl ImageConfig {
    /// Fills in the customary place of Docker's configuration.
    pub(crate) fn load(arguments: ImageArguments) -> Self {
        let ImageArguments {
            insecure_registries,
            ca_certificates,
            docker_config,
            quiet,
            cache,
            layers_at_once,
            memory_bytes_max,
            partial_reads,
            excluded,
            scope,
        } = arguments;
        Self {
            insecure_registries: hosts(insecure_registries),
            ca_certificates,
            docker_config: docker_config.or_else(docker_config_default),
            is_quiet: quiet,
            layer_cache: layer_cache(&cache),
            layers_at_once,
            memory_bytes_max,
            partial_reads,
            excluded,
            scope,
            daemons: daemon_sockets(),
            timing: None,
        }
    }

    /// How registries are spoken to.
    pub(crate) fn registry_options(&self) -> RegistryOptions {
        let Self { insecure_registries, ca_certificates, docker_config, .. } = self;
        let either = |upper: &str, lower: &str| variable(lower).or_else(|| variable(upper));
        RegistryOptions {
            insecure_registries: insecure_registries.clone(),
            ca_certificates: ca_certificates.clone(),
            credentials: docker_config.as_ref().map_or(Credentials::Anonymous, |path| {
                Credentials::DockerConfig(DockerConfig { path: path.clone(), helper_folder: None })
            }),
            proxy: ProxyOptions {
                https: either("HTTPS_PROXY", "https_proxy").map(Secret::new),
                http: variable("http_proxy").map(Secret::new),
                exceptions: either("NO_PROXY", "no_proxy"),
            },
            ..RegistryOptions::default()
        }
    }
}

/// Where programs listen that keep images: what their own clients are told by the environment, else the customary places.
fn daemon_sockets() -> DaemonSockets {
    let defaults = DaemonSockets::default();
    let socket = |name: &str| {
        let address = variable(name)?;
        address.strip_prefix("unix://").map(PathBuf::from)
    };
    let of_user = || {
        let path = Path::new(&variable("XDG_RUNTIME_DIR")?).join("podman/podman.sock");
        path.exists().then_some(path)
    };
    DaemonSockets {
        docker: socket("DOCKER_HOST").unwrap_or(defaults.docker),
        podman: socket("CONTAINER_HOST").or_else(of_user).unwrap_or(defaults.podman),
        containerd: variable("CONTAINERD_ADDRESS").map_or(defaults.containerd, PathBuf::from),
        containerd_namespace: variable("CONTAINERD_NAMESPACE").unwrap_or(defaults.containerd_namespace),
    }
}

fn hosts(words: Vec<String>) -> BTreeSet<String> {
    let hosts = words.into_iter().map(|host| host.trim().to_ascii_lowercase());
    hosts.filter(|host| !host.is_empty()).collect()
}

/// Reads a small text file that a person wrote.
///
/// Errors: it cannot be read, is larger than `bytes_max`, or is not UTF-8.
pub(crate) fn load_text(path: &Path, bytes_max: u64) -> anyhow::Result<String> {
    let file = fs_err::File::open(path)?;
    let length = file.metadata()?.len();
    if length > bytes_max {
        bail!("`{}` has {length} bytes (limit {bytes_max})", path.display());
    }
    // A pipe or device states no length.
    let mut bytes = Vec::new();
    if io::copy(&mut file.take(bytes_max.saturating_add(1)), &mut bytes)? > bytes_max {
        bail!("`{}` has more than {bytes_max} bytes", path.display());
    }
    String::from_utf8(bytes).with_context(|| format!("`{}` is not UTF-8 text", path.display()))
}

/// The database that is meant when none is named.
pub(crate) fn database_default() -> anyhow::Result<PathBuf> {
    let data_dir = variable("LAZARET_DATA_DIR").map(PathBuf::from).or_else(data_dir_default);
    match data_dir {
        Some(data_dir) => Ok(data_dir.join(DATABASE_FILE)),
        None => bail!("there is no home folder with a database in it: give --db FILE"),
    }
}

/// `$XDG_DATA_HOME/lazaret` or `~/.local/share/lazaret`.
pub(crate) fn data_dir_default() -> Option<PathBuf> {
    match variable("XDG_DATA_HOME") {
        Some(folder) => Some(Path::new(&folder).join("lazaret")),
        None => variable("HOME").map(|home| Path::new(&home).join(".local/share/lazaret")),
    }
}

/// The cache that a local command uses: the flags', that of `LAZARET_CACHE_FOLDER` (`off` for none), `$XDG_CACHE_HOME/lazaret/layers`
/// or `~/.cache/lazaret/layers`.
pub(crate) fn layer_cache(arguments: &CacheArguments) -> Option<LayerCache> {
    let CacheArguments { cache_folder, no_cache } = arguments;
    let named = variable("LAZARET_CACHE_FOLDER");
    if *no_cache || (cache_folder.is_none() && named.as_deref() == Some("off")) {
        return None;
    }
    let folder = cache_folder.clone().or(named.map(PathBuf::from)).or_else(|| {
        let caches = match variable("XDG_CACHE_HOME") {
            Some(folder) => PathBuf::from(folder),
            None => Path::new(&variable("HOME")?).join(".cache"),
        };
        Some(caches.join("lazaret").join(LAYER_CACHE_FOLDER))
    })?;
    Some(LayerCache::new(folder, LayerCache::BYTES_MAX_DEFAULT))
}

fn docker_config_default() -> Option<PathBuf> {
    let path = match variable("DOCKER_CONFIG") {
        Some(folder) => Path::new(&folder).join("config.json"),
        None => Path::new(&variable("HOME")?).join(".docker/config.json"),
    };
    path.is_file().then_some(path)
}

/// Whether the user or the kind of terminal wants no colours (no-color.org).
pub(crate) fn wants_no_color() -> bool {
    variable("NO_COLOR").is_some() || variable("TERM").as_deref() == Some("dumb")
}

/// The time that reproducible builds give their outputs (reproducible-builds.org/specs/source-date-epoch).
pub(crate) fn source_date_epoch() -> anyhow::Result<Option<jiff::Timestamp>> {
    let Some(text) = variable("SOURCE_DATE_EPOCH") else {
        return Ok(None);
    };
    let seconds = text.parse().ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    seconds.map(Some).with_context(|| format!("SOURCE_DATE_EPOCH is `{text}`, and no number of seconds"))
}

/// What a job of GitHub knows of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct GithubVariables {
    pub(crate) sha: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) correlator: Option<String>,
}

/// The variables that GitHub gives its jobs.
pub(crate) fn github_variables() -> GithubVariables {
    let correlator = variable("GITHUB_WORKFLOW").zip(variable("GITHUB_JOB"));
    GithubVariables {
        sha: variable("GITHUB_SHA"),
        reference: variable("GITHUB_REF"),
        id: variable("GITHUB_RUN_ID"),
        correlator: correlator.map(|(workflow, job)| format!("{workflow} {job}")),
    }
}

/// A variable of the environment that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "this module is the one reader of the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The file in which the first start of a server on this machine leaves a token.
pub(crate) fn token_file() -> Option<PathBuf> {
    let data_dir = variable("LAZARET_DATA_DIR").map(PathBuf::from).or_else(data_dir_default)?;
    Some(data_dir.join(::control_plane::TOKEN_FILE))
}

/// What the machine is called.
pub(crate) fn machine_name() -> Option<String> {
    let text = load_text(Path::new("/proc/sys/kernel/hostname"), 1024).ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

/// All variables of ours that are set and not empty.
fn variables() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, value)| name.starts_with("LAZARET_") && !value.is_empty())
        .collect()
}

/// The variables that OpenTelemetry gives a meaning of its own, set and not empty.
fn opentelemetry_variables() -> BTreeMap<String, String> {
    let known = traces::VARIABLES.into_iter();
    known.filter_map(|name| Some((name.to_owned(), variable(name)?))).collect()
}

/// The clock that the wiring hands to everything that needs one.
#[expect(clippy::disallowed_methods, reason = "this is where the clock enters the program")]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
