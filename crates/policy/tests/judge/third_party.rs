//! Our own trigger `packages`/`third_party`: who has made the packages of the operating system.

use model::{Package, PackageKind};

use crate::fixture::{Subject, check_rule, package};

const TRIGGER: (&str, &str) = ("packages", "third_party");

fn made(kind: PackageKind, name: &str, is_third_party: Option<bool>) -> Package {
    Package { is_third_party, maintainer: None, ..package(kind, name, "1.0") }
}

#[test]
fn packages_of_others_are_told() {
    let mut maintained = made(PackageKind::Deb, "docker-ce", Some(true));
    maintained.maintainer = Some("Docker <support@docker.com>".to_owned());
    let subject = Subject::with_packages(vec![
        maintained,
        made(PackageKind::Apk, "docker-cli", Some(true)),
        made(PackageKind::Deb, "bash", Some(false)),
        // Languages have no distro.
        made(PackageKind::Npm, "lodash", Some(true)),
        made(PackageKind::Npm, "left-pad", None),
    ]);
    let docker = (
        "third_party+docker-ce",
        "Package docker-ce 1.0 is not made by the distro (Docker <support@docker.com>)",
    );
    let cli = ("third_party+docker-cli", "Package docker-cli 1.0 is not made by the distro");
    check_rule(TRIGGER, &[], &subject, &[docker, cli]);
    check_rule(TRIGGER, &[("except", "docker-cli")], &subject, &[docker]);
    check_rule(TRIGGER, &[("except", "x, docker-*")], &subject, &[]);
    check_rule(TRIGGER, &[("except", "docker")], &subject, &[docker, cli]);
}

#[test]
fn packages_of_unknown_origin_are_not_the_distros() {
    let names = ["f", "e", "d", "c", "b", "a"];
    let subject =
        Subject::with_packages(names.map(|name| made(PackageKind::Deb, name, None)).into_iter().collect());
    let row = |names: &str| format!("There is no data for this rule: nobody knows who has made {names}");
    let id = "third_party+no_data";
    check_rule(TRIGGER, &[], &subject, &[(id, &row("a, b, c, d, e and 1 more"))]);
    check_rule(TRIGGER, &[("except", "a,b")], &subject, &[(id, &row("c, d, e, f"))]);
    check_rule(TRIGGER, &[("missing_data", "ignore")], &subject, &[]);
    check_rule(TRIGGER, &[], &Subject::new(), &[]);
}
