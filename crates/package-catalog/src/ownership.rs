//! Which packages of programming languages came with a package of the operating system, of conda, or of Python.
//!
//! A distro builds them, mends them without changing their version, and writes its own advisories about them. Of packages that
//! somebody else has made, it says nothing: what these bring has no owner. Conda builds packages too, but nobody writes advisories
//! about them: its name is noted where no package of the system has the file, and silences nothing. So is that of a package of Python
//! that brought archives, modules or programs of others. If the system has a package of the name of either, nothing is noted, because
//! the name alone would speak for that one.

use std::collections::{BTreeMap, BTreeSet};

use image_layers::ImageTree;
use model::{Package, PackageKind};

use crate::python;

/// Folders that are links on systems with a merged `/usr`; package databases still write the old paths.
const MERGED_FOLDERS: [&str; 4] = ["bin/", "lib/", "lib64/", "sbin/"];

/// Notes at each package that no package manager of the system has whose file its evidence is.
pub(crate) fn note_owners(tree: &ImageTree, packages: &mut [Package]) {
    let is_of_system = |package: &Package| package.kind.is_operating_system();
    // What lies in an archive came with the archive.
    let file = |package: &Package, path: &str| match package.kind {
        PackageKind::Maven => path.split(':').next().unwrap_or(path).to_owned(),
        _ => path.to_owned(),
    };
    let evidence =
        |package: &Package| package.locations.first().map(|location| file(package, &location.path));
    let mut owners: BTreeMap<String, Option<String>> = packages
        .iter()
        .filter(|it| !is_of_system(it))
        .filter_map(evidence)
        .map(|path| (path, None))
        .collect();
    if owners.is_empty() {
        return;
    }
    let is_owner = |package: &&Package| is_of_system(package) && package.is_third_party != Some(true);
    let by_system = packages.iter().filter(is_owner);
    let of_system = packages.iter().filter(|it| is_of_system(it)).map(|it| it.name.as_str());
    let of_system: BTreeSet<&str> = of_system.collect();
    let is_of_conda = |it: &&Package| it.kind == PackageKind::Conda && !of_system.contains(it.name.as_str());
    let by_conda = packages.iter().filter(is_of_conda);
    let layers: Vec<_> = tree.layers().collect();
    for package in by_system.chain(by_conda) {
        let layer = package.locations.first().and_then(|location| location.layer.as_ref());
        let layer_index = layers.iter().rposition(|known| Some(*known) == layer);
        for file in &package.files {
            let owner = match owners.get_mut(&file.path) {
                None if is_in_merged_folder(&file.path) => {
                    let real = tree.find(&file.path).map(|entry| format!("/{}", entry.path()));
                    real.and_then(|real| owners.get_mut(&real))
                }
                found => found,
            };
            if let Some(owner) = owner
                && (package.kind == PackageKind::Conda
                    || is_as_installed(tree, package, &file.path, layer_index))
            {
                owner.get_or_insert_with(|| package.name.clone());
            }
        }
    }
    python::visit_brought(tree, packages, &mut |path, name| {
        if let Some(owner) = owners.get_mut(path).filter(|_| !of_system.contains(name)) {
            owner.get_or_insert_with(|| name.to_owned());
        }
    });
    for package in packages.iter_mut().filter(|package| !is_of_system(package)) {
        package.owner = evidence(package).and_then(|path| owners.get(&path).cloned().flatten());
    }
}

/// Where distros install files. Everything else is for whoever uses the system.
const SYSTEM_FOLDERS: [&str; 11] = [
    "/bin/", "/boot/", "/etc/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/opt/", "/sbin/", "/usr/",
    "/var/",
];
/// Folders in these that are not theirs.
const LOCAL_FOLDER: &str = "/usr/local/";
/// Other distros have packages there; Debian's policy forbids it.
const ADDED_FOLDER: &str = "/opt/";

/// Whether a file that a package names can be the one that it installed: a list may name anything, and later layers may have
/// put another file in its place. What the distro says about its package says nothing about such a file.
fn is_as_installed(tree: &ImageTree, package: &Package, path: &str, layer_index: Option<usize>) -> bool {
    let is_in = |folder: &str| path.starts_with(folder);
    let is_place = SYSTEM_FOLDERS.into_iter().any(is_in)
        && !is_in(LOCAL_FOLDER)
        && !(package.kind == PackageKind::Deb && is_in(ADDED_FOLDER));
    let is_later = |installed: usize| tree.find(path).is_some_and(|file| file.layer_index() > installed);
    is_place && !layer_index.is_some_and(is_later)
}

