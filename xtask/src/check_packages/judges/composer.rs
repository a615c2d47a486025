//! Composer, asked about every application.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{find, named, place};
use crate::check_packages::compare::Listed;
use crate::run::{command, output};

pub(super) fn ask(root: &Path, scratch: &Path) -> Result<Option<Vec<Listed>>> {
    let lists = find(root, &|path| path.ends_with("vendor/composer/installed.json"))?;
    let mut listed = Vec::new();
    for list in &lists {
        let application = list.ancestors().nth(3).context("the list lies in an application")?;
        let mut composer = command("composer");
        composer.args(["show", "--format=json", "--no-interaction", "--no-plugins", "--working-dir"]);
        composer.arg(application).env("COMPOSER_ALLOW_SUPERUSER", "1").env("COMPOSER_HOME", scratch);
        listed.extend(parse(&output(&mut composer)?, &place(root, list))?);
    }
    Ok((!lists.is_empty()).then_some(listed))
}

fn parse(answer: &str, place: &str) -> Result<Vec<Listed>> {
    let answer: Value = serde_json::from_str(answer)?;
    let packages = answer["installed"].as_array().context("`composer show` wrote no list")?;
    Ok(packages.iter().map(|package| named(package, place)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_read() {
        let answer = r#"{"installed": [{"name": "acme/log", "version": "v1.4.2", "description": null}]}"#;
        assert_eq!(parse(answer, "/p").unwrap(), [Listed::new("acme/log", "v1.4.2", "/p")]);
        assert!(parse("[]", "/p").is_err());
    }
}
