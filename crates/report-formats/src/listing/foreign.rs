//! Packages out of lists that others wrote: by package URL, and by the properties of syft and trivy.
//!
//! Source: the writers of syft 1.x (`syft:…` properties, qualifier `upstream`) and trivy (`aquasecurity:trivy:…`).

use std::collections::BTreeSet;

use model::{Distro, JavaVersions, Location, Package, PackageKind, SourcePackage};

use super::{ListedPackage, ListedSystem, Listing, Properties, Purl};
use crate::syft_json::kind_of;

/// A package, or what the entry is instead.
pub(super) fn to_package(listed: &ListedPackage) -> Result<Package, String> {
    let purl = Purl::parse(&listed.purl);
    let properties = &listed.properties;
    let kind = match &purl {
        Some(purl) => kind_of_purl(purl).ok_or_else(|| format!("of type `{}`", shortened(&purl.r#type)))?,
        None => stated_kind(properties)?,
    };
    let name = name_of(kind, listed, purl.as_ref());
    if name.is_empty() {
        return Err("without a name".to_owned());
    }
    let version = version_of(kind, listed, purl.as_ref());
    let first = |keys: &[&str]| {
        keys.iter().find_map(|key| properties.get(*key)).filter(|value| !value.is_empty()).cloned()
    };
    let qualifier = |key: &str| purl.as_ref().and_then(|purl| purl.qualifier(key)).map(str::to_owned);
    let sha1 = listed.sha1.clone();
    Ok(Package {
        architecture: qualifier("arch").or_else(|| first(&["syft:metadata:architecture"])),
        source: source_of(kind, &name, version.as_deref(), properties, purl.as_ref()),
        purl: listed.purl.trim().to_owned(),
        licenses: listed.licenses.clone(),
        maintainer: listed.supplier.clone().or_else(|| first(&["syft:metadata:maintainer"])),
        installed_size_bytes: installed_size(kind, properties),
        locations: locations(properties),
        java: (kind == PackageKind::Maven).then(|| JavaVersions { sha1, ..JavaVersions::default() }),
        modularity: first(&["syft:metadata:modularityLabel", "aquasecurity:trivy:Modularitylabel"])
            .or_else(|| qualifier("rpmmod"))
            .or_else(|| qualifier("modularitylabel")),
        cpes: listed.cpes.clone(),
        ..Package::new(kind, name, version)
    })
}

/// Bytes, as syft has them of packages of a system; dpkg counts in KiB.
fn installed_size(kind: PackageKind, properties: &Properties) -> Option<u64> {
    let number = |key: &str| properties.get(key)?.parse::<u64>().ok();
    match kind {
        PackageKind::Deb => number("syft:metadata:installedSize")?.checked_mul(1024),
        PackageKind::Apk => number("syft:metadata:installedSize"),
        PackageKind::Rpm => number("syft:metadata:size"),
        _ => None,
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

fn kind_of_purl(purl: &Purl) -> Option<PackageKind> {
    // Names that other writers use, or used before the type had one.
    let other = match purl.r#type.as_str() {
        "arch" | "archlinux" => "alpm",
        "portage" => "ebuild",
        "go" => "golang",
        "python" => "pypi",
        "rubygems" => "gem",
        "erlang" => "otp",
        "php" | "packagist" => "composer",
        "wordpress-plugin" => "wordpress",
        "openwrt" => "opkg",
        known => known,
    };
    PackageKind::from_purl_type(other)
}

/// The kind of an entry without package URL, by what its writer says.
fn stated_kind(properties: &Properties) -> Result<PackageKind, String> {
    let unknown = || "without package URL".to_owned();
    let (key, word) = ["syft:package:type", "aquasecurity:trivy:PkgType"]
        .iter()
        .find_map(|key| Some((*key, properties.get(*key)?)))
        .ok_or_else(unknown)?;
    let kind = match key {
        "syft:package:type" => kind_of(word),
        _ => kind_of_trivy(word),
    };
    kind.ok_or_else(|| format!("of type `{}`", shortened(word)))
}

fn kind_of_trivy(word: &str) -> Option<PackageKind> {
    Some(match word {
        "alpine" | "wolfi" | "chainguard" | "minimos" => PackageKind::Apk,
        "debian" | "ubuntu" | "echo" => PackageKind::Deb,
        "redhat"
        | "centos"
        | "rocky"
        | "alma"
        | "fedora"
        | "oracle"
        | "amazon"
        | "photon"
        | "cbl-mariner"
        | "azurelinux"
        | "opensuse"
        | "opensuse-leap"
        | "opensuse-tumbleweed"
        | "suse linux enterprise server" => PackageKind::Rpm,
        "node-pkg" | "npm" | "yarn" | "pnpm" => PackageKind::Npm,
        "python-pkg" | "pip" | "poetry" | "pipenv" | "uv" => PackageKind::PyPi,
        "gemspec" | "bundler" => PackageKind::Gem,
        "jar" | "pom" | "gradle" => PackageKind::Maven,
        "gobinary" | "gomod" => PackageKind::Golang,
        "rustbinary" | "cargo" => PackageKind::Cargo,
        "composer" | "composer-vendor" => PackageKind::Composer,
        "dotnet-core" | "nuget" => PackageKind::Nuget,
        "conda-pkg" => PackageKind::Conda,
        "bitnami" => PackageKind::Bitnami,
        _ => return None,
    })
}

/// The name as its ecosystem writes it, in the case of letters in which the list writes it.
fn name_of(kind: PackageKind, listed: &ListedPackage, purl: Option<&Purl>) -> String {
    let Some(purl) = purl else {
        return whole_name(kind, listed.group.as_deref().unwrap_or_default(), &listed.name);
    };
    let name = whole_name(kind, &purl.namespace, &purl.name);
    let is_same = |other: &String| {
        let plain = |text: &str| text.replace(['_', '.'], "-").to_lowercase();
        plain(other) == plain(&name)
    };
    let written = whole_name(kind, listed.group.as_deref().unwrap_or_default(), &listed.name);
    [listed.name.clone(), written].into_iter().find(is_same).unwrap_or(name)
}

fn whole_name(kind: PackageKind, namespace: &str, name: &str) -> String {
    let is_part = matches!(
        kind,
        PackageKind::Npm
            | PackageKind::Golang
            | PackageKind::Composer
            | PackageKind::Swift
            | PackageKind::Pear
    );
    if is_part && !namespace.is_empty() { format!("{namespace}/{name}") } else { name.to_owned() }
}

fn version_of(kind: PackageKind, listed: &ListedPackage, purl: Option<&Purl>) -> Option<String> {
    let written = listed.version.clone().filter(|version| !version.is_empty());
    let version = written.or_else(|| purl?.version.clone())?;
    if kind != PackageKind::Rpm || version.contains(':') {
        return Some(version);
    }
    match purl.and_then(|purl| purl.qualifier("epoch")).filter(|epoch| *epoch != "0") {
        Some(epoch) => Some(format!("{epoch}:{version}")),
        None => Some(version),
    }
}

/// What it was built from: of packages of the operating system only.
fn source_of(
    kind: PackageKind,
    name: &str,
    version: Option<&str>,
    properties: &Properties,
    purl: Option<&Purl>,
) -> Option<SourcePackage> {
    if !kind.is_operating_system() {
        return None;
    }
    let get = |key: &str| properties.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let own_version = version.unwrap_or_default();
    let source = |name: &str, version: Option<&str>| {
        Some(SourcePackage { name: name.to_owned(), version: version.unwrap_or(own_version).to_owned() })
    };
    if let Some(found) = get("aquasecurity:trivy:SrcName") {
        return source(found, trivy_source_version(&get).as_deref());
    }
    if let Some(stem) = get("syft:metadata:sourceRpm").and_then(source_of_rpm) {
        return Some(stem);
    }
    if let Some(found) = get("syft:metadata:source") {
        return source(found, get("syft:metadata:sourceVersion"));
    }
    if let Some(found) = get("syft:metadata:originPackage") {
        return source(found, None);
    }
    if let Some(upstream) = purl.and_then(|purl| purl.qualifier("upstream")) {
        if let Some(stem) = source_of_rpm(upstream) {
            return Some(stem);
        }
        return match upstream.split_once('@') {
            Some((found, version)) if !found.is_empty() => source(found, Some(version)),
            _ => source(upstream, None),
        };
    }
    match kind {
        PackageKind::Deb | PackageKind::Apk => source(name, get("syft:metadata:sourceVersion")),
        _ => None,
    }
}

/// Trivy takes versions apart: epoch, version and release.
fn trivy_source_version<'a>(get: &impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let mut version = get("aquasecurity:trivy:SrcVersion")?.to_owned();
    if let Some(release) = get("aquasecurity:trivy:SrcRelease") {
        version = format!("{version}-{release}");
    }
    match get("aquasecurity:trivy:SrcEpoch").filter(|epoch| *epoch != "0") {
        Some(epoch) => Some(format!("{epoch}:{version}")),
        None => Some(version),
    }
}

/// `openssl-3.0.7-24.el9.src.rpm`: name, version and release, each behind a hyphen.
pub(crate) fn source_of_rpm(file: &str) -> Option<SourcePackage> {
    let stem = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(SourcePackage { name: name.to_owned(), version: format!("{version}-{release}") })
}

/// Places of one package that are kept.
const LOCATIONS_MAX: usize = 1000;

fn locations(properties: &Properties) -> Vec<Location> {
    let absolute = |path: &String| match path.starts_with('/') {
        true => path.clone(),
        false => format!("/{path}"),
    };
    let layer = |key: &str| properties.get(key).and_then(|layer| layer.parse().ok());
    let mut found: Vec<Location> = (0..LOCATIONS_MAX)
        .map_while(|index| {
            let path = properties.get(&format!("syft:location:{index}:path"))?;
            Some(Location { path: absolute(path), layer: layer(&format!("syft:location:{index}:layerID")) })
        })
        .collect();
    if let (true, Some(path)) = (found.is_empty(), properties.get("aquasecurity:trivy:FilePath")) {
        found.push(Location { path: absolute(path), layer: layer("aquasecurity:trivy:LayerDiffID") });
    }
    found
}

/// The operating system: the entry that the list has for it, or what the package URLs agree on.
pub(super) fn distro(listing: &Listing) -> Option<Distro> {
    match &listing.system {
        Some(system) if !system.name.is_empty() => Some(stated_distro(system)),
        _ => agreed_distro(&listing.packages),
    }
}

fn stated_distro(system: &ListedSystem) -> Distro {
    let get = |key: &str| system.properties.get(&format!("syft:distro:{key}")).cloned();
    let id_like = (0..100).map_while(|index| get(&format!("idLike:{index}")));
    Distro {
        id: distro_id(&get("id").unwrap_or_else(|| system.name.clone())),
        version_id: get("versionID").or_else(|| system.version.clone()).filter(|version| !version.is_empty()),
        version_codename: get("versionCodename"),
        id_like: id_like.collect(),
        pretty_name: get("prettyName"),
        channel: None,
    }
}

/// Names that other writers use for ids of os-release.
fn distro_id(name: &str) -> String {
    let name = name.to_lowercase();
    match name.as_str() {
        "redhat" => "rhel".to_owned(),
        "alma" => "almalinux".to_owned(),
        "oracle" => "ol".to_owned(),
        "amazon" => "amzn".to_owned(),
        "opensuse.leap" => "opensuse-leap".to_owned(),
        "opensuse.tumbleweed" => "opensuse-tumbleweed".to_owned(),
        "suse linux enterprise server" => "sles".to_owned(),
        _ => name,
    }
}

/// `distro=debian-12` of all packages of the operating system, if it is one and the same.
fn agreed_distro(packages: &[ListedPackage]) -> Option<Distro> {
    let of_package = |listed: &ListedPackage| {
        let purl = Purl::parse(&listed.purl)?;
        kind_of_purl(&purl).filter(|kind| kind.is_operating_system())?;
        let word = purl.qualifier("distro")?;
        let begins_with_digit = |text: &str| text.starts_with(|letter: char| letter.is_ascii_digit());
        match word.rsplit_once('-') {
            Some((id, version)) if begins_with_digit(version) => {
                Some((distro_id(id), Some(version.to_owned()), None))
            }
            // `distro=bookworm`: who they belong to stands in front.
            _ if !purl.namespace.is_empty() && purl.namespace != word => {
                Some((distro_id(&purl.namespace), None, Some(word.to_owned())))
            }
            _ => Some((distro_id(word), None, None)),
        }
    };
    let mut found: BTreeSet<_> = packages.iter().filter_map(of_package).collect();
    let (id, version_id, version_codename) = found.pop_first().filter(|_| found.is_empty())?;
    Some(Distro { id, version_id, version_codename, ..Distro::default() })
}
