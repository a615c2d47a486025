//! RubyGems of this machine, which loads each specification.

use std::path::Path;

use anyhow::Result;

use super::{find, has_extension, place, rows};
use crate::check_packages::compare::Listed;
use crate::run::{command, output};

const SCRIPT: &str =
    "ARGV.each { |f| s = Gem::Specification.load(f); puts [s.name, s.version, f].join(\"\\t\") if s }";

pub(super) fn ask(root: &Path, _scratch: &Path) -> Result<Option<Vec<Listed>>> {
    // Only what RubyGems looks for: specifications of installed gems, not those that a gem's sources bring along.
    let is_installed = |path: &Path| {
        let mut above = path.ancestors().skip(1).take(2).filter_map(Path::file_name);
        has_extension(path, &["gemspec"]) && path.is_file() && above.any(|name| name == "specifications")
    };
    let specifications = find(root, &is_installed)?;
    if specifications.is_empty() {
        return Ok(None);
    }
    let answer = output(command("ruby").args(["-rrubygems", "-e", SCRIPT]).args(&specifications))?;
    let listed = rows(&answer).filter_map(|row| match row[..] {
        [name, version, path] => Some(Listed::new(name, version, &place(root, Path::new(path)))),
        _ => None,
    });
    Ok(Some(listed.collect()))
}
