//! What can be typed behind `scan` and `sbom`.

use std::path::PathBuf;

use clap::Args;
use model::{FindingState, Severity};
use report_formats::{ChosenFormat, formats_help};
use scanner::{Glob, GlobBuilder, Scope};

use crate::arguments::OutputFormat;
use crate::commands::cache::CacheArguments;
use crate::config::setting::parse_bytes;

/// Where images are had from.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ImageArguments {
    /// Registry that is spoken to without TLS, as `host[:port]`; repeat or split by comma
    #[arg(
        long = "insecure-registry",
        value_name = "HOST",
        env = "LAZARET_INSECURE_REGISTRY",
        value_delimiter = ','
    )]
    pub(crate) insecure_registries: Vec<String>,

    /// File with more certificate authorities that registries are trusted by, PEM; repeat or split by comma
    #[arg(
        long = "ca-certificate",
        value_name = "FILE",
        env = "LAZARET_CA_CERTIFICATE",
        value_delimiter = ','
    )]
    pub(crate) ca_certificates: Vec<PathBuf>,

    /// Docker's configuration file with registry credentials [default: ~/.docker/config.json]
    #[arg(long, value_name = "FILE", env = "LAZARET_DOCKER_CONFIG")]
    pub(crate) docker_config: Option<PathBuf>,

    /// Draw no progress
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) cache: CacheArguments,

    /// Layers that are read at the same time [default: as many as there are processors]
    #[arg(long, value_name = "COUNT", value_parser = parse_layers_at_once)]
    pub(crate) layers_at_once: Option<usize>,

    /// Memory for reading an image, as `512MiB`; one that needs more is refused [default: 2GiB]
    #[arg(long = "memory-max", value_name = "BYTES", value_parser = parse_memory)]
    pub(crate) memory_bytes_max: Option<u64>,
    /// Of layers with a table of contents (eStargz, zstd:chunked) in a registry fetch only what is looked into. Such a layer is held
    /// against that table, not against its digest, which the report says. Without effect with `--policy`
    #[arg(long)]
    pub(crate) partial_reads: bool,

    /// Paths in which nothing is looked for, as `app/tests/**`; repeat for several
    #[arg(long = "exclude", value_name = "GLOB", value_parser = parse_excluded)]
    pub(crate) excluded: Vec<Glob>,

    /// Whether packages count that a later layer has removed: `squashed` (no) or `all-layers` (yes)
    #[arg(long, value_name = "SCOPE", default_value = "squashed", value_parser = parse_scope)]
    pub(crate) scope: Scope,
}

fn parse_layers_at_once(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=64).contains(count));
    count.ok_or_else(|| "a number of layers is between 1 and 64".to_owned())
}

fn parse_memory(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "memory is a number of bytes, as 512MiB or 4GiB".to_owned())
}

fn parse_excluded(text: &str) -> Result<Glob, String> {
    let pattern = text.trim_start_matches("./").trim_start_matches('/');
    GlobBuilder::new(pattern).literal_separator(true).build().map_err(|error| error.to_string())
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    Scope::ALL.into_iter().find(|scope| scope.name() == text).ok_or_else(|| {
        let names: Vec<&str> = Scope::ALL.iter().map(|scope| scope.name()).collect();
        format!("there are: {}", names.join(", "))
    })
}

/// What the image was built on.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct BaseArguments {
    /// Image that this one was built on, from anywhere an image is had from: what came with it is told from what was added. Of several
    /// the one with the most layers counts; of a base no layer is read
    #[arg(long = "base-image", value_name = "IMAGE")]
    pub(crate) bases: Vec<String>,
}

/// How and where the result is written.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ReportArguments {
    /// Format of the result, and the file to write it to; repeat for several [default: table]
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", value_parser = parse_output)]
    pub(crate) outputs: Vec<OutputArgument>,

    /// File with the template of `-o template`, in the language of Jinja
    #[arg(long, value_name = "FILE")]
    pub(crate) template: Option<PathBuf>,

    /// Name in CycloneDX and SPDX which files each package owns; syft's JSON does up to 100,000 of them anyway
    #[arg(long)]
    pub(crate) with_files: bool,

    /// The time that reports with a time carry: `now`, or as 2026-01-31T12:00:00Z [default: SOURCE_DATE_EPOCH, else that of the database]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) timestamp: Option<TimeArgument>,

    /// Tell on standard error how long each step, layer and cataloger took, and how much memory
    #[arg(long, value_name = "FORMAT", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "table")]
    pub(crate) timing: Option<OutputFormat>,
}

/// One `--timestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeArgument {
    Now,
    At(jiff::Timestamp),
}

/// One `--output`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputArgument {
    pub(crate) format: ChosenFormat,
    /// `None`: standard output.
    pub(crate) file: Option<PathBuf>,
}

