//! What can be typed about what a cluster's security scan did and may do.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::ClientFlags;
use super::cluster_arguments::{ClusterChoice, Waiting};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  lazaret audits --cluster-name demo\n  lazaret audits --rejected\n  lazaret audits my-release -o json"
)]
pub(crate) struct AuditArguments {
    #[command(flatten)]
    pub(crate) flags: ClientFlags,
    #[command(flatten)]
    pub(crate) cluster: ClusterChoice,

    /// Only those of this release
    pub(crate) release: Option<String>,

    /// Only what was refused
    #[arg(long)]
    pub(crate) rejected: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WhitelistCommand {
    /// List the releases that are let in
    #[command(visible_aliases = ["ls", "l"])]
    List,
    /// Let a release in, whatever its images hold
    #[command(
        visible_alias = "add",
        alias = "c",
        after_help = "Example:\n  lazaret whitelist create my-release --reason 'fixed in the next release'"
    )]
    Create {
        /// The release
        name: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who answers for it [default: you]
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        /// Releases that it counts for besides the one of this name
        #[arg(long, value_name = "REGEXP")]
        regexp: Option<String>,
    },
    /// Let a release in no longer
    #[command(visible_aliases = ["rm", "d"], alias = "del")]
    Delete {
        /// The releases
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

/// Policies of a cluster's engine, beside the commands that need none.
#[derive(Debug, Subcommand)]
pub(crate) enum RemotePolicyCommand {
    /// List the policies of a cluster's engine
    #[command(visible_alias = "ls")]
    List(RemoteFlags),
    /// Show a policy of a cluster's engine
    #[command(visible_alias = "show")]
    Get {
        /// Its id
        id: String,
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Bring a policy to a cluster's engine; it judges nothing until it is activated
    #[command(visible_alias = "create")]
    Add {
        /// File with an Anchore bundle, JSON, or the name of a predefined one; `-` is standard input
        file: PathBuf,
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Make a policy the one that judges
    Activate {
        /// Its id
        id: String,
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Delete a policy of a cluster's engine
    #[command(visible_alias = "rm")]
    Delete {
        /// Its id
        id: String,
        #[command(flatten)]
        remote: RemoteFlags,
    },
}

/// The flags of a command about a cluster.
#[derive(Debug, Args)]
pub(crate) struct RemoteFlags {
    #[command(flatten)]
    pub(crate) flags: ClientFlags,
    #[command(flatten)]
    pub(crate) cluster: ClusterChoice,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// List the images that run in a cluster
    #[command(visible_aliases = ["ls", "l"])]
    List,
    /// Have an image looked at
    #[command(after_help = "Example:\n  lazaret image scan nginx:1.25 --wait")]
    Scan {
        /// Its reference
        image: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Show how far the engine is with an image
    #[command(visible_alias = "show")]
    Get {
        /// Its reference or digest
        image: String,
    },
    /// List what is known to be wrong with an image
    #[command(visible_aliases = ["vulnerabilities", "vulns"])]
    Vuln {
        /// Its reference or digest
        image: String,
    },
}
