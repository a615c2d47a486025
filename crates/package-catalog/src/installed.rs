//! Where package managers themselves put the files that describe packages: one that cannot be read there hides a package.
//!
//! The same file elsewhere may be broken on purpose: packages bring along what they were tested with. Whatever loads packages looks at
//! these places only, so a broken file beyond them is a warning and no more.

use image_layers::{Entry, EntryKind, ImageTree};
use model::DiagnosticCode;

use crate::parse::ParseInput;
use crate::{conda, dotnet, node, php, python, ruby};

/// One kind of descriptions.
struct Place {
    /// The tag of its section.
    tag: u8,
    /// Whether the file at this path is one that a package manager has put there.
    is_installed: fn(&str, &ImageTree) -> bool,
    /// A file of fewer bytes describes nothing.
    bytes_min: u64,
}

static PLACES: [Place; 6] = [
    Place { tag: node::MANIFEST.tag, is_installed: |path, _| is_node(path), bytes_min: 1 },
    Place { tag: python::MANIFEST.tag, is_installed: |path, _| is_python(path), bytes_min: 1 },
    Place { tag: dotnet::MANIFEST.tag, is_installed: is_dotnet, bytes_min: 1 },
    // `[]` is a list without packages.
    Place { tag: php::INSTALLED.tag, is_installed: is_composer, bytes_min: 2 },
    Place { tag: conda::RECORD.tag, is_installed: |path, _| is_conda(path), bytes_min: 4 },
    Place { tag: ruby::GEMSPEC.tag, is_installed: |path, _| is_gem(path), bytes_min: 4 },
];

/// No file of so many bytes or more is too short to describe a package.
const BYTES_MIN_MAX: u64 = 4;
/// Folders with what programs are tested with.
const TEST_FOLDERS: [&str; 8] =
    ["test", "tests", "__tests__", "fixture", "fixtures", "__fixtures__", "testdata", "test-data"];
const NODE_MODULES: &str = "node_modules";
/// Where the interpreter looks for packages.
const PYTHON_FOLDERS: [&str; 2] = ["site-packages", "dist-packages"];

/// Whether a package is missing when this file cannot be read.
pub(crate) fn is_installed(tag: u8, path: &str, tree: &ImageTree) -> bool {
    PLACES.iter().any(|place| place.tag == tag && (place.is_installed)(path, tree)) && !is_of_tests(path)
}

/// Whether a package manager has put a file here that describes something, and this one has no room for it.
pub(crate) fn is_emptied(entry: Entry<'_>, tree: &ImageTree) -> bool {
    let size = entry.size();
    size < BYTES_MIN_MAX
        && entry.kind() == EntryKind::File
        && PLACES.iter().any(|place| size < place.bytes_min && (place.is_installed)(entry.path(), tree))
        && !is_of_tests(entry.path())
}

/// What a record is told as that cannot be read.
pub(crate) fn code_of_broken(tag: u8, input: &ParseInput<'_>) -> DiagnosticCode {
    match is_installed(tag, input.path, input.tree) {
        true => DiagnosticCode::PackagesLeftOut,
        false => DiagnosticCode::BrokenRecord,
    }
}

fn is_of_tests(path: &str) -> bool {
    // What is installed may have such a name itself.
    let front = path.find("node_modules/").map_or(path, |at| &path[..at]);
    front.split('/').any(|folder| TEST_FOLDERS.contains(&folder))
}

/// `node_modules/NAME/package.json` or `node_modules/@SCOPE/NAME/package.json`, of a package below another one too; and in the
/// stores of pnpm, Deno and Yarn: `node_modules/.pnpm/NAME@VERSION/node_modules/NAME/package.json`.
fn is_node(path: &str) -> bool {
    if node::is_yarn_cache(path) {
        return true;
    }
    let Some(folder) = path.strip_suffix("/package.json") else { return false };
    let mut parts = folder.split('/').skip_while(|part| *part != NODE_MODULES).skip(1);
    loop {
        let Some(first) = parts.next() else { return false };
        if first.starts_with('.') {
            let next = parts.next();
            if next != Some(NODE_MODULES) && parts.next() != Some(NODE_MODULES) {
                return false;
            }
            continue;
        }
        if first.starts_with('@') && parts.next().is_none() {
            return false;
        }
        match parts.next() {
            None => return true,
            Some(NODE_MODULES) => {}
            Some(_) => return false,
        }
    }
}

/// `NAME.dist-info/METADATA`, of which none lies deeper in a package; older forms only where the interpreter looks for packages.
fn is_python(path: &str) -> bool {
    let is_packages = |folder: &str| folder.rsplit('/').next().is_some_and(|it| PYTHON_FOLDERS.contains(&it));
    let lower = path.to_ascii_lowercase();
    let parent = |path: &str| path.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned());
    if let Some(description) = lower.strip_suffix(".dist-info/metadata") {
        let folder = parent(description);
        let is_below_packages = folder.split('/').any(|part| PYTHON_FOLDERS.contains(&part));
        return is_packages(&folder) || !is_below_packages;
    }
    let old = [".egg-info/pkg-info", ".egg/egg-info/pkg-info", ".egg-info", ".egg"];
    old.iter().find_map(|ending| lower.strip_suffix(ending)).is_some_and(|name| is_packages(&parent(name)))
}

/// Beside the application, or with a framework: `shared/NAME/VERSION/NAME.deps.json`.
fn is_dotnet(path: &str, tree: &ImageTree) -> bool {
    let Some(application) = path.strip_suffix(".deps.json") else { return false };
    let mut parts = application.rsplit('/');
    let (name, framework) = (parts.next(), parts.nth(1));
    let is_beside = |ending: &str| tree.find(&format!("{application}{ending}")).is_some();
    (name.is_some() && name == framework)
        || [".dll", ".exe", ".runtimeconfig.json"].into_iter().any(is_beside)
}

/// Composer leaves what loads the packages beside them.
fn is_composer(path: &str, tree: &ImageTree) -> bool {
    let Some(folder) = path.strip_suffix("composer/installed.json") else { return false };
    folder == "vendor/"
        || folder.ends_with("/vendor/")
        || tree.find(&format!("{folder}autoload.php")).is_some()
}

fn is_conda(path: &str) -> bool {
    conda::is_description(path)
}

/// `specifications/NAME-VERSION.gemspec`, of gems that came with Ruby `specifications/default/NAME-VERSION.gemspec`.
fn is_gem(path: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else { return false };
    let folder = folder.strip_suffix("/default").unwrap_or(folder);
    name.ends_with(".gemspec") && folder.rsplit('/').next() == Some("specifications")
}

#[cfg(test)]
mod tests;
