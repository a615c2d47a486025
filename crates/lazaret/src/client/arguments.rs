//! What can be typed to a server's client: flags that all of its commands have, and who one is.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::cluster_arguments::{ClusterArguments, ClusterChoice};
use super::security_arguments::{AuditArguments, ImageCommand, WhitelistCommand};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    #[value(alias = "table")]
    Default,
    /// What the server said, as JSON
    Json,
    /// The same as YAML
    #[value(alias = "yml")]
    Yaml,
}

/// The flags that all commands of the client have.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Client options")]
pub(crate) struct ClientFlags {
    /// Configuration of the client [default: $BANZAICONFIG, ~/.banzai/config.yaml, ~/.config/lazaret/client.yaml]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,

    /// How to write the result
    #[arg(short, long, value_name = "FORMAT", value_enum, global = true)]
    pub(crate) output: Option<Format>,

    /// Organization, by name or number; without it the selected one
    #[arg(long, value_name = "NAME|ID", global = true)]
    pub(crate) organization: Option<String>,

    /// Ask nothing, whatever stands at the other end
    #[arg(long, global = true, conflicts_with = "interactive")]
    pub(crate) no_interactive: bool,

    /// Ask even where standard input or output is no terminal
    #[arg(long, global = true)]
    pub(crate) interactive: bool,

    /// Tell which calls are made; never with their contents
    #[arg(long, global = true)]
    pub(crate) verbose: bool,

    /// Taken and without effect: nothing is coloured
    #[arg(long, global = true, hide = true)]
    pub(crate) color: bool,

    /// Taken and without effect: nothing is coloured
    #[arg(long, global = true, hide = true)]
    pub(crate) no_color: bool,
}

/// The same flags in front of the command: `banzai -o json cluster list`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LeadingFlags {
    #[arg(id = "leading-config", long = "config", value_name = "FILE", hide = true)]
    config: Option<PathBuf>,
    #[arg(id = "leading-output", short = 'o', long = "output", value_enum, hide = true)]
    output: Option<Format>,
    #[arg(id = "leading-organization", long = "organization", hide = true)]
    organization: Option<String>,
    #[arg(id = "leading-no-interactive", long = "no-interactive", hide = true)]
    no_interactive: bool,
    #[arg(id = "leading-interactive", long = "interactive", hide = true)]
    interactive: bool,
    #[arg(id = "leading-verbose", long = "verbose", hide = true)]
    verbose: bool,
    #[arg(id = "leading-color", long = "color", hide = true)]
    color: bool,
    #[arg(id = "leading-no-color", long = "no-color", hide = true)]
    no_color: bool,
}

impl LeadingFlags {
    /// Whether none was given.
    pub(crate) fn are_none(&self) -> bool {
        let Self { config, output, organization, no_interactive, interactive, verbose, color, no_color } =
            self;
        config.is_none()
            && output.is_none()
            && organization.is_none()
            && ![no_interactive, interactive, verbose, color, no_color].into_iter().any(|flag| *flag)
    }

    /// The flags of a command, and these where it has none.
    pub(crate) fn under(self, flags: ClientFlags) -> ClientFlags {
        let is_decided = flags.interactive || flags.no_interactive;
        ClientFlags {
            config: flags.config.or(self.config),
            output: flags.output.or(self.output),
            organization: flags.organization.or(self.organization),
            no_interactive: flags.no_interactive || (self.no_interactive && !is_decided),
            interactive: flags.interactive || (self.interactive && !is_decided),
            verbose: flags.verbose || self.verbose,
            color: flags.color || self.color,
            no_color: flags.no_color || self.no_color,
        }
    }
}

/// Commands that talk to a server.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Remember a server and who you are there
    Login(LoginArguments),
    /// List and select organizations
    #[command(visible_alias = "org", aliases = ["organizations", "orgs"])]
    Organization(Group<OrganizationCommand>),
    /// Manage the secrets of an organization
    #[command(aliases = ["secrets", "s"])]
    Secret(Group<SecretCommand>),
    /// Manage clusters and the services in them
    #[command(visible_alias = "cl", aliases = ["clusters", "c"])]
    Cluster(Box<ClusterArguments>),
    /// Manage your tokens
    #[command(alias = "tokens")]
    Token(Group<TokenCommand>),
    /// Show what was let into a cluster, what was not, and why
    #[command(visible_alias = "scanlog", alias = "audit")]
    Audits(AuditArguments),
    /// Manage the releases of a cluster that are let in whatever their images hold
    #[command(visible_alias = "wl", alias = "whitelists")]
    Whitelist(ClusterGroup<WhitelistCommand>),
    /// Watch what is done about clusters and services, and stop it
    #[command(hide = true, alias = "processes")]
    Process(Group<ProcessCommand>),
    /// Have the engine of a cluster look at images
    #[command(alias = "images")]
    Image(ClusterGroup<ImageCommand>),
}

/// Commands of one kind with the flags of all.
#[derive(Debug, Args)]
pub(crate) struct Group<C: Subcommand> {
    #[command(flatten)]
    pub(crate) flags: ClientFlags,
    #[command(subcommand)]
    pub(crate) command: C,
}

