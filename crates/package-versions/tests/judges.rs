//! The package managers themselves as judges of the order, where they are on this machine.

use std::cmp::Ordering;
use std::process::Command;

use package_versions::VersionScheme;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

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
    let mut version =
        || "([01]:)?[0-2][0-2a~+.]{0,5}(-[0-1a~+.]{1,3})?".new_tree(&mut runner).unwrap().current();
    for _ in 0..300 {
        let (a, b) = (version(), version());
        let order = VersionScheme::Dpkg.compare(&a, &b);
        let relation = match order.as_ref().expect("dpkg takes all that are generated") {
            Ordering::Less => "lt",
            Ordering::Equal => "eq",
            Ordering::Greater => "gt",
        };
        assert_eq!(ask_dpkg(&a, relation, &b), Some(true), "`{a}` {relation} `{b}`");
    }
}
