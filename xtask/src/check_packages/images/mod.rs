//! The images that are looked into: each made once, by package managers themselves, and kept in the cache.

mod composer;
mod debian;
mod go;
mod java;
mod layers;
mod npm;
mod pacman;
mod python;
mod rpm;
mod rpm_real;
mod rust;

use std::path::{Path, PathBuf};

use anyhow::Result;
use testkit::Scratch;

use crate::bench::scan::images as bench;
use crate::image_archive;
use crate::progress::step;

/// An image and how one comes to it.
pub(super) struct Image {
    pub(super) name: &'static str,
    source: Source,
}

enum Source {
    /// Made for something else.
    Present(fn() -> Result<PathBuf>),
    /// The recipe fills a folder, which becomes the only layer.
    Folder(fn(&Made<'_>) -> Result<()>),
    /// The recipe makes the archive and says where.
    Archive(fn(&Made<'_>) -> Result<PathBuf>),
}

/// What a recipe gets.
struct Made<'a> {
    /// Becomes the image's file system.
    root: &'a Path,
    /// For what is thrown away.
    scratch: &'a Path,
}

/// Raised when a recipe changes, so that the images are made again.
const REVISION: u32 = 1;

/// All of them.
pub(super) fn all() -> Vec<Image> {
    use Source::{Archive, Folder, Present};
    let image = |name, source| Image { name, source };
    vec![
        image("debian-12", Present(|| Ok(testkit::debian_images()?.vulnerable))),
        image("debian-12-large", Present(bench::large)),
        image("debian-12-npm-python", Present(bench::npm_and_python)),
        image("debian-12-two-architectures", Archive(debian::two_architectures)),
        image("debian-13", Archive(debian::trixie)),
        image("debian-12-ruby", Archive(debian::ruby)),
        image("debian-12-node", Archive(debian::node)),
        image("distroless", Folder(debian::distroless)),
        image("removed-in-layers", Archive(layers::removed)),
        image("go-programs", Folder(go::programs)),
        image("rust-programs", Folder(rust::programs)),
        image("npm-pnpm-yarn", Folder(npm::layouts)),
        image("python-environments", Folder(python::environments)),
        image("java-repository", Folder(java::repository)),
        image("composer", Folder(composer::applications)),
        image("rpm-sqlite", Folder(rpm::sqlite)),
        image("rpm-bdb", Folder(rpm::berkeley)),
        image("centos-7", Folder(rpm_real::centos_7)),
        image("centos-8", Folder(rpm_real::centos_8)),
        image("ubi-8-s390x", Folder(rpm_real::ubi_8)),
        image("fedora-35", Folder(rpm_real::fedora_35)),
        image("sle-15", Folder(rpm_real::sle_15)),
        image("pacman", Folder(pacman::database)),
    ]
}

impl Image {
    /// The archive in the cache.
    pub(super) fn find_or_make(&self) -> Result<PathBuf> {
        if let Source::Present(find) = self.source {
            return find();
        }
        let folder = testkit::cache_folder()?.join("images");
        let archive = folder.join(format!("packages-{}-{REVISION}.oci.tar", self.name));
        if !archive.exists() {
            let scratch = Scratch::new("package-image")?;
            let (root, work) = (scratch.path().join("root"), scratch.path().join("work"));
            fs_err::create_dir_all(&root)?;
            fs_err::create_dir_all(&work)?;
            let made = Made { root: &root, scratch: &work };
            let packed = step(&format!("making the image `{}` (once)", self.name), || self.make(&made))?;
            // Not renamed: the cache may lie on another file system.
            let unfinished = archive.with_extension("unfinished");
            fs_err::copy(packed, &unfinished)?;
            fs_err::rename(unfinished, &archive)?;
        }
        Ok(archive)
    }

    fn make(&self, made: &Made<'_>) -> Result<PathBuf> {
        match self.source {
            Source::Present(find) => find(),
            Source::Archive(make) => make(made),
            Source::Folder(fill) => {
                fill(made)?;
                made.pack()
            }
        }
    }
}

impl Made<'_> {
    /// The image of one layer that holds the folder.
    fn pack(&self) -> Result<PathBuf> {
        image_archive::build(None, self.scratch, &[&|layer| image_archive::pack(self.root, layer)])
    }
}
