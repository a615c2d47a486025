//! Settings of the servers: file, environment and flags become one checked value. The environment is read only here.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::arguments::{ImageArguments, LogFormat, ServeArguments};

/// Version of the program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Name of the database inside the data folder.
pub(crate) const DATABASE_FILE: &str = "vulnerability.db";

const CONFIG_BYTES_MAX: u64 = 1 << 20;
const WORKERS_DEFAULT: usize = 2;
const WORKERS_MAX: usize = 64;

/// The configuration file, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ServeFile {
    data_dir: Option<PathBuf>,
    listen: Option<SocketAddr>,
    engine_listen: Option<SocketAddr>,
    db: Option<PathBuf>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    allow_plain_http: Option<bool>,
    workers: Option<usize>,
    log: Option<String>,
    log_format: Option<LogFormat>,
    #[serde(default)]
    insecure_registry: Vec<String>,
    #[serde(default)]
    ca_certificate: Vec<PathBuf>,
    docker_config: Option<PathBuf>,
}

/// Certificate and key of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Checked settings of `serve`.
#[derive(Debug)]
pub(crate) struct ServeConfig {
    pub(crate) data_dir: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) engine_listen: SocketAddr,
    pub(crate) database: PathBuf,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) workers: usize,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    pub(crate) admin_password: Option<String>,
    pub(crate) images: ImageConfig,
}

/// Checked settings about where images are had from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageConfig {
    pub(crate) insecure_registries: BTreeSet<String>,
    pub(crate) ca_certificates: Vec<PathBuf>,
    pub(crate) docker_config: Option<PathBuf>,
}

impl ServeConfig {
    /// Puts file, environment and flags together; flags win over variables, variables over the file.
    ///
    /// Errors: all problems at once, each naming the setting and what to do.
    pub(crate) fn load(arguments: ServeArguments) -> anyhow::Result<Self> {
        let file = match &arguments.config {
            Some(path) => load_file(path)?,
            None => ServeFile::default(),
        };
        Self::merge(arguments, file, data_dir_default(), admin_password_variable())
    }

    fn merge(
        arguments: ServeArguments,
        file: ServeFile,
        data_dir_default: Option<PathBuf>,
        admin_password: Option<String>,
    ) -> anyhow::Result<Self> {
        let mut problems = Vec::new();
        let data_dir = arguments.data_dir.or(file.data_dir).or(data_dir_default);
        if data_dir.is_none() {
            problems.push("there is no home folder to store data in: give --data-dir".to_owned());
        }
        let data_dir = data_dir.unwrap_or_default();
        let listen = arguments.listen.or(file.listen).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9090)));
        let engine_listen = arguments
            .engine_listen
            .or(file.engine_listen)
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8228)));
        let tls = tls_files(
            arguments.tls_certificate.or(file.tls_certificate),
            arguments.tls_key.or(file.tls_key),
            &mut problems,
        );
        let allow_plain_http = arguments.allow_plain_http.or(file.allow_plain_http).unwrap_or(false);
        for (name, address) in [("listen", listen), ("engine-listen", engine_listen)] {
            if tls.is_none() && !allow_plain_http && !address.ip().is_loopback() {
                problems.push(format!(
                    "--{name} {address} is reached by other machines, so it needs --tls-certificate and --tls-key \
                     (or --allow-plain-http, when something in front of it speaks TLS)"
                ));
            }
        }
        if listen == engine_listen && listen.port() != 0 {
            problems
                .push(format!("--listen and --engine-listen are both {listen}: give them different ports"));
        }
        let workers = arguments.workers.or(file.workers).unwrap_or(WORKERS_DEFAULT);
        if !(1..=WORKERS_MAX).contains(&workers) {
            problems.push(format!("--workers {workers} is not between 1 and {WORKERS_MAX}"));
        }
        if admin_password.as_ref().is_some_and(|password| password.chars().count() < 6) {
            problems.push("LAZARET_ADMIN_PASSWORD has fewer than 6 characters".to_owned());
        }
        if !problems.is_empty() {
            bail!("{}", problems.join("\nerror: "));
        }
        let database = arguments.db.or(file.db).unwrap_or_else(|| data_dir.join(DATABASE_FILE));
        let images = ImageArguments {
            insecure_registries: or(arguments.images.insecure_registries, file.insecure_registry),
            ca_certificates: or(arguments.images.ca_certificates, file.ca_certificate),
            docker_config: arguments.images.docker_config.or(file.docker_config),
        };
        Ok(Self {
            data_dir,
            listen,
            engine_listen,
            database,
            tls,
            workers,
            log: arguments.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
            log_format: arguments.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
            admin_password,
            images: ImageConfig::load(images),
        })
    }
}

