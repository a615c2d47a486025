//! Real Debian images, made with Debian's own tools from the machine's own mirrors.

use std::path::Path;

use anyhow::{Context, Result, bail};
use testkit::DebianRecipe;

use super::packages::is_root;
use super::{lock, unfinished_folder};
use crate::progress::step;
use crate::run::{command, output};

/// Makes the images that are not there.
pub(crate) fn make_if_missing(cache: &Path) -> Result<()> {
    let is_missing = |recipe: &DebianRecipe| !recipe.cached_file(cache).exists();
    if !DebianRecipe::ALL.iter().any(is_missing) {
        return Ok(());
    }
    fs_err::create_dir_all(cache.join("images"))?;
    let _lock = lock(&cache.join("images/debian.lock"))?;
    let missing: Vec<DebianRecipe> = DebianRecipe::ALL.into_iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !is_root()? {
        bail!(
            "the Debian test images can only be made by root: run `cargo xtask setup` once as root, with the same cache folder"
        );
    }
    let mirrors = Mirrors::find()?;
    for recipe in missing {
        step(&format!("making the image {} (about a minute, once)", recipe.name), || {
            make(&recipe, &mirrors, cache)
        })?;
    }
    Ok(())
}

fn make(recipe: &DebianRecipe, mirrors: &Mirrors, cache: &Path) -> Result<()> {
    let target = recipe.cached_file(cache);
    let folder = unfinished_folder(&target)?;
    let (root, layout, archive) = (folder.join("root.tar"), folder.join("layout"), folder.join("image.tar"));

    let mut mmdebstrap = command("mmdebstrap");
    mmdebstrap.args(recipe.mmdebstrap_arguments).arg(recipe.suite).arg(&root);
    mmdebstrap.arg(format!("deb {} {} main", mirrors.main, recipe.suite));
    if let Some(suite) = recipe.security_suite {
        mmdebstrap.arg(format!("deb {} {suite} main", mirrors.security));
    }
    output(&mut mmdebstrap)?;

    let image = format!("{}:{}", layout.display(), recipe.name);
    output(command("umoci").args(["init", "--layout"]).arg(&layout))?;
    output(command("umoci").args(["new", "--image", &image]))?;
    output(command("umoci").args(["raw", "add-layer", "--image", &image]).arg(&root))?;
    output(command("umoci").args(["config", "--image", &image]).args(recipe.umoci_config_arguments))?;
    let destination = format!("oci-archive:{}:{}", archive.display(), recipe.name);
    output(command("skopeo").args(["--insecure-policy", "copy", &format!("oci:{image}"), &destination]))?;

    fs_err::rename(&archive, &target)?;
    fs_err::remove_dir_all(&folder)?;
    Ok(())
}

/// Where this machine gets Debian itself from.
pub(crate) fn main_mirror() -> Result<String> {
    Ok(Mirrors::find()?.main)
}

/// Where this machine gets Debian from.
#[derive(Debug, PartialEq, Eq)]
struct Mirrors {
    main: String,
    security: String,
}

impl Mirrors {
    fn find() -> Result<Self> {
        let format = "$(CREATED_BY)\t$(LABEL)\t$(REPO_URI)";
        Self::parse(&output(command("apt-get").args(["indextargets", "--format", format]))?)
    }

    /// Reads one line per index that apt knows: what it is, the archive's label, the address.
    fn parse(targets: &str) -> Result<Self> {
        let find = |wanted: &str| {
            let addresses =
                targets.lines().filter_map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
                    ["Packages", label, address] if label == wanted => {
                        Some(address.trim_end_matches('/').to_owned())
                    }
                    _ => None,
                });
            addresses.into_iter().next().with_context(|| {
                format!("this machine's apt knows no archive labelled `{wanted}`: the test images need one, after `apt-get update`")
            })
        };
        Ok(Self { main: find("Debian")?, security: find("Debian-Security")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_the_machines_own() {
        let targets = "DEP-11\tDebian\thttp://wrong.example/\n\
            Packages\tOther\thttp://other.example/\n\
            Packages\tDebian\thttp://mirror.example/debian/\n\
            Packages\tDebian\thttp://updates.example/debian/\n\
            Packages\tDebian-Security\thttp://mirror.example/security/\n";
        let mirrors = Mirrors::parse(targets).unwrap();
        assert_eq!(mirrors.main, "http://mirror.example/debian");
        assert_eq!(mirrors.security, "http://mirror.example/security");
        for incomplete in ["", "Packages\tDebian\thttp://mirror.example/\n"] {
            assert!(Mirrors::parse(incomplete).is_err());
        }
    }
}
