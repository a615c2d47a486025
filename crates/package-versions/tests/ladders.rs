//! Versions in order, for the schemes that no table and no package manager of this machine judges, and what they refuse.

use std::cmp::Ordering::{Equal, Greater, Less};

use package_versions::VersionScheme::{
    self, Bitnami, Composer, Conda, Fuzzy, Gem, Go, Hackage, Julia, Jvm, Kb, Maven, Nuget, Opam, Pacman,
    Pep440, Portage, Pub, Rpm, Semver,
};

/// Every step is below all later ones; the versions of one step, with ` = ` between them, are equal.
fn check_ladder(scheme: VersionScheme, steps: &[&str]) {
    let name = scheme.name();
    for (place, step) in steps.iter().enumerate() {
        for version in step.split(" = ") {
            for same in step.split(" = ") {
                assert_eq!(scheme.compare_strictly(version, same), Ok(Equal), "{name}: {version} and {same}");
            }
            for higher in steps[place + 1..].iter().flat_map(|step| step.split(" = ")) {
                assert_eq!(
                    scheme.compare_strictly(version, higher),
                    Ok(Less),
                    "{name}: {version} and {higher}"
                );
                assert_eq!(
                    scheme.compare_strictly(higher, version),
                    Ok(Greater),
                    "{name}: {higher} and {version}"
                );
            }
        }
    }
}

#[test]
fn versions_of_go_are_in_order() {
    check_ladder(
        Go,
        &[
            "v0.0.0-20191109021931-daa7c04131f5",
            "v0.0.0-20210101000000-abcdef123456",
            "v0.1.0 = 0.1.0",
            "v1.2.3-0.20210101000000-abcdef123456",
            "v1.2.3-rc.1",
            "1.19.4 = go1.19.4 X:boringcrypto = go1.19.4-fips = go1.19.4",
            "1.21.0-0",
            "go1.21beta1 = 1.21.0-beta.1",
            "go1.21rc2 = 1.21.0-rc.2 = 1.21rc2",
            "go1.21rc10",
            "go1.21 = go1.21.0 = 1.21.0",
            "go1.21.1",
            "v2.0.0+incompatible = v2.0.0",
        ],
    );
}

#[test]
fn versions_of_java_are_in_order() {
    check_ladder(
        Jvm,
        &[
            "1.4.2_19",
            "1.7.0_111-b01 = 7u111",
            "1.8.0-ea-b10 = 8-ea+10",
            "1.8.0 = 8 = 8.0.0",
            "1.8.0_302-b08 = 8.0.302+8 = 8u302 = 8u302-b08 = 1.8.0_302-8u302-b08-0ubuntu1~20.04-b08",
            "11.0.20-ea+1",
            "11.0.20+8 = 11.0.20+8-LTS",
            "11.0.20.1",
            "17-ea+33",
            "17+35 = 17",
            "17.0.2+8 = 17.0.2+8-Debian-1deb11u1",
        ],
    );
}

#[test]
fn versions_of_conda_are_in_order() {
    // The order that the documentation of conda shows.
    check_ladder(
        Conda,
        &[
            "0.4 = 0.4.0",
            "0.4.1.rc = 0.4.1.RC",
            "0.4.1",
            "0.5a1",
            "0.5b3",
            "0.5C1",
            "0.5",
            "0.9.6",
            "0.960923",
            "1.0",
            "1.0.1_",
            "1.0.1a",
            "1.0.1b",
            "1.1dev1",
            "1.1a1",
            "1.1.0dev1 = 1.1.dev1",
            "1.1.a1",
            "1.1.0rc1",
            "1.1.0 = 1.1",
            "1.1.0+1",
            "1.1.0post1 = 1.1.post1",
            "1.1post1",
            "1996.07.12",
            "1!0.4.1",
            "1!3.1.1.6",
            "2!0.4.1",
        ],
    );
}

#[test]
fn versions_of_gentoo_are_in_order() {
    check_ladder(
        Portage,
        &[
            "1.2_alpha",
            "1.2_alpha1",
            "1.2_beta_p1",
            "1.2_pre",
            "1.2_rc1",
            "1.2 = 1.2-r0 = 01.2",
            "1.2-r1",
            "1.2_p",
            "1.2_p1",
            "1.2_p1_p1",
            "1.2a",
            "1.2b",
            "1.2.0",
            "1.2.05 = 1.2.050",
            "1.2.1",
            "1.2.10",
            "1.10",
        ],
    );
}

