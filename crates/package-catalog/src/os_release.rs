//! Which operating system an image is made of.

use image_layers::{Body, ImageTree};
use model::{Diagnostic, DiagnosticCode, Distro};

use crate::busybox;
use crate::parse::{lines, text};

/// Real files have about 500 bytes.
const FILE_BYTES_MAX: usize = 64 * 1024;

const DEBIAN_VERSION: &str = "etc/debian_version";
const APK_REPOSITORIES: &str = "etc/apk/repositories";

/// All files that are looked at, without a leading slash.
pub(crate) static CANDIDATES: &[&str] = &[
    "etc/os-release",
    "usr/lib/os-release",
    "etc/system-release-cpe",
    "etc/oracle-release",
    "etc/centos-release",
    "etc/redhat-release",
    "etc/system-release",
    "etc/SuSE-release",
    "etc/photon-release",
    "etc/mariner-release",
    "etc/alpine-release",
    "etc/openwrt_release",
    "etc/lsb-release",
    DEBIAN_VERSION,
    APK_REPOSITORIES,
];

/// Where BusyBox lies in images that have nothing else.
const BUSYBOX: &str = "bin/busybox";

/// Distros without releases that write a version all the same: a date, or that of the package with their base files.
const UNVERSIONED: [&str; 5] = ["arch", "archarm", "chainguard", "minimos", "wolfi"];

type Parser = fn(&[u8]) -> Option<Distro>;

/// The candidates that name a distro by themselves, best first.
static NAMING: &[(&str, Parser)] = &[
    ("etc/os-release", parse_os_release),
    ("usr/lib/os-release", parse_os_release),
    ("etc/system-release-cpe", parse_release_cpe),
    // Rebuilds of Red Hat's distro have its file as well, with its name in it: their own comes first.
    ("etc/oracle-release", parse_redhat_release),
    ("etc/centos-release", parse_redhat_release),
    ("etc/redhat-release", parse_redhat_release),
    ("etc/system-release", parse_redhat_release),
    ("etc/SuSE-release", parse_suse_release),
    ("etc/photon-release", parse_named_release),
    ("etc/mariner-release", parse_named_release),
    ("etc/alpine-release", parse_alpine_release),
    ("etc/openwrt_release", parse_lsb_release),
    // Ubuntu has Debian's file as well.
    ("etc/lsb-release", parse_lsb_release),
    (DEBIAN_VERSION, parse_debian_version),
    (APK_REPOSITORIES, parse_repositories),
];

/// Reads the candidates in order; the first that names a distro counts, others only add the version that it lacks.
///
/// The squashed tree is asked, because upper layers may upgrade the distro.
pub(crate) fn identify(tree: &ImageTree) -> (Option<Distro>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut distro = None;
    let mut seen = Vec::new();
    for (path, parse) in NAMING {
        let Some(bytes) = read(tree, path, &mut diagnostics) else { continue };
        seen.push(*path);
        distro = parse(bytes);
        if distro.is_some() {
            break;
        }
    }
    distro = distro.or_else(|| busybox(tree));
    if let Some(distro) = distro.as_mut().filter(|distro| UNVERSIONED.contains(&distro.id.as_str())) {
        distro.version_id = None;
    }
    if let Some(distro) = distro.as_mut().filter(|distro| distro.version_id.is_none()) {
        let path = match distro.id.as_str() {
            "debian" => DEBIAN_VERSION,
            "alpine" => APK_REPOSITORIES,
            _ => return (Some(distro.clone()), diagnostics),
        };
        let bytes = read(tree, path, &mut diagnostics).unwrap_or_default();
        distro.version_id =
            if path == DEBIAN_VERSION { debian_major(bytes) } else { repositories_release(bytes) };
    }
    if distro.is_none() {
        let message = match seen.first() {
            Some(_) => "file names no operating system: it has no usable ID",
            None => "image has no file that names its operating system",
        };
        let subject = format!("/{}", seen.first().unwrap_or(&"etc/os-release"));
        let code = DiagnosticCode::UnknownDistro;
        diagnostics.push(Diagnostic { code, subject, offset: None, message: message.to_owned() });
    }
    (distro, diagnostics)
}

fn read<'a>(tree: &'a ImageTree, path: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<&'a [u8]> {
    let too_large = match tree.read(path)? {
        Body::Kept(bytes) if bytes.len() <= FILE_BYTES_MAX => return Some(bytes),
        Body::Kept(_) | Body::TooLarge => true,
        Body::NotKept | Body::Sparse => false,
    };
    let (code, message) = match too_large {
        true => (DiagnosticCode::FileTooLarge, format!("file is larger than {FILE_BYTES_MAX} bytes")),
        false => (DiagnosticCode::UnknownDistro, "file could not be read from its layer".to_owned()),
    };
    diagnostics.push(Diagnostic { code, subject: format!("/{path}"), offset: None, message });
    None
}

