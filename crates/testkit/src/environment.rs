//! Where things lie on this machine: the environment, the cache folder, the workspace, other people's programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The value of an environment variable; an empty one counts as absent.
///
/// The only place where tests and `xtask` read the environment.
#[expect(
    clippy::disallowed_methods,
    reason = "test tools are configured by the environment, and read it only here"
)]
pub fn environment_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The folder for what is expensive to make and lies outside the repository: built tools, real images.
///
/// `LAZARET_CACHE_DIR`, else `$XDG_CACHE_HOME/lazaret`, else `~/.cache/lazaret`.
pub fn cache_folder() -> Result<PathBuf> {
    if let Some(folder) = environment_variable("LAZARET_CACHE_DIR") {
        return Ok(PathBuf::from(folder));
    }
    if let Some(folder) = environment_variable("XDG_CACHE_HOME") {
        return Ok(Path::new(&folder).join("lazaret"));
    }
    match environment_variable("HOME") {
        Some(home) => Ok(Path::new(&home).join(".cache/lazaret")),
        None => {
            bail!("no cache folder: set `LAZARET_CACHE_DIR` (neither `XDG_CACHE_HOME` nor `HOME` is set)")
        }
    }
}

/// The root folder of the workspace these tests were built from.
pub fn workspace_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The path of a program of the machine, searched as a shell does and then in the system's own folders:
/// servers such as etcd may lie in folders that are not on a user's `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = environment_variable("PATH").unwrap_or_default();
    let system = ["/usr/bin", "/usr/sbin", "/usr/local/go/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

/// Like [`find_program`]; the error says how to install what is missing.
pub fn require_program(name: &str) -> Result<PathBuf> {
    find_program(name).with_context(|| format!("program `{name}` is not installed: run `cargo xtask setup`"))
}

/// True for a file that has an execute permission.
pub fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
