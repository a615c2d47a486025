//! Installations of Java: the `release` file that lies beside the folder of `bin/java`.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use model::{DiagnosticCode, Package, PackageKind};

use crate::extract::{ManifestKind, read_section};
use crate::parse::{ParseInput, Parsed, Problems, lines};
use crate::purl::language_purl;

/// `release`, with only the values that matter; nothing of files that only have this name.
pub(crate) static MANIFEST: ManifestKind = ManifestKind { tag: 11, is_manifest, reduce };

const KEYS: [&str; 9] = [
    "BUILD_TYPE",
    "FULL_VERSION",
    "GRAALVM_VERSION",
    "IMPLEMENTOR",
    "IMPLEMENTOR_VERSION",
    "JAVA_RUNTIME_VERSION",
    "JAVA_VERSION",
    "JVM_VARIANT",
    "SEMANTIC_VERSION",
];
const VALUE_BYTES_MAX: usize = 256;

fn is_manifest(path: &str) -> bool {
    path.strip_suffix("release").is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
}

/// Lines `KEY="value"`.
fn read_values(content: &[u8]) -> BTreeMap<&str, &str> {
    let values = lines(content).filter_map(|(_, line)| {
        let (key, value) = std::str::from_utf8(line).ok()?.split_once('=')?;
        let value = value.trim().trim_matches('"').trim();
        (KEYS.contains(&key.trim()) && !value.is_empty() && value.len() <= VALUE_BYTES_MAX)
            .then_some((key.trim(), value))
    });
    values.collect()
}

fn reduce(content: &[u8]) -> Result<Vec<u8>, String> {
    let values = read_values(content);
    if !values.contains_key("JAVA_VERSION") {
        return Ok(Vec::new());
    }
    Ok(values.iter().map(|(key, value)| format!("{key}={value}\n")).collect::<String>().into_bytes())
}

/// The installation that a file describes, if its program is there.
pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    let folder = input.path.strip_suffix("release").unwrap_or_default();
    let is_there = |program: &str| input.tree.find(&format!("{folder}{program}")).is_some();
    // A file of this name that is too large is nothing of Java.
    let Ok(kept) = read_section(input.bytes) else { return Parsed::default() };
    if kept.is_empty() || !(is_there("bin/java") || is_there("jre/bin/java")) {
        return Parsed::default();
    }
    let values = read_values(kept);
    let mut problems = Problems::new(input);
    let installation = Installation::of(&values, is_there("bin/javac"));
    if installation.version.is_none() {
        problems.add(DiagnosticCode::MissingVersion, 0, "the installation of Java says no version");
    }
    let version = installation.version.clone();
    let mut package = input.language_package(PackageKind::Binary, installation.name.to_owned(), version);
    let vendor = installation.products.first().map_or("", |(vendor, _)| vendor);
    let full_name = format!("{vendor}/{}", package.name);
    package.purl = language_purl(PackageKind::Binary, &full_name, package.version.as_deref());
    package.maintainer = values.get("IMPLEMENTOR").map(|vendor| (*vendor).to_owned());
    input.one_package(Package { cpes: installation.cpes(), ..package }, problems)
}

/// Names under which installations of Java are listed.
const NAMES: [&str; 7] = ["graalvm", "java", "java_sdk", "jdk", "jre", "openjdk", "zulu"];

/// Takes away what the programs of an installation say of it, where the installation says it itself.
pub(crate) fn settle(packages: &mut Vec<Package>) {
    let path_of = |package: &Package| {
        let is_java = package.kind == PackageKind::Binary && NAMES.contains(&package.name.as_str());
        package.locations.first().filter(|_| is_java).map(|location| location.path.clone())
    };
    let homes: BTreeSet<String> = packages
        .iter()
        .filter_map(path_of)
        .filter_map(|path| Some(path.strip_suffix("release")?.to_owned()))
        .collect();
    packages.retain(|package| {
        let Some(path) = path_of(package) else { return true };
        let home = path.rfind("jre/bin/").or_else(|| path.rfind("bin/")).map(|at| &path[..at]);
        path.ends_with("/release") || home.is_none_or(|home| !homes.contains(home))
    });
}

/// Whose Java it is.
#[derive(Debug)]
struct Installation {
    name: &'static str,
    version: Option<String>,
    /// Vendors and products under which vulnerabilities of it are known.
    products: Vec<(&'static str, &'static str)>,
}