/// Parses an os-release file.
///
/// Shape:  `KEY=value` lines as a shell reads them: quotes, backslashes, `#` comments; a later line replaces an earlier one.
/// Limits: the caller bounds the size.
/// Result: `None` without an `ID` of the allowed characters. Never fails.
/// Source: freedesktop.org, os-release(5).
pub(crate) fn parse_os_release(bytes: &[u8]) -> Option<Distro> {
    let mut distro = Distro::default();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (_, line) in lines(bytes) {
        let line = text(line);
        let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
        let value = unquote(value.trim());
        let stated = (!value.is_empty()).then(|| value.clone());
        match key.trim() {
            "ID" => distro.id = value.to_ascii_lowercase(),
            "VERSION_ID" => distro.version_id = stated,
            "VERSION_CODENAME" => distro.version_codename = stated,
            "ID_LIKE" => distro.id_like = value.split_whitespace().map(str::to_ascii_lowercase).collect(),
            "PRETTY_NAME" => distro.pretty_name = stated,
            _ => {}
        }
    }
    is_id(&distro.id).then_some(distro)
}

fn is_id(id: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    !id.is_empty() && id.bytes().all(is_allowed)
}

/// The value as a shell would see it.
fn unquote(value: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if character == open => quote = None,
            (Some('"'), '\\') => match characters.next() {
                Some(next @ ('"' | '$' | '`' | '\\')) => out.push(next),
                Some(next) => out.extend(['\\', next]),
                None => out.push('\\'),
            },
            (None, '\\') => out.extend(characters.next()),
            // Outside of quotes a blank ends the value.
            (None, ' ' | '\t') => break,
            _ => out.push(character),
        }
    }
    out
}

/// `cpe:/o:centos:linux:6:GA`.
fn parse_release_cpe(bytes: &[u8]) -> Option<Distro> {
    let line = text(bytes.split(|byte| *byte == b'\n').next()?);
    let mut parts = line.split(':');
    (parts.next()? == "cpe" && parts.next()? == "/o").then_some(())?;
    let id = match parts.next()? {
        "redhat" => "rhel",
        "fedoraproject" => "fedora",
        "oracle" => "ol",
        "amazon" => "amzn",
        "scientificlinux" => "scientific",
        other => other,
    };
    let version_id = parts.nth(1).filter(|version| version.starts_with(|first: char| first.is_ascii_digit()));
    is_id(id).then(|| Distro {
        id: id.to_owned(),
        version_id: version_id.map(str::to_owned),
        ..Distro::default()
    })
}

/// `CentOS release 5.7 (Final)`.
fn parse_redhat_release(bytes: &[u8]) -> Option<Distro> {
    let line = text(bytes.split(|byte| *byte == b'\n').next()?);
    let (name, rest) = line.split_once(" release ")?;
    let known = [
        ("CentOS", "centos"),
        ("Red Hat Enterprise Linux", "rhel"),
        ("Scientific Linux", "scientific"),
        ("Fedora", "fedora"),
        ("Oracle Linux", "ol"),
        ("Rocky Linux", "rocky"),
        ("AlmaLinux", "almalinux"),
        ("Amazon Linux", "amzn"),
        ("CloudLinux", "cloudlinux"),
        ("openEuler", "openeuler"),
        ("Anolis OS", "anolis"),
        ("EuroLinux", "eurolinux"),
    ];
    let (_, id) = known.into_iter().find(|(start, _)| name.starts_with(start))?;
    let version_id = rest.split_whitespace().next().map(str::to_owned);
    Some(Distro { id: id.to_owned(), version_id, pretty_name: Some(line), ..Distro::default() })
}

/// `SUSE Linux Enterprise Server 11 (x86_64)`, then lines `VERSION = 11` and `PATCHLEVEL = 4`.
fn parse_suse_release(bytes: &[u8]) -> Option<Distro> {
    let line = text(bytes.split(|byte| *byte == b'\n').next()?);
    let known = [
        ("SUSE Linux Enterprise Server", "sles"),
        ("SUSE Linux Enterprise Desktop", "sled"),
        ("openSUSE", "opensuse"),
    ];
    let (_, id) = known.into_iter().find(|(start, _)| line.starts_with(start))?;
    let value = |key: &str| {
        lines(bytes).find_map(|(_, line)| {
            let (name, value) = text(line)
                .split_once('=')
                .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))?;
            (name == key && !value.is_empty()).then_some(value)
        })
    };
    let version_id = value("VERSION").map(|version| match value("PATCHLEVEL").filter(|level| level != "0") {
        Some(level) => format!("{version}.{level}"),
        None => version,
    });
    Some(Distro { id: id.to_owned(), version_id, pretty_name: Some(line), ..Distro::default() })
}

