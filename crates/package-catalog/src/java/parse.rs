//! From what was kept of an archive to packages.

use std::collections::BTreeMap;

use model::{DiagnosticCode, JavaVersions, Location, Package, PackageKind};

use super::facts::{ArchiveFacts, Coordinates};
use super::identity::{Identity, identify};
use super::pom::Pom;
use crate::parse::{ParseInput, Parsed, Problems};
use crate::purl::language_purl;

/// Licences that are told of one archive.
const LICENSES_MAX: usize = 20;

/// The packages of one archive; those in archives in it have sections of their own.
pub(crate) fn parse_archive(input: &ParseInput<'_>) -> Parsed {
    let facts: ArchiveFacts = match serde_json::from_slice(input.bytes) {
        Ok(facts) => facts,
        Err(error) => {
            let message = format!("what was kept of the archive cannot be read: {error}");
            let diagnostic = input.diagnostic(DiagnosticCode::BrokenRecord, None, message);
            return Parsed { packages: Vec::new(), diagnostics: vec![diagnostic] };
        }
    };
    let Location { path, layer } = input.location.clone();
    let path = if facts.path.is_empty() { path } else { format!("{path}:{}", facts.path) };
    let (length, maximum) = (path.len(), input.limits.value_bytes_max);
    if length > maximum {
        let message = format!("path of an archive in it has {length} bytes (limit {maximum})");
        let diagnostic = input.diagnostic(DiagnosticCode::PackagesLeftOut, None, message);
        return Parsed { packages: Vec::new(), diagnostics: vec![diagnostic] };
    }
    let location = Location { path, layer };
    read(&facts, &ParseInput { location: &location, ..*input })
}

fn read(facts: &ArchiveFacts, input: &ParseInput<'_>) -> Parsed {
    let mut problems = Problems::new(input);
    for problem in &facts.problems {
        let code =
            if problem.is_limit { DiagnosticCode::PackagesLeftOut } else { DiagnosticCode::BrokenRecord };
        problems.add(code, usize::try_from(problem.offset).unwrap_or(usize::MAX), problem.message.as_str());
    }
    let Identity { main, others } = identify(facts, &input.location.path);
    let described = Described::new(facts);
    let mut packages = Vec::new();
    let mut add = |coordinates: &Coordinates, is_main: bool, problems: &mut Problems<'_>| {
        if packages.len() >= input.packages_left() {
            let message = format!("more than {} packages", input.limits.packages_max);
            problems.add(DiagnosticCode::PackagesLeftOut, 0, message);
            return;
        }
        let mut package = to_package(coordinates, input, problems);
        describe(&mut package, &described, coordinates, is_main, problems);
        packages.push(package);
    };
    if let Some(main) = &main {
        add(main, true, &mut problems);
    }
    for other in &others {
        add(other, false, &mut problems);
    }
    // An archive that is nobody's package is none that could not be read.
    let diagnostics = problems.finish(1, "a Java archive");
    Parsed { packages, diagnostics }
}

fn to_package(coordinates: &Coordinates, input: &ParseInput<'_>, problems: &mut Problems<'_>) -> Package {
    let Coordinates { group, artifact, version } = coordinates;
    let mut value = |text: &str| problems.value(0, text.as_bytes());
    let (group, artifact, version) = (value(group), value(artifact), value(version));
    let version = (!version.is_empty()).then_some(version);
    if version.is_none() {
        let message = format!("archive `{artifact}` has no version");
        problems.add(DiagnosticCode::MissingVersion, 0, message);
    }
    let full_name = if group.is_empty() { artifact.clone() } else { format!("{group}/{artifact}") };
    let purl = language_purl(PackageKind::Maven, &full_name, version.as_deref());
    Package { purl, ..input.language_package(PackageKind::Maven, artifact, version) }
}

/// What an archive says, by artifact: the first one of a name counts.
struct Described<'a> {
    facts: &'a ArchiveFacts,
    properties: BTreeMap<&'a str, &'a Coordinates>,
    poms: BTreeMap<&'a str, &'a Pom>,
}

impl<'a> Described<'a> {
    fn new(facts: &'a ArchiveFacts) -> Self {
        // Of several with one key, a map keeps the last.
        let properties = facts.properties.iter().rev().map(|it| (it.artifact.as_str(), it)).collect();
        let poms = facts.poms.iter().rev().map(|it| (it.coordinates.artifact.as_str(), it)).collect();
        Self { facts, properties, poms }
    }
}

fn describe(
    package: &mut Package,
    described: &Described<'_>,
    coordinates: &Coordinates,
    is_main: bool,
    problems: &mut Problems<'_>,
) {
    let facts = described.facts;
    let stated = |key: &str| {
        let value = facts.manifest.as_ref()?.get(key)?.as_str();
        (is_main && !value.is_empty()).then_some(value)
    };
    let mut value = |text: &str| Some(problems.value(0, text.as_bytes())).filter(|text| !text.is_empty());
    let maven = described.properties.get(coordinates.artifact.as_str());
    package.java = Some(JavaVersions {
        specification: stated("Specification-Version").and_then(&mut value),
        implementation: stated("Implementation-Version").and_then(&mut value),
        maven: maven.and_then(|it| value(&it.version)),
        sha1: facts.sha1.clone().filter(|_| is_main),
    });
    package.maintainer =
        stated("Implementation-Vendor").or_else(|| stated("Bundle-Vendor")).and_then(&mut value);
    let pom = described.poms.get(coordinates.artifact.as_str());
    package.licenses = match stated("Bundle-License") {
        Some(licenses) => licenses_of(licenses).filter_map(&mut value).collect(),
        None => pom.iter().flat_map(|pom| &pom.licenses).filter_map(|license| value(license)).collect(),
    };
    let mut told = std::collections::BTreeSet::new();
    package.licenses.retain(|license| told.insert(license.clone()));
}

/// `Apache-2.0;link="https://…", MIT`: what stands before attributes.
fn licenses_of(stated: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let pieces = stated.split(move |character| {
        is_quoted ^= character == '"';
        character == ',' && !is_quoted
    });
    let name = |piece: &'_ str| piece.len() - piece.trim_start().len();
    pieces
        .map(move |piece| &piece[name(piece)..])
        .filter_map(|piece| piece.trim_start_matches('"').split(['"', ';']).next())
        .map(str::trim)
        .filter(|license| !license.is_empty() && *license != "<<EXTERNAL>>")
        .take(LICENSES_MAX)
}
