//! The checked settings of the servers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ::control_plane::ControlPlaneSettings;
use anyhow::bail;
use engine::{EngineSettings, Intervals};
use scanner::{ContentSettings, LayerCache, NamedPattern};
use storage::{Location, PostgresSettings};

use super::cluster_webhooks::WebhooksConfig;
use super::flags::SettingFlags;
use super::layers::{Inputs, Values, load_file};
use super::setting::Value;
use super::traces::{self, TracingConfig};
use super::{
    DATABASE_FILE, ImageConfig, cluster_webhooks, control_plane, data_dir_default, docker_config_default,
    now, registries, webhooks,
};
use crate::arguments::LogFormat;

const CONFIG_BYTES_MAX: u64 = 1 << 20;
const PASSWORD_CHARS_MIN: usize = 6;

/// Certificate and key of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// How log lines are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoggingConfig {
    pub(crate) filter: String,
    pub(crate) format: LogFormat,
}

/// Checked settings of a server.
#[derive(Debug)]
pub(crate) struct ServerConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) engine_listen: SocketAddr,
    /// Where monitoring asks, if it may.
    pub(crate) metrics_listen: Option<SocketAddr>,
    pub(crate) tls: Option<TlsFiles>,
    /// The webhooks of clusters, if they are here.
    pub(crate) webhooks: Option<WebhooksConfig>,
    pub(crate) logging: LoggingConfig,
    /// Who is told about spans, if anybody.
    pub(crate) tracing: Option<TracingConfig>,
    pub(crate) engine: EngineSettings,
    pub(crate) control_plane: ControlPlaneSettings,
    /// What is probably a slip; told when logging runs.
    pub(crate) warnings: Vec<String>,
}

/// What depends on the machine rather than on what was written.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) docker_config: Option<PathBuf>,
    pub(crate) machine: Option<String>,
    /// Whether this is the webhook of one cluster, in it: who names images there is at home there.
    pub(crate) is_webhook: bool,
    /// Variables that every program with OpenTelemetry knows.
    pub(crate) opentelemetry: BTreeMap<String, String>,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn here() -> Self {
        Self {
            data_dir: data_dir_default(),
            docker_config: docker_config_default(),
            machine: super::machine_name(),
            is_webhook: false,
            opentelemetry: super::opentelemetry_variables(),
        }
    }
}

impl ServerConfig {
    /// Puts file, environment and flags together.
    ///
    /// Errors: all problems at once, each naming the place and what to do.
    pub(crate) fn load<C>(flags: SettingFlags<C>, surroundings: Surroundings) -> anyhow::Result<Self> {
        let values = load_values(flags.config.as_deref(), flags.given)?;
        Self::new(values, surroundings)
    }

    /// Checks what the values say together.
    ///
    /// Errors: all problems at once, those of the values first.
    pub(crate) fn new(mut values: Values, surroundings: Surroundings) -> anyhow::Result<Self> {
        let mut problems = std::mem::take(&mut values.problems);
        let tls = tls_files(&values, &mut problems);
        let tracing = traces::load(&values, &surroundings.opentelemetry, &mut problems);
        let mut engine = engine_settings(&values, surroundings, &mut problems);
        engine.other_tables = || vec![::control_plane::migrations()];
        let listen = values.address("listeners.control-plane").unwrap_or(UNSET);
        let config = Self {
            control_plane: control_plane::settings(&values, &engine, listen, &mut problems),
            engine,
            listen,
            engine_listen: values.address("listeners.engine").unwrap_or(UNSET),
            metrics_listen: values.address("listeners.metrics"),
            logging: logging(&values, &mut problems),
            tracing,
            warnings: std::mem::take(&mut values.warnings),
            webhooks: cluster_webhooks::settings(&values, &mut problems),
            tls,
        };
        config.check_listeners(&values, &mut problems);
        if !problems.is_empty() {
            bail!("{}", problems.join("\nerror: "));
        }
        Ok(config)
    }

    /// Where the tables are, for people.
    pub(crate) fn storage_text(&self) -> String {
        match &self.engine.storage {
            Some(location) => location.describe(),
            None => "SQLite in the data folder".to_owned(),
        }
    }

