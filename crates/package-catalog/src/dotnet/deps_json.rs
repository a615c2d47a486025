//! `*.deps.json`: the libraries of an application, with the files that each brought along.
//!
//! Source: .NET SDK, `runtime-configuration-file.md`.

use std::collections::{BTreeMap, BTreeSet};

use model::{DiagnosticCode, OwnedFile, Package, PackageKind};
use serde::de::{IgnoredAny, MapAccess};
use serde::{Deserialize, Serialize};

use super::assemblies::runtime_cpes;
use crate::described::json::{TakeMembers, Taking, take_members};
use crate::extract::{ManifestKind, read_section};
use crate::parse::{ParseInput, Parsed, Problems};
use crate::pattern_index::name;
use crate::purl::language_purl;
use crate::spdx::Text;

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
/// Libraries, files and dependencies of one application that are read; large ones have some thousands.
const NAMES_MAX: usize = 100_000;
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
    let mut application = Stated::default();
    // Targets stand before the libraries that they are about.
    take_members(content, &mut Document { application: &mut application, part: Part::Libraries })?;
    if !application.has_libraries {
        return Err("file has no `libraries`".to_owned());
    }
    take_members(content, &mut Document { application: &mut application, part: Part::Targets })?;
    if application.names > NAMES_MAX {
        return Err(format!("file names more than {NAMES_MAX} libraries, files and dependencies"));
    }
    let application = Application { libraries: application.libraries.into_values().collect() };
    serde_json::to_vec(&application).map_err(|error| error.to_string())
}

/// What the file says so far.
#[derive(Default)]
struct Stated {
    has_libraries: bool,
    libraries: BTreeMap<String, Library>,
    /// Of libraries, files and dependencies, those included that are one too many.
    names: usize,
}

impl Stated {
    /// Room for one more name.
    fn take_name(&mut self) -> bool {
        self.names += 1;
        self.names <= NAMES_MAX
    }
}

#[derive(Clone, Copy)]
enum Part {
    Libraries,
    Targets,
}

struct Document<'s> {
    application: &'s mut Stated,
    part: Part,
}

impl TakeMembers for Document<'_> {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: String, members: &mut A) -> Result<(), A::Error> {
        match (self.part, key.as_str()) {
            (Part::Libraries, "libraries") => {
                members.next_value_seed(Taking(&mut Libraries(self.application)))
            }
            (Part::Targets, "targets") => members.next_value_seed(Taking(&mut Targets(self.application))),
            _ => members.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

/// `"Newtonsoft.Json/13.0.3": {"type": "package"}`
struct Libraries<'s>(&'s mut Stated);

impl TakeMembers for Libraries<'_> {
    fn begin(&mut self) {
        self.0.has_libraries = true;
    }

    fn take<'de, A: MapAccess<'de>>(&mut self, key: String, members: &mut A) -> Result<(), A::Error> {
        let mut kind = Texts { keys: &["type"], found: BTreeMap::new() };
        members.next_value_seed(Taking(&mut kind))?;
        if self.0.take_name() {
            let kind = kind.found.remove("type").unwrap_or_default().to_ascii_lowercase();
            let (name, version) = key.rsplit_once('/').unwrap_or((&key, ""));
            let (name, version) = (name.to_owned(), version.to_owned());
            self.0.libraries.insert(key, Library { name, version, kind, ..Library::default() });
        }
        Ok(())
    }
}

/// `".NETCoreApp,Version=v8.0": {…}`, one for each system.
struct Targets<'s>(&'s mut Stated);

impl TakeMembers for Targets<'_> {
    fn take<'de, A: MapAccess<'de>>(&mut self, _: String, members: &mut A) -> Result<(), A::Error> {
        members.next_value_seed(Taking(&mut Target(self.0)))
    }
}

/// `"Newtonsoft.Json/13.0.3": {"dependencies": {…}, "runtime": {…}}`
struct Target<'s>(&'s mut Stated);

impl TakeMembers for Target<'_> {
    fn take<'de, A: MapAccess<'de>>(&mut self, library: String, members: &mut A) -> Result<(), A::Error> {
        match self.0.libraries.contains_key(&library) {
            true => members.next_value_seed(Taking(&mut Groups { application: self.0, library })),
            false => members.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

struct Groups<'s> {
    application: &'s mut Stated,
    library: String,
}

impl TakeMembers for Groups<'_> {
    fn take<'de, A: MapAccess<'de>>(&mut self, group: String, members: &mut A) -> Result<(), A::Error> {
        match group.as_str() {
            "dependencies" | "runtime" | "native" | "resources" | "runtimeTargets" => {
                let Self { application, library } = self;
                members.next_value_seed(Taking(&mut Names { application, library, group: &group }))
            }
            _ => members.next_value::<IgnoredAny>().map(|_| ()),
        }
    }
}

/// The names of one group of a library, with what is said about each.
struct Names<'s> {
    application: &'s mut Stated,
    library: &'s str,
    group: &'s str,
}

impl TakeMembers for Names<'_> {
    fn take<'de, A: MapAccess<'de>>(&mut self, path: String, members: &mut A) -> Result<(), A::Error> {
        let mut locale = Texts { keys: &["locale"], found: BTreeMap::new() };
        members.next_value_seed(Taking(&mut locale))?;
        let is_dependency = self.group == "dependencies";
        // Where the files of a library lie in the folder of the application. Those of all systems are there without their folders.
        let name = name(&path);
        let text = match (self.group, locale.found.get("locale")) {
            ("dependencies" | "runtimeTargets", _) => path,
            ("resources", Some(locale)) => format!("{locale}/{name}"),
            _ => name.to_owned(),
        };
        if (is_dependency || is_code(&text))
            && self.application.take_name()
            && let Some(library) = self.application.libraries.get_mut(self.library)
        {
            if is_dependency { library.dependencies.push(text) } else { library.files.push(text) }
        }
        Ok(())
    }
}

/// Texts under some keys.
struct Texts<'k> {
    keys: &'k [&'k str],
    found: BTreeMap<String, String>,
}

impl TakeMembers for Texts<'_> {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: String, members: &mut A) -> Result<(), A::Error> {
        if !self.keys.contains(&key.as_str()) {
            return members.next_value::<IgnoredAny>().map(|_| ());
        }
        if let Text(Some(text)) = members.next_value()? {
            self.found.insert(key, text);
        }
        Ok(())
    }
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