/// What stands for an image, in the help of each command that takes one.
const IMAGES_HELP: &str = "Images:\n  nginx:1.25, registry.example.org/app@sha256:…   from a registry\n  \
    oci-archive:FILE  oci-layout:DIR  docker-archive:FILE   from disk\n  \
    docker:NAME  podman:NAME  containerd:NAME   from a program on this machine\n  \
    dir:FOLDER  file:FILE   no image: what lies there\n  \
    sbom:FILE  sbom:-   a package list: CycloneDX, SPDX, syft's JSON\n  \
    purl:pkg:npm/lodash@4.17.20  purl-file:FILE   package URLs\n";

#[derive(Debug, Args)]
#[command(after_help = format!(
    "{IMAGES_HELP}\nPolicies: a file with an Anchore bundle, or one of\n  \
    allow_all_and_warn, reject_critical, reject_high, block_root, deny_all\n\n{}\n\
    Exit codes: 0 clean, 1 error or nothing known, 2 findings at or above --fail-on or refused by the policy.",
    output_help(true, "lazaret scan nginx:1.25 -o table -o json=scan.json -o csv=scan.csv"),
))]
pub(crate) struct ScanArguments {
    /// Reference, archive or folder of the image, or a package list
    pub(crate) image: String,

    /// Vulnerability database [default: vulnerability.db in the data folder]
    #[arg(long, value_name = "FILE", env = "LAZARET_DB")]
    pub(crate) db: Option<PathBuf>,

    /// Judge the image by this bundle: a file, or the name of a predefined one
    #[arg(long, value_name = "BUNDLE")]
    pub(crate) policy: Option<String>,

    /// Exit with 2 when a finding is at least this severe
    #[arg(long, value_name = "SEVERITY", value_parser = parse_severity)]
    pub(crate) fail_on: Option<Severity>,

    /// Report, and fail on, only what an update mends; policies see everything
    #[arg(long, visible_alias = "ignore-unfixed")]
    pub(crate) only_fixed: bool,

    /// Report, and fail on, only what no update mends yet; policies see everything
    #[arg(long, visible_alias = "only-notfixed", conflicts_with = "only_fixed")]
    pub(crate) only_unfixed: bool,

    /// List in the table what is suppressed, and what speaks against it
    #[arg(long)]
    pub(crate) show_suppressed: bool,

    /// Instead of a report tell why this vulnerability is, or is not, found; as `table` or `json`
    #[arg(long, value_name = "ID", conflicts_with_all = ["policy", "fail_on", "bases"])]
    pub(crate) explain: Option<String>,

    /// Explain only about packages of this name
    #[arg(long, value_name = "NAME", requires = "explain")]
    pub(crate) package: Option<String>,

    /// Platform to take out of a multi-platform image
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", default_value = "linux/amd64", value_parser = parse_platform)]
    pub(crate) platform: model::Platform,

    #[command(flatten)]
    pub(crate) base: BaseArguments,

    #[command(flatten)]
    pub(crate) report: ReportArguments,

    #[command(flatten)]
    pub(crate) images: ImageArguments,
}

impl ScanArguments {
    /// Whether the user wants to see findings of this state.
    pub(crate) fn is_wanted(&self, state: FindingState) -> bool {
        match state {
            FindingState::Fixed => !self.only_unfixed,
            FindingState::NotFixed | FindingState::WillNotFix => !self.only_fixed,
            // Nobody knows: never left out.
            FindingState::Undecided => true,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = format!(
    "{IMAGES_HELP}\n{}\n  lazaret sbom sbom:app.cdx.json -o spdx-json=app.spdx.json\n\n\
    Exit codes: 0 done, 1 error.",
    output_help(false, "lazaret sbom nginx:1.25 -o json=packages.json -o csv=packages.csv").trim_end(),
))]
pub(crate) struct SbomArguments {
    /// Reference, archive or folder of the image, or a package list
    pub(crate) image: String,

    /// Platform to take out of a multi-platform image
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", default_value = "linux/amd64", value_parser = parse_platform)]
    pub(crate) platform: model::Platform,

    #[command(flatten)]
    pub(crate) base: BaseArguments,

    #[command(flatten)]
    pub(crate) report: ReportArguments,

    #[command(flatten)]
    pub(crate) images: ImageArguments,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The image, or package list, is read and looked up as `lazaret scan` does it. Every record of the vulnerability,\n\
    by any of its names, is held against every package that it could mean.\n\n\
    Examples:\n  lazaret why-not CVE-2024-0001 nginx:1.25\n  \
    lazaret why-not GHSA-35jh-r3h4-6jhm nginx:1.25 --package lodash -o json\n\n\
    Exit codes: 0 there is an answer, whatever it is; 1 error."
)]
pub(crate) struct WhyNotArguments {
    /// Identifier of the vulnerability, any of its names
    pub(crate) id: String,

    /// Reference, archive or folder of the image, or a package list
    pub(crate) image: String,

    /// Only about packages of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) package: Option<String>,

    /// Vulnerability database [default: vulnerability.db in the data folder]
    #[arg(long, value_name = "FILE", env = "LAZARET_DB")]
    pub(crate) db: Option<PathBuf>,