#[test]
fn versions_of_other_languages_are_in_order() {
    check_ladder(
        Julia,
        &[
            "1.2.3-",
            "1.2.3-0",
            "1.2.3-a = v1.2.3-a",
            "1.2.3 = v1.2.3",
            "1.2.3+",
            "1.2.3+0",
            "1.2.3+10",
            "1.2.3+a",
        ],
    );
    check_ladder(Opam, &["1.0~beta", "1.0", "1.0-1", "1.0.1", "v0.9", "v0.14.1"]);
    check_ladder(Hackage, &["0.9", "0.11", "0.11.0", "1"]);
    check_ladder(Pub, &["1.0.0-dev", "1.0.0", "1.0.0+1", "1.0.0+2"]);
    check_ladder(Nuget, &["1.0-ALPHA = 1.0.0-alpha", "1.0-beta", "1.0 = 1.0.0.0 = 1.0+x", "1.0.0.1"]);
    check_ladder(Gem, &["1.0.a", "1.0.pre.1 = 1.0.pre1", "1.0 = 1 = 1.0.0-x86_64-linux = 1.0-java", "1.0.1"]);
    check_ladder(
        Maven,
        &[
            "1-alpha = 1.0-a0",
            "1.0-rc1 = 1.0.RC1",
            "1.0-SNAPSHOT",
            "1.0 = 1.0.Final = 1.0.0.GA",
            "1.0-sp1",
            "1.0-jre",
            "1.0-1",
            "1.0.1",
        ],
    );
    check_ladder(
        Composer,
        &[
            "1.0.0-dev",
            "1.0.0-alpha1",
            "1.0.0-RC1 = 1.0.0rc1",
            "v1.0.0 = 1.0.0-stable = 1.0.0+build",
            "1.0.0-p1 = 1.0.0-patch1",
        ],
    );
    check_ladder(
        Pep440,
        &[
            "1.0.dev1",
            "1.0a1.dev1",
            "1.0a1",
            "1.0rc1 = 1.0-preview_1 = 1.0C1",
            "1.0 = v1.0.0",
            "1.0+a",
            "1.0+1",
            "1.0-1 = 1.0.post1 = 1.0rev1",
            "1!0.1",
        ],
    );
    check_ladder(Semver, &["1.2.3-0", "1.2.3beta", "1.2.3 = v1.2.3 = 1.2.3.Final", "1.2.3.4", "1.10"]);
}

#[test]
fn versions_without_a_package_manager_are_in_order() {
    check_ladder(
        Fuzzy,
        &[
            "1.1.1-next.1 = 1.1.1-nightly1",
            "1.1.1-alpha1 = 1.1.1a1",
            "1.1.1-rc1 = v1.1.1rc1",
            "1.1.1 = 1.1.1.0 = 1.1.1-stable = 1.1.1-lts = 1.1.1+build",
            "1.1.1k",
            "1.1.1l",
            "1.1.1z",
            "1.1.1za",
            "8.9",
            "8.9p1",
            "8.9p2",
            "12.0.1",
            "12.0.1+security-01",
            "12.0.1+security-02",
        ],
    );
    check_ladder(Bitnami, &["1.2.3-rc.1", "1.2.3 = 1.2.3-4 = 1.2.3-0", "1.2.4-0"]);
    check_ladder(Pacman, &["1.0rc1-1", "1.0-1 = 0:1.0-1", "1.0-2", "1.0.a-1", "1.0.1-1", "1:0.1-1"]);
    check_ladder(
        Rpm,
        &["1.0~rc1-1", "1.0-1 = 0:1.0-1", "1.0-1.el9", "1.0^git1-1", "1.0a-1", "1.0.1-1", "1:0.1-1"],
    );
    assert_eq!(Kb.compare_strictly("KB5012345", "5012345"), Ok(Equal));
    assert!(Kb.compare_strictly("KB5012345", "KB5012346").is_err());
}

#[test]
fn what_is_no_version_is_undecided() {
    let rows = [
        (Rpm, "1.1.\u{3b1}"),
        (Rpm, ":1-1"),
        (Rpm, "1-"),
        (Rpm, "a:1-1"),
        (Go, "(devel)"),
        (Go, "devel"),
        (Go, "go1.22-devel_abc"),
        (Go, "unknown"),
        (Composer, "dev-main"),
        (Composer, "2.x-dev"),
        (Composer, "1.2.3.#"),
        (Pep440, "0.1-bulbasaur"),
        (Pep440, "1.0+a..b"),
        (Gem, "1beta"),
        (Gem, "1..0"),
        (Maven, "latest"),
        (Maven, "${project.version}"),
        (Nuget, "1.2.3.4.5"),
        (Semver, "1.2.3.beta"),
        (Semver, "1.2.3-a..b"),
        (Jvm, "17.0.2-strange"),
        (Conda, "1-a_b"),
        (Portage, "1.2_gamma"),
        (Pacman, "1.0.-1"),
        (Kb, "KB"),
        (Fuzzy, "9.18.28-S1"),
        (Fuzzy, "045fff363b42b8a6dda8ad5229c29ec3267e7dbe"),
    ];
    for (scheme, version) in rows {
        let name = scheme.name();
        assert!(scheme.check(version).is_err(), "{name}: {version}");
        assert!(scheme.compare_strictly(version, "1").is_err(), "{name}: {version}");
        assert!(scheme.compare_strictly("1", version).is_err(), "{name}: {version}");
        assert_eq!(scheme.compare_strictly(version, version), Ok(Equal), "{name}: {version}");
    }
}
