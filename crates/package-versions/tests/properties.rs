//! What must hold for all versions of every scheme: they have an order, nothing panics, and the cost is bounded.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use package_versions::{VERSION_BYTES_MAX, VersionScheme};
use proptest::prelude::*;
use proptest::string::string_regex;

/// Versions of a scheme: of few characters, so that generated ones often share a beginning.
fn grammar(scheme: VersionScheme) -> &'static str {
    use VersionScheme::{
        Apk, Bitnami, Composer, Conda, Cran, Dpkg, Fuzzy, Gem, Go, Hackage, Hex, Julia, Jvm, Kb, Maven, Npm,
        Nuget, Opam, Pacman, Pep440, Portage, Pub, Rpm, Semver, Swift,
    };
    match scheme {
        Dpkg => "([01]:)?[0-2][0-2a~+.]{0,5}(-[0-1a~+.]{1,3})?",
        Apk => "[0-2](\\.[0-2]{1,2}){0,2}[ab]?(_(alpha|rc|p|git)[0-2]?){0,2}(~a)?(-r[0-2])?",
        Rpm => "([01]:)?[0-2a][0-2ab~^._+]{0,5}(-[0-2a][0-2a~^.]{0,3})?",
        // Releases count only if both have one: in an order all have.
        Pacman => "([01]:)?[0-2a]([._+]{0,2}[0-2ab]){0,4}-[12]",
        Portage => "[0-2]{1,2}(\\.[0-2]{1,2}){0,2}[ab]?(_(alpha|beta|pre|rc|p)[0-2]?){0,2}(-r[0-2])?",
        Semver | Npm | Hex | Swift | Pub | Bitnami => {
            "v?[0-2](\\.[0-2]){0,3}(-[0-1ab]{1,2}(\\.[0-2aB]{1,2}){0,2}|rc[0-2]|\\.Final)?(\\+[ab01]{1,2})?"
        }
        Julia => {
            "v?[0-2](\\.[0-2]){0,2}(-|-[0-1ab]{1,2}(\\.[0-2aB]{1,2}){0,2}|rc[0-2])?(\\+|\\+[ab01]{1,2})?"
        }
        Nuget => "[0-2](\\.[0-2]){0,3}(-[0-1aA]{1,2}(\\.[0-2aB]{1,2}){0,2})?(\\+[ab01]{1,2})?",
        Go => {
            "go1\\.[0-2](\\.[0-2])?((rc|beta)[0-2])?(-fips)?|v?1\\.[0-2](\\.[0-2](-rc\\.[0-2]|-0|-0\\.2021-a)?)?"
        }
        Pep440 => {
            "v?([01]!)?[0-1](\\.[0-1]){0,2}([._-]?(a|b|rc|alpha|preview)[._-]?[01]?)?(-[01]|\\.?post[01]?)?(\\.?dev[01]?)?(\\+[a0](\\.[0a])?)?"
        }
        Gem => "[0-2](\\.[0-2a][0-2a]?){0,4}(-[0-2a]{1,2})?(-x86_64-linux)?",
        Maven => "[0-2](([.-]|)([0-2]|a|b|alpha|rc|ga|sp|x|snapshot|final)){0,5}[.-]?",
        Composer => "v?[0-2](([.-]|)([0-2]|dev|alpha|a|B|RC|pl|p|stable)){0,4}",
        Cran => "[0-2](\\.[0-2]){0,2}(-[0-2])?",
        Hackage => "[0-2](\\.[0-2]{1,2}){0,3}",
        Opam => "[0-2a][0-2a~+.-]{0,5}",
        Conda => "([01]!)?[0-2a]([._]?([0-2]|a|b|post|dev)){0,4}_?(\\+[01a](\\.[01])?)?",
        Jvm => "1\\.[0-2]\\.0_[0-2](-b0[12])?|[0-2]u[0-2]|[0-2](\\.[0-2]){0,3}(-ea)?(\\+[0-2])?",
        Kb => "(KB|kb|)[0-2]{1,2}",
        Fuzzy => "v?[0-2](\\.[0-2]){0,2}(([.-]|)([0-2]|a|b|k|rc|beta|p|patch|final)){0,3}(\\+a)?",
    }
}

