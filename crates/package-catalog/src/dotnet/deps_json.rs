//! `*.deps.json`: the libraries of an application, with the files that each brought along.
//!
//! Source: .NET SDK, `runtime-configuration-file.md`.

use std::collections::{BTreeMap, BTreeSet};

use model::{DiagnosticCode, OwnedFile, Package, PackageKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::assemblies::runtime_cpes;
use crate::extract::{ManifestKind, read_section};
use crate::parse::{ParseInput, Parsed, Problems};
use crate::pattern_index::name;
use crate::purl::language_purl;

/// Such a file, with only the values that matter.
pub(crate) static MANIFEST: ManifestKind = ManifestKind { tag: 15, is_manifest, reduce };

const ENDING: &str = ".deps.json";
/// Tools that put all assemblies into one: then no list of files says what is there.
const BUNDLERS: [&str; 8] = [
    "costura.fody",
    "dnmerge",
    "ilmerge",
    "ilmerge.fody",
    "ilmerge.tools",
    "ilrepack",
    "ilrepack.lib",
    "ilrepack.lib.msbuild.task",
];
/// How a part of the runtime is called that an application brings along.
const RUNTIME_PACK: &str = "runtimepack.";

/// All libraries of an application.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Application {
    pub(super) libraries: Vec<Library>,
}

/// One of them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Library {
    pub(super) name: String,
    pub(super) version: String,
    /// `package`, `project`, `reference` or `runtimepack`.
    pub(super) kind: String,
    /// Files of code below the folder of the application.
    pub(super) files: Vec<String>,
    /// Names of the libraries that it needs.
    pub(super) dependencies: Vec<String>,
}

impl Library {
    fn is_package(&self) -> bool {
        matches!(self.kind.as_str(), "package" | "runtimepack")
    }

    /// Whether its files are accounted for. What is only referred to is in no other list.
    pub(super) fn claims(&self) -> bool {
        self.is_package() || self.kind == "project"
    }
}

fn is_manifest(path: &str) -> bool {
    path.ends_with(ENDING)
}

pub(super) fn reduce(content: &[u8]) -> Result<Vec<u8>, String> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let document: Value =
        serde_json::from_slice(content).map_err(|error| format!("file is no JSON: {error}"))?;
    let stated = document["libraries"].as_object().ok_or("file has no `libraries`")?;
    let mut libraries: BTreeMap<&str, Library> = BTreeMap::new();
    for (key, value) in stated {
        let (name, version) = key.rsplit_once('/').unwrap_or((key, ""));
        let kind = value["type"].as_str().unwrap_or_default().to_ascii_lowercase();
        let (name, version) = (name.to_owned(), version.to_owned());
        libraries.insert(key, Library { name, version, kind, ..Library::default() });
    }
    let targets = document["targets"].as_object();
    for (key, target) in targets.into_iter().flat_map(Map::values).filter_map(Value::as_object).flatten() {
        let Some(library) = libraries.get_mut(key.as_str()) else { continue };
        let files = files_of(target).filter(|file| is_code(file));
        library.files.extend(files);
        let needed = target.get("dependencies").and_then(Value::as_object);
        library.dependencies.extend(needed.into_iter().flat_map(Map::keys).cloned());
    }
    let application = Application { libraries: libraries.into_values().collect() };
    serde_json::to_vec(&application).map_err(|error| error.to_string())
}

/// Where the files of a library lie in the folder of the application. Those of all systems are there without their folders.
fn files_of(target: &Value) -> impl Iterator<Item = String> {
    let keys = |group: &str| target.get(group).and_then(Value::as_object).into_iter().flatten();
    let plain = keys("runtime").chain(keys("native")).map(|(path, _)| name(path).to_owned());
    let translated = keys("resources").map(|(path, value)| match value["locale"].as_str() {
        Some(locale) => format!("{locale}/{}", name(path)),
        None => name(path).to_owned(),
    });
    let by_system = keys("runtimeTargets").map(|(path, _)| path.clone());
    plain.chain(translated).chain(by_system)
}

