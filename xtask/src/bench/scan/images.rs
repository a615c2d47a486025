//! The images that scans are measured with, made once and kept in the cache: packages of Debian, npm and Python out of their
//! registries, jars out of a Python package, and a million small files out of nothing.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use fs_err::File;
use testkit::Scratch;

use crate::image_archive::{self, Recipe, pack};
use crate::progress::{say, step};
use crate::run::{command, output};
use crate::setup::debian_images;

const FILES: usize = 1_000_000;
const FILES_IN_FOLDER: usize = 500;
const NPM_PACKAGES: &[&str] = &[
    "webpack@5.75.0",
    "eslint@8.30.0",
    "jest@29.3.1",
    "express@4.18.2",
    "react-scripts@5.0.1",
    "typescript@4.9.4",
    "@babel/preset-env@7.20.2",
];
/// Another application, for the large image.
const NPM_PACKAGES_OF_SITE: &[&str] = &["gatsby@5.3.3"];
const PYTHON_PACKAGES: &[&str] = &[
    "django==4.1.4",
    "flask==2.2.2",
    "requests==2.28.1",
    "celery==5.2.7",
    "sqlalchemy==1.4.45",
    "black==22.12.0",
];
/// Its source distribution has 246 jars, of which the first are taken.
const PYTHON_PACKAGE_WITH_JARS: (&str, &str) = ("pyspark", "3.0.0");
const JARS: usize = 150;
/// Some 660 with all that they need.
const DEBIAN_PACKAGES: &str =
    "request-tracker5,python3-openstackclient,git,nginx,subversion,jq,vim,curl,ruby-rails,imagemagick";

/// An image to measure with.
pub(super) struct BenchImage {
    pub(super) name: &'static str,
    pub(super) archive: PathBuf,
    /// Megabytes of memory that a scan may take.
    pub(super) memory_target: f64,
}

