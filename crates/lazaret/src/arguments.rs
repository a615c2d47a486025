//! What can be typed: commands, flags and their help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::client::arguments::{ClientCommand, LeadingFlags};
use crate::client::security_arguments::RemotePolicyCommand;
use crate::commands::admission::arguments::AdmissionArguments;
use crate::commands::cache::CacheCommand;
use crate::config::flags::{OfServe, OfStorage, OfWork, SettingFlags};
use crate::scan_arguments::parse_platform;
pub(crate) use crate::scan_arguments::{
    ImageArguments, ReportArguments, SbomArguments, ScanArguments, WhyNotArguments,
};

/// May this image run here? Lazaret lists what an image holds, knows which of it is vulnerable, and keeps what a
/// policy refuses out of your clusters.
#[derive(Debug, Parser)]
#[command(name = "lazaret", version = crate::config::VERSION, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Start here:\n  lazaret serve                              the engine, on this machine\n  \
    lazaret db build --feed KIND=PATH -o FILE  a vulnerability database from feeds\n  \
    lazaret scan IMAGE                         what is wrong with an image\n  \
    lazaret policy test BUNDLE IMAGE           why a policy decides as it does\n  \
    lazaret login                              clusters, secrets and services of a server\n\n\
    Exit codes: 0 clean, 1 error or nothing known, 2 findings at or above --fail-on or refused by the policy."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) leading: LeadingFlags,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find the vulnerabilities of an image and judge it by a policy
    Scan(ScanArguments),
    /// List the packages of an image
    Sbom(SbomArguments),
    /// Tell why a vulnerability is, or is not, found in an image
    WhyNot(WhyNotArguments),
    /// Build a vulnerability database and look into it
    #[command(subcommand)]
    Db(DbCommand),
    /// Check policy bundles, describe what they can ask, try them on images, and bring them to clusters
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Look at what is kept of layers and images between scans, or remove it
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Run the control plane and the engine on this machine
    Serve(Box<ServeArguments>),
    /// Analyse images for a `serve` elsewhere that shares its PostgreSQL
    Work(Box<WorkArguments>),
    /// Copy everything that a `serve` keeps into one file, also while it runs
    Backup(Box<BackupArguments>),
    /// Put everything from a backup back, into SQLite or PostgreSQL
    Restore(Box<RestoreArguments>),
    /// Renew the key that seals passwords and secrets
    #[command(subcommand)]
    Key(KeyCommand),
    /// Check a configuration, or print one
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Run the admission webhook of a cluster, or install it
    Admission(Box<AdmissionArguments>),
    /// Print a completion script for a shell
    #[command(alias = "completion")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write the pages of all commands into a folder
    #[command(after_help = "Example:\n  lazaret man ~/.local/share/man/man1 && man lazaret-scan")]
    Man {
        /// Folder that is there; without one the first page goes to standard output
        folder: Option<PathBuf>,
    },
    #[command(flatten)]
    Client(ClientCommand),
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    Table,
    /// For programs; see docs/json.md
    Json,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// One readable line each
    Text,
    /// One JSON object each
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// List everything that is wrong with a bundle, without an engine
    #[command(
        after_help = "BUNDLE is a file with an Anchore bundle, version 1_0, or the name of a predefined one.\n\
        Each problem stands with its place in the document, as policies.0.rules.1. Warnings are about what has\n\
        no effect, as a mapping that is never selected; they do not make a bundle bad.\n\n\
        Exit codes: 0 an engine would accept it, 1 it would not."
    )]
    Check {
        /// File with a bundle, or the name of a predefined one
        bundle: String,

        /// How to write the result
        #[arg(short, long, value_enum, default_value_t = OutputFormat::Table)]
        output: OutputFormat,
    },
    /// Tell which gates, triggers and parameters a rule can name
    #[command(after_help = "Examples:\n  lazaret policy describe\n  \
        lazaret policy describe --gate vulnerabilities\n  \
        lazaret policy describe --gate vulnerabilities --trigger known_exploited")]
    Describe {
        /// Only this gate, with the parameters of its triggers
        #[arg(long, value_name = "GATE")]
        gate: Option<String>,

        /// Only this trigger of the gate, with an example
        #[arg(long, value_name = "TRIGGER", requires = "gate")]
        trigger: Option<String>,

        /// How to write the result; json is the document of GET /v1/system/policy_spec
        #[arg(short, long, value_enum, default_value_t = OutputFormat::Table)]
        output: OutputFormat,
    },
    /// Judge an image by a bundle and tell rule by rule why
    Test(Box<PolicyTestArguments>),
    #[command(flatten)]
    Remote(RemotePolicyCommand),
}