/// The same about a cluster.
#[derive(Debug, Args)]
pub(crate) struct ClusterGroup<C: Subcommand> {
    #[command(flatten)]
    pub(crate) flags: ClientFlags,
    #[command(flatten)]
    pub(crate) cluster: ClusterChoice,
    #[command(subcommand)]
    pub(crate) command: C,
}

#[derive(Debug, Args)]
#[command(
    after_help = "On the machine of `lazaret serve`, `login` alone is enough: it finds the server and the token of the first user.\n\n\
    Elsewhere it opens a browser, where the server has a provider that people log in with, and asks for a token where it has none.\n\n\
    Examples:\n  lazaret login\n  lazaret login -e https://pipeline.example.org/pipeline\n  \
    lazaret login -e https://pipeline.example.org/pipeline -t TOKEN\n  \
    lazaret login -e https://pipeline.example.org/pipeline -t - < token-file\n  \
    lazaret login -e https://10.0.0.5:9090/pipeline --skip-verify    (the certificate it has now is the only one believed from then on)"
)]
pub(crate) struct LoginArguments {
    #[command(flatten)]
    pub(crate) flags: ClientFlags,

    /// Address of the server, with its base path
    #[arg(short, long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,

    /// Your token; `-` reads it from standard input, where no list of processes shows it
    #[arg(short, long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,

    /// Log in by browser, and only print the address to open, as on a machine without a screen
    #[arg(long, conflicts_with = "token")]
    pub(crate) no_browser: bool,

    /// Exchange the token for one that does not end
    #[arg(long)]
    pub(crate) permanent: bool,

    /// Go on without encryption, or with a certificate that nobody vouches for: it is pinned
    #[arg(long)]
    pub(crate) skip_verify: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrganizationCommand {
    /// List your organizations
    #[command(visible_aliases = ["ls", "l"])]
    List,
    /// Select the organization that commands are about
    #[command(visible_alias = "current", aliases = ["use", "set"])]
    Select {
        /// Its name or number; without it you are asked
        name: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// List the secrets of the organization
    #[command(visible_aliases = ["ls", "l"])]
    List {
        /// Only those of this type
        #[arg(short = 't', long = "type", value_name = "TYPE")]
        kind: Option<String>,
    },
    /// Show a secret with its values
    #[command(visible_aliases = ["show", "g"], alias = "sh")]
    Get {
        /// Its name
        #[arg(value_name = "NAME", conflicts_with_all = ["name_flag", "id"], required_unless_present_any = ["name_flag", "id"])]
        name: Option<String>,
        /// Its name
        #[arg(short, long = "name", value_name = "NAME", id = "name_flag", conflicts_with = "id")]
        name_flag: Option<String>,
        /// Its id
        #[arg(short, long, value_name = "ID")]
        id: Option<String>,
        /// Keep its values to yourself
        #[arg(short = 'H', long)]
        hide: bool,
    },
    /// Keep a new secret
    #[command(
        visible_alias = "c",
        alias = "add",
        after_help = "Without a file it asks, or reads standard input where that is no terminal.\n\nExamples:\n  \
        lazaret secret create\n  lazaret secret create --name registry --type password\n  lazaret secret create <<EOF\n  \
        {\"name\": \"registry\", \"type\": \"password\", \"values\": {\"username\": \"ada\", \"password\": \"…\"}}\n  EOF"
    )]
    Create(SecretCreateArguments),
    /// Delete secrets
    #[command(visible_aliases = ["rm", "d"], alias = "del")]
    Delete {
        /// Ids, or with --name names
        #[arg(required = true, value_name = "SECRET")]
        secrets: Vec<String>,
        /// The words are names
        #[arg(short, long)]
        name: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SecretCreateArguments {
    /// File with the secret, JSON or YAML; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Its name
    #[arg(short, long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Its type, as password, kubernetes or amazon
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,

    /// A tag; repeat for several
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,

    /// Whether the server tries the secret before it keeps it
    #[arg(short = 'v', long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) validate: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProcessCommand {
    /// List processes, newest first
    #[command(visible_aliases = ["ls", "l"])]
    List {
        /// Only those that are running, failed, finished or canceled; `all` for all
        #[arg(long, value_name = "STATUS", default_value = "running")]
        status: String,
    },
    /// Show a process with its events
    #[command(visible_aliases = ["show", "g"])]
    Get {
        /// Its id
        id: String,
    },
    /// Stop an activation or update of a service before its next step
    Cancel {
        /// Its id
        id: String,
    },
    /// Follow a process until it ends; ends with 1 unless it finished
    Tail {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; it is shown this once
    #[command(alias = "add", after_help = "Example:\n  lazaret token create --name ci > token-file")]
    Create {
        /// What it is for
        #[arg(short, long, value_name = "NAME")]
        name: Option<String>,
        /// When it ends, as 2030-01-31T00:00:00Z; without it, never
        #[arg(long, value_name = "TIME")]
        expires_at: Option<jiff::Timestamp>,
        /// A machine that acts in one organization only, with its own name
        #[arg(long, value_name = "ORGANIZATION/NAME")]
        virtual_user: Option<String>,
    },
    /// List your tokens
    #[command(visible_aliases = ["ls", "l"])]
    List,
    /// End tokens: whoever has one is out
    #[command(visible_aliases = ["rm", "revoke"], aliases = ["del", "d"])]
    Delete {
        /// Their ids, which `token list` shows
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}