    /// Platform to take out of a multi-platform image
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", default_value = "linux/amd64", value_parser = parse_platform)]
    pub(crate) platform: model::Platform,

    /// How to write the answer: table or json, and the file to write it to [default: table]
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", value_parser = parse_output)]
    pub(crate) outputs: Vec<OutputArgument>,

    #[command(flatten)]
    pub(crate) images: ImageArguments,
}

fn output_help(has_findings: bool, example: &str) -> String {
    format!(
        "Formats:\n{}\nEach goes to the file behind `=`, which is replaced in one step, or to standard output, at most one:\n  \
        {example}\n",
        formats_help(has_findings)
    )
}

fn parse_output(text: &str) -> Result<OutputArgument, String> {
    let (format, file) = match text.split_once('=') {
        Some((_, "")) => return Err("the name of the file is empty".to_owned()),
        Some((format, "-")) => (format, None),
        Some((format, file)) => (format, Some(PathBuf::from(file))),
        None => (text, None),
    };
    let format = ChosenFormat::parse(format).map_err(|error| error.to_string())?;
    Ok(OutputArgument { format, file })
}

fn parse_time(text: &str) -> Result<TimeArgument, String> {
    match text {
        "now" => Ok(TimeArgument::Now),
        text => text
            .parse()
            .map(TimeArgument::At)
            .map_err(|_| "a time is `now`, or as 2026-01-31T12:00:00Z".to_owned()),
    }
}

fn parse_severity(text: &str) -> Result<Severity, String> {
    text.parse().map_err(|error: model::ParseSeverityError| error.to_string())
}

/// Reads `OS/ARCH` or `OS/ARCH/VARIANT`.
pub(crate) fn parse_platform(text: &str) -> Result<model::Platform, String> {
    let parts = text.split('/').collect::<Vec<_>>();
    match parts.as_slice() {
        [os, architecture, variant @ ..]
            if variant.len() <= 1 && parts.iter().all(|part| !part.is_empty()) =>
        {
            Ok(model::Platform {
                os: (*os).to_owned(),
                architecture: (*architecture).to_owned(),
                variant: variant.first().map(|variant| (*variant).to_owned()),
            })
        }
        _ => Err("a platform is OS/ARCH or OS/ARCH/VARIANT, as linux/arm64/v8".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Command, PolicyCommand};

    #[test]
    fn platforms_are_read() {
        assert_eq!(parse_platform("linux/arm64/v8").unwrap().variant.as_deref(), Some("v8"));
        for wrong in ["linux", "linux/", "a/b/c/d"] {
            assert!(parse_platform(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_scan_takes_to_read_an_image_others_take_too() {
        use clap::Parser as _;

        let common = "--exclude a/** --exclude b --scope all-layers --layers-at-once 3 --memory-max 512MiB --no-cache \
            --insecure-registry localhost --ca-certificate a.pem --docker-config config.json --quiet --platform linux/arm64";
        for command in [
            "scan nginx",
            "scan nginx --explain CVE-1",
            "sbom nginx",
            "why-not CVE-1 nginx",
            "policy test p nginx",
        ] {
            let words = format!("lazaret {command} {common}");
            let arguments = crate::arguments::Arguments::try_parse_from(words.split_whitespace());
            let command = arguments.unwrap_or_else(|error| panic!("{words}: {error}")).command;
            let images = match command {
                Command::Scan(ScanArguments { images, .. })
                | Command::Sbom(SbomArguments { images, .. })
                | Command::WhyNot(WhyNotArguments { images, .. }) => images,
                Command::Policy(PolicyCommand::Test(test)) => test.images,
                other => panic!("{other:?}"),
            };
            assert_eq!(images.excluded.len(), 2, "{words}");
            assert_eq!(images.scope, Scope::AllLayers, "{words}");
            assert_eq!(
                (images.layers_at_once, images.memory_bytes_max),
                (Some(3), Some(512 << 20)),
                "{words}"
            );
        }
        for wrong in [
            "--layers-at-once 0",
            "--layers-at-once 65",
            "--memory-max 0",
            "--memory-max 1GB",
            "--scope some",
        ] {
            let words = format!("lazaret scan nginx {wrong}");
            assert!(
                crate::arguments::Arguments::try_parse_from(words.split_whitespace()).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn an_output_is_a_format_and_maybe_a_file() {
        for (text, format, file) in
            [("json", "json", None), ("csv=a=b.csv", "csv", Some("a=b.csv")), ("table=-", "table", None)]
        {
            let output = parse_output(text).unwrap();
            assert_eq!(output.format.to_string(), format);
            assert_eq!(output.file, file.map(PathBuf::from));
        }
        for (wrong, word) in
            [("json=", "empty"), ("yaml", "markdown"), ("", "no format"), ("csv@1=x", "no version")]
        {
            let error = parse_output(wrong).unwrap_err();
            assert!(error.contains(word), "{wrong}: {error}");
        }
    }
}
