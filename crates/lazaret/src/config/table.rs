//! All settings, in the order in which they are printed.

use std::sync::LazyLock;

use super::setting::{Commands, Kind, Setting};
use super::{control_plane, login, secrets, webhooks};

const DAY: u64 = 86_400;

/// A setting without a flag of its own.
pub(super) const fn row(key: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Setting {
    Setting { key, kind, default, unset: "none", flag: None, variable: None, commands: Commands::Serve, help }
}

impl Setting {
    const fn flag(mut self, commands: Commands, flag: &'static str, variable: &'static str) -> Self {
        self.commands = commands;
        self.flag = Some(flag);
        self.variable = Some(variable);
        self
    }

    pub(super) const fn unset(mut self, unset: &'static str) -> Self {
        self.unset = unset;
        self
    }

    const fn variable_name(mut self, variable: &'static str) -> Self {
        self.variable = Some(variable);
        self
    }
}

/// What a section is about, in the order of the file.
pub(crate) const SECTIONS: &[(&str, &str)] = &[
    ("data", "Where things are kept"),
    ("storage", "Where accounts, images, policies and jobs are kept"),
    ("listeners", "Who is answered where"),
    ("control-plane", "People, organizations and clusters"),
    ("login", "The OpenID Connect provider that people log in with; without an issuer they have tokens only"),
    ("secrets", "Where the secrets of organizations are kept"),
    ("vault", "The Vault that keeps secrets, where one does"),
    ("analysis", "How images are read"),
    ("limits", "What one image may cost; an image that goes over a limit is refused with the limit's name"),
    ("registries", "Where images come from"),
    (
        "webhooks",
        "Who is told what accounts subscribe to; <userId> and <notification_type> in an address are replaced",
    ),
    ("feeds", "Where vulnerability data comes from"),
    ("duties", "What comes back, done once however many processes share a database"),
    ("process", "What this process is called"),
    ("logging", "What is written to standard error"),
    (
        "tracing",
        "Which collector of OpenTelemetry is told what happens, span by span; without an endpoint nobody is",
    ),
];

/// Every setting.
pub(crate) static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    let mut all: Vec<Setting> = ROWS
        .iter()
        .chain(control_plane::ROWS)
        .chain(login::ROWS)
        .chain(secrets::ROWS)
        .chain(webhooks::ROWS.into_iter().flatten())
        .cloned()
        .collect();
    let place = |setting: &Setting| SECTIONS.iter().position(|(name, _)| *name == setting.section());
    all.sort_by_key(place);
    all
});