fn check_order(scheme: VersionScheme, a: &str, b: &str, c: &str) -> Result<(), TestCaseError> {
    let order = |a: &str, b: &str| scheme.compare(a, b);
    prop_assert_eq!(scheme.compare_strictly(a, a), Ok(Ordering::Equal));
    let (Ok(ab), Ok(bc), Ok(ac)) = (order(a, b), order(b, c), order(a, c)) else {
        prop_assert!(
            scheme == VersionScheme::Kb || scheme.check(a).and(scheme.check(b)).and(scheme.check(c)).is_err()
        );
        return Ok(());
    };
    prop_assert_eq!(order(a, a), Ok(Ordering::Equal), "{} {}", scheme.name(), a);
    prop_assert_eq!(order(b, a), Ok(ab.reverse()), "{} {} {}", scheme.name(), a, b);
    if ab.is_le() && bc.is_le() {
        let name = scheme.name();
        prop_assert!(ac.is_le(), "{}: {} {:?} {} {:?} {} but {:?}", name, a, ab, b, bc, c, ac);
        prop_assert_eq!(ac.is_eq(), ab.is_eq() && bc.is_eq(), "{}: {} {} {}", name, a, b, c);
    }
    if let Ok(strict) = scheme.compare_strictly(a, b) {
        prop_assert_eq!(strict, ab);
    }
    Ok(())
}

/// Generates versions of the scheme and checks triples of them. Every one is well-formed, unless said otherwise.
fn check_scheme(scheme: VersionScheme) {
    // The text itself is a strategy as well, but one that reads the expression for every version again.
    let version = || string_regex(grammar(scheme)).expect("the grammars above are regular expressions");
    let config = ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let found = runner.run(&(version(), version(), version()), |(a, b, c)| check_order(scheme, &a, &b, &c));
    assert_eq!(found, Ok(()), "{}", scheme.name());
}

#[test]
fn versions_of_every_scheme_have_an_order() {
    VersionScheme::ALL.into_iter().for_each(check_scheme);
}

/// A generator that makes nothing but what is refused would prove nothing.
#[test]
fn most_generated_versions_are_well_formed() {
    for scheme in VersionScheme::ALL {
        let config = ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let well_formed = std::cell::Cell::new(0);
        runner
            .run(&grammar(scheme), |version| {
                well_formed.set(well_formed.get() + u32::from(scheme.check(&version).is_ok()));
                Ok(())
            })
            .unwrap();
        assert!(well_formed.get() > 500, "{}: {} of 1000", scheme.name(), well_formed.get());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn apk_orders_text_outside_of_its_grammar(a in "[0-1a_.~r-]{1,5}", b in "[0-1a_.~r-]{1,5}", c in "[0-1a_.~r-]{1,5}") {
        check_order(VersionScheme::Apk, &a, &b, &c)?;
    }

    #[test]
    fn no_text_makes_it_panic(a in any::<String>(), b in "[ -~]{0,30}", c in "[0-9a-z.~^_+!-]{0,12}") {
        for scheme in VersionScheme::ALL {
            for (a, b) in [(&a, &b), (&b, &c), (&a, &c)] {
                let forth = scheme.compare(a, b);
                let back = scheme.compare(b, a);
                prop_assert_eq!(forth.ok(), back.ok().map(Ordering::reverse), "{} {} {}", scheme.name(), a, b);
                let _ = (scheme.check(a), scheme.compare_strictly(a, b));
            }
        }
    }
}

/// The longest versions of many steps, compared with themselves but for the end.
#[test]
fn hostile_versions_cost_no_more_than_their_length() {
    let beginnings = [
        "1.", "1-", "a1", "1a", "0.0", "-", "~", "^", "0", "1_p", "_alpha", "-r", ".dev", "+a.", "post", "1!",
    ];
    let repeat = |text: &str, bytes: usize| format!("1{}", text.repeat(bytes / text.len()));
    for scheme in VersionScheme::ALL {
        for beginning in beginnings {
            let long = repeat(beginning, VERSION_BYTES_MAX - 8);
            let start = Instant::now();
            for _ in 0..5 {
                for end in ["0", "1", ""] {
                    let _ = scheme.compare(&format!("{long}{end}"), &format!("{long}1"));
                    let _ = scheme.check(&long);
                }
            }
            // A cost that grew with the square of the length would be a thousand times as much.
            let spent = start.elapsed();
            assert!(spent < Duration::from_secs(5), "{}: {beginning} took {spent:?}", scheme.name());
        }
    }
}

/// As Maven 3.8.7 itself says, asked with its `ComparableVersion`: what begins with a hyphen has no place in an order.
#[test]
fn maven_goes_in_a_circle_where_maven_itself_does() {
    let order = |a: &str, b: &str| VersionScheme::Maven.compare(a, b);
    assert_eq!(order("-a5", "0"), Ok(Ordering::Less));
    assert_eq!(order("0", "~2"), Ok(Ordering::Less));
    assert_eq!(order("~2", "-a5"), Ok(Ordering::Less));
}