#[derive(Debug, Args)]
#[command(after_help = "The image is read and looked up as `lazaret scan` does it.\n\n\
    Examples:\n  lazaret policy test reject_high nginx:1.25\n  \
    lazaret policy test bundle.json oci-archive:app.tar --as registry.example.org/team/app:1\n  \
    lazaret policy test bundle.json nginx:1.25 --exceptions exceptions.json --all\n\n\
    A file of exceptions holds what the engine answers to GET /v1/exceptions; docs/policies.md has the members.\n\n\
    Exit codes: 0 the image passes, 1 error or nothing known, 2 it is refused.")]
pub(crate) struct PolicyTestArguments {
    /// File with a bundle, or the name of a predefined one
    pub(crate) bundle: String,

    /// Reference, archive or folder of the image
    pub(crate) image: String,

    /// Judge as if this were the image's name: mappings and exceptions see it
    #[arg(long = "as", value_name = "REFERENCE", value_parser = parse_reference)]
    pub(crate) reference: Option<model::ImageReference>,

    /// File with exceptions, JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) exceptions: Option<PathBuf>,

    /// List the rules that did not fire too
    #[arg(long)]
    pub(crate) all: bool,

    /// Vulnerability database [default: vulnerability.db in the data folder]
    #[arg(long, value_name = "FILE", env = "LAZARET_DB")]
    pub(crate) db: Option<PathBuf>,

    /// Platform to take out of a multi-platform image
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", default_value = "linux/amd64", value_parser = parse_platform)]
    pub(crate) platform: model::Platform,

    /// How to write the result
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Table)]
    pub(crate) output: OutputFormat,

    #[command(flatten)]
    pub(crate) images: ImageArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Build a database file out of feeds that lie on disk
    #[command(
        after_help = "Kinds and what PATH is:\n  osv             folder, .zip, .json or .jsonl of OSV records\n  \
        alpine-secdb    file or folder of Alpine's security database, YAML or JSON\n  \
        debian-tracker  JSON document of Debian's security tracker\n\n\
        Example:\n  lazaret db build --feed debian-tracker=debian.json --feed osv=alpine.zip -o vulnerability.db"
    )]
    Build {
        /// A feed; repeat for several
        #[arg(long = "feed", value_name = "KIND=PATH", required = true, value_parser = parse_feed)]
        feeds: Vec<FeedArgument>,

        /// File to write; it is replaced in one step, also while servers use it
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Take over a database made elsewhere, or feeds that were brought here: for machines without access to the internet
    #[command(
        after_help = "The data is checked before it takes the place of the old one, in one step; a running `lazaret serve` uses it \
        within seconds and judges again the images that it is about.\n\n\
        Examples:\n  lazaret db import vulnerability.db\n  lazaret db import --feed debian-tracker=debian.json --feed osv=npm.zip"
    )]
    Import {
        /// A database made with `lazaret db build`
        #[arg(required_unless_present = "feeds", conflicts_with = "feeds")]
        file: Option<PathBuf>,

        /// A feed to build the database from; repeat for several
        #[arg(long = "feed", value_name = "KIND=PATH", value_parser = parse_feed)]
        feeds: Vec<FeedArgument>,

        /// Vulnerability database to replace [default: vulnerability.db in the data folder]
        #[arg(long, value_name = "FILE", env = "LAZARET_DB")]
        db: Option<PathBuf>,

        /// Data folder of the server, when it is not the usual one
        #[arg(long, value_name = "DIR", env = "LAZARET_DATA_DIR")]
        data_dir: Option<PathBuf>,

        /// Take it over even if it is older or has less than half of the records
        #[arg(long)]
        force: bool,
    },
    /// Show how old a database is and what it covers
    Status {
        /// Vulnerability database [default: vulnerability.db in the data folder]
        #[arg(long, value_name = "FILE", env = "LAZARET_DB")]
        db: Option<PathBuf>,

        /// How to write the result
        #[arg(short, long, value_enum, default_value_t = OutputFormat::Table)]
        output: OutputFormat,
    },
    /// Show what a database says about a vulnerability or a package
    #[command(
        after_help = "Examples:\n  lazaret db search CVE-2024-0001\n  lazaret db search --ecosystem debian:12 openssl"
    )]
    Search {
        /// Identifier of a vulnerability, or with --ecosystem the name of a package
        term: String,

        /// Body of packages to look the package up in, as `debian:12` or `alpine:3.18`
        #[arg(long, value_name = "FAMILY[:RELEASE]", value_parser = parse_ecosystem)]
        ecosystem: Option<model::Ecosystem>,

        /// Vulnerability database [default: vulnerability.db in the data folder]
        #[arg(long, value_name = "FILE", env = "LAZARET_DB")]
        db: Option<PathBuf>,

        /// How to write the result
        #[arg(short, long, value_enum, default_value_t = OutputFormat::Table)]
        output: OutputFormat,
    },
}

/// One `--feed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FeedArgument {
    pub(crate) kind: model::FeedKind,
    pub(crate) path: PathBuf,
}

