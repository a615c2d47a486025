//! An application that Composer installed, of packages that lie in folders beside it.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::Made;
use crate::run::{command, output};

/// Forms of versions, and kinds of packages, that real ones have.
fn packages() -> Vec<Value> {
    vec![
        json!({"name": "acme/log", "version": "v1.4.2", "license": "MIT"}),
        json!({"name": "acme/client", "version": "2.0.0-beta3", "license": ["MIT", "Apache-2.0"],
            "require": {"acme/log": "^1.4"}, "provide": {"psr/http-client-implementation": "1.0"}}),
        json!({"name": "acme/old-name", "version": "5.0.0.1", "replace": {"acme/older-name": "self.version"}}),
        json!({"name": "acme/mixed_case", "version": "1.0.0+build7"}),
        json!({"name": "acme/snapshot", "version": "dev-main",
            "extra": {"branch-alias": {"dev-main": "1.2.x-dev"}}}),
        json!({"name": "acme/tests", "version": "9.9.9"}),
    ]
}

/// A package without files.
fn kit() -> Value {
    json!({"name": "acme/kit", "version": "3.1", "type": "metapackage", "require": {"acme/client": "^2.0@beta"}})
}

/// One application with what it is tested with, and one without.
pub(super) fn applications(made: &Made<'_>) -> Result<()> {
    for (folder, arguments) in [("srv/shop", &[][..]), ("srv/pages", &["--no-dev"])] {
        let application = made.root.join(folder);
        let mut sources = vec![json!({"type": "package", "package": kit()}), json!({"packagist.org": false})];
        for package in packages() {
            let library = Path::new("library").join(package["name"].as_str().unwrap_or_default());
            fs_err::create_dir_all(application.join(&library))?;
            fs_err::write(application.join(&library).join("composer.json"), package.to_string())?;
            sources.push(json!({"type": "path", "url": library, "options": {"symlink": false}}));
        }
        let manifest = json!({
            "name": "shop/application", "version": "1.0.0", "repositories": sources,
            "minimum-stability": "dev", "prefer-stable": true,
            "require": {"acme/kit": "*", "acme/old-name": "*", "acme/mixed_case": "*", "acme/snapshot": "*@dev"},
            "require-dev": {"acme/tests": "*"},
        });
        fs_err::write(application.join("composer.json"), manifest.to_string())?;
        let mut composer = command("composer");
        composer.args(["install", "--no-interaction", "--no-progress"]).args(arguments);
        composer.env("COMPOSER_ALLOW_SUPERUSER", "1").env("COMPOSER_HOME", made.scratch.join("composer"));
        output(composer.current_dir(&application))?;
    }
    Ok(())
}