/// All of them, as far as they can be made here; what cannot be made is told and left out.
pub(super) fn all() -> Result<Vec<BenchImage>> {
    let minbase = testkit::debian_images()?.vulnerable;
    let mut images = vec![BenchImage { name: "minbase", archive: minbase, memory_target: 64.0 }];
    let made: [(&'static str, f64, Result<PathBuf>); 3] = [
        ("npm and Python on it", 128.0, npm_and_python()),
        ("large", 128.0, large()),
        ("a million files", 200.0, million()),
    ];
    for (name, memory_target, archive) in made {
        match archive {
            Ok(archive) => images.push(BenchImage { name, archive, memory_target }),
            Err(error) => say(&format!("the image `{name}` cannot be made here: {error:#}")),
        }
    }
    Ok(images)
}

/// Applications of npm and Python on Debian.
pub(crate) fn npm_and_python() -> Result<PathBuf> {
    find_or_make("bench-npm-python-1", &|scratch| {
        let npm = |to: &Path| npm_layer(scratch, "app", NPM_PACKAGES, to);
        derive(&testkit::debian_images()?.vulnerable, scratch, &[&npm, &|to| python_layer(scratch, to)])
    })
}

/// As many packages of as many kinds as in images of common applications.
pub(crate) fn large() -> Result<PathBuf> {
    find_or_make("bench-large-2", &|scratch| {
        large_base(scratch)?;
        derive(
            &scratch.join("base.tar"),
            scratch,
            &[
                &|to| jar_layer(scratch, to),
                &|to| npm_layer(scratch, "app", NPM_PACKAGES, to),
                &|to| npm_layer(scratch, "site", NPM_PACKAGES_OF_SITE, to),
                &|to| python_layer(scratch, to),
            ],
        )
    })
}

fn million() -> Result<PathBuf> {
    find_or_make("bench-million-1", &|scratch| {
        derive(&testkit::debian_images()?.vulnerable, scratch, &[&million_files])
    })
}

/// The archive in the cache; the recipe leaves it as `image.tar` in its folder.
fn find_or_make(name: &str, recipe: Recipe<'_>) -> Result<PathBuf> {
    let archive = testkit::cache_folder()?.join(format!("images/{name}.oci.tar"));
    if !archive.exists() {
        let scratch = Scratch::new("bench-image")?;
        step(&format!("making the image `{name}` (minutes, once)"), || recipe(scratch.path()))?;
        // Not renamed: the cache may lie on another file system.
        let unfinished = archive.with_extension("unfinished");
        fs_err::copy(scratch.path().join("image.tar"), &unfinished)?;
        fs_err::rename(unfinished, &archive)?;
    }
    Ok(archive)
}

/// Adds layers to an image: `image.tar` in the folder.
fn derive(base: &Path, scratch: &Path, layers: &[Recipe<'_>]) -> Result<()> {
    image_archive::build(Some(base), scratch, layers).map(drop)
}

/// An application with its packages.
fn npm_layer(scratch: &Path, name: &str, packages: &[&str], archive: &Path) -> Result<()> {
    let root = scratch.join(format!("npm-{name}"));
    let folder = root.join("srv").join(name);
    fs_err::create_dir_all(&folder)?;
    let manifest = format!(r#"{{"name": "bench-{name}", "version": "1.0.0"}}"#);
    fs_err::write(folder.join("package.json"), manifest)?;
    let install = ["install", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"];
    output(command("npm").current_dir(&folder).args(install).args(packages))?;
    pack(&root, archive)
}

fn python_layer(scratch: &Path, archive: &Path) -> Result<()> {
    let target = scratch.join("python/usr/local/lib/python3.11/dist-packages");
    output(
        command("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-compile", "--target"])
            .arg(&target)
            .args(PYTHON_PACKAGES),
    )?;
    pack(&scratch.join("python"), archive)
}

fn jar_layer(scratch: &Path, archive: &Path) -> Result<()> {
    let folder = scratch.join("jars/opt");
    fs_err::create_dir_all(&folder)?;
    // The package describes itself by a program that later editions of its tool refuse.
    let constraints = scratch.join("constraints.txt");
    fs_err::write(&constraints, "setuptools==65.5.0\n")?;
    let download = ["-m", "pip", "download", "--quiet", "--no-deps"];
    let no_binary = format!("--no-binary={}", PYTHON_PACKAGE_WITH_JARS.0);
    let package = format!("{}=={}", PYTHON_PACKAGE_WITH_JARS.0, PYTHON_PACKAGE_WITH_JARS.1);
    let mut pip = command("python3");
    pip.env("PIP_CONSTRAINT", &constraints).args(download).args([&no_binary, &package]);
    output(pip.arg("-d").arg(&folder))?;
    let packed = fs_err::read_dir(&folder)?.next().context("no archive was downloaded")??.path();
    output(command("tar").arg("-C").arg(&folder).arg("-xf").arg(&packed))?;
    fs_err::remove_file(&packed)?;
    let listed = output(command("find").arg(&folder).args(["-name", "*.jar"]))?;
    let mut jars: Vec<&str> = listed.lines().collect();
    jars.sort_unstable();
    for jar in jars.into_iter().skip(JARS) {
        fs_err::remove_file(jar)?;
    }
    pack(&scratch.join("jars"), archive)
}

/// Some hundreds of Debian's packages: `base.tar` in the folder, an archive of an image.
fn large_base(scratch: &Path) -> Result<()> {
    let root = scratch.join("root.tar");
    let include = format!("--include={DEBIAN_PACKAGES}");
    let mirror = format!("deb {} bookworm main", debian_images::main_mirror()?);
    let options = ["--variant=minbase", "--mode=root", &include, "bookworm"];
    output(command("mmdebstrap").args(options).arg(&root).arg(mirror))?;
    let base = image_archive::build(None, scratch, &[&|layer| Ok(fs_err::rename(&root, layer)?)])?;
    fs_err::rename(base, scratch.join("base.tar"))?;
    Ok(())
}

/// Names as caches and mail folders have them, contents of a few bytes.
fn million_files(archive: &Path) -> Result<()> {
    let mut builder = tar::Builder::new(std::io::BufWriter::new(File::create(archive)?));
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    for file in 0..FILES {
        let (folder, place) = (file / FILES_IN_FOLDER, file.wrapping_mul(2_654_435_761) % (1 << 32));
        let path = format!("var/lib/app/cache/{:02x}/{folder:04x}/entry-{place:08x}.json", folder % 256);
        let content = format!("{{\"id\": {file}}}\n");
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, content.as_bytes())?;
    }
    builder.into_inner()?;
    Ok(())
}