#[derive(Debug, Default, Args)]
#[command(
    after_help = "Every setting may stand in the configuration file, in a LAZARET_… variable, or be given as a flag;\n\
    the later of these wins. `lazaret config print` shows all of them, `lazaret config check` what is wrong."
)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) settings: SettingFlags<OfServe>,
}

#[derive(Debug, Default, Args)]
#[command(after_help = "Example:\n  \
    LAZARET_STORAGE_URL=postgres://lazaret:…@db.example.org/lazaret lazaret work --workers 4 --metrics-listen 0.0.0.0:9091\n\n\
    It takes the configuration file of `serve`; what only `serve` needs is not used.")]
pub(crate) struct WorkArguments {
    #[command(flatten)]
    pub(crate) settings: SettingFlags<OfWork>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The file holds password hashes, sealed credentials and the keys that open them: keep it as you keep those."
)]
pub(crate) struct BackupArguments {
    /// File to write; it must not exist
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) settings: SettingFlags<OfStorage>,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "A key is renewed in three steps:\n  \
    lazaret key rotate        a new key seals from now on, the old ones still open\n  \
    restart `lazaret serve`   everything is sealed again with the new key\n  \
    lazaret key forget-old    the old keys are taken out of the file\n\n\
    Processes that share a PostgreSQL database need the same file: copy it to them after each of the two commands.")]
pub(crate) enum KeyCommand {
    /// List the keys of the file by name, and how many values each seals
    List(KeyArguments),
    /// Put a new key in front of the file; nothing that is sealed is lost
    Rotate(KeyArguments),
    /// Take all keys but the first out of the file, when nothing is sealed with them any more
    ForgetOld(KeyArguments),
}

#[derive(Debug, Args)]
pub(crate) struct KeyArguments {
    #[command(flatten)]
    pub(crate) settings: SettingFlags<OfStorage>,
}

#[derive(Debug, Args)]
#[command(after_help = "Stop `serve` and `work` before. A damaged or foreign file changes nothing.\n\n\
    From a file into PostgreSQL:\n  LAZARET_STORAGE_URL=postgres://… lazaret restore lazaret.backup")]
pub(crate) struct RestoreArguments {
    /// The backup
    pub(crate) file: PathBuf,

    /// Replace what is there; it is lost
    #[arg(long)]
    pub(crate) replace: bool,

    #[command(flatten)]
    pub(crate) settings: SettingFlags<OfStorage>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say what is wrong with a configuration, and start nothing
    Check {
        /// Configuration file, TOML; without one the variables are checked
        #[arg(value_name = "FILE", env = "LAZARET_CONFIG")]
        file: Option<PathBuf>,
    },
    /// Print a configuration file with every setting explained
    Print {
        /// Print the values that hold and where each comes from instead; secrets are hidden
        #[arg(long)]
        effective: bool,

        /// Configuration file whose values are printed
        #[arg(long, value_name = "FILE", env = "LAZARET_CONFIG", requires = "effective")]
        config: Option<PathBuf>,
    },
}

fn parse_reference(text: &str) -> Result<model::ImageReference, String> {
    text.parse().map_err(|error: model::ParseImageReferenceError| error.to_string())
}

fn parse_feed(text: &str) -> Result<FeedArgument, String> {
    let kinds = || model::FeedKind::ALL.map(model::FeedKind::name).join(", ");
    let (kind, path) =
        text.split_once('=').ok_or_else(|| format!("a feed is KIND=PATH; kinds are {}", kinds()))?;
    let kind = model::FeedKind::from_name(kind)
        .ok_or_else(|| format!("`{kind}` is no kind of feed; kinds are {}", kinds()))?;
    if path.is_empty() {
        return Err("the path of the feed is empty".to_owned());
    }
    Ok(FeedArgument { kind, path: PathBuf::from(path) })
}

fn parse_ecosystem(text: &str) -> Result<model::Ecosystem, String> {
    let (family, release) = match text.split_once(':') {
        Some((family, release)) => (family, Some(release)),
        None => (text, None),
    };
    if family.is_empty() || release == Some("") {
        return Err("an ecosystem is FAMILY or FAMILY:RELEASE, as debian:12".to_owned());
    }
    Ok(model::Ecosystem {
        family: family.to_ascii_lowercase(),
        release: release.map(|release| release.trim_start_matches('v').to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn feeds_and_ecosystems_are_read() {
        assert_eq!(
            parse_feed("osv=a=b.zip"),
            Ok(FeedArgument { kind: model::FeedKind::Osv, path: PathBuf::from("a=b.zip") })
        );
        for wrong in ["osv", "nvd=x", "osv="] {
            assert!(parse_feed(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_ecosystem("Alpine:v3.18").unwrap().to_string(), "alpine:3.18");
        for wrong in ["", ":12", "debian:"] {
            assert!(parse_ecosystem(wrong).is_err(), "{wrong}");
        }
    }
}