    fn check_listeners(&self, values: &Values, problems: &mut Vec<String>) {
        let (control_plane, engine) = ("listeners.control-plane", "listeners.engine");
        for (key, address) in [(control_plane, self.listen), (engine, self.engine_listen)] {
            let place = values.place(key);
            if self.tls.is_none()
                && !values.is_on("listeners.allow-plain-http")
                && !address.ip().is_loopback()
            {
                problems.push(format!(
                    "{place}: {address} is reached by other machines, so it needs --tls-certificate and --tls-key \
                     (or --allow-plain-http, when something in front of it speaks TLS)"
                ));
            }
        }
        if self.listen == self.engine_listen && self.listen.port() != 0 {
            problems.push(format!(
                "{} and {} are both {}: give them different ports",
                values.place(control_plane),
                values.place(engine),
                self.listen
            ));
        }
    }
}

const UNSET: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// All layers, before anything is checked together.
///
/// Errors: the file cannot be read at all.
pub(crate) fn load_values(
    file: Option<&Path>,
    flags: Vec<(String, String, String)>,
) -> anyhow::Result<Values> {
    let file = file.map(|path| load_file(path, CONFIG_BYTES_MAX)).transpose()?;
    Ok(Values::collect(&Inputs { file, environment: super::variables(), flags }))
}

fn tls_files(values: &Values, problems: &mut Vec<String>) -> Option<TlsFiles> {
    let (certificate, key) = ("listeners.tls-certificate", "listeners.tls-key");
    for name in [certificate, key] {
        check_file(values, name, values.path(name), problems);
    }
    match (values.path(certificate), values.path(key)) {
        (Some(certificate), Some(key)) => return Some(TlsFiles { certificate, key }),
        (None, None) => {}
        (Some(_), None) => problems.push(format!("{} needs --tls-key", values.place(certificate))),
        (None, Some(_)) => problems.push(format!("{} needs --tls-certificate", values.place(key))),
    }
    None
}

pub(super) fn check_file(
    values: &Values,
    key: &'static str,
    path: Option<PathBuf>,
    problems: &mut Vec<String>,
) {
    if let Some(path) = path.filter(|path| !path.is_file()) {
        problems.push(format!("{}: there is no file `{}`", values.place(key), path.display()));
    }
}

fn logging(values: &Values, problems: &mut Vec<String>) -> LoggingConfig {
    let filter = values.text("logging.filter").unwrap_or_default();
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&filter) {
        problems.push(format!(
            "{}: `{filter}` is no filter, as info or info,engine=debug: {error}",
            values.place("logging.filter")
        ));
    }
    let is_json = values.text("logging.format").as_deref() == Some("json");
    LoggingConfig { filter, format: if is_json { LogFormat::Json } else { LogFormat::Text } }
}

fn engine_settings(
    values: &Values,
    surroundings: Surroundings,
    problems: &mut Vec<String>,
) -> EngineSettings {
    let data_dir = values.path("data.folder").or(surroundings.data_dir);
    if data_dir.is_none() {
        problems.push("there is no home folder to store data in: give --data-dir".to_owned());
    }
    let data_dir = data_dir.unwrap_or_default();
    let database = values.path("data.vulnerability-database").unwrap_or_else(|| data_dir.join(DATABASE_FILE));
    let mut settings = EngineSettings::new(data_dir, database, now);
    settings.admin_password = values.text("data.admin-password");
    if settings.admin_password.as_ref().is_some_and(|text| text.chars().count() < PASSWORD_CHARS_MIN) {
        problems.push(format!(
            "{} has fewer than {PASSWORD_CHARS_MIN} characters",
            match values.find("data.admin-password") {
                Some((Value::Text(_), source)) => source.to_string(),
                _ => "the first user's password".to_owned(),
            }
        ));
    }
    settings.storage = storage(values, problems);
    settings.workers = usize::try_from(values.number("analysis.workers")).unwrap_or(1);
    if settings.workers == 0 && settings.storage.is_none() {
        problems.push(format!(
            "{} is 0, so nothing would be analysed: only with PostgreSQL (storage.url) can `lazaret work` do it",
            values.place("analysis.workers")
        ));
    }
    settings.lease = values.duration("analysis.lease");
    settings.key_file = values.path("storage.keys");
    settings.are_tokens_given = values.is_on("listeners.tokens");
    settings.amazon.region = values.text("registries.amazon-region");
    settings.amazon.endpoint = values.text("registries.amazon-endpoint");
    settings.contents = contents(values, problems);
    settings.webhooks = webhooks::settings(values, problems);
    settings.base_url = values.text("process.address").unwrap_or_else(|| {
        let scheme = if values.path("listeners.tls-certificate").is_some() { "https" } else { "http" };
        let address = values.address("listeners.engine").unwrap_or(UNSET);
        format!("{scheme}://{address}")
    });
    settings.intervals = intervals(values);
    settings.events_kept = values.duration("duties.events-kept");
    if let Some(name) = values.text("process.name").or(surroundings.machine) {
        settings.host_id = name;
    }
    scan(values, &mut settings);
    let images = ImageConfig {
        insecure_registries: super::hosts(values.words("registries.insecure")),
        ca_certificates: values.words("registries.ca-certificates").into_iter().map(PathBuf::from).collect(),
        docker_config: values.path("registries.docker-config").or(surroundings.docker_config),
        is_quiet: true,
        layer_cache: None,
        ..ImageConfig::default()
    };
    for path in &images.ca_certificates {
        check_file(values, "registries.ca-certificates", Some(path.clone()), problems);
    }
    settings.scan.registry = images.registry_options();
    settings.scan.registry.addresses =
        registries::addresses(values, &images.insecure_registries, surroundings.is_webhook, problems);
    settings.feeds = super::feeds::settings(values, &settings.scan.registry.proxy, problems);
    settings
}

