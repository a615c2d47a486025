//! Gate `licenses`: when each trigger fires, with which message.

use model::{Package, PackageKind};

use crate::fixture::{Subject, check_bad_value, check_messages, package};

fn with_licenses(kind: PackageKind, name: &str, licenses: &[&str]) -> Package {
    Package {
        licenses: licenses.iter().map(|license| (*license).to_owned()).collect(),
        ..package(kind, name, "1")
    }
}

fn subject() -> Subject {
    Subject::with_packages(vec![
        with_licenses(PackageKind::Deb, "zlib", &["Zlib"]),
        with_licenses(PackageKind::Deb, "bash", &["GPL v2", "GPL-3+"]),
        with_licenses(PackageKind::Deb, "twice", &["MIT MIT", "MIT"]),
        with_licenses(PackageKind::Deb, "none", &[]),
        with_licenses(PackageKind::Npm, "left-pad", &["(MIT AND LGPL-2.1)"]),
        with_licenses(PackageKind::Npm, "left-pad", &["GPL"]),
    ])
}

#[test]
fn whole_words_are_compared() {
    let check = |licenses: &str, packages: Option<&str>| {
        let message = packages.map(|packages| {
            format!("LICFULLMATCH Packages are installed that have blacklisted licenses: {packages}")
        });
        let messages: Vec<&str> = message.as_deref().into_iter().collect();
        check_messages(
            ("licenses", "blacklist_exact_match"),
            &[("licenses", licenses)],
            &subject(),
            &messages,
        );
    };
    check("GPL", Some("bash(GPL), left-pad(GPL)"));
    check("GPL-3+, Zlib,GPL", Some("bash(GPL), bash(GPL-3+), left-pad(GPL), zlib(Zlib)"));
    check("v2", Some("bash(v2)"));
    check("GPL v2", None);
    check("gpl", None);
    check("MIT", Some("twice(MIT), twice(MIT), twice(MIT)"));
    check("LGPL-2.1", None);
    check_bad_value(("licenses", "blacklist_exact_match"), &[("licenses", "")], "`licenses`");
    check_bad_value(("licenses", "blacklist_exact_match"), &[], "Required parameter `licenses`");
}

#[test]
fn parts_of_words_are_compared() {
    let check = |licenses: &str, packages: Option<&str>| {
        let message = packages.map(|packages| {
            format!("LICSUBMATCH Packages are installed that have blacklisted licenses: {packages}")
        });
        let messages: Vec<&str> = message.as_deref().into_iter().collect();
        check_messages(
            ("licenses", "blacklist_partial_match"),
            &[("licenses", licenses)],
            &subject(),
            &messages,
        );
    };
    check("GPL", Some("bash(GPL), bash(GPL-3+), left-pad(GPL), left-pad(LGPL-2.1))"));
    check("LIB, LGPL", Some("left-pad(LGPL-2.1))"));
    check("gpl", None);
    check("BSD,Apache", None);
}

#[test]
fn the_message_does_not_depend_on_the_order_of_packages() {
    let mut reversed = subject();
    reversed.inventory.packages.reverse();
    for subject in [subject(), reversed] {
        check_messages(
            ("licenses", "blacklist_exact_match"),
            &[("licenses", "Zlib,GPL")],
            &subject,
            &[
                "LICFULLMATCH Packages are installed that have blacklisted licenses: bash(GPL), left-pad(GPL), zlib(Zlib)",
            ],
        );
    }
}
