//! `lazaret completions SHELL`.

use crate::exit::Exit;
use crate::name::{command_named, program_name};
use crate::terminal;

/// Prints the script.
pub(crate) fn run(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    terminal::print(&script(shell))?;
    Ok(Exit::Clean)
}

fn script(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    let name = program_name();
    clap_complete::generate(shell, &mut command_named(name), name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap_complete::Shell;

    use super::*;

    #[test]
    fn scripts_are_valid_and_know_the_options() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            assert!(script.contains("with-files") && script.contains("why-not"), "{shell}");
        }
        let bash = testkit::require_program("bash").unwrap();
        let output = testkit::run(&bash, script(Shell::Bash).as_bytes(), |command| {
            command.arg("-n");
        });
        assert_eq!(output.unwrap().success().unwrap(), "");
    }
}