fn storage(values: &Values, problems: &mut Vec<String>) -> Option<Location> {
    let url = values.text("storage.url")?;
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        problems.push(format!(
            "{}: an address of PostgreSQL begins with postgres:// (without one, tables are in a SQLite file)",
            values.place("storage.url")
        ));
    }
    let connections_max = u32::try_from(values.number("storage.connections")).unwrap_or(u32::MAX);
    Some(Location::Postgres(PostgresSettings { url, connections_max }))
}

fn intervals(values: &Values) -> Intervals {
    Intervals {
        image_deletion: values.duration("duties.image-deletion"),
        account_deletion: values.duration("duties.account-deletion"),
        tag_watch: values.duration("duties.tag-watch"),
        repository_watch: values.duration("duties.repository-watch"),
        policy_evaluation: values.duration("duties.policy-evaluation"),
        vulnerability_update: values.duration("duties.vulnerability-update"),
        archive_transition: values.duration("duties.archive-transition"),
        event_expiry: values.duration("duties.event-expiry"),
        notification_delivery: values.duration("duties.notification-delivery"),
        feed_update: values.duration("duties.feed-update"),
        judge_again: values.duration("duties.judge-again"),
    }
}

fn contents(values: &Values, problems: &mut Vec<String>) -> Option<ContentSettings> {
    if !values.is_on("analysis.look-into-files") {
        return None;
    }
    let mut settings = ContentSettings {
        retrieved_paths: values.words("analysis.retrieved-files"),
        ..ContentSettings::default()
    };
    for (key, patterns) in [
        ("analysis.secret-patterns", &mut settings.secret_patterns),
        ("analysis.content-patterns", &mut settings.content_patterns),
    ] {
        for word in values.words(key) {
            match word.split_once('=') {
                Some((name, pattern)) if !name.is_empty() && !pattern.is_empty() => {
                    patterns.push(NamedPattern { name: name.to_owned(), pattern: pattern.to_owned() });
                }
                _ => problems.push(format!("{}: `{word}` is not NAME=EXPRESSION", values.place(key))),
            }
        }
    }
    if let Err(error) = settings.check() {
        problems.push(format!("{}: {error}", values.place("analysis.secret-patterns")));
    }
    Some(settings)
}

fn scan(values: &Values, settings: &mut EngineSettings) {
    settings.scan.time_max = values.duration("analysis.time-max");
    settings.scan.layer_cache = values.is_on("analysis.layer-cache").then(|| {
        let folder = settings.data_dir.join(super::LAYER_CACHE_FOLDER);
        LayerCache::new(folder, values.number("analysis.layer-cache-bytes"))
    });
    settings.scan.partial_reads = values.is_on("registries.partial-reads");
    let limits = &mut settings.scan.limits;
    limits.layer_bytes_max = values.number("limits.layer-bytes");
    limits.unpacked_bytes_max = values.number("limits.unpacked-bytes");
    limits.entries_max = values.number("limits.entries");
    limits.index_bytes_max = values.number("limits.index-bytes");
    limits.file_bytes_max = values.number("limits.file-bytes");
    limits.kept_bytes_max = values.number("limits.kept-bytes");
    limits.ratio_max = values.number("limits.ratio");
    let layers_at_once = usize::try_from(values.number("analysis.layers-at-once")).unwrap_or(usize::MAX);
    if layers_at_once > 0 {
        settings.scan.layers_at_once = layers_at_once;
    }
    settings.scan.bound_memory(values.number("limits.memory-bytes"));
}
