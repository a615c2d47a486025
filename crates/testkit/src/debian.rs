//! Two real Debian images that differ only by security updates: what a scanner must find in the one and not in the other.
//!
//! `cargo xtask setup` makes them as the recipe here says; tests find them by the recipe's hash.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::environment::cache_folder;
use crate::image::digest_of;

/// OCI archives of Debian 12.
#[derive(Debug, Clone)]
pub struct DebianImages {
    /// As released, without security updates.
    pub vulnerable: PathBuf,
    /// With all security updates of the day it was made.
    pub fixed: PathBuf,
}

/// The images; the error says how to make them.
pub fn debian_images() -> Result<DebianImages> {
    let cache = cache_folder()?;
    let find = |recipe: DebianRecipe| {
        let file = recipe.cached_file(&cache);
        ensure!(file.exists(), "the test image `{}` does not exist: run `cargo xtask setup`", file.display());
        Ok(file)
    };
    let [vulnerable, fixed] = DebianRecipe::ALL;
    Ok(DebianImages { vulnerable: find(vulnerable)?, fixed: find(fixed)? })
}

/// How one of the images is made. The addresses of the archives are the machine's own and no part of the recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DebianRecipe {
    /// What the image is called in progress lines and file names.
    pub name: &'static str,
    /// The release.
    pub suite: &'static str,
    /// The release's security updates, where the image has them.
    pub security_suite: Option<&'static str>,
    /// Arguments of `mmdebstrap` before the suite. Changelogs stay in the image: `minbase` removes none.
    pub mmdebstrap_arguments: [&'static str; 2],
    /// Arguments of `umoci config` behind `--image NAME`: a command and no health check.
    pub umoci_config_arguments: [&'static str; 2],
}

impl DebianRecipe {
    /// The vulnerable image and the fixed one.
    pub const ALL: [Self; 2] = [
        Self::VULNERABLE,
        Self { security_suite: Some("bookworm-security"), name: "debian-12-fixed", ..Self::VULNERABLE },
    ];

    const VULNERABLE: Self = Self {
        name: "debian-12-vulnerable",
        suite: "bookworm",
        security_suite: None,
        mmdebstrap_arguments: ["--variant=minbase", "--mode=root"],
        umoci_config_arguments: ["--config.cmd", "bash"],
    };

    /// Where the OCI archive belongs: the name carries a hash of the recipe.
    pub fn cached_file(&self, cache: &Path) -> PathBuf {
        let Self { name, suite, security_suite, mmdebstrap_arguments, umoci_config_arguments } = self;
        let recipe = [
            *name,
            *suite,
            security_suite.unwrap_or_default(),
            &mmdebstrap_arguments.join(" "),
            &umoci_config_arguments.join(" "),
        ];
        let digest = digest_of(recipe.join("\n").as_bytes());
        cache.join("images").join(format!("{name}-{}.oci.tar", &digest.hex()[..16]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::command::run;
    use crate::environment::require_program;

    #[test]
    fn each_recipe_has_its_own_file() {
        let [vulnerable, fixed] = DebianRecipe::ALL;
        let other = DebianRecipe { umoci_config_arguments: ["--config.cmd", "sh"], ..vulnerable };
        let files = [vulnerable, fixed, other].map(|recipe| recipe.cached_file(Path::new("/cache")));
        assert_eq!(files.iter().collect::<BTreeSet<_>>().len(), 3);
        assert!(files[0].to_string_lossy().starts_with("/cache/images/debian-12-vulnerable-"));
        assert_eq!(files[0], vulnerable.cached_file(Path::new("/cache")));
    }

    #[test]
    fn the_images_are_complete_and_differ() {
        let images = debian_images().unwrap();
        let configs = [images.vulnerable, images.fixed].map(|archive| {
            let output = run(&require_program("skopeo").unwrap(), b"", |command| {
                command.arg("inspect").arg("--config").arg(format!("oci-archive:{}", archive.display()));
            });
            serde_json::from_str::<serde_json::Value>(&output.unwrap().success().unwrap()).unwrap()
        });
        for config in &configs {
            assert_eq!(config["config"]["Cmd"], serde_json::json!(["bash"]));
            assert!(config["config"]["Healthcheck"].is_null());
            assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 1);
        }
        assert_ne!(configs[0]["rootfs"], configs[1]["rootfs"]);
    }
}
