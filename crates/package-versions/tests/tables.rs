//! The tables of known answers, and single cases that they do not hold.

use std::cmp::Ordering::{self, Equal, Greater, Less};

use model::{RangeEnd, VersionInterval};
use package_versions::table::{ParseTableError, check_table, parse};
use package_versions::{ParseVersionError, VERSION_BYTES_MAX, VersionScheme, is_in_interval};

fn check_rows(scheme: VersionScheme, table: &str, rows: usize) {
    let report = check_table(scheme, table).expect("the tables of this crate are well formed");
    assert!(report.failures.is_empty(), "{}: {:#?}", scheme.name(), report.failures);
    assert_eq!(report.held, rows, "{}", scheme.name());
}

macro_rules! table {
    ($name:literal) => {
        include_str!(concat!("../testdata/", $name, ".tsv"))
    };
}

#[test]
fn every_row_of_the_known_tables_holds() {
    use VersionScheme::{
        Apk, Composer, Cran, Dpkg, Gem, Hackage, Hex, Maven, Npm, Nuget, Pep440, Pub, Rpm, Semver, Swift,
    };
    check_rows(Dpkg, table!("dpkg-upstream"), 43);
    check_rows(Dpkg, table!("debian-osv-scalibr"), 27);
    check_rows(Apk, table!("alpine-osv-scalibr"), 757);
    check_rows(Rpm, table!("redhat-osv-scalibr"), 162);
    for scheme in [Semver, Npm, Hex, Swift] {
        check_rows(scheme, table!("semver-osv-scalibr"), 86);
    }
    check_rows(Pep440, table!("pep440-upstream"), 2916);
    check_rows(Pep440, table!("pypi-osv-scalibr"), 37);
    check_rows(Maven, table!("maven-upstream"), 570);
    check_rows(Maven, table!("maven-osv-scalibr"), 98);
    check_rows(Gem, table!("rubygems-osv-scalibr"), 25);
    check_rows(Nuget, table!("nuget-osv-scalibr"), 34);
    check_rows(Composer, table!("packagist-osv-scalibr"), 95);
    check_rows(Composer, table!("packagist-osv.dev"), 85);
    check_rows(Pub, table!("pub-osv-scalibr"), 100);
    check_rows(Cran, table!("cran-osv-scalibr"), 20);
    check_rows(Hackage, table!("hackage-osv-scalibr"), 11);
}

fn check(scheme: VersionScheme, a: &str, expected: Ordering, b: &str) {
    assert_eq!(scheme.compare(a, b), Ok(expected), "{}: `{a}` and `{b}`", scheme.name());
    assert_eq!(scheme.compare(b, a), Ok(expected.reverse()), "{}: `{b}` and `{a}`", scheme.name());
}

#[test]
fn numbers_of_any_length_are_ordered() {
    let nines = "9".repeat(300);
    let more = format!("1{}", "0".repeat(300));
    // Updates of Windows have no order.
    for scheme in VersionScheme::ALL.into_iter().filter(|scheme| *scheme != VersionScheme::Kb) {
        check(scheme, &nines, Less, &more);
        check(scheme, &format!("1.{nines}"), Less, &format!("1.{more}"));
        check(scheme, &format!("000{nines}"), Equal, &nines);
    }
    check(VersionScheme::Dpkg, &format!("{nines}:1"), Less, &format!("{more}:1"));
    check(VersionScheme::Apk, &format!("1_p{nines}-r{nines}"), Less, &format!("1_p{nines}-r{more}"));
}

#[test]
fn dpkg_orders_rebuilds_and_backports() {
    use VersionScheme::Dpkg;
    check(Dpkg, "1.0-1", Less, "1.0-1+b1");
    check(Dpkg, "1.0-1", Less, "1.0-1ubuntu1");
    check(Dpkg, "1.0-1~bpo12+1", Less, "1.0-1");
    check(Dpkg, "1.0-1+deb12u2", Less, "1.0-1+deb12u10");
    check(Dpkg, "1:0.1", Greater, "99");
    check(Dpkg, "1.0_x-1", Greater, "1.0x-1");
}

#[test]
fn apk_orders_every_kind_of_step() {
    let steps =
        ["1.2_alpha", "1.2_beta", "1.2_pre", "1.2_rc", "1.2_rc1", "1.2_rc1-r0", "1.2", "1.2-r0", "1.2-r10"]
            .into_iter()
            .chain([
                "1.2_cvs",
                "1.2_svn",
                "1.2_git",
                "1.2_git20200101",
                "1.2_hg",
                "1.2_p",
                "1.2_p0",
                "1.2_p1",
            ])
            .chain(["1.2_p1_p1", "1.2a", "1.2b", "1.2.0", "1.2.05", "1.2.1", "1.2.1.1", "1.2.10", "1.10"]);
    let steps: Vec<_> = steps.collect();
    for (place, lower) in steps.iter().enumerate() {
        check(VersionScheme::Apk, lower, Equal, lower);
        for higher in &steps[place + 1..] {
            check(VersionScheme::Apk, lower, Less, higher);
        }
    }
    check(VersionScheme::Apk, "1.2~abc0-r1", Equal, "1.2~def-r1");
    check(VersionScheme::Apk, "1.2~abc0", Equal, "1.2");
}

