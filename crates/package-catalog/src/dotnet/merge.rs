//! Which assemblies are packages of their own: a pass over all packages when every file was seen.

use std::collections::{BTreeMap, BTreeSet};

use image_layers::ImageTree;
use model::{Package, PackageKind};

use super::assemblies::{is_assembly_name, runtime_cpes};
use super::deps_json::{Application, MANIFEST, in_folder};
use crate::extract::read_sections;
use crate::purl::language_purl;
use crate::renamed::RenamedFiles;

/// Folders of runtimes below `shared`.
const FRAMEWORKS: [&str; 3] =
    ["Microsoft.NETCore.App", "Microsoft.AspNetCore.App", "Microsoft.WindowsDesktop.App"];

/// Drops assemblies that applications claim, and makes one package of each runtime that nothing describes.
pub(crate) fn merge_assemblies(tree: &ImageTree, renamed: &RenamedFiles, packages: &mut Vec<Package>) {
    let assemblies: BTreeSet<&str> = packages.iter().filter_map(assembly_path).collect();
    if assemblies.is_empty() {
        return;
    }
    let claimed = claimed_paths(tree, renamed, &assemblies);
    let mut runtimes: BTreeMap<String, Package> = BTreeMap::new();
    let mut described: BTreeSet<String> = BTreeSet::new();
    for package in packages.iter().filter(|package| package.kind == PackageKind::Nuget) {
        let folder = package.locations.first().and_then(|it| runtime_folder(&it.path));
        if let Some((folder, ..)) = folder.filter(|_| assembly_path(package).is_none()) {
            described.insert(folder.to_owned());
        }
    }
    packages.retain(|package| {
        let Some(path) = assembly_path(package) else { return true };
        if claimed.contains(path) || is_reference(path) {
            return false;
        }
        let Some((folder, name, version)) = runtime_folder(path) else { return true };
        if !described.contains(folder) && !runtimes.contains_key(folder) {
            let mut runtime = Package::new(PackageKind::Nuget, name.to_owned(), Some(version.to_owned()));
            runtime.purl = language_purl(PackageKind::Nuget, name, Some(version));
            runtime.cpes = runtime_cpes(name, Some(version));
            runtime.maintainer.clone_from(&package.maintainer);
            runtime.locations.clone_from(&package.locations);
            runtimes.insert(folder.to_owned(), runtime);
        }
        false
    });
    packages.extend(runtimes.into_values());
}

/// The path of the assembly that a package was made of.
fn assembly_path(package: &Package) -> Option<&str> {
    let path = package.locations.first()?.path.as_str();
    (package.kind == PackageKind::Nuget && is_assembly_name(path)).then_some(path)
}

/// Which of these paths the lists of all applications claim, for packages or as their own code.
fn claimed_paths(tree: &ImageTree, renamed: &RenamedFiles, assemblies: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut claimed = BTreeSet::new();
    for entry in tree.entries().filter(|entry| (MANIFEST.is_manifest)(entry.path())) {
        let Some(extract) = renamed.extract_of(tree, entry) else { continue };
        let folder = entry.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let sections = read_sections(extract).filter(|(tag, _)| *tag == MANIFEST.tag);
        for application in sections.filter_map(|(_, section)| Application::read(section).ok()) {
            let libraries = application.libraries.iter().filter(|library| library.claims());
            let paths = libraries
                .flat_map(|library| &library.files)
                .map(|file| format!("/{}", in_folder(folder, file)));
            claimed.extend(paths.filter(|path| assemblies.contains(path.as_str())));
        }
    }
    claimed
}

/// `…/shared/Microsoft.NETCore.App/8.0.1`, the name and the version in it.
fn runtime_folder(path: &str) -> Option<(&str, &str, &str)> {
    FRAMEWORKS.iter().find_map(|name| {
        let front = format!("/shared/{name}/");
        let at = path.find(&front)? + front.len();
        let length = path[at..].find('/')?;
        let version = &path[at..at + length];
        version.starts_with(|it: char| it.is_ascii_digit()).then_some((&path[..at + length], *name, version))
    })
}

/// Assemblies for compilers, without code: `…/packs/Microsoft.NETCore.App.Ref/8.0.1/ref/net8.0/System.Runtime.dll`.
fn is_reference(path: &str) -> bool {
    path.contains("/packs/") && path.contains(".Ref/") && path.contains("/ref/")
}
