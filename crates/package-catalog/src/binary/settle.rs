//! What programs that were recognised by their content are to the rest of the inventory.
//!
//! Runs when it is known which files the operating system's packages brought.

use std::collections::{BTreeMap, BTreeSet};

use model::{Package, PackageKind};

use crate::walk::sort;

/// Takes away what is in the list already, and puts together what was found several times.
///
/// Input and result are sorted by kind, name, version and location.
pub(crate) fn settle(packages: &mut Vec<Package>) {
    // Packages of the distro are matched with its own advisories; about those of conda nobody writes any, and what is written about a
    // package of Python is not about the programs in it.
    let systems = packages.iter().filter(|package| package.kind.is_operating_system());
    let systems: BTreeSet<String> = systems.map(|package| package.name.clone()).collect();
    let is_known = |package: &Package| package.owner.as_ref().is_some_and(|owner| systems.contains(owner));
    packages.retain(|package| package.kind != PackageKind::Binary || !is_known(package));
    merge_modules(packages);
    merge_programs(packages);
    settle_notes(packages);
}

/// The same program in several files: `python3.11` and `libpython3.11.so`.
fn merge_programs(packages: &mut Vec<Package>) {
    packages.dedup_by(|next, kept| {
        let is_same = next.kind == PackageKind::Binary
            && (next.kind, &next.name, &next.version, &next.purl, &next.owner)
                == (kept.kind, &kept.name, &kept.version, &kept.purl, &kept.owner);
        if is_same {
            kept.locations.append(&mut next.locations);
            kept.cpes.append(&mut next.cpes);
        }
        is_same
    });
    // Once for all of them: any number of files may be the same program.
    let merged = packages.iter_mut().filter(|it| it.kind == PackageKind::Binary && it.locations.len() > 1);
    for package in merged {
        package.locations.sort();
        package.locations.dedup();
        package.cpes.sort();
        package.cpes.dedup();
    }
}

/// A module that its own build information names too, in the same file: the better version counts.
fn merge_modules(packages: &mut Vec<Package>) {
    let is_module = |package: &Package| package.kind == PackageKind::Golang;
    let programs: Vec<usize> = packages
        .iter()
        .enumerate()
        .filter_map(|(at, it)| (is_module(it) && !it.cpes.is_empty()).then_some(at))
        .collect();
    if programs.is_empty() {
        return;
    }
    let key = |package: &Package| (package.name.clone(), package.locations.clone());
    let mut twins = BTreeMap::new();
    for (at, package) in packages.iter().enumerate().filter(|(_, it)| is_module(it) && it.cpes.is_empty()) {
        twins.entry(key(package)).or_insert(at);
    }
    let mut is_out = vec![false; packages.len()];
    for program in programs {
        let Some(twin) = twins.remove(&key(&packages[program])) else { continue };
        let is_release =
            packages[twin].version.as_ref().is_some_and(|version| !version.starts_with("v0.0.0-"));
        if is_release {
            packages[twin].cpes = packages[program].cpes.clone();
        }
        is_out[if is_release { program } else { twin }] = true;
    }
    let mut is_out = is_out.into_iter();
    packages.retain(|_| !is_out.next().unwrap_or_default());
}

/// What a note says belongs to a package of a system: it is one, if that system's own list does not have it.
fn settle_notes(packages: &mut Vec<Package>) {
    let stated = |package: &Package| {
        let purl_type = package.purl.strip_prefix("pkg:")?.split('/').next()?;
        PackageKind::from_purl_type(purl_type)
            .filter(|kind| package.kind == PackageKind::Binary && kind.is_operating_system())
    };
    if !packages.iter().any(|package| stated(package).is_some()) {
        return;
    }
    let key = |kind: PackageKind, name: &str, version: &str| (kind, name.to_owned(), version.to_owned());
    let mut listed = BTreeSet::new();
    for package in packages.iter().filter(|package| package.kind.is_operating_system()) {
        listed.insert(key(package.kind, &package.name, package.version.as_deref().unwrap_or_default()));
        if let Some(source) = &package.source {
            listed.insert(key(package.kind, &source.name, &source.version));
        }
    }
    packages.retain_mut(|package| {
        let Some(kind) = stated(package) else { return true };
        package.kind = kind;
        !listed.contains(&key(kind, &package.name, package.version.as_deref().unwrap_or_default()))
    });
    sort(packages);
}

#[cfg(test)]
mod tests {
    use model::Location;

    use super::*;

    fn package(kind: PackageKind, name: &str, version: &str, path: usize) -> Package {
        let location = Location { path: format!("/{path:06}"), layer: None };
        let new = Package::new(kind, name.to_owned(), Some(version.to_owned()));
        Package { locations: vec![location], purl: format!("pkg:x/{name}@{version}"), ..new }
    }

    /// As many as an image may hold for its size: what costs more with each of them would take minutes.
    const COUNT: usize = 20_000;

    #[test]
    fn any_number_of_the_same_program_is_one() {
        let mut packages: Vec<Package> = (0..COUNT)
            .map(|at| Package {
                cpes: vec!["b".to_owned(), "a".to_owned()],
                ..package(PackageKind::Binary, "busybox", "1.35.0", at)
            })
            .collect();
        settle(&mut packages);
        assert_eq!((packages.len(), packages[0].locations.len()), (1, COUNT));
        assert_eq!(packages[0].cpes, ["a", "b"]);
    }

    #[test]
    fn any_number_of_modules_has_a_twin() {
        let module = |version: &str, cpe: &str, at| {
            let cpes = if cpe.is_empty() { Vec::new() } else { vec![cpe.to_owned()] };
            Package { cpes, ..package(PackageKind::Golang, "vault", version, at) }
        };
        let mut packages: Vec<Package> = (0..COUNT)
            .flat_map(|at| {
                let stated = if at % 2 == 0 { "v1.2.3" } else { "v0.0.0-2020" };
                [module(stated, "", at), module("v1.2", "cpe", at)]
            })
            .collect();
        sort(&mut packages);
        settle(&mut packages);
        let count = |version: &str| {
            packages.iter().filter(|it| it.version.as_deref() == Some(version) && it.cpes == ["cpe"]).count()
        };
        assert_eq!((packages.len(), count("v1.2.3"), count("v1.2")), (COUNT, COUNT / 2, COUNT / 2));
    }
}
