//! Maven's repository: the path of an archive says under which name and version it was fetched.

use std::path::Path;

use anyhow::Result;

use super::{find, has_extension, place};
use crate::check_packages::compare::Listed;

/// The folder in images that is laid out as a repository.
pub(in crate::check_packages) const REPOSITORY: &str = "opt/repository";

pub(super) fn ask(root: &Path, _scratch: &Path) -> Result<Option<Vec<Listed>>> {
    let repository = root.join(REPOSITORY);
    if !repository.exists() {
        return Ok(None);
    }
    let archives = find(&repository, &|path| has_extension(path, &["jar", "war"]))?;
    let listed = archives.iter().filter_map(|archive| {
        let inner = archive.strip_prefix(&repository).ok()?;
        parse(&inner.display().to_string(), &place(root, archive))
    });
    Ok(Some(listed.collect()))
}

/// `org/example/core/1.0/core-1.0.jar`.
fn parse(path: &str, place: &str) -> Option<Listed> {
    let folders: Vec<&str> = path.split('/').collect();
    let [group @ .., name, version, _] = folders.as_slice() else { return None };
    Some(Listed::new(&format!("{}:{name}", group.join(".")), version, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_group_artifact_and_version() {
        let listed = parse("org/example/core/1.0/core-1.0.jar", "/p").unwrap();
        assert_eq!(listed, Listed::new("org.example:core", "1.0", "/p"));
        assert_eq!(parse("core.jar", "/p"), None);
    }
}
