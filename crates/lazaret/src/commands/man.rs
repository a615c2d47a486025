//! `lazaret man [FOLDER]`.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::exit::Exit;
use crate::name::{command_named, program_name};
use crate::terminal;

/// Prints the page of the program, or writes those of all commands.
pub(super) fn run(folder: Option<&Path>) -> anyhow::Result<Exit> {
    let command = command_named(program_name());
    match folder {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).context("failed to write the page")?;
            terminal::print(&String::from_utf8_lossy(&page))?;
        }
        Some(folder) if folder.is_dir() => {
            clap_mangen::generate_to(command, folder)
                .with_context(|| format!("failed to write the pages into `{}`", folder.display()))?;
        }
        Some(folder) => bail!("there is no folder `{}`; make it first", folder.display()),
    }
    Ok(Exit::Clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(run(Some(folder.path())).unwrap(), Exit::Clean);
        for name in ["lazaret.1", "lazaret-scan.1", "lazaret-why-not.1", "lazaret-policy-check.1"] {
            let page = fs_err::read_to_string(folder.path().join(name)).unwrap();
            assert!(page.contains(".TH") && page.contains("SYNOPSIS"), "{name}: {page}");
        }
        let page = fs_err::read_to_string(folder.path().join("lazaret-scan.1")).unwrap();
        assert!(page.contains("sarif") && page.contains("Exit codes"), "{page}");
        assert!(run(Some(&folder.path().join("missing"))).is_err());
    }
}
