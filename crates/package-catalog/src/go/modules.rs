//! From build information to packages: the main module, what it was linked with, and Go's own library.
//!
//! Lines of the list: `path`, `mod`, `dep`, `=>` (what the module of the line before is replaced by), `build` (a setting),
//! each with its values behind tabs. Source: Go, `runtime/debug`, `BuildInfo.String`.

use model::{DiagnosticCode, Package, PackageKind};

use crate::parse::{ParseInput, Parsed, Problems, lines};
use crate::purl::language_purl;

/// What a module that was built in its own folder has for a version.
const DEVELOPMENT: &str = "(devel)";
/// What stands for a path where files were named to the compiler instead of a package.
const NO_PACKAGE: &str = "command-line-arguments";
/// Where the programs of Go itself are: `cmd/compile`.
const OWN_PROGRAMS: &str = "cmd/";
/// Digits of a revision in a version that is made of it.
const REVISION_DIGITS: usize = 12;

#[derive(Debug, Default)]
struct Module {
    path: String,
    version: Option<String>,
    offset: usize,
}

#[derive(Debug, Default)]
struct BuildInfo {
    /// The package that the executable is, which has no module where the build knew of none.
    path: String,
    main: Option<Module>,
    dependencies: Vec<Module>,
    linker_flags: String,
    revision: Option<String>,
    revision_time: Option<String>,
}

/// The modules of one executable.
pub(crate) fn parse_build_info(input: &ParseInput<'_>) -> Parsed {
    let mut problems = Problems::new(input);
    let mut packages = Vec::new();
    let mut all = lines(input.bytes);
    let go_version = all.next().map(|(offset, line)| problems.value(offset, line)).unwrap_or_default();
    let info = read_lines(all, &mut problems);
    let main = info.main_module(&go_version);
    let library = Module { path: "stdlib".to_owned(), version: library_version(&go_version), offset: 0 };
    let mut left = input.packages_left();
    for module in main.into_iter().chain(info.dependencies).chain([library]) {
        if left == 0 {
            let message = format!("more than {} packages", input.limits.packages_max);
            problems.add(DiagnosticCode::PackagesLeftOut, module.offset, message);
            break;
        }
        left -= 1;
        if module.version.is_none() {
            let message = format!("module `{}` has no version that advisories could name", module.path);
            problems.add(DiagnosticCode::MissingVersion, module.offset, message);
        }
        packages.push(to_package(module, input));
    }
    let diagnostics = problems.finish(packages.len(), "build information of Go");
    Parsed { packages, diagnostics }
}

/// An executable that was built before the information was in one piece.
pub(crate) fn parse_old_build_info(input: &ParseInput<'_>) -> Parsed {
    if !input.bytes.is_empty() {
        return parse_build_info(input);
    }
    let message = "executable was built by Go before 1.18, in a form whose modules are not read: they are not in this inventory";
    let message = message.to_owned();
    let diagnostic = input.diagnostic(DiagnosticCode::UnreadableDatabase, None, message);
    Parsed { packages: Vec::new(), diagnostics: vec![diagnostic] }
}

fn read_lines<'a>(lines: impl Iterator<Item = (usize, &'a [u8])>, problems: &mut Problems<'_>) -> BuildInfo {
    let mut info = BuildInfo::default();
    for (offset, line) in lines.filter(|(_, line)| !line.is_empty()) {
        let mut words = line.split(|byte| *byte == b'\t');
        let word = words.next().unwrap_or_default();
        let mut value = || problems.value(offset, words.next().unwrap_or_default());
        match word {
            b"mod" => info.main = Some(Module::read(value(), value(), offset)),
            b"dep" => info.dependencies.push(Module::read(value(), value(), offset)),
            b"=>" => {
                let replacement = Module::read(value(), value(), offset);
                let replaced = info.dependencies.last_mut().or(info.main.as_mut());
                if let Some(replaced) = replaced {
                    replaced.replace_by(replacement);
                }
            }
            b"build" => info.add_setting(&value()),
            b"path" => info.path = value(),
            _ => problems.add(DiagnosticCode::BrokenRecord, offset, "line of an unknown kind"),
        }
    }
    info
}

