//! From which channel of updates, besides the usual one, an image draws its packages.
//!
//! Fixes that only such a channel has are for such images only; to all others they are not available.

use image_layers::{Body, ImageTree};
use model::{Distro, Package};
use serde_json::Value;

use crate::cataloger::PathPattern;
use crate::parse::{lines, text};

/// Real ones have some kilobytes.
const FILE_BYTES_MAX: usize = 4 << 20;

const CONTENT_MANIFESTS: [&str; 2] = ["root/buildinfo/content_manifests", "usr/share/buildinfo"];
const APT_SOURCES: &str = "etc/apt/sources.list";
const APT_SOURCES_FOLDER: &str = "etc/apt/sources.list.d";
const UBUNTU_PRO_STATUS: &str = "var/lib/ubuntu-advantage/status.json";

/// Red Hat's channels that fixes of one minor release go to, by what their content sets have in their names.
const RED_HAT_CHANNELS: [(&str, &str); 4] =
    [("-eus-", "eus"), ("-aus-", "aus"), ("-e4s-", "e4s"), ("-tus-", "tus")];

/// Files whose content is needed; paths without a leading slash.
pub(crate) const PATHS: [&str; 2] = [APT_SOURCES, UBUNTU_PRO_STATUS];
/// Forms of paths of more such files.
pub(crate) const PATTERNS: [PathPattern; 3] = [
    PathPattern::In(APT_SOURCES_FOLDER),
    PathPattern::InWithEnding(CONTENT_MANIFESTS[0], ".json"),
    PathPattern::InWithEnding(CONTENT_MANIFESTS[1], ".json"),
];

/// The channel; only distros that are known to have some are asked.
pub(crate) fn find(tree: &ImageTree, distro: &Distro, packages: &[Package]) -> Option<&'static str> {
    match distro.id.as_str() {
        "rhel" => red_hat(tree),
        "ubuntu" => is_extended_ubuntu(tree, packages).then_some("esm"),
        _ => None,
    }
}

/// What builders note in an image: from which content sets its packages come.
///
/// Source: `content_sets` of images of registry.access.redhat.com, 2026.
fn red_hat(tree: &ImageTree) -> Option<&'static str> {
    let manifests = CONTENT_MANIFESTS.into_iter().flat_map(|folder| bodies_in(tree, folder));
    let documents = manifests.filter_map(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let sets: Vec<String> = documents
        .filter_map(|document| document.get("content_sets")?.as_array().cloned())
        .flatten()
        .filter_map(|set| set.as_str().map(str::to_owned))
        .collect();
    let (_, channel) =
        RED_HAT_CHANNELS.into_iter().find(|(part, _)| sets.iter().any(|set| set.contains(part)))?;
    Some(channel)
}

/// Whether an image has Ubuntu Pro's extended maintenance: it draws from there, is attached, or has packages from there.
fn is_extended_ubuntu(tree: &ImageTree, packages: &[Package]) -> bool {
    let main = body(tree, APT_SOURCES).into_iter();
    let is_source = main.chain(bodies_in(tree, APT_SOURCES_FOLDER)).any(names_extended_source);
    is_source
        || body(tree, UBUNTU_PRO_STATUS).is_some_and(is_enabled)
        || packages.iter().filter_map(|package| package.version.as_deref()).any(is_extended_version)
}

fn names_extended_source(bytes: &[u8]) -> bool {
    lines(bytes).map(|(_, line)| text(line)).any(|line| {
        let is_used = !line.starts_with('#') && (line.starts_with("deb") || line.starts_with("URIs:"));
        is_used && ["esm.ubuntu.com/infra", "esm.ubuntu.com/apps"].iter().any(|known| line.contains(known))
    })
}

/// `{"services": [{"name": "esm-infra", "status": "enabled"}]}`
fn is_enabled(bytes: &[u8]) -> bool {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return false };
    let services = document.get("services").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    services.iter().any(|service| {
        let text = |key: &str| service.get(key).and_then(Value::as_str).unwrap_or_default();
        text("name").starts_with("esm-") && text("status") == "enabled"
    })
}

