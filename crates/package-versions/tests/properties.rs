//! What must hold for all versions, and dpkg itself as the judge.

use std::cmp::Ordering;
use std::process::Command;

use package_versions::VersionScheme;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Few characters, so that generated versions often share a beginning.
fn dpkg_version() -> impl Strategy<Value = String> {
    ("([01]:)?", "[0-2][0-2a~+.]{0,5}", "(-[0-1a~+.]{1,3})?")
        .prop_map(|(epoch, upstream, revision)| format!("{epoch}{upstream}{revision}"))
}

fn apk_version() -> impl Strategy<Value = String> {
    let regular = "[0-2](\\.[0-2]{1,2}){0,2}[ab]?(_(alpha|rc|p|git)[0-2]?){0,2}(~a)?(-r[0-2])?";
    prop_oneof![3 => regular, 1 => "[0-1a_.~r-]{1,5}"]
}

fn check_order(scheme: VersionScheme, a: &str, b: &str, c: &str) -> Result<(), TestCaseError> {
    let order = |a: &str, b: &str| scheme.compare(a, b);
    let (Ok(ab), Ok(bc), Ok(ac)) = (order(a, b), order(b, c), order(a, c)) else {
        return Err(TestCaseError::reject("not a version"));
    };
    prop_assert_eq!(order(a, a), Ok(Ordering::Equal));
    prop_assert_eq!(order(b, a), Ok(ab.reverse()));
    if ab.is_le() && bc.is_le() {
        prop_assert!(ac.is_le(), "{} {:?} {} {:?} {} but {:?}", a, ab, b, bc, c, ac);
        prop_assert_eq!(ac.is_eq(), ab.is_eq() && bc.is_eq());
    }
    if let Ok(strict) = scheme.compare_strictly(a, b) {
        prop_assert_eq!(strict, ab);
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 4000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn dpkg_versions_have_an_order(a in dpkg_version(), b in dpkg_version(), c in dpkg_version()) {
        check_order(VersionScheme::Dpkg, &a, &b, &c)?;
    }

    #[test]
    fn apk_versions_have_an_order(a in apk_version(), b in apk_version(), c in apk_version()) {
        check_order(VersionScheme::Apk, &a, &b, &c)?;
    }

    #[test]
    fn no_text_makes_it_panic(a in any::<String>(), b in "[ -~]{0,30}") {
        for scheme in VersionScheme::ALL {
            let forth = scheme.compare(&a, &b);
            let back = scheme.compare(&b, &a);
            prop_assert_eq!(forth.ok(), back.ok().map(Ordering::reverse));
        }
    }
}

/// Asks dpkg; `None` when it is not on this machine.
fn ask_dpkg(a: &str, relation: &str, b: &str) -> Option<bool> {
    let status = Command::new("dpkg").args(["--compare-versions", a, relation, b]).output().ok()?.status;
    status.code().map(|code| code == 0)
}

#[test]
fn dpkg_itself_agrees() {
    if ask_dpkg("1", "eq", "1") != Some(true) {
        return;
    }
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    for _ in 0..300 {
        let a = dpkg_version().new_tree(&mut runner).unwrap().current();
        let b = dpkg_version().new_tree(&mut runner).unwrap().current();
        let relation = match VersionScheme::Dpkg.compare(&a, &b) {
            Ok(Ordering::Less) => "lt",
            Ok(Ordering::Equal) => "eq",
            Ok(Ordering::Greater) => "gt",
            Err(error) => panic!("`{a}` and `{b}`: {error}"),
        };
        assert_eq!(ask_dpkg(&a, relation, &b), Some(true), "`{a}` {relation} `{b}`");
    }
}
