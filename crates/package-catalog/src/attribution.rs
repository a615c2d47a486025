//! Which layer brought a package of a database that several layers have written.
//!
//! Every layer that installs something writes the whole database anew. The one in the squashed tree is of the uppermost such layer; what
//! it says was mostly there before. So the versions that lower layers had are read as well, for names and versions only.

use std::collections::BTreeSet;

use image_layers::{Entry, ImageTree};
use model::{Location, Package};

use crate::cataloger::Cataloger;
use crate::parse::{CatalogLimits, ParseInput, Spent};
use crate::renamed::RenamedFiles;
use crate::table::CATALOGERS;

/// The catalogers whose databases hold all packages in one file.
const WHOLE: [&str; 4] = ["dpkg", "apk", "rpm", "opkg"];

/// Whether what lower layers had at this path is needed; `path` without a leading slash.
pub fn is_traced(path: &str) -> bool {
    CATALOGERS.iter().any(|cataloger| WHOLE.contains(&cataloger.id) && cataloger.is_database(path))
}

/// Gives each package of a database the lowest layer since which the database has had it without a break.
pub(crate) fn attribute(
    cataloger: &Cataloger,
    tree: &ImageTree,
    path: &str,
    file: Entry<'_>,
    packages: &mut [Package],
) {
    // What a log beside it adds to an earlier version is not known.
    let has_log = tree.find(&format!("{path}-wal")).is_some_and(|log| log.size() > 0);
    if has_log || !WHOLE.contains(&cataloger.id) {
        return;
    }
    let mut lasting: Vec<&mut Package> = packages.iter_mut().collect();
    for (layer, bytes) in file.earlier_versions() {
        if lasting.is_empty() {
            return;
        }
        let location = Location { path: format!("/{}", file.path()), layer: Some(layer.clone()) };
        let listed = listed(cataloger, tree, path, bytes, &location);
        lasting.retain_mut(|package| {
            let is_listed = listed.contains(&identity(package));
            if is_listed && let Some(evidence) = package.locations.first_mut() {
                evidence.layer = Some(layer.clone());
            }
            is_listed
        });
    }
}

/// Kind, name, version and architecture: what makes an installed package another one.
type Identity = (String, Option<String>, Option<String>);

fn identity(package: &Package) -> Identity {
    (package.name.clone(), package.version.clone(), package.architecture.clone())
}

/// What an earlier version of a database lists. Nothing else of it is of interest, so nothing else is read.
fn listed(
    cataloger: &Cataloger,
    tree: &ImageTree,
    path: &str,
    bytes: &[u8],
    location: &Location,
) -> BTreeSet<Identity> {
    let limits = &CatalogLimits {
        owned_files_max: 0,
        owned_bytes_max: 0,
        companion_bytes_max: 0,
        diagnostics_max: 0,
        ..CatalogLimits::default()
    };
    let (spent, renamed) = (&Spent::default(), &RenamedFiles::default());
    let input = ParseInput { tree, path, bytes, location, distro: None, limits, spent, renamed };
    let parsed = (cataloger.parse)(&input);
    parsed.packages.iter().map(identity).collect()
}

#[cfg(test)]
mod tests {
    use crate::CatalogLimits;
    use crate::tests::tree_of_layers;

    /// Every package with the number of its layer.
    fn check(layers: &[&[(&str, &[u8])]], expected: &[(&str, usize)]) {
        let tree = tree_of_layers(layers);
        let found = crate::catalog(&tree, &CatalogLimits::default());
        let number = |package: &model::Package| {
            let layer = package.locations[0].layer.as_ref();
            found.layers.iter().position(|known| Some(known) == layer).unwrap()
        };
        let numbers: Vec<_> = found.packages.iter().map(|it| (it.name.as_str(), number(it))).collect();
        assert_eq!(numbers, expected);
    }

    fn status(packages: &[(&str, &str)]) -> Vec<u8> {
        let paragraph = |(name, version): &(&str, &str)| {
            format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: all\nVersion: {version}\n\n"
            )
        };
        packages.iter().map(paragraph).collect::<String>().into_bytes()
    }

    #[test]
    fn packages_of_a_database_belong_to_the_layer_that_brought_them() {
        let path = "var/lib/dpkg/status";
        let one = status(&[("base", "1"), ("gone", "1"), ("newer", "1"), ("again", "1")]);
        let two = status(&[("base", "1"), ("newer", "2"), ("tool", "1")]);
        let three = status(&[("again", "1"), ("base", "1"), ("last", "1"), ("newer", "2"), ("tool", "1")]);
        let other: (&str, &[u8]) = ("etc/hostname", b"a");
        check(
            &[&[(path, &one)], &[other], &[(path, &two)], &[(path, &three)], &[other]],
            &[("again", 3), ("base", 0), ("last", 3), ("newer", 2), ("tool", 2)],
        );
        // A layer that takes the database away and writes another one has brought everything in it.
        check(
            &[&[(path, &one)], &[("var/lib/dpkg/.wh.status", b"")], &[(path, &two)]],
            &[("base", 2), ("newer", 2), ("tool", 2)],
        );
        // An earlier version that cannot be read lists nothing.
        check(&[&[(path, b"\0\0")], &[(path, &two)]], &[("base", 1), ("newer", 1), ("tool", 1)]);
    }

    #[test]
    fn databases_of_other_kinds_are_traced_too() {
        let (one, two): (&[u8], &[u8]) =
            (b"P:a\nV:1-r0\nF:x\nR:y\n", b"P:a\nV:1-r0\nF:x\nR:y\n\nP:b\nV:1-r0\n");
        let path = "lib/apk/db/installed";
        check(&[&[(path, one)], &[(path, two)]], &[("a", 0), ("b", 1)]);
        let line = |name: &str| {
            format!("{name}\t1-1\t1\t1\tMicrosoft Corporation\t(none)\t1\tx86_64\t0\t{name}-1-1.src.rpm\n")
        };
        let (one, two) = (line("a"), line("a") + &line("b"));
        let path = "var/lib/rpmmanifest/container-manifest-2";
        check(&[&[(path, one.as_bytes())], &[(path, two.as_bytes())]], &[("a", 0), ("b", 1)]);
        // What has a file of its own belongs to the layer with the file as it is seen.
        let path = "app/node_modules/a/package.json";
        let manifest: &[u8] = br#"{"name": "a", "version": "1"}"#;
        check(&[&[(path, manifest)], &[(path, manifest), ("x", b"")]], &[("a", 1)]);
    }
}
