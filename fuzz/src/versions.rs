//! Orders of versions.

use std::cmp::Ordering;

use package_versions::VersionScheme;

/// The first byte chooses the scheme; then come three versions with line ends between them.
pub(crate) fn compare(bytes: &[u8]) {
    let Some((&choice, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let schemes = VersionScheme::ALL;
    let scheme = schemes[usize::from(choice) % schemes.len()];
    let mut lines = text.splitn(3, '\n');
    let (Some(a), Some(b)) = (lines.next(), lines.next()) else { return };
    let c = lines.next().unwrap_or_default();
    for (left, right) in [(a, b), (b, c), (a, c)] {
        let forth = scheme.compare(left, right);
        let back = scheme.compare(right, left);
        assert_eq!(forth.ok(), back.ok().map(Ordering::reverse), "{} {left:?} {right:?}", scheme.name());
    }
    let (Ok(ab), Ok(bc), Ok(ac)) = (scheme.compare(a, b), scheme.compare(b, c), scheme.compare(a, c)) else {
        return;
    };
    let are_whole = [a, b, c].iter().all(|version| has_place(scheme, version));
    if are_whole && ab.is_lt() && bc.is_lt() {
        assert!(ac.is_lt(), "{}: {a:?} < {b:?} < {c:?}, but {ac:?}", scheme.name());
    }
}

/// Whether the version has one place in the order of its scheme. Maven's own order goes in a circle where one begins with a
/// hyphen: `-a5` is lower than `0`, `0` lower than `~2`, and `~2` lower than `-a5`.
fn has_place(scheme: VersionScheme, version: &str) -> bool {
    let is_in_order =
        scheme != VersionScheme::Maven || version.starts_with(|first: char| first.is_ascii_digit());
    is_in_order && scheme.check(version).is_ok()
}