const ROWS: &[Setting] = &[
    row("data.folder", Kind::Path, "", "Folder for everything that is stored")
        .flag(Commands::Storage, "data-dir", "LAZARET_DATA_DIR")
        .unset("~/.local/share/lazaret"),
    row(
        "data.vulnerability-database",
        Kind::Path,
        "",
        "Vulnerability database; a replaced file is taken over while the program runs",
    )
    .flag(Commands::Storage, "db", "LAZARET_DB")
    .unset("vulnerability.db in the data folder"),
    row(
        "data.admin-password",
        Kind::Secret,
        "",
        "Password of the first user, admin, when the data folder is new; at least 6 characters",
    )
    .variable_name("LAZARET_ADMIN_PASSWORD")
    .unset("drawn at random and printed once"),
    row(
        "storage.url",
        Kind::Secret,
        "",
        "PostgreSQL that several processes share, postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full",
    )
    .unset("a SQLite file in the data folder, for one process"),
    row("storage.connections", Kind::Count(2, 1000), "16", "Connections of this process to PostgreSQL"),
    row(
        "storage.keys",
        Kind::Path,
        "",
        "Keys that seal passwords for registries; processes that share a database need the same file",
    )
    .unset("sealing.keys in the data folder, made on the first start"),
    row(
        "listeners.control-plane",
        Kind::Address,
        "127.0.0.1:9090",
        "Address of the control plane; port 0 takes a free one, which is printed",
    )
    .flag(Commands::Serve, "listen", "LAZARET_LISTEN"),
    row("listeners.engine", Kind::Address, "127.0.0.1:8228", "Address of the engine API").flag(
        Commands::Serve,
        "engine-listen",
        "LAZARET_ENGINE_LISTEN",
    ),
    row(
        "listeners.metrics",
        Kind::Address,
        "",
        "Address of /metrics, /healthz and /readyz for monitoring: plain HTTP, no password, nothing secret",
    )
    .flag(Commands::Workers, "metrics-listen", "LAZARET_METRICS_LISTEN"),
    row(
        "listeners.webhooks",
        Kind::Address,
        "",
        "Address of the webhooks of clusters in this process, HTTPS with a certificate of their own; without it, webhooks run in \
         the clusters",
    )
    .flag(Commands::Serve, "admission-listen", "LAZARET_CLUSTER_WEBHOOKS_LISTEN"),
    row("listeners.webhooks-url", Kind::Url, "", "Where the clusters reach that address, https://HOST:PORT")
        .flag(Commands::Serve, "admission-url", "LAZARET_CLUSTER_WEBHOOKS_URL")
        .unset("https:// and the address itself"),
    row(
        "listeners.tls-certificate",
        Kind::Path,
        "",
        "Certificate chain of the control plane and the engine API, PEM",
    )
    .flag(Commands::Serve, "tls-certificate", "LAZARET_TLS_CERTIFICATE")
    .unset("plain HTTP"),
    row("listeners.tls-key", Kind::Path, "", "Private key of the certificate, PEM").flag(
        Commands::Serve,
        "tls-key",
        "LAZARET_TLS_KEY",
    ),
    row(
        "listeners.allow-plain-http",
        Kind::Switch,
        "false",
        "Speak plain HTTP also on addresses that other machines reach",
    )
    .flag(Commands::Serve, "allow-plain-http", "LAZARET_ALLOW_PLAIN_HTTP"),
    row(
        "listeners.tokens",
        Kind::Switch,
        "true",
        "Whether users of the engine API may exchange their password for a token, POST /oauth/token",
    ),
    row("analysis.workers", Kind::Count(0, 64), "2", "How many images are analysed at the same time; 0 leaves all to `lazaret work`").flag(
        Commands::Workers,
        "workers",
        "LAZARET_WORKERS",
    ),
    row(
        "analysis.lease",
        Kind::Duration(3, DAY),
        "1m",
        "How long a worker may be silent before its image is given to another one",
    ),
    row("analysis.time-max", Kind::Duration(1, DAY), "30m", "Longest time for one attempt at an image"),
    row(
        "analysis.layers-at-once",
        Kind::Count(0, 64),
        "0",
        "How many layers of an image are read at the same time, fewer where limits.memory-bytes says so; 0: as many as there are processors",
    ),
    row("analysis.look-into-files", Kind::Switch, "true", "List files, keep named ones and search for secrets, for rules about files"),
    row(
        "analysis.retrieved-files",
        Kind::Words,
        "/etc/passwd",
        "Files that are kept whole: absolute paths, also with * ? [..] {..} and **",
    ),
    row(
        "analysis.secret-patterns",
        Kind::Words,
        "",
        "More patterns of secrets, each NAME=EXPRESSION; in a variable without commas",
    ),
    row(
        "analysis.content-patterns",
        Kind::Words,
        "",
        "Patterns of anything else that rules ask about, each NAME=EXPRESSION; in a variable without commas",
    ),
    row(
        "analysis.layer-cache",
        Kind::Switch,
        "true",
        "Keep what is taken out of layers, and the packages of images, in the data folder for other images on the same base; not while files are looked into",
    ),
    row("analysis.layer-cache-bytes", Kind::Bytes, "2GiB", "Bytes of that; what was not used for longest goes first"),
    row(
        "limits.memory-bytes",
        Kind::Bytes,
        "2GiB",
        "Bytes of memory for reading one image: half for paths, entries and files that are kept, half for reading layers; its list of packages comes on top",
    ),
    row("limits.layer-bytes", Kind::Bytes, "16GiB", "Bytes of one layer as it is transported"),
    row("limits.unpacked-bytes", Kind::Bytes, "64GiB", "Bytes of all layers together after decompression"),
    row("limits.entries", Kind::Count(1, 100_000_000), "2000000", "Entries of all layers together"),
    row("limits.index-bytes", Kind::Bytes, "256MiB", "Bytes of all paths and link targets together"),
    row(
        "limits.file-bytes",
        Kind::Bytes,
        "128MiB",
        "Bytes of one file that is read; a larger one is noted as such",
    ),
    row("limits.kept-bytes", Kind::Bytes, "256MiB", "Bytes of all files that are read"),
    row(
        "limits.ratio",
        Kind::Count(2, 1_000_000),
        "500",
        "How many times larger than its compressed form a layer may become",
    ),
    row(
        "registries.insecure",
        Kind::Words,
        "",
        "Registries that are spoken to without verified TLS, host[:port]",
    )
    .flag(Commands::All, "insecure-registry", "LAZARET_INSECURE_REGISTRY"),
    row(
        "registries.ca-certificates",
        Kind::Words,
        "",
        "Files with more certificate authorities that registries are trusted by, PEM",
    )
    .flag(Commands::All, "ca-certificate", "LAZARET_CA_CERTIFICATE"),
    row("registries.docker-config", Kind::Path, "", "Docker's configuration file with registry credentials")
        .flag(Commands::All, "docker-config", "LAZARET_DOCKER_CONFIG")
        .unset("~/.docker/config.json if it is there"),
    row(
        "registries.private-hosts",
        Kind::Words,
        "",
        "Registries, token services and storages at loopback or private addresses: host, host:port, *.domain, or a network as \
         10.0.0.0/8; those of `insecure` are among them",
    ),
    row(
        "registries.private-addresses",
        Kind::OneOf(&["auto", "configured", "named", "all"]),
        "auto",
        "Which registries may be at private addresses besides the named ones: those that somebody has a login for (configured; never \
         loopback), none (named), or any (all); auto: configured, and all for `lazaret admission`",
    ),
    row("registries.amazon-region", Kind::Text, "", "Region of registries of Amazon whose name does not hold it"),
    row("registries.amazon-endpoint", Kind::Text, "", "Address of the service that gives logins for registries of Amazon")
        .unset("Amazon's own in the region of the registry"),
    row(
        "registries.partial-reads",
        Kind::Switch,
        "false",
        "Of layers with a table of contents (eStargz, zstd:chunked) fetch only what is looked into; they are held against that table, \
         not against their digests, which reports say; only where analysis.look-into-files is off",
    ),
    row("feeds.fetch", Kind::Switch, "true", "Ask the sources by itself; without it they are asked by `POST /system/feeds` only, and `feeds.disable = ['*']` asks nobody ever"),
    row("feeds.interval", Kind::Duration(60, 30 * DAY), "1h", "How often each source is asked"),
    row("feeds.mirror", Kind::Text, "", "Address of a mirror that holds the known sources, https://, http:// or file:///")
        .unset("the public addresses"),
    row("feeds.enable", Kind::Words, "", "Known sources that are used beside the usual ones, as osv-npm"),
    row("feeds.disable", Kind::Words, "", "Known sources that are not used, as osv-ubuntu, or `*` for all"),
    row("feeds.sources", Kind::Words, "", "Further sources, or other addresses of known ones, as NAME=KIND=ADDRESS"),
    row("feeds.ca-certificates", Kind::Words, "", "Files with more certificate authorities that sources are trusted by, PEM"),
    row("feeds.file-bytes", Kind::Bytes, "2GiB", "Bytes of one fetched file"),
    row("feeds.time-max", Kind::Duration(1, DAY), "30m", "Longest time for one attempt at a file"),
    row("duties.image-deletion", Kind::Duration(1, 30 * DAY), "1m", "Pause between two turns of removing images that were deleted"),
    row("duties.account-deletion", Kind::Duration(1, 30 * DAY), "1m", "Pause between two turns of removing accounts that were deleted"),
    row("duties.tag-watch", Kind::Duration(1, 30 * DAY), "1h", "Pause between two questions whether a watched tag has moved"),
    row("duties.repository-watch", Kind::Duration(1, 30 * DAY), "1m", "Pause between two questions for new tags of watched repositories"),
    row("duties.policy-evaluation", Kind::Duration(1, 30 * DAY), "1h", "Pause between two evaluations of images whose verdict somebody watches"),
    row("duties.vulnerability-update", Kind::Duration(1, 30 * DAY), "4h", "Pause between two looks at images whose vulnerabilities somebody watches"),
    row("duties.archive-transition", Kind::Duration(1, 30 * DAY), "1h", "Pause between two turns of moving analyses into the archive by rule"),
    row("duties.event-expiry", Kind::Duration(1, 30 * DAY), "1h", "Pause between two turns of deleting old events"),
    row("duties.notification-delivery", Kind::Duration(1, 3600), "1s", "Pause between two looks for notifications to deliver"),
    row("duties.feed-update", Kind::Duration(1, DAY), "30s", "Pause between two looks which sources of vulnerability data are due"),
    row("duties.judge-again", Kind::Duration(1, DAY), "15s", "Pause between two looks for other vulnerability data to judge images with"),
    row("duties.events-kept", Kind::Duration(60, 3650 * DAY), "90d", "How long events are kept"),
    row("process.name", Kind::Text, "", "Name of this process in events and in the list of services")
        .unset("the machine's name"),
    row("process.address", Kind::Url, "", "Address under which clients reach the engine API; it is in events")
        .unset("the address of the listener"),
    row("logging.filter", Kind::Text, "info", "Which lines are written, as info or info,engine=debug").flag(
        Commands::All,
        "log",
        "LAZARET_LOG",
    ),
    row("logging.format", Kind::OneOf(&["text", "json"]), "text", "How lines are written").flag(
        Commands::All,
        "log-format",
        "LAZARET_LOG_FORMAT",
    ),
    row(
        "tracing.otlp-endpoint",
        Kind::Url,
        "",
        "Address of the collector, as http://127.0.0.1:4318; spans are posted below it to /v1/traces as OTLP over HTTP in protobuf",
    )
    .flag(Commands::All, "otlp-endpoint", "LAZARET_OTLP_ENDPOINT")
    .unset("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT, else nothing is sent"),
    row(
        "tracing.otlp-headers",
        Kind::Secret,
        "",
        "Headers that the collector asks for, as NAME=VALUE,NAME=VALUE with values percent-encoded",
    )
    .unset("OTEL_EXPORTER_OTLP_TRACES_HEADERS or OTEL_EXPORTER_OTLP_HEADERS"),
    row(
        "tracing.sample-ratio",
        Kind::Ratio,
        "",
        "Which part of the traces that begin here is sent, 0 to 1; a trace that a caller began is sent if the caller sends it",
    )
    .unset("OTEL_TRACES_SAMPLER_ARG, else 1"),
    row("tracing.service-name", Kind::Text, "", "What this program is called there").unset("OTEL_SERVICE_NAME, else lazaret"),
    row(
        "tracing.resource-attributes",
        Kind::Words,
        "",
        "What else every span says about this process, each NAME=VALUE, as deployment.environment.name=production",
    )
    .unset("OTEL_RESOURCE_ATTRIBUTES"),
];