impl Module {
    fn read(path: String, version: String, offset: usize) -> Self {
        let is_known = !version.is_empty() && version != DEVELOPMENT;
        Self { path, version: is_known.then_some(version), offset }
    }

    /// The code of another module is what was linked. A folder is nobody's release: the name stays, the version is not known.
    fn replace_by(&mut self, replacement: Self) {
        let is_folder = replacement.path.starts_with(['.', '/']);
        if is_folder || replacement.path.is_empty() {
            self.version = None;
        } else {
            *self = Self { offset: self.offset, ..replacement };
        }
    }
}

impl BuildInfo {
    fn add_setting(&mut self, setting: &str) {
        let Some((key, value)) = setting.split_once('=') else { return };
        let known = || Some(value.to_owned()).filter(|value| !value.is_empty());
        match key {
            "-ldflags" => value.clone_into(&mut self.linker_flags),
            "vcs.revision" => self.revision = known(),
            "vcs.time" => self.revision_time = known(),
            _ => {}
        }
    }

    /// The module of the executable. Distros build without modules: then it is known by the path of its package alone, and
    /// Go's own programs have the version of Go.
    fn main_module(&self, go_version: &str) -> Option<Module> {
        let (path, version, offset) = match &self.main {
            Some(main) => (&main.path, main.version.clone(), main.offset),
            None if self.path.starts_with(OWN_PROGRAMS) => (&self.path, library_version(go_version), 0),
            None => (&self.path, None, 0),
        };
        let is_path = !path.is_empty() && path != NO_PACKAGE;
        let version = version.or_else(|| self.version_of_main(path));
        is_path.then(|| Module { path: path.clone(), version, offset })
    }

    /// What a main module without a version says elsewhere: a variable that the linker set, or the revision it was built from.
    fn version_of_main(&self, path: &str) -> Option<String> {
        self.version_of_linker(path).or_else(|| self.version_of_revision())
    }

    /// `-X 'main.version=v1.2.3'`: a variable called `version`, of the program itself or of a package of its module.
    fn version_of_linker(&self, path: &str) -> Option<String> {
        let is_quote = |character: char| matches!(character, '"' | '\'');
        let mut words =
            self.linker_flags.split(|character: char| character.is_whitespace() || is_quote(character));
        words.find_map(|word| {
            let (variable, value) = word.strip_prefix("-X=").unwrap_or(word).split_once('=')?;
            let (package, name) = variable.rsplit_once('.')?;
            let is_ours =
                package == "main" || package == path || package.strip_prefix(path)?.starts_with('/');
            let name = name.to_ascii_lowercase();
            let is_version = name.ends_with("version") || name == "ver";
            (is_ours && is_version).then(|| release_version(value)).flatten()
        })
    }

    /// Go's own form: `v0.0.0-20240131102030-abcdef012345`.
    fn version_of_revision(&self) -> Option<String> {
        let time: String = self.revision_time.as_ref()?.chars().filter(char::is_ascii_digit).collect();
        let revision = self.revision.as_ref()?.get(..REVISION_DIGITS)?;
        (time.len() == 14).then(|| format!("v0.0.0-{time}-{revision}"))
    }
}

/// `1.2.3` and `v1.2.3`, with whatever stands behind; nothing that is no release.
fn release_version(value: &str) -> Option<String> {
    let numbers = value.strip_prefix('v').unwrap_or(value);
    let mut parts = numbers.splitn(3, '.');
    let is_number = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_release = is_number(parts.next())
        && is_number(parts.next())
        && parts.next().is_none_or(|rest| rest.starts_with(|character: char| character.is_ascii_digit()));
    is_release.then(|| format!("v{numbers}"))
}

/// `go1.21.3` is the library of 1.21.3; what follows a blank are experiments that were switched on.
fn library_version(go_version: &str) -> Option<String> {
    let word = go_version.split_ascii_whitespace().next()?;
    let version = word.strip_prefix("go")?;
    let version = version.split_once('-').map_or(version, |(version, _)| version);
    version.starts_with(|character: char| character.is_ascii_digit()).then(|| version.to_owned())
}

fn to_package(module: Module, input: &ParseInput<'_>) -> Package {
    let purl = language_purl(PackageKind::Golang, &module.path, module.version.as_deref());
    Package { purl, ..input.language_package(PackageKind::Golang, module.path, module.version) }
}
