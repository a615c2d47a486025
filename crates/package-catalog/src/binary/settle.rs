//! What programs that were recognised by their content are to the rest of the inventory.
//!
//! Runs when it is known which files the operating system's packages brought.

use std::collections::BTreeSet;

use model::{Package, PackageKind};

use crate::walk::sort;

/// Takes away what is in the list already, and puts together what was found several times.
///
/// Input and result are sorted by kind, name, version and location.
pub(crate) fn settle(packages: &mut Vec<Package>) {
    // Packages of the distro are matched with its own advisories; about those of conda nobody writes any, and what is written about a
    // package of Python is not about the programs in it.
    let names = |is_one: fn(&Package) -> bool| {
        let packages = packages.iter().filter(|package| is_one(package));
        packages.map(|package| package.name.clone()).collect::<BTreeSet<_>>()
    };
    let (conda, systems) =
        (names(|it| it.kind == PackageKind::Conda), names(|it| it.kind.is_operating_system()));
    let is_known = |package: &Package| {
        package.owner.as_ref().is_some_and(|owner| systems.contains(owner) && !conda.contains(owner))
    };
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
            kept.locations.sort();
            kept.locations.dedup();
            kept.cpes.append(&mut next.cpes);
            kept.cpes.sort();
            kept.cpes.dedup();
        }
        is_same
    });
}

/// A module that its own build information names too, in the same file: the better version counts.
fn merge_modules(packages: &mut Vec<Package>) {
    let is_recognised = |package: &Package| package.kind == PackageKind::Golang && !package.cpes.is_empty();
    let programs: Vec<Package> = packages.iter().filter(|package| is_recognised(package)).cloned().collect();
    for program in programs {
        let is_twin = |package: &Package| {
            package.kind == PackageKind::Golang
                && package.cpes.is_empty()
                && (&package.name, &package.locations) == (&program.name, &program.locations)
        };
        let Some(twin) = packages.iter().position(is_twin) else { continue };
        let is_release =
            packages[twin].version.as_ref().is_some_and(|version| !version.starts_with("v0.0.0-"));
        if is_release {
            packages[twin].cpes.clone_from(&program.cpes);
            packages.retain(|package| package != &program);
        } else {
            packages.remove(twin);
        }
    }
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