/// The setting of this key.
pub(crate) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::setting::Written;

    #[test]
    fn the_table_agrees_with_itself() {
        let sections: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
        let mut seen = Vec::new();
        for setting in SETTINGS.iter() {
            assert!(sections.contains(&setting.section()), "{} has no section", setting.key);
            if seen.last() != Some(&setting.section()) {
                seen.push(setting.section());
            }
            let is_whole =
                |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
            assert!(setting.name().chars().all(is_whole), "{}", setting.key);
            assert!(!setting.help.ends_with('.') && !setting.help.contains('|'), "{}", setting.key);
            if !setting.default.is_empty() {
                let read = setting.kind.read(&Written::Bare(setting.default.to_owned()));
                assert!(read.is_ok(), "{}: {read:?}", setting.key);
            }
            let needs_default = matches!(
                setting.kind,
                Kind::Count(..) | Kind::Duration(..) | Kind::Bytes | Kind::Switch | Kind::OneOf(_)
            );
            assert!(!needs_default || !setting.default.is_empty(), "{} needs a default", setting.key);
        }
        assert_eq!(seen, sections, "sections stand together, in their order");
    }

    #[test]
    fn names_are_used_once_and_not_by_a_cluster() {
        for names in [
            SETTINGS.iter().map(|setting| setting.key.to_owned()).collect::<Vec<_>>(),
            SETTINGS.iter().map(Setting::variable).collect(),
            SETTINGS.iter().filter_map(|setting| setting.flag).map(str::to_owned).collect(),
        ] {
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        }
        for setting in SETTINGS.iter() {
            assert!(!crate::config::layers::is_of_a_cluster(&setting.variable()), "{}", setting.key);
        }
    }
}
