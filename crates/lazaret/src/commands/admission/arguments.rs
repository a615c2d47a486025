//! The flags of `lazaret admission`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::config::flags::{OfAdmission, SettingFlags};

/// Without a command the webhook itself runs; its certificates, its index and its audits are its own business.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  \
    lazaret admission --kubeconfig ~/.kube/config --engine-url http://127.0.0.1:8228 --state-dir ./webhook\n  \
    lazaret admission install --kubeconfig ~/.kube/config --url https://host:8443/imagecheck --state-dir ./webhook\n  \
    lazaret admission install --namespace lazaret --image registry.example.org/lazaret:1 --engine-url https://engine:8228\n  \
    lazaret admission install --url https://host:8443/imagecheck --state-dir ./webhook --dry-run=client -o yaml\n\n\
    LAZARET_ENGINE_PASSWORD holds the engine's password. ANCHORE_ENGINE_URL, ANCHORE_ENGINE_USERNAME,\n\
    ANCHORE_ENGINE_PASSWORD and ANCHORE_ENGINE_INSECURE are read as well, as the original webhook did.")]
pub(crate) struct AdmissionArguments {
    #[command(subcommand)]
    pub(crate) command: Option<AdmissionCommand>,

    #[command(flatten)]
    pub(crate) run: RunArguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdmissionCommand {
    /// Put the webhook's objects into a cluster, or bring them up to date
    Install(InstallArguments),
    /// Take them out again; audits and exemptions stay unless told
    Uninstall(UninstallArguments),
}

/// Which cluster.
#[derive(Debug, Args)]
pub(crate) struct ClusterArguments {
    /// Kubeconfig file [default: KUBECONFIG, ~/.kube/config, or the Pod's own account]
    #[arg(long, value_name = "FILE", env = "LAZARET_KUBECONFIG")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", env = "LAZARET_CONTEXT")]
    pub(crate) context: Option<String>,
}

/// What an undecided image means where a namespace has no label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UndecidedArgument {
    /// The Pod is refused
    Deny,
    /// The Pod is created, with a warning
    Allow,
}

/// What the API server does when the webhook does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum FailurePolicyArgument {
    /// Go on without it
    Ignore,
    /// Refuse Pods
    Fail,
}

/// Which engine is asked.
#[derive(Debug, Args)]
pub(crate) struct EngineArguments {
    /// Address of the engine, ours or an Anchore Engine; without it an engine runs in this process
    #[arg(long, value_name = "URL", env = "LAZARET_ENGINE_URL")]
    pub(crate) engine_url: Option<String>,

    /// User at the engine [default: admin]
    #[arg(long, value_name = "NAME", env = "LAZARET_ENGINE_USER")]
    pub(crate) engine_user: Option<String>,

    /// File with the password at the engine; LAZARET_ENGINE_PASSWORD may hold it instead
    #[arg(long, value_name = "FILE", env = "LAZARET_ENGINE_PASSWORD_FILE")]
    pub(crate) engine_password_file: Option<PathBuf>,

    /// Certificate authority of the engine, PEM
    #[arg(long, value_name = "FILE", env = "LAZARET_ENGINE_CA")]
    pub(crate) engine_ca: Option<PathBuf>,

    /// Do not check the engine's certificate
    #[arg(long, env = "LAZARET_ENGINE_INSECURE", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) engine_insecure: Option<bool>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) cluster: ClusterArguments,

    #[command(flatten)]
    pub(crate) engine: EngineArguments,

    /// Those about storage, images and registries are for the engine in this process: not used with --engine-url.
    #[command(flatten)]
    pub(crate) settings: SettingFlags<OfAdmission>,

    /// Bundle that the engine in this process makes active: a file, or the name of a predefined one
    #[arg(long, value_name = "BUNDLE", env = "LAZARET_POLICY")]
    pub(crate) policy: Option<String>,