/// `VMware Photon OS 4.0`, `CBL-Mariner 2.0.20220226`: of the version, os-release has the first two numbers.
fn parse_named_release(bytes: &[u8]) -> Option<Distro> {
    let line = text(bytes.split(|byte| *byte == b'\n').next()?);
    let known = [
        ("VMware Photon ", "photon"),
        ("CBL-Mariner ", "mariner"),
        ("Common Base Linux Mariner ", "mariner"),
    ];
    let (_, id) = known.into_iter().find(|(start, _)| line.starts_with(start))?;
    let version =
        line.split_whitespace().last().filter(|last| last.starts_with(|first: char| first.is_ascii_digit()));
    let version_id = version.map(|version| version.split('.').take(2).collect::<Vec<_>>().join("."));
    Some(Distro { id: id.to_owned(), version_id, pretty_name: Some(line), ..Distro::default() })
}

/// `DISTRIB_ID=Ubuntu` and `DISTRIB_RELEASE=12.04` in lines as in os-release; OpenWrt's own file has the same.
fn parse_lsb_release(bytes: &[u8]) -> Option<Distro> {
    let value = |key: &str| {
        let values = lines(bytes).filter_map(|(_, line)| {
            let line = text(line);
            line.strip_prefix(key)?.strip_prefix('=').map(unquote)
        });
        values.last().filter(|value| !value.is_empty())
    };
    let known = [("Ubuntu", "ubuntu"), ("OpenWrt", "openwrt"), ("Debian", "debian"), ("Arch", "arch")];
    let name = value("DISTRIB_ID")?;
    let (_, id) = known.into_iter().find(|(known, _)| *known == name)?;
    Some(Distro {
        id: id.to_owned(),
        version_id: value("DISTRIB_RELEASE").filter(|release| release != "rolling"),
        version_codename: value("DISTRIB_CODENAME"),
        pretty_name: value("DISTRIB_DESCRIPTION"),
        ..Distro::default()
    })
}

/// The repositories of Alpine: an image that has lost its other files still says where its packages come from.
fn parse_repositories(bytes: &[u8]) -> Option<Distro> {
    let release = repositories_release(bytes)?;
    Some(Distro { id: "alpine".to_owned(), version_id: Some(release), ..Distro::default() })
}

/// An image with no more than BusyBox is an image of BusyBox.
fn busybox(tree: &ImageTree) -> Option<Distro> {
    let version = tree.find(BUSYBOX).and_then(|entry| busybox::version(entry.extract()?))?;
    let pretty_name = Some(format!("BusyBox v{version}"));
    Some(Distro { id: "busybox".to_owned(), version_id: Some(version), pretty_name, ..Distro::default() })
}

/// `3.18.4`.
fn parse_alpine_release(bytes: &[u8]) -> Option<Distro> {
    let version = text(bytes.split(|byte| *byte == b'\n').next()?);
    let starts_right = version.starts_with(|first: char| first.is_ascii_digit());
    starts_right.then(|| Distro { id: "alpine".to_owned(), version_id: Some(version), ..Distro::default() })
}

/// `12.4`, or `trixie/sid` before a release.
fn parse_debian_version(bytes: &[u8]) -> Option<Distro> {
    let line = text(bytes.split(|byte| *byte == b'\n').next()?);
    let is_debian = debian_major(bytes).is_some() || line.ends_with("/sid");
    is_debian.then(|| Distro {
        id: "debian".to_owned(),
        version_id: debian_major(bytes),
        ..Distro::default()
    })
}

fn debian_major(bytes: &[u8]) -> Option<String> {
    let line = text(bytes.split(|byte| *byte == b'\n').next()?);
    let major = line.split('.').next()?;
    (!major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit())).then(|| major.to_owned())
}

/// The release in the first repository address: `https://dl-cdn.alpinelinux.org/alpine/v3.18/main`.
fn repositories_release(bytes: &[u8]) -> Option<String> {
    lines(bytes).map(|(_, line)| text(line)).filter(|line| !line.starts_with('#')).find_map(|line| {
        let (_, rest) = line.split_once("/alpine/")?;
        let release = rest.split('/').next()?;
        let number = release.strip_prefix('v').unwrap_or(release);
        let is_number = number.starts_with(|first: char| first.is_ascii_digit());
        (is_number || number == "edge").then(|| number.to_owned())
    })
}
