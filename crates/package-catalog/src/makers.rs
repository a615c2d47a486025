//! Who has made the packages of a list that does not say it, as it is found out for those of an image.

use std::collections::BTreeSet;

use model::{Inventory, Package, PackageKind};

use crate::third_party;

/// Notes at each package of the operating system whether somebody else than the distro has made it, where that is open and what is
/// known of the package tells. What somebody else has made owns nothing, as in images: no advisories speak for it.
pub fn note_makers(inventory: &mut Inventory) {
    let distro = inventory.distro.as_ref();
    for package in inventory.packages.iter_mut().filter(|package| package.is_third_party.is_none()) {
        let maker = package.maintainer.as_deref();
        package.is_third_party = match package.kind {
            PackageKind::Deb | PackageKind::Opkg => {
                third_party::of_debian(maker, package.version.as_deref().unwrap_or_default())
            }
            PackageKind::Apk => third_party::of_alpine(maker, distro),
            PackageKind::Rpm => third_party::of_rpm(maker, distro),
            PackageKind::Alpm => third_party::of_arch(maker, distro),
            _ => None,
        };
    }
    let (foreign, own): (Vec<&Package>, Vec<&Package>) = inventory
        .packages
        .iter()
        .filter(|package| package.kind.is_operating_system() || package.kind == PackageKind::Conda)
        .partition(|package| package.is_third_party == Some(true));
    let own: BTreeSet<&str> = own.iter().map(|package| package.name.as_str()).collect();
    let mut foreign: BTreeSet<String> = foreign.iter().map(|package| package.name.clone()).collect();
    foreign.retain(|name| !own.contains(name.as_str()));
    for package in &mut inventory.packages {
        package.owner = package.owner.take().filter(|owner| !foreign.contains(owner));
    }
}

#[cfg(test)]
mod tests {
    use model::Distro;

    use super::*;

    #[test]
    fn makers_are_known_by_what_a_list_says() {
        let package = |kind: PackageKind, name: &str, maintainer: &str| Package {
            maintainer: Some(maintainer.to_owned()),
            ..Package::new(kind, name.to_owned(), Some("1".to_owned()))
        };
        let owned = |owner: &str| Package {
            owner: Some(owner.to_owned()),
            ..Package::new(PackageKind::PyPi, "a".to_owned(), None)
        };
        let said = Package {
            is_third_party: Some(false),
            ..package(PackageKind::Deb, "said", "Docker <support@docker.com>")
        };
        let mut inventory = Inventory {
            distro: Some(Distro { id: "rhel".to_owned(), ..Distro::default() }),
            packages: vec![
                package(PackageKind::Deb, "docker-ce", "Docker <support@docker.com>"),
                package(PackageKind::Deb, "python3", "Matthias Klose <doko@debian.org>"),
                package(PackageKind::Rpm, "bash", "Red Hat, Inc."),
                package(PackageKind::Rpm, "epel-release", "Fedora Project"),
                Package::new(PackageKind::Rpm, "nobody".to_owned(), None),
                said,
                owned("docker-ce"),
                owned("python3"),
                owned("nowhere"),
            ],
            ..Inventory::default()
        };
        note_makers(&mut inventory);
        let makers: Vec<Option<bool>> = inventory.packages.iter().map(|it| it.is_third_party).collect();
        let (foreign, own) = (Some(true), Some(false));
        assert_eq!(makers, [foreign, own, own, foreign, None, own, None, None, None]);
        let owners: Vec<&str> = inventory.packages.iter().filter_map(|it| it.owner.as_deref()).collect();
        assert_eq!(owners, ["python3", "nowhere"]);
        let before = inventory.clone();
        note_makers(&mut inventory);
        assert_eq!(inventory, before, "twice is once");
    }
}