fn is_in_merged_folder(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    MERGED_FOLDERS.iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use crate::tests::{inventory, tree_of_layers};

    #[test]
    fn what_somebody_else_has_brought_has_no_owner() {
        let status =
            b"Package: tool\nStatus: install ok installed\nVersion: 1\nMaintainer: X <x@docker.com>\n";
        let found = inventory(&[
            ("var/lib/dpkg/status", status),
            ("var/lib/dpkg/info/tool.list", b"/opt/tool/a.dist-info/METADATA\n"),
            ("opt/tool/a.dist-info/METADATA", b"Name: a\nVersion: 1\n"),
        ]);
        let owned: Vec<_> = found
            .packages
            .iter()
            .map(|it| (it.name.as_str(), it.is_third_party, it.owner.as_deref()))
            .collect();
        assert_eq!(owned, [("tool", Some(true), None), ("a", None, None)]);
    }

    #[test]
    fn a_list_cannot_claim_what_the_distro_did_not_install() {
        let status = |version: &str| {
            format!("Package: node-a\nStatus: install ok installed\nVersion: {version}\nArchitecture: all\n")
                .into_bytes()
        };
        let owner = |layers: &[&[(&str, &[u8])]]| {
            let found = crate::catalog(&tree_of_layers(layers), &crate::CatalogLimits::default());
            found.packages.into_iter().find(|package| package.name == "a").unwrap().owner
        };
        let (one, two) = (status("1-1"), status("2-1"));
        let (database, list) = ("var/lib/dpkg/status", "var/lib/dpkg/info/node-a.list");
        let manifest: &[u8] = br#"{"name": "a", "version": "1.0.0"}"#;
        for (path, is_owned) in [
            ("usr/share/nodejs/a/package.json", true),
            ("usr/local/lib/node_modules/a/package.json", false),
            ("opt/app/node_modules/a/package.json", false),
            ("app/node_modules/a/package.json", false),
            ("srv/node_modules/a/package.json", false),
        ] {
            let lines = format!("/.\n/{path}\n");
            let files: &[(&str, &[u8])] = &[(database, &one), (list, lines.as_bytes()), (path, manifest)];
            assert_eq!(owner(&[files]).is_some(), is_owned, "{path}");
        }
        let path = "usr/share/nodejs/a/package.json";
        let lines = format!("/{path}\n");
        let installed: &[(&str, &[u8])] = &[(database, &one), (list, lines.as_bytes()), (path, manifest)];
        // What somebody else has put in its place later is not the distro's; what an update of the package brings is.
        assert_eq!(owner(&[installed, &[(path, manifest)]]), None);
        assert!(owner(&[installed, &[(database, &two), (path, manifest)]]).is_some());
        assert!(owner(&[installed, &[("srv/x", b"")]]).is_some());
    }

    #[test]
    fn what_a_distro_has_installed_has_an_owner() {
        let status = b"Package: python3-a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n";
        let list = b"/.\n/usr\n/usr/lib/python3/a.dist-info/METADATA\n/lib/tool/package.json\n";
        let found = inventory(&[
            ("var/lib/dpkg/status", status),
            ("var/lib/dpkg/info/python3-a.list", list),
            ("usr/lib/python3/a.dist-info/METADATA", b"Name: a\nVersion: 1\n"),
            ("usr/local/lib/python3/b.dist-info/METADATA", b"Name: b\nVersion: 1\n"),
            ("lib", b"-> usr/lib"),
            ("usr/lib/tool/package.json", br#"{"name": "tool", "version": "1"}"#),
        ]);
        let owners: Vec<(&str, Option<&str>)> =
            found.packages.iter().map(|package| (package.name.as_str(), package.owner.as_deref())).collect();
        let expected =
            [("python3-a", None), ("tool", Some("python3-a")), ("a", Some("python3-a")), ("b", None)];
        assert_eq!(owners, expected);
    }

    #[test]
    fn what_a_package_of_python_has_brought_is_its() {
        let found = inventory(&[
            ("var/lib/dpkg/status", b"Package: b\nStatus: install ok installed\nVersion: 1\n"),
            ("lib/a-1.dist-info/METADATA", b"Name: a\nVersion: 1\n"),
            (
                "lib/a-1.dist-info/RECORD",
                b"a/__init__.py,,\na/tool.jar,,\na/_vendor/c-2.dist-info/METADATA,,\n../bin/busybox,,\n",
            ),
            ("lib/a/__init__.py", b""),
            ("lib/a/tool.jar", b"PK\x03\x04 broken"),
            ("lib/a/_vendor/c-2.dist-info/METADATA", b"Name: c\nVersion: 2\n"),
            ("bin/busybox", b"\x7fELF and \0BusyBox v1.35.0 (Debian)\0"),
            ("lib/b-1.dist-info/METADATA", b"Name: b\nVersion: 1\n"),
            ("lib/b-1.dist-info/RECORD", b"b/package.json,,\n"),
            ("lib/b/package.json", br#"{"name": "d", "version": "1"}"#),
        ]);
        let owners: Vec<(&str, Option<&str>)> =
            found.packages.iter().map(|package| (package.name.as_str(), package.owner.as_deref())).collect();
        let expected =
            [("b", None), ("d", None), ("a", None), ("b", None), ("c", Some("a")), ("busybox", Some("a"))];
        assert_eq!(owners, expected);
    }
}