    /// Address of the webhook; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", env = "LAZARET_ADMISSION_LISTEN", default_value = "0.0.0.0:8443")]
    pub(crate) listen: SocketAddr,

    /// Address of health and metrics, plain HTTP; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", env = "LAZARET_HEALTH_LISTEN", default_value = "0.0.0.0:8081")]
    pub(crate) health_listen: SocketAddr,

    /// Folder for certificates and unwritten audits of a webhook outside the cluster
    #[arg(long, value_name = "DIR", env = "LAZARET_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,

    /// Namespace of the webhook's Secret, Service and Deployment, for a webhook inside the cluster
    #[arg(long, value_name = "NAME", env = "LAZARET_NAMESPACE", default_value = "lazaret")]
    pub(crate) namespace: String,

    /// Name or address that the API server reaches a webhook outside the cluster by; repeat or split by comma
    #[arg(long = "name", value_name = "HOST", env = "LAZARET_ADMISSION_NAME", value_delimiter = ',')]
    pub(crate) names: Vec<String>,

    /// What an undecided image means where a namespace has no label
    #[arg(long, value_enum, env = "LAZARET_UNDECIDED", default_value = "deny")]
    pub(crate) undecided: UndecidedArgument,

    /// Longest wait for the verdict about an image that is not known yet, in seconds
    #[arg(long, value_name = "SECONDS", env = "LAZARET_WAIT", default_value = "8")]
    pub(crate) wait: u64,

    /// How long a tag stands for the same image, in seconds; 0 resolves it each time
    #[arg(long, value_name = "SECONDS", env = "LAZARET_TAG_TTL", default_value = "30")]
    pub(crate) tag_ttl: u64,

    /// How long the audit of a refused Pod without a parent lives, in seconds
    #[arg(long, value_name = "SECONDS", env = "LAZARET_AUDIT_TTL", default_value = "86400")]
    pub(crate) audit_ttl: u64,
}

/// Only showing, or doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    /// Change the cluster
    None,
    /// Print the objects instead
    Client,
}

/// How printed objects are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManifestFormat {
    /// YAML documents
    Yaml,
}

#[derive(Debug, Args)]
pub(crate) struct InstallArguments {
    #[command(flatten)]
    pub(crate) cluster: ClusterArguments,

    #[command(flatten)]
    pub(crate) engine: EngineArguments,

    /// The webhook runs outside the cluster and is reached at this address (https, path /imagecheck)
    #[arg(long, value_name = "URL", requires = "state_dir", conflicts_with = "image")]
    pub(crate) url: Option<String>,

    /// Folder with the certificates of a webhook outside the cluster
    #[arg(long, value_name = "DIR", env = "LAZARET_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,

    /// The webhook runs inside the cluster from this image
    #[arg(long, value_name = "IMAGE", required_unless_present = "url")]
    pub(crate) image: Option<String>,

    /// Namespace of the webhook
    #[arg(long, value_name = "NAME", env = "LAZARET_NAMESPACE", default_value = "lazaret")]
    pub(crate) namespace: String,

    /// What the API server does without the webhook where a namespace has no label
    #[arg(long, value_enum, default_value = "Ignore")]
    pub(crate) failure_policy: FailurePolicyArgument,

    /// Show what would be done instead of doing it
    #[arg(long, value_enum, default_value = "none", require_equals = true)]
    pub(crate) dry_run: DryRun,

    /// How objects are printed with --dry-run=client
    #[arg(short, long, value_enum, default_value = "yaml")]
    pub(crate) output: ManifestFormat,
}

#[derive(Debug, Args)]
pub(crate) struct UninstallArguments {
    #[command(flatten)]
    pub(crate) cluster: ClusterArguments,

    /// Namespace of the webhook
    #[arg(long, value_name = "NAME", env = "LAZARET_NAMESPACE", default_value = "lazaret")]
    pub(crate) namespace: String,

    /// Also remove the custom resource definitions, and with them all audits and exemptions
    #[arg(long)]
    pub(crate) remove_resources: bool,
}