impl ImageConfig {
    /// Fills in the customary place of Docker's configuration.
    pub(crate) fn load(arguments: ImageArguments) -> Self {
        let ImageArguments { insecure_registries, ca_certificates, docker_config } = arguments;
        Self {
            insecure_registries: insecure_registries
                .into_iter()
                .map(|host| host.trim().to_ascii_lowercase())
                .filter(|host| !host.is_empty())
                .collect(),
            ca_certificates,
            docker_config: docker_config.or_else(docker_config_default),
        }
    }
}

fn or<T>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    if first.is_empty() { second } else { first }
}

fn tls_files(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    problems: &mut Vec<String>,
) -> Option<TlsFiles> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, None) => None,
        (Some(_), None) => {
            problems.push("--tls-certificate needs --tls-key".to_owned());
            None
        }
        (None, Some(_)) => {
            problems.push("--tls-key needs --tls-certificate".to_owned());
            None
        }
    }
}

fn load_file(path: &Path) -> anyhow::Result<ServeFile> {
    let text = load_text(path, CONFIG_BYTES_MAX)?;
    toml::from_str(&text).with_context(|| format!("failed to read the configuration `{}`", path.display()))
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

fn docker_config_default() -> Option<PathBuf> {
    let path = match variable("DOCKER_CONFIG") {
        Some(folder) => Path::new(&folder).join("config.json"),
        None => Path::new(&variable("HOME")?).join(".docker/config.json"),
    };
    path.is_file().then_some(path)
}

fn admin_password_variable() -> Option<String> {
    variable("LAZARET_ADMIN_PASSWORD")
}

/// A variable of the environment that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "this module is the one reader of the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The clock that the wiring hands to everything that needs one.
#[expect(clippy::disallowed_methods, reason = "this is where the clock enters the program")]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(arguments: ServeArguments, file: &str) -> anyhow::Result<ServeConfig> {
        let file = toml::from_str(file)?;
        ServeConfig::merge(arguments, file, Some(PathBuf::from("/home/a/data")), None)
    }

    #[test]
    fn a_text_has_a_largest_size_even_where_none_is_stated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        for (length, is_good) in [(9, true), (10, true), (11, false)] {
            std::fs::write(&path, "x".repeat(length)).unwrap();
            assert_eq!(load_text(&path, 10).is_ok(), is_good, "{length}");
        }
        assert!(load_text(Path::new("/dev/zero"), 10).is_err());
        std::fs::write(&path, b"\xff").unwrap();
        assert!(load_text(&path, 10).is_err());
    }

    #[test]
    fn defaults_stay_on_this_machine() {
        let config = merge(ServeArguments::default(), "").unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:9090");
        assert_eq!(config.engine_listen.to_string(), "127.0.0.1:8228");
        assert_eq!(config.database, PathBuf::from("/home/a/data/vulnerability.db"));
        assert!(config.tls.is_none());
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let arguments = ServeArguments {
            listen: Some("127.0.0.1:1".parse().unwrap()),
            images: ImageArguments { insecure_registries: vec!["A:1".into()], ..Default::default() },
            ..Default::default()
        };
        let file =
            "listen = '127.0.0.1:2'\nengine-listen = '127.0.0.1:3'\ninsecure-registry = ['b:1']\nworkers = 3";
        let config = merge(arguments, file).unwrap();
        assert_eq!(config.listen.port(), 1);
        assert_eq!(config.engine_listen.port(), 3);
        assert_eq!(config.workers, 3);
        assert_eq!(config.images.insecure_registries, BTreeSet::from(["a:1".to_owned()]));
    }

    #[test]
    fn an_address_that_others_reach_needs_a_certificate_or_consent() {
        let open = || Some("0.0.0.0:9090".parse::<SocketAddr>().unwrap());
        let refused = merge(ServeArguments { listen: open(), ..Default::default() }, "").unwrap_err();
        assert!(refused.to_string().contains("--tls-certificate"), "{refused}");
        let told = ServeArguments { listen: open(), allow_plain_http: Some(true), ..Default::default() };
        assert!(merge(told, "").is_ok());
        let secured = ServeArguments {
            listen: open(),
            tls_certificate: Some("c".into()),
            tls_key: Some("k".into()),
            ..Default::default()
        };
        assert!(merge(secured, "").is_ok());
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let arguments = ServeArguments {
            engine_listen: Some("[::]:8228".parse().unwrap()),
            tls_key: Some("k".into()),
            workers: Some(0),
            ..Default::default()
        };
        let text = merge(arguments, "").unwrap_err().to_string();
        for part in ["--tls-key needs --tls-certificate", "--engine-listen [::]:8228", "--workers 0"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn an_unknown_key_is_named() {
        let text = format!("{:#}", merge(ServeArguments::default(), "lisen = '127.0.0.1:1'").unwrap_err());
        assert!(text.contains("lisen"), "{text}");
    }
}
