//! Image archives out of layers, made with umoci and skopeo, and the file systems in them.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::run::{command, output};

/// Makes something at a path.
pub(crate) type Recipe<'a> = &'a dyn Fn(&Path) -> Result<()>;

/// Adds layers to an image, or to nothing; each recipe writes a layer's tar. The archive is `image.tar` in the folder.
pub(crate) fn build(base: Option<&Path>, scratch: &Path, layers: &[Recipe<'_>]) -> Result<PathBuf> {
    let layout = scratch.join("layout");
    let image = format!("{}:made", layout.display());
    match base {
        Some(base) => copy(&format!("oci-archive:{}", base.display()), &format!("oci:{image}"))?,
        None => {
            output(command("umoci").args(["init", "--layout"]).arg(&layout))?;
            output(command("umoci").args(["new", "--image", &image]))?;
        }
    }
    for layer in layers {
        let archive = scratch.join("layer.tar");
        layer(&archive)?;
        output(command("umoci").args(["raw", "add-layer", "--image", &image]).arg(&archive))?;
        fs_err::remove_file(&archive)?;
    }
    let archive = scratch.join("image.tar");
    copy(&format!("oci:{image}"), &format!("oci-archive:{}:made", archive.display()))?;
    fs_err::remove_dir_all(&layout)?;
    Ok(archive)
}

/// Packs a folder's content as a layer.
pub(crate) fn pack(folder: &Path, archive: &Path) -> Result<()> {
    let mut tar = command("tar");
    tar.arg("-C").arg(folder).args(["--sort=name", "--owner=0", "--group=0", "-cf"]).arg(archive).arg(".");
    output(&mut tar)?;
    Ok(())
}

/// Unpacks all layers; returns the folder that is the image's root.
pub(crate) fn unpack(archive: &Path, scratch: &Path) -> Result<PathBuf> {
    let (layout, bundle) = (scratch.join("unpacked-layout"), scratch.join("bundle"));
    let image = format!("{}:image", layout.display());
    copy(&format!("oci-archive:{}", archive.display()), &format!("oci:{image}"))?;
    // Without devices and owners: nothing that a package manager's database needs.
    output(command("umoci").args(["unpack", "--rootless", "--image", &image]).arg(&bundle))?;
    fs_err::remove_dir_all(&layout)?;
    Ok(bundle.join("rootfs"))
}

fn copy(from: &str, to: &str) -> Result<()> {
    output(command("skopeo").args(["--insecure-policy", "copy", "--quiet", from, to]))?;
    Ok(())
}