/// `1.2-3ubuntu4~esm1`
fn is_extended_version(version: &str) -> bool {
    ["~esm", "+esm"].iter().any(|mark| {
        version.split(mark).skip(1).any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    })
}

fn body<'a>(tree: &'a ImageTree, path: &str) -> Option<&'a [u8]> {
    match tree.read(path) {
        Some(Body::Kept(bytes)) if bytes.len() <= FILE_BYTES_MAX => Some(bytes),
        _ => None,
    }
}

fn bodies_in<'a>(tree: &'a ImageTree, folder: &str) -> Vec<&'a [u8]> {
    let Some(folder) = tree.find(folder).map(|entry| entry.path().to_owned()) else { return Vec::new() };
    tree.beneath(&folder).filter_map(|entry| body(tree, entry.path())).collect()
}

#[cfg(test)]
mod tests {
    use crate::tests::inventory;

    fn check(files: &[(&str, &str)], expected: Option<&str>) {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        let distro = inventory(&files).distro.unwrap();
        assert_eq!(distro.channel.as_deref(), expected, "{files:?}");
    }

    #[test]
    fn content_sets_of_red_hat_name_the_channel() {
        let rhel = ("etc/os-release", "ID=rhel\nVERSION_ID=8.6\n");
        let usual = r#"{"content_sets": ["rhel-8-for-x86_64-baseos-rpms"]}"#;
        let eus = r#"{"content_sets": ["a", "rhel-8-for-x86_64-baseos-eus-rpms__8_DOT_6"]}"#;
        let old = "root/buildinfo/content_manifests/ubi8-8.6.json";
        check(&[rhel], None);
        check(&[rhel, (old, usual)], None);
        check(&[rhel, (old, usual), ("root/buildinfo/content_manifests/b.json", eus)], Some("eus"));
        check(&[rhel, ("usr/share/buildinfo/content-sets.json", eus)], Some("eus"));
        check(&[rhel, (old, &eus.replace("-eus-", "-e4s-"))], Some("e4s"));
        check(&[("etc/os-release", "ID=fedora\n"), (old, eus)], None);
        for broken in ["", "{", "[]", "{\"content_sets\": 1}", "{\"content_sets\": [1]}"] {
            check(&[rhel, (old, broken)], None);
        }
    }

    #[test]
    fn extended_maintenance_of_ubuntu_is_seen_in_three_ways() {
        let ubuntu = ("etc/os-release", "ID=ubuntu\nVERSION_ID=16.04\n");
        let line = "deb https://esm.ubuntu.com/infra/ubuntu xenial-infra-security main\n";
        check(&[ubuntu], None);
        check(&[ubuntu, ("etc/apt/sources.list", line)], Some("esm"));
        check(&[ubuntu, ("etc/apt/sources.list", &format!("# {line}"))], None);
        let new = "Types: deb\nURIs: https://esm.ubuntu.com/apps/ubuntu\n";
        check(&[ubuntu, ("etc/apt/sources.list.d/ubuntu-esm-apps.sources", new)], Some("esm"));
        let status = r#"{"attached": true, "services": [{"name": "esm-infra", "status": "enabled"}]}"#;
        let path = "var/lib/ubuntu-advantage/status.json";
        check(&[ubuntu, (path, status)], Some("esm"));
        check(&[ubuntu, (path, &status.replace("enabled", "disabled"))], None);
        let package =
            |version: &str| format!("Package: a\nStatus: install ok installed\nVersion: {version}\n");
        let dpkg = "var/lib/dpkg/status";
        check(&[ubuntu, (dpkg, &package("1.2-3ubuntu4+esm1"))], Some("esm"));
        check(&[ubuntu, (dpkg, &package("1.2-3ubuntu4~16.04~esm2"))], Some("esm"));
        check(&[ubuntu, (dpkg, &package("1.2~esmalloc"))], None);
        check(&[("etc/os-release", "ID=debian\n"), (dpkg, &package("1~esm1"))], None);
    }
}
