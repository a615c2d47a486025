//! `lazaret db import`: data that was brought here by hand takes the place of what is in force.

use std::path::Path;

use anyhow::{Context as _, bail};
use vulnerability_db::{Database, DatabaseStatus, OpenError};

use super::{build_image, status_table};
use crate::arguments::FeedArgument;
use crate::exit::Exit;
use crate::terminal;

pub(super) fn run(
    file: Option<&Path>,
    feeds: &[FeedArgument],
    path: &Path,
    is_forced: bool,
) -> anyhow::Result<Exit> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs_err::create_dir_all(folder)?;
    }
    let status = match file {
        Some(file) => {
            let new = Database::open(file)?.status();
            check(path, &new, is_forced)?;
            vulnerability_db::install(file, path)?
        }
        None => {
            // Beside its place first: what it holds is known only when it is built.
            let beside = tempfile::tempdir_in(folder.unwrap_or(Path::new(".")))
                .with_context(|| format!("failed to write beside `{}`", path.display()))?;
            let built = beside.path().join("new.db");
            vulnerability_db::write(&build_image(feeds)?, &built)?;
            let new = Database::open(&built)?.status();
            check(path, &new, is_forced)?;
            vulnerability_db::install(&built, path)?
        }
    };
    terminal::print(&format!("imported to {}\n\n{}", path.display(), status_table(&status)))?;
    Ok(Exit::Clean)
}

/// Nothing is said against a database that replaces none, or one that cannot be used.
fn check(path: &Path, new: &DatabaseStatus, is_forced: bool) -> anyhow::Result<()> {
    let old = match Database::open(path) {
        Ok(old) => old.status(),
        Err(OpenError::Missing { .. }) => return Ok(()),
        Err(error) => {
            terminal::error_line(&format!("warning: the database that is there is replaced: {error}"));
            return Ok(());
        }
    };
    let doubts = vulnerability_db::doubts(&old, new);
    if is_forced || doubts.is_empty() {
        return Ok(());
    }
    let doubts: Vec<String> = doubts.iter().take(5).map(ToString::to_string).collect();
    bail!("the database was not imported: {}; import it all the same with --force", doubts.join("; "))
}