#[test]
fn what_cannot_be_ordered_is_an_error() {
    let long = "1".repeat(VERSION_BYTES_MAX + 1);
    for scheme in VersionScheme::ALL {
        for version in ["", "1 0", "1\t0", "1\n", "1.\u{e9}", "1\0", &long] {
            // rpm orders letters of all languages, and this is checked with a table.
            if scheme != VersionScheme::Rpm || version.is_ascii() {
                assert!(scheme.compare(version, "1").is_err(), "{}: `{version}`", scheme.name());
                assert!(scheme.compare("1", version).is_err(), "{}: `{version}`", scheme.name());
            }
            assert!(scheme.compare_strictly("1", version).is_err(), "{}: `{version}`", scheme.name());
            assert!(scheme.check(version).is_err(), "{}: `{version}`", scheme.name());
        }
        assert_eq!(scheme.check(&long[1..]), Ok(()));
        assert_eq!(scheme.check(&long[2..]), Ok(()));
    }
    for version in [":1", "a:1", "-1:1", "1:", "1-", "-1", "1:-1"] {
        assert!(VersionScheme::Dpkg.check(version).is_err(), "`{version}`");
    }
    for version in ["latest", "1.0bc", "1.2_blah", "1..2", "1.", "1-1", "1-ruff", "1~x", "1-r1-r1", "1~a~b"] {
        assert!(VersionScheme::Apk.check(version).is_err(), "`{version}`");
    }
}

#[test]
fn an_interval_is_decided_or_an_error() {
    let interval =
        |introduced: Option<&str>, end| VersionInterval { introduced: introduced.map(str::to_owned), end };
    let fixed = |version: &str| RangeEnd::Fixed(version.to_owned());
    let last = |version: &str| RangeEnd::LastAffected(version.to_owned());
    let check = |version: &str, interval: &VersionInterval, expected: Option<bool>| {
        let found = is_in_interval(VersionScheme::Apk, version, interval);
        assert_eq!(found.as_ref().ok(), expected.as_ref(), "{version} in {interval}: {found:?}");
    };
    check("1.0-r0", &interval(None, RangeEnd::Open), Some(true));
    for (version, is_inside) in
        [("1.1", false), ("1.2", true), ("1.2.9", true), ("1.3", false), ("1.4", false)]
    {
        check(version, &interval(Some("1.2"), fixed("1.3")), Some(is_inside));
    }
    for (version, is_inside) in [("1.2", true), ("1.3", true), ("1.3-r1", false)] {
        check(version, &interval(None, last("1.3")), Some(is_inside));
    }
    // Decided before the strange part, decided only by it, and not decidable at all.
    check("1.0", &interval(None, fixed("1.3zz")), Some(true));
    check("1.3", &interval(None, fixed("1.3zz")), Some(true));
    check("1.3z", &interval(None, fixed("1.3zz")), None);
    check("1.3zy", &interval(None, fixed("1.3zz")), None);
    check("1.0", &interval(None, fixed("latest")), None);
    check("latest", &interval(None, fixed("1.0")), None);
    check("latest", &interval(None, last("latest")), Some(true));
}

#[test]
fn names_and_ecosystems_lead_to_schemes() {
    for scheme in VersionScheme::ALL {
        assert_eq!(VersionScheme::from_name(scheme.name()), Some(scheme));
    }
    assert_eq!(VersionScheme::from_name("deb"), None);
    use VersionScheme::{Apk, Composer, Dpkg, Gem, Pep440, Rpm, Semver, Swift};
    let rows = [
        ("ubuntu", Some(Dpkg)),
        ("ubuntu-pro", Some(Dpkg)),
        ("wolfi", Some(Apk)),
        ("rocky linux", Some(Rpm)),
        ("crates.io", Some(Semver)),
        ("pypi", Some(Pep440)),
        ("rubygems", Some(Gem)),
        ("packagist", Some(Composer)),
        ("swifturl", Some(Swift)),
        ("docker hardened images", None),
        ("git", None),
        ("android", None),
    ];
    for (family, scheme) in rows {
        assert_eq!(VersionScheme::for_ecosystem(family), scheme, "{family}");
    }
}

#[test]
fn a_table_names_the_line_that_is_wrong() {
    let rows = parse("# a comment\na\tb\texpected\n\n1\t2\t-1\n").unwrap();
    assert_eq!((rows.len(), rows[0].line, rows[0].expected), (1, 4, Less));
    assert_eq!(parse("a\tb\texpected\tmode\n1\t2\t-1\tloose\n1\t2\t-1\t\n").unwrap().len(), 2);
    for bad in ["1\t2", "1\t2\t2", "1\t2\t-1\t", "\t2\t-1", "1 2 -1", "a\tb\texpected"] {
        let error = parse(&format!("1\t2\t-1\n{bad}\n")).unwrap_err();
        assert_eq!(error, ParseTableError { line: 2, text: bad.to_owned() });
    }
    let report = check_table(VersionScheme::Dpkg, "1\t2\t-1\n1\t2\t0\n1:\t2\t0\n").unwrap();
    assert_eq!(report.held, 1);
    assert_eq!(report.failures.len(), 2);
    assert_eq!(report.failures[0].found, Ok(Less));
    assert!(matches!(report.failures[1].found, Err(ParseVersionError::EmptyPart { .. })));
}