impl Installation {
    fn of(values: &BTreeMap<&str, &str>, has_compiler: bool) -> Self {
        let value = |key: &str| values.get(key).copied().unwrap_or_default();
        let vendor = value("IMPLEMENTOR").to_ascii_lowercase();
        let keys = ["JAVA_RUNTIME_VERSION", "FULL_VERSION", "SEMANTIC_VERSION", "JAVA_VERSION"];
        let java_version = keys.iter().find_map(|key| release_of(value(key)));
        let is = |name: &str| vendor.contains(name);
        let (name, products) = match value("GRAALVM_VERSION") {
            "" if is("azul") => ("zulu", vec![("azul", "zulu"), ("oracle", "openjdk")]),
            "" if is("ibm") || is("international business machines") => match has_compiler {
                true => ("java_sdk", vec![("ibm", "java_sdk"), ("ibm", "java")]),
                false => ("java", vec![("ibm", "java")]),
            },
            "" if is("oracle") && value("BUILD_TYPE") == "commercial" => match has_compiler {
                true => ("jdk", vec![("oracle", "jdk"), ("oracle", "jre")]),
                false => ("jre", vec![("oracle", "jre")]),
            },
            "" if is("sun microsystems") => match has_compiler {
                true => ("jdk", vec![("sun", "jdk"), ("sun", "jre"), ("oracle", "jdk")]),
                false => ("jre", vec![("sun", "jre"), ("oracle", "jre")]),
            },
            "" => ("openjdk", vec![("oracle", "openjdk")]),
            // Since Java 17 it has the version of the Java that it is, before that its own.
            graal if java_version.as_deref().is_some_and(|java| java.starts_with(graal)) => {
                ("graalvm", vec![("oracle", "graalvm_for_jdk"), ("oracle", "graalvm")])
            }
            graal => {
                let products = vec![("oracle", "graalvm")];
                return Self { name: "graalvm", version: Some(graal.to_owned()), products };
            }
        };
        Self { name, version: java_version, products }
    }

    fn cpes(&self) -> Vec<String> {
        let Some(version) = &self.version else { return Vec::new() };
        let (release, update) = split_update(version);
        let mut cpes = Vec::new();
        for (vendor, product) in &self.products {
            let mut add = |version: &str| {
                cpes.push(format!("cpe:2.3:a:{vendor}:{product}:{version}:{update}:*:*:*:*:*:*"));
            };
            add(release);
            // Records about OpenJDK name old releases by one number.
            match release.strip_prefix("1.").and_then(|rest| rest.split('.').next()) {
                Some(major) if *product == "openjdk" => add(major),
                _ => {}
            }
        }
        cpes
    }
}

/// `17.0.15+6` of `17.0.15+6-Debian-1deb12u1`, `28-ea+18` of `28-ea+18-1-Debian`, `1.8.0_302-b08` of itself.
fn release_of(stated: &str) -> Option<String> {
    let is_old = stated.starts_with("1.");
    let front = stated.find(|it: char| !(it.is_ascii_digit() || matches!(it, '.' | '_' | '+')));
    let mut end = front.unwrap_or(stated.len());
    if let Some(build) = stated[end..].strip_prefix("-b").filter(|_| is_old) {
        let digits = build.bytes().take_while(u8::is_ascii_digit).count();
        end += if digits > 0 { 2 + digits } else { 0 };
    }
    // A build of before the release says so between its version and its number.
    if let Some(build) = stated[end..].strip_prefix("-ea") {
        let digits =
            build.strip_prefix('+').map_or(0, |it| it.bytes().take_while(u8::is_ascii_digit).count());
        end += "-ea".len() + if digits > 0 { 1 + digits } else { 0 };
    }
    let release = stated[..end].trim_end_matches(['.', '_', '+']);
    release.starts_with(|it: char| it.is_ascii_digit()).then(|| release.to_owned())
}

/// `1.8.0_302-b08` is release `1.8.0` with `update302`; newer ones have their updates in the release.
fn split_update(version: &str) -> (&str, String) {
    let release = version.split(['+', '-']).next().unwrap_or(version);
    match release.split_once('_') {
        Some((release, update)) => {
            let number = update.trim_start_matches('0');
            (release, if number.is_empty() { "-".to_owned() } else { format!("update{number}") })
        }
        None => (release, "*".to_owned()),
    }
}
