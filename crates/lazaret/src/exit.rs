//! Exit codes, which scripts rely on.

use std::process::ExitCode;

/// What the program tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, and nothing speaks against the image.
    Clean,
    /// The question could not be answered, or the command failed.
    Error,
    /// Findings at or above the bound, or refused by the policy.
    Refused,
    /// What a command that was run for the user ended with.
    Of(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Clean => 0,
            Exit::Error => 1,
            Exit::Refused => 2,
            Exit::Of(code) => code,
        })
    }
}

/// Prints help to standard output with code 0, and a mistake in the arguments to standard error with code 1: the
/// customary 2 means "refused" here.
pub(crate) fn from_usage(error: &clap::Error) -> ExitCode {
    let is_mistake = error.use_stderr();
    if error.print().is_err() {
        return Exit::Error.into();
    }
    if is_mistake { Exit::Error.into() } else { Exit::Clean.into() }
}
