//! The flags that set settings, made from their table, so that help, file and documentation say the same.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};

use super::setting::{Commands, Kind, Setting};
use super::table::SETTINGS;

const CONFIG: &str = "config";
const SET: &str = "set";

/// A command that has settings.
pub(crate) trait OfCommand {
    /// The settings whose flags it has: those of these commands and of more.
    const COMMANDS: Commands;
}

/// `lazaret serve`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OfServe;
/// `lazaret work`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OfWork;
/// `lazaret backup` and `lazaret restore`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OfStorage;
/// `lazaret admission`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OfAdmission;

impl OfCommand for OfServe {
    const COMMANDS: Commands = Commands::Serve;
}

impl OfCommand for OfWork {
    const COMMANDS: Commands = Commands::Workers;
}

impl OfCommand for OfStorage {
    const COMMANDS: Commands = Commands::Storage;
}

impl OfCommand for OfAdmission {
    const COMMANDS: Commands = Commands::All;
}

/// The flags of a command that set settings.
pub(crate) struct SettingFlags<C> {
    /// The configuration file.
    pub(crate) config: Option<PathBuf>,
    /// Key, flag as it was typed, and value.
    pub(crate) given: Vec<(String, String, String)>,
    command: PhantomData<C>,
}

impl<C> Default for SettingFlags<C> {
    fn default() -> Self {
        Self { config: None, given: Vec::new(), command: PhantomData }
    }
}

impl<C> fmt::Debug for SettingFlags<C> {
    /// Without values: one may be a secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SettingFlags").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<C: OfCommand> Args for SettingFlags<C> {
    fn augment_args(command: clap::Command) -> clap::Command {
        let config = Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .env("LAZARET_CONFIG")
            .hide_env_values(true)
            .help("Configuration file, TOML; `lazaret config print` shows one with everything in it");
        let set = Arg::new(SET)
            .long(SET)
            .value_name("KEY=VALUE")
            .action(ArgAction::Append)
            .help("Any setting of the configuration file, as analysis.lease=2m; repeat for several");
        flags::<C>().fold(command.arg(config).arg(set), |command, setting| command.arg(argument(setting)))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl<C: OfCommand> FromArgMatches for SettingFlags<C> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one::<PathBuf>(CONFIG).cloned();
        for pair in matches.get_many::<String>(SET).into_iter().flatten() {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = key.trim().to_owned();
            self.given.push((key.clone(), format!("--{SET} {key}"), value.to_owned()));
        }
        for setting in flags::<C>() {
            if let Some(values) = matches.get_many::<String>(setting.key) {
                let text = values.map(String::as_str).collect::<Vec<_>>().join(",");
                let flag = setting.flag.unwrap_or(setting.key);
                self.given.push((setting.key.to_owned(), format!("--{flag}"), text));
            }
        }
        Ok(())
    }
}

fn flags<C: OfCommand>() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(|setting| setting.flag.is_some() && setting.commands >= C::COMMANDS)
}

fn argument(setting: &'static Setting) -> Arg {
    let (value_name, more) = match setting.kind {
        Kind::Path => ("PATH", ""),
        Kind::Address => ("ADDRESS", ""),
        Kind::Url => ("URL", ""),
        Kind::Count(..) => ("COUNT", ""),
        Kind::Duration(..) => ("TIME", ""),
        Kind::Bytes => ("BYTES", ""),
        Kind::Words => ("LIST", "; repeat or split by comma"),
        Kind::Switch => ("true|false", ""),
        Kind::Ratio => ("RATIO", ""),
        Kind::Text | Kind::Secret | Kind::OneOf(_) => ("TEXT", ""),
    };
    let default = if setting.default.is_empty() { setting.unset } else { setting.default };
    let help = format!("{}{more} [default: {default}] [env: {}]", setting.help, setting.variable());
    let argument =
        Arg::new(setting.key).long(setting.flag.unwrap_or(setting.key)).value_name(value_name).help(help);
    match setting.kind {
        Kind::Switch => argument.num_args(0..=1).default_missing_value("true").require_equals(false),
        Kind::Words => argument.action(ArgAction::Append),
        _ => argument,
    }
}
