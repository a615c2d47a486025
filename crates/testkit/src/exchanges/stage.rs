//! What the exchanges are about: a registry with images, and feeds that know something about their packages.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use crate::image::{Image, ImageBuilder, Layer};
use crate::registry::{Registry, RegistryMode};

/// Kind and file name of each feed that [`ExchangeStage::write_feeds`] writes.
pub const FEEDS: [(&str, &str); 2] =
    [("debian-tracker", "tracker.json"), ("alpine-secdb", "alpine-v3.18-main.json")];

/// A registry with the images that the exchanges name.
///
/// `{host}` is the registry, `{app}`, `{other}`, `{list}`, `{alpine}`, `{alpine_list}`, `{sec}`, `{oci}`, `{rpm}`, `{go}` are
/// digests, `{id}`, `{alpine_id}`, `{sec_id}`, `{oci_id}` image ids, `{unknown}` and `{zeros}` digests that nobody knows.
#[derive(Debug)]
pub struct ExchangeStage {
    registry: Registry,
    names: BTreeMap<String, String>,
}

impl ExchangeStage {
    /// Starts the registry and fills it.
    pub fn start() -> Result<Self> {
        let registry = Registry::start(RegistryMode::Open)?;
        let arm = ImageBuilder::new().architecture("arm64").layer(Layer::new().file("a", "b")).build();
        let (app, other) =
            (debian(&[("libssl3", "openssl", "3.0.9-1")]), debian(&[("libssl3", "openssl", "3.0.11-1")]));
        let sec = debian(&[
            ("apt", "apt", "2.6.2"),
            ("libapt-pkg6.0", "apt", "2.6.2"),
            ("bash", "bash (5.2.15-2)", "5.2.15-2+b13"),
        ]);
        let (alpine, oci) = (alpine("first"), alpine("second"));
        let rpm =
            ImageBuilder::new().layer(Layer::new().file("etc/os-release", "ID=rhel\nVERSION_ID=9\n")).build();
        let go = ImageBuilder::new().layer(Layer::new().file("etc/hostname", "go\n")).build();
        let list = Image::index(&[arm.clone(), app.clone()]);
        let alpine_list = Image::index(&[arm.clone(), alpine.clone()]);
        let arm_list = Image::index(std::slice::from_ref(&arm));
        for (image, tag) in [
            (&app, "lib/app:1.0"),
            (&other, "lib/other:1.0"),
            (&list, "lib/app:list"),
            (&arm_list, "lib/app:arm"),
            (&alpine, "lib/alpine:1.0"),
            (&alpine_list, "lib/alpine:list-amd64"),
            (&arm_list, "lib/alpine:list-arm64"),
            (&sec, "lib/bookworm-sec:1.0"),
            (&oci, "lib/alpineoci:1.0"),
            (&rpm, "lib/rpm:1.0"),
            (&go, "lib/go:1.0"),
        ] {
            registry.push_image(image, tag)?;
        }
        let mut names = BTreeMap::from([
            ("host".to_owned(), registry.host()),
            ("host%3A".to_owned(), registry.host().replace(':', "%3A")),
            ("unknown".to_owned(), format!("sha256:{}", "a".repeat(64))),
            ("zeros".to_owned(), format!("sha256:{}", "0".repeat(64))),
        ]);
        for (name, image) in [
            ("app", &app),
            ("other", &other),
            ("list", &list),
            ("alpine", &alpine),
            ("alpine_list", &alpine_list),
            ("sec", &sec),
            ("oci", &oci),
            ("rpm", &rpm),
            ("go", &go),
        ] {
            names.insert(name.to_owned(), image.digest().to_string());
            names.insert(format!("{name}%3A"), image.digest().to_string().replace(':', "%3A"));
        }
        for (name, image) in
            [("id", &app), ("alpine_id", &alpine), ("sec_id", &sec), ("oci_id", &oci), ("go_id", &go)]
        {
            let digest = image.config_digest().context("an image has a configuration")?;
            names.insert(name.to_owned(), digest.hex().to_owned());
        }
        Ok(Self { registry, names })
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What the names in exchanges stand for.
    pub fn names(&self) -> BTreeMap<String, String> {
        self.names.clone()
    }

    /// Writes the feeds of [`FEEDS`] into a folder; returns kind and path of each.
    pub fn write_feeds(folder: &Path) -> Result<Vec<(&'static str, PathBuf)>> {
        let fixed = |version: &str, urgency: &str| {
            let bookworm = json!({"status": "resolved", "fixed_version": version, "urgency": urgency});
            json!({"scope": "local", "releases": {"bookworm": bookworm}})
        };
        let ignored =
            json!({"status": "open", "urgency": "medium", "nodsa": "minor", "nodsa_reason": "ignored"});
        let tracker = json!({
            "openssl": {"CVE-2099-0001": fixed("3.0.11-1", "high")},
            "zlib": {"CVE-2099-0004": fixed("99", "high")},
            "apt": {"CVE-2099-0001": fixed("99:9", "high")},
            "bash": {"CVE-2099-0003": {"scope": "local", "releases": {"bookworm": ignored}}},
        });
        let secdb = json!({
            "apkurl": "{{urlprefix}}/{{distroversion}}/{{reponame}}/{{arch}}/{{pkg.name}}-{{pkg.ver}}.apk",
            "archs": ["x86_64"], "reponame": "main", "urlprefix": "https://example.org", "distroversion": "v3.18",
            "packages": [{"pkg": {"name": "musl", "secfixes": {"9.9.9-r0": ["CVE-2098-0001"]}}}],
        });
        let mut files = Vec::new();
        for ((kind, name), content) in FEEDS.into_iter().zip([tracker, secdb]) {
            let path = folder.join(name);
            fs_err::write(&path, content.to_string())?;
            files.push((kind, path));
        }
        Ok(files)
    }
}

/// Debian 12 with these packages: name, source, version.
fn debian(packages: &[(&str, &str, &str)]) -> Image {
    let mut status = String::new();
    for (name, source, version) in packages {
        let _ = write!(
            status,
            "Package: {name}\nStatus: install ok installed\nMaintainer: Somebody <a@example.org>\nArchitecture: amd64\n\
             Source: {source}\nVersion: {version}\nInstalled-Size: 6000\nDescription: a package\n\n"
        );
    }
    let release = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
    ImageBuilder::new()
        .layer(Layer::new().file("etc/os-release", release).file("var/lib/dpkg/status", &status))
        .build()
}

/// Alpine 3.18 with musl; the note makes images differ.
fn alpine(note: &str) -> Image {
    let mut installed = String::new();
    for name in ["musl", "musl-utils"] {
        let _ = write!(
            installed,
            "P:{name}\nV:1.2.4-r1\nA:x86_64\nS:1\nI:622592\nT:the C library\nL:MIT\no:musl\nm:Somebody <a@example.org>\n\n"
        );
    }
    let release = "ID=alpine\nVERSION_ID=3.18.3\nNAME=\"Alpine Linux\"\n";
    ImageBuilder::new()
        .layer(
            Layer::new()
                .file("etc/os-release", release)
                .file("etc/alpine-release", "3.18.3\n")
                .file("lib/apk/db/installed", &installed)
                .file("etc/note", note),
        )
        .build()
}
