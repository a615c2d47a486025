//! Two lists of packages of one kind, and what differs.

use std::collections::BTreeMap;

/// A package as somebody lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) version: String,
    /// Only where the judge tells it.
    pub(super) architecture: String,
    /// Where it was seen, for those who look into a difference. No part of the comparison: package managers name other files of a
    /// package than we do.
    pub(super) place: String,
}

impl Listed {
    pub(super) fn new(name: &str, version: &str, place: &str) -> Self {
        let [name, version, place] = [name, version, place].map(str::to_owned);
        Self { name, version, architecture: String::new(), place }
    }

    fn key(&self) -> [&str; 3] {
        [&self.name, &self.version, &self.architecture]
    }
}

/// Who lists a package that the other one does not, or not as often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Judge,
    Lazaret,
}

/// Something that only one of the two lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Difference {
    pub(super) side: Side,
    pub(super) listed: Listed,
}

/// What came of comparing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) judge: usize,
    pub(super) lazaret: usize,
    pub(super) both: usize,
    pub(super) differences: Vec<Difference>,
}

impl Comparison {
    pub(super) fn count_only(&self, side: Side) -> usize {
        self.differences.iter().filter(|difference| difference.side == side).count()
    }
}

/// Compares name, version and architecture, letter by letter. What is installed several times has to be listed as often.
pub(super) fn compare(judge: &[Listed], lazaret: &[Listed]) -> Comparison {
    let mut keys: BTreeMap<[&str; 3], [Vec<&Listed>; 2]> = BTreeMap::new();
    for (side, list) in [judge, lazaret].into_iter().enumerate() {
        for listed in list {
            keys.entry(listed.key()).or_default()[side].push(listed);
        }
    }
    let mut comparison = Comparison { judge: judge.len(), lazaret: lazaret.len(), ..Comparison::default() };
    for [mut judge, mut lazaret] in keys.into_values() {
        let both = judge.len().min(lazaret.len());
        comparison.both += both;
        judge.sort();
        lazaret.sort();
        // Of several with one name, those that both place alike belong together.
        let surplus = |more: &[&Listed], fewer: &[&Listed]| -> Vec<Listed> {
            let is_placed = |listed: &&&Listed| fewer.iter().any(|other| other.place == listed.place);
            let (placed, other): (Vec<&Listed>, Vec<&Listed>) =
                more.iter().copied().partition(|listed| is_placed(&listed));
            placed.into_iter().chain(other).skip(both).cloned().collect()
        };
        for (side, listed) in
            [(Side::Judge, surplus(&judge, &lazaret)), (Side::Lazaret, surplus(&lazaret, &judge))]
        {
            comparison.differences.extend(listed.into_iter().map(|listed| Difference { side, listed }));
        }
    }
    comparison
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &[&str]) -> Vec<Listed> {
        let parse = |line: &&str| {
            let words: Vec<&str> = line.split(' ').collect();
            Listed { architecture: words[2].to_owned(), ..Listed::new(words[0], words[1], words[3]) }
        };
        lines.iter().map(parse).collect()
    }

    /// `side name version place` of all differences, and how many are in both.
    fn check(judge: &[&str], lazaret: &[&str]) -> (usize, Vec<String>) {
        let comparison = compare(&list(judge), &list(lazaret));
        assert_eq!((comparison.judge, comparison.lazaret), (judge.len(), lazaret.len()));
        assert_eq!(comparison.both + comparison.count_only(Side::Judge), comparison.judge);
        assert_eq!(comparison.both + comparison.count_only(Side::Lazaret), comparison.lazaret);
        let to_line = |Difference { side, listed }: &Difference| {
            format!("{side:?} {} {} {}", listed.name, listed.version, listed.place)
        };
        (comparison.both, comparison.differences.iter().map(to_line).collect())
    }

    #[test]
    fn names_versions_and_architectures_have_to_be_equal() {
        assert_eq!(check(&[], &[]), (0, vec![]));
        // The order and the places are of no account.
        assert_eq!(check(&["a 1 x p", "b 2 x p"], &["b 2 x q", "a 1 x q"]), (2, vec![]));
        for other in ["A 1 x p", "a 1.0 x p", "a 1 y p"] {
            let (both, differences) = check(&["a 1 x p"], &[other]);
            assert_eq!((both, differences.len()), (0, 2), "{other}");
        }
    }

    #[test]
    fn what_is_there_twice_is_listed_twice() {
        let twice = ["a 1 x p", "a 1 x q"];
        assert_eq!(check(&twice, &twice), (2, vec![]));
        assert_eq!(check(&twice, &["a 1 x q"]), (1, vec!["Judge a 1 p".to_owned()]));
        assert_eq!(check(&["a 1 x p"], &twice), (1, vec!["Lazaret a 1 q".to_owned()]));
    }
}
