//! What can be typed about clusters and the services in them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::arguments::ClientFlags;

/// Which cluster is meant.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Client options")]
pub(crate) struct ClusterChoice {
    /// Number of the cluster
    #[arg(long = "cluster", value_name = "ID", global = true, conflicts_with = "cluster_name")]
    pub(crate) cluster: Option<i64>,

    /// Name of the cluster; where there is only one, it is meant
    #[arg(long = "cluster-name", value_name = "NAME", global = true)]
    pub(crate) cluster_name: Option<String>,
}

impl ClusterChoice {
    /// The same with a name that was typed without a flag.
    pub(crate) fn or_name(self, name: Option<String>) -> Self {
        match name {
            Some(name) if self.cluster.is_none() && self.cluster_name.is_none() => {
                Self { cluster: None, cluster_name: Some(name) }
            }
            _ => self,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ClusterArguments {
    #[command(flatten)]
    pub(crate) flags: ClientFlags,
    #[command(flatten)]
    pub(crate) cluster: ClusterChoice,
    #[command(subcommand)]
    pub(crate) command: ClusterCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// List the clusters of the organization
    #[command(visible_aliases = ["ls", "l"])]
    List,
    /// Show a cluster
    #[command(visible_aliases = ["show", "g"])]
    Get {
        /// Its name
        name: Option<String>,
    },
    /// Bring an existing cluster by its kubeconfig
    #[command(
        visible_alias = "add",
        after_help = "The kubeconfig must hold its certificates and keys itself; `kubectl config view` makes one that does.\n\n\
        Examples:\n  lazaret cluster import --name demo --kubeconfig kube.conf\n  \
        kubectl config view --minify --raw | lazaret cluster import -n demo"
    )]
    Import(ImportArguments),
    /// Write the kubeconfig of a cluster to a file that only you read
    #[command(visible_alias = "conf")]
    Config {
        /// Name of the cluster
        name: Option<String>,
        /// Folder to write NAME.yaml to
        #[arg(short, long, value_name = "DIR", default_value = ".")]
        path: PathBuf,
    },
    /// Start a shell, or run a command, that has the cluster as its kubectl context
    #[command(
        visible_alias = "sh",
        after_help = "One word goes through your shell, several are run as they are. The exit code is the command's.\n\n\
        Examples:\n  lazaret cluster shell\n  lazaret cluster shell --cluster-name demo -- kubectl get pods -A\n  \
        lazaret cluster shell --cluster-name demo 'kubectl get audits | grep reject'\n  \
        lazaret cluster shell --cluster-name demo -- kubectl apply -f - <whitelist.yaml"
    )]
    Shell(ShellArguments),
    /// Give a cluster up: services are taken away, the cluster itself stays as it is
    #[command(visible_aliases = ["rm", "del"])]
    Delete {
        /// Its name
        name: Option<String>,
        /// Forget it even if it does not answer
        #[arg(short, long)]
        force: bool,
        /// Ask nothing
        #[arg(short, long)]
        yes: bool,
    },
    /// Show how the images that run in a cluster were judged
    #[command(after_help = "Examples:\n  lazaret cluster running --cluster-name demo\n  \
        lazaret cluster running --state refused -o json")]
    Running {
        /// Name of the cluster
        name: Option<String>,
        /// Only images of this state
        #[arg(long, value_name = "STATE", value_parser = ["refused", "undecided", "passed", "new"])]
        state: Option<String>,
    },
    /// Manage the services of a cluster
    #[command(visible_alias = "svc", aliases = ["services", "integratedservice", "is"])]
    Service(ServiceArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Name that the cluster gets
    #[arg(short, long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// The kubeconfig; `-` or nothing is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// Whether to stay until it is done.
#[derive(Debug, Clone, Args)]
pub(crate) struct Waiting {
    /// Stay until it is done, and fail if it fails
    #[arg(short, long)]
    pub(crate) wait: bool,

    /// Longest time to stay, as 90s or 10m
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_duration)]
    pub(crate) wait_timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct ShellArguments {
    /// Taken for the sake of old scripts: helm needs no wrapper any more
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide = true)]
    pub(crate) wrap_helm: Option<bool>,

    /// What to run; without it a shell
    #[arg(value_name = "COMMAND", trailing_var_arg = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = false)]
pub(crate) struct ServiceArguments {
    #[command(subcommand)]
    pub(crate) command: Option<ServiceCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// List the services that a cluster has
    #[command(visible_aliases = ["ls", "l"])]
    List {
        /// Name of the cluster
        name: Option<String>,
    },
    /// Scan images and keep what the policy refuses out of the cluster
    #[command(visible_alias = "security-scan")]
    Securityscan(SecurityscanArguments),
}

#[derive(Debug, Args)]
pub(crate) struct SecurityscanArguments {
    #[command(subcommand)]
    pub(crate) command: Option<SecurityscanCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecurityscanCommand {
    /// Show how the service is
    #[command(visible_aliases = ["show", "details", "query"])]
    Get,
    /// Begin to scan images and to enforce a policy
    #[command(
        visible_aliases = ["add", "enable", "install", "on"],
        after_help = "On a terminal it asks; with -f, or where standard input is no terminal, it reads a specification:\n\
        JSON or YAML, alone or below `spec`. docs/client.md has all of its keys.\n\nExamples:\n  \
        lazaret cluster service securityscan activate\n  \
        lazaret cluster service securityscan activate --wait -f scan.yaml\n  \
        lazaret cluster service securityscan activate <<EOF\n  {\"policy\": {\"policyId\": \"reject_high\"}, \"webhookConfig\": \
        {\"enabled\": true, \"selector\": \"include\", \"namespaces\": [\"*\"]}}\n  EOF"
    )]
    Activate(SpecArguments),
    /// Change the specification of the service
    #[command(visible_aliases = ["change", "modify", "set"])]
    Update(SpecArguments),
    /// End the service and take away what it brought
    #[command(visible_aliases = ["disable", "off", "remove", "rm", "uninstall"])]
    Deactivate {
        /// Delete the audits and whitelist items of the cluster too; without it they stay
        #[arg(long)]
        remove_resources: bool,
        #[command(flatten)]
        waiting: Waiting,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SpecArguments {
    /// File with the specification, JSON or YAML; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// `90`, `90s`, `10m`, `1h`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (digits, seconds) = match text.char_indices().next_back() {
        Some((end, 's')) => (&text[..end], 1),
        Some((end, 'm')) => (&text[..end], 60),
        Some((end, 'h')) => (&text[..end], 3600),
        _ => (text, 1),
    };
    let number = digits.parse::<u32>().ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| format!("`{text}` is no time, as 90s, 10m or 1h"))?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}
