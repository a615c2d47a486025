//! Real databases of three distros, where they are there.

use std::collections::BTreeSet;
use std::process::Command;

use model::Package;

use super::{messages, tool};
use crate::tests::{inventory, load, packages_of, shared_data};

fn unpack(name: &str) -> Option<Vec<u8>> {
    let path = shared_data("packages/rpm")?.join(name);
    Some(match name.ends_with(".zst") {
        true => tool::run(Command::new("zstd").arg("-dcq").arg(path)),
        false => load(&path),
    })
}

fn find<'a>(packages: &'a [Package], name: &str) -> &'a Package {
    packages.iter().find(|package| package.name == name).unwrap()
}

#[test]
fn a_real_sqlite_database_has_the_packages_that_rpm_lists() {
    let Some(database) = unpack("mariner2-sqlite/rpmdb.sqlite.zst") else { return };
    let expected = unpack("mariner2-sqlite/expected.tsv").unwrap();
    let expected: BTreeSet<String> =
        String::from_utf8(expected).unwrap().lines().map(|line| line.replace("(none)", "")).collect();
    let (packages, diagnostics) = packages_of("var/lib/rpm/rpmdb.sqlite", &database);
    let to_line = |package: &Package| {
        let version = package.version.as_deref().unwrap();
        let (epoch, version) = version.split_once(':').unwrap_or(("0", version));
        let (version, release) = version.rsplit_once('-').unwrap();
        let source = package.source.as_ref().unwrap();
        format!(
            "{}\t{epoch}\t{version}\t{release}\t{}\t{}-{}.src.rpm\t{}\t{}\t",
            package.name,
            package.architecture.as_deref().unwrap(),
            source.name,
            source.version,
            package.licenses[0],
            package.maintainer.as_deref().unwrap(),
        )
    };
    let found: BTreeSet<String> = packages.iter().map(to_line).collect();
    assert_eq!((found, messages(&diagnostics)), (expected, vec![]));
    assert_eq!(packages.len(), 129);
}

#[test]
fn a_real_ndb_database_is_read_whole() {
    let Some(database) = unpack("sle15-ndb/Packages.db.zst") else { return };
    let (packages, diagnostics) = packages_of("usr/lib/sysimage/rpm/Packages.db", &database);
    assert_eq!(messages(&diagnostics), [""; 0]);
    let bash = find(&packages, "bash");
    assert_eq!(bash.maintainer.as_deref(), Some("SUSE LLC <https://www.suse.com/>"));
    assert!(bash.files.iter().any(|file| file.path == "/usr/bin/bash" || file.path == "/bin/bash"));
    // Every slot that is in use holds one package or one key.
    let slots = database[32..4096].chunks_exact(16).filter(|slot| slot[8..12] != [0; 4]).count();
    assert!(packages.len() <= slots && slots - packages.len() < 10, "{} of {slots}", packages.len());
}

#[test]
fn a_real_berkeley_database_is_read_whole() {
    let Some(database) = unpack("libuuid-bdb/Packages") else { return };
    let (packages, diagnostics) = packages_of("var/lib/rpm/Packages", &database);
    assert_eq!(messages(&diagnostics), [""; 0]);
    let [package] = packages.as_slice() else { panic!("{packages:?}") };
    assert_eq!((package.name.as_str(), package.version.as_deref()), ("libuuid", Some("2.32.1-42.el8_8")));
    assert_eq!(package.installed_size_bytes, Some(35_104));
    assert_eq!(package.source.as_ref().unwrap().name, "util-linux");
}

#[test]
fn real_distros_have_made_their_packages_themselves() {
    let rows: [(&str, &str, &[u8]); 2] = [
        ("mariner2-sqlite/rpmdb.sqlite.zst", "var/lib/rpm/rpmdb.sqlite", b"ID=mariner\nVERSION_ID=\"2.0\"\n"),
        (
            "sle15-ndb/Packages.db.zst",
            "usr/lib/sysimage/rpm/Packages.db",
            b"ID=\"sles\"\nVERSION_ID=\"15.5\"\n",
        ),
    ];
    for (name, path, os_release) in rows {
        let Some(database) = unpack(name) else { return };
        let made = |os_release: &[u8]| -> BTreeSet<Option<bool>> {
            let found = inventory(&[("etc/os-release", os_release), (path, &database)]);
            found.packages.iter().map(|package| package.is_third_party).collect()
        };
        assert_eq!(made(os_release), [Some(false)].into(), "{name}");
        assert_eq!(made(b"ID=rhel\n"), [Some(true)].into(), "{name}");
    }
}

/// How many damaged copies of each database are read.
const DAMAGED_COUNT: u64 = 12;

#[test]
fn damaged_real_databases_are_read_as_far_as_they_can_be() {
    let samples = [
        ("sle15-ndb/Packages.db.zst", "var/lib/rpm/Packages.db", 0),
        ("mariner2-sqlite/rpmdb.sqlite.zst", "var/lib/rpm/rpmdb.sqlite", 3),
        ("libuuid-bdb/Packages", "var/lib/rpm/Packages", 0),
    ];
    for (name, path, kept_percent) in samples {
        let Some(whole) = unpack(name) else { return };
        let count = packages_of(path, &whole).0.len();
        for seed in 0..DAMAGED_COUNT {
            // A generator of Knuth's; the same seeds damage the same places.
            let mut state = seed;
            let mut random = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                usize::try_from(state >> 33).unwrap()
            };
            let mut damaged = whole.clone();
            for _ in 0..1 + random() % 20 {
                // Half of the damage is where pages and slots are: at their beginnings.
                let place = match random() % 2 {
                    0 => random() % damaged.len(),
                    _ => random() % (damaged.len() / 4096) * 4096 + random() % 128,
                };
                damaged[place % whole.len()] ^= 1 << (random() % 8);
            }
            if seed % 5 == 4 {
                damaged.truncate(random() % whole.len());
            }
            let (packages, diagnostics) = packages_of(path, &damaged);
            assert!(packages.len() <= count, "{name} {seed}");
            assert!(packages.len() == count || !diagnostics.is_empty(), "{name} {seed} {}", packages.len());
            assert!(
                seed % 5 == 4 || packages.len() * 100 >= count * kept_percent,
                "{name} {seed} {diagnostics:?}"
            );
        }
    }
}