fn is_code(path: &str) -> bool {
    let ending = path.rsplit('.').next().unwrap_or_default();
    ["dll", "exe", "so", "dylib"].iter().any(|code| code.eq_ignore_ascii_case(ending))
        || path.contains(".so.")
}

impl Application {
    pub(super) fn read(section: &[u8]) -> Result<Self, String> {
        read_section(section).and_then(|kept| serde_json::from_slice(kept).map_err(|error| error.to_string()))
    }

    /// Which libraries are installed: those with files, and those that need one of them, which are there by their parts.
    fn installed(&self) -> Vec<&Library> {
        let packages = || self.libraries.iter().filter(|library| library.is_package());
        let is_bundler = |library: &Library| BUNDLERS.contains(&library.name.to_ascii_lowercase().as_str());
        if self.libraries.iter().any(is_bundler) {
            return packages().collect();
        }
        let mut needed_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for library in packages() {
            for needed in &library.dependencies {
                needed_by.entry(needed).or_default().push(&library.name);
            }
        }
        let mut claimed: BTreeSet<&str> = BTreeSet::new();
        let mut open: Vec<&str> =
            packages().filter(|it| !it.files.is_empty()).map(|it| it.name.as_str()).collect();
        while let Some(name) = open.pop() {
            if claimed.insert(name) {
                open.extend(needed_by.get(name).into_iter().flatten());
            }
        }
        packages().filter(|library| claimed.contains(library.name.as_str())).collect()
    }
}

/// The packages of one application or runtime.
pub(crate) fn parse_dependencies(input: &ParseInput<'_>) -> Parsed {
    let application = match Application::read(input.bytes) {
        Ok(application) => application,
        Err(why) => {
            let diagnostic = input.diagnostic(DiagnosticCode::BrokenRecord, None, why);
            return Parsed { packages: Vec::new(), diagnostics: vec![diagnostic] };
        }
    };
    let folder = input.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut problems = Problems::new(input);
    let mut packages = Vec::new();
    for library in application.installed() {
        if packages.len() >= input.packages_left() {
            let message = format!("more than {} packages", input.limits.packages_max);
            problems.add(DiagnosticCode::PackagesLeftOut, 0, message);
            break;
        }
        let name = library.name.strip_prefix(RUNTIME_PACK).unwrap_or(&library.name);
        let name = problems.value(0, name.as_bytes());
        let version = problems.value(0, library.version.as_bytes());
        if name.is_empty() {
            continue;
        }
        let version = (!version.is_empty()).then_some(version);
        if version.is_none() {
            problems.add(DiagnosticCode::MissingVersion, 0, format!("package `{name}` has no version"));
        }
        let package = input.language_package(PackageKind::Nuget, name, version);
        packages.push(Package {
            purl: language_purl(PackageKind::Nuget, &package.name, package.version.as_deref()),
            cpes: runtime_cpes(&package.name, package.version.as_deref()),
            files: owned_files(library, folder, input, &mut problems),
            ..package
        });
    }
    Parsed { packages, diagnostics: problems.finish(1, "a list of dependencies") }
}

/// The files of a library that are there.
fn owned_files(
    library: &Library,
    folder: &str,
    input: &ParseInput<'_>,
    problems: &mut Problems<'_>,
) -> Vec<OwnedFile> {
    let mut files = BTreeSet::new();
    for file in &library.files {
        let path = in_folder(folder, file);
        if input.tree.find(&path).is_none() {
            continue;
        }
        if !input.spent.take_owned(path.len(), input.limits) {
            problems.add(DiagnosticCode::PackagesLeftOut, 0, input.limits.too_many_owned());
            break;
        }
        files.insert(OwnedFile { path: format!("/{path}"), ..OwnedFile::default() });
    }
    files.into_iter().collect()
}

/// The path of an application's file.
pub(super) fn in_folder(folder: &str, file: &str) -> String {
    if folder.is_empty() { file.to_owned() } else { format!("{folder}/{file}") }
}
