//! JavaScript: the `package.json` of installed packages.
//!
//! A package below `node_modules` has its own at its top; what lies deeper in it are parts and examples of the package, or copies of
//! other packages in a folder that says so. Elsewhere every file with a name and a version is one. Yarn may keep packages as
//! archives, which are read as far as their own.

#[cfg(test)]
mod tests;

use model::{DiagnosticCode, PackageKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::described::PackedKind;
use crate::described::json::members_of;
use crate::extract::{ManifestKind, read_section};
use crate::parse::{ParseInput, Parsed, Problems};
use crate::purl::language_purl;

/// `package.json`, with only the values that matter.
pub(crate) static MANIFEST: ManifestKind = ManifestKind { tag: 3, is_manifest, reduce };

/// `.yarn/cache/left-pad-npm-1.3.0-9a8a4f3c81.zip`: with Plug'n'Play, programs run out of these.
pub(crate) static YARN_CACHE: PackedKind = PackedKind {
    tag: MANIFEST.tag,
    is_archive: is_yarn_cache,
    is_description: |entry| entry.starts_with(MODULES) && is_manifest(entry),
    reduce,
};

/// The folder of a project, and the one of a user that all projects share.
const YARN_FOLDERS: [&str; 2] = [".yarn/cache", ".yarn/berry/cache"];
/// Folders for copies of other packages.
const COPIES: [&str; 6] = ["bundled", "compiled", "third-party", "third_party", "vendor", "vendored"];
const FILE_NAME: &str = "package.json";
const MODULES: &str = "node_modules/";
const LICENSES_MAX: usize = 20;
/// What is read of a manifest: what names the package, and what only describes it.
const MEMBERS: [&str; 5] = ["name", "version", "license", "licenses", "author"];
const NAMING_COUNT: usize = 2;
/// Of a larger manifest only name and version are read.
const DESCRIBED_BYTES_MAX: usize = 1 << 20;

#[derive(Deserialize, Serialize, Default)]
struct Manifest {
    name: String,
    version: String,
    licenses: Vec<String>,
    author: Option<String>,
}

/// Whether a file is what Yarn keeps of a package.
pub(crate) fn is_yarn_cache(path: &str) -> bool {
    let is_folder = |folder: &str| {
        YARN_FOLDERS
            .iter()
            .any(|end| folder.strip_suffix(end).is_some_and(|it| it.is_empty() || it.ends_with('/')))
    };
    path.ends_with(".zip") && path.rsplit_once('/').is_some_and(|(folder, _)| is_folder(folder))
}

fn is_manifest(path: &str) -> bool {
    let Some(folder) = path.strip_suffix(FILE_NAME) else { return false };
    let inner = match folder.rfind(MODULES) {
        Some(at) if at == 0 || folder.as_bytes().get(at - 1) == Some(&b'/') => &folder[at + MODULES.len()..],
        _ => return folder.is_empty() || folder.ends_with('/'),
    };
    let depth = inner.matches('/').count();
    depth == if inner.starts_with('@') { 2 } else { 1 } || is_carried_along(inner)
}

/// `next/dist/compiled/@babel/runtime/`: what a package has copied from another one into a folder for such copies.
fn is_carried_along(folder: &str) -> bool {
    let (package, rest) = folder.trim_end_matches('/').split_once('/').unwrap_or_default();
    let rest = if package.starts_with('@') { rest.split_once('/').unwrap_or_default().1 } else { rest };
    let (front, name) = rest.rsplit_once('/').unwrap_or_default();
    let front = match front.rsplit_once('/') {
        Some((front, scope)) if scope.starts_with('@') => front,
        _ => front,
    };
    !name.starts_with('@') && front.rsplit('/').next().is_some_and(|parent| COPIES.contains(&parent))
}

fn reduce(content: &[u8]) -> Result<Vec<u8>, String> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    // What only describes the package is not worth it when there is too much of it, or it cannot be read.
    let is_usual = content.len() <= DESCRIBED_BYTES_MAX;
    let described = is_usual.then(|| members_of(content, &MEMBERS).ok()).flatten();
    let document = match described {
        Some(document) => document,
        None => members_of(content, &MEMBERS[..NAMING_COUNT])?,
    };
    let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let mut licenses = document.get("license").map(licenses_of).unwrap_or_default();
    licenses.extend(document.get("licenses").map(licenses_of).unwrap_or_default());
    licenses.truncate(LICENSES_MAX);
    let author = match document.get("author").unwrap_or(&Value::Null) {
        Value::String(author) => Some(author.clone()),
        author => author["name"].as_str().map(str::to_owned),
    };
    let manifest = Manifest { name: text("name"), version: text("version"), licenses, author };
    serde_json::to_vec(&manifest).map_err(|error| error.to_string())
}

/// A text, an object with a type, or a list of either.
fn licenses_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(license) => vec![license.clone()],
        Value::Object(license) => {
            license.get("type").and_then(Value::as_str).map(str::to_owned).into_iter().collect()
        }
        Value::Array(licenses) => {
            licenses.iter().filter(|license| !license.is_array()).flat_map(licenses_of).collect()
        }
        _ => Vec::new(),
    }
}

/// The package of one manifest; a template, which has no name or no version, is none.
pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    let read = read_section(input.bytes)
        .and_then(|kept| serde_json::from_slice::<Manifest>(kept).map_err(|error| error.to_string()));
    let manifest = match read {
        Ok(manifest) => manifest,
        Err(why) => {
            let diagnostic = input.diagnostic(DiagnosticCode::BrokenRecord, None, why);
            return Parsed { packages: Vec::new(), diagnostics: vec![diagnostic] };
        }
    };
    if manifest.name.is_empty() || manifest.version.is_empty() {
        return Parsed::default();
    }
    let mut problems = Problems::new(input);
    let name = problems.value(0, manifest.name.as_bytes());
    let version = problems.value(0, manifest.version.as_bytes());
    let mut package = input.language_package(PackageKind::Npm, name, Some(version));
    package.purl = language_purl(PackageKind::Npm, &package.name, package.version.as_deref());
    package.licenses =
        manifest.licenses.iter().map(|license| problems.value(0, license.as_bytes())).collect();
    package.maintainer = manifest.author.map(|author| problems.value(0, author.as_bytes()));
    input.one_package(package, problems)
}
