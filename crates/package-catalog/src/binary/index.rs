//! All classifiers ready for use: which names are claimed, all literals in one automaton, expressions made when they are needed.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{Regex, RegexBuilder};

use super::classifier::{Classifier, Condition, Names, Product, Rule};
use super::table;

/// The one index.
pub(super) static INDEX: LazyLock<Index> = LazyLock::new(|| Index::new(table::classifiers()));

pub(super) struct Index {
    pub(super) entries: Vec<Entry>,
    /// Who claims names that begin with a byte.
    claims: Vec<Claims>,
    pub(super) literals: AhoCorasick,
    /// What they are, by their numbers.
    texts: Vec<&'static str>,
    /// By the number of the literal: who looks at it.
    pub(super) uses: Vec<Vec<Use>>,
    products: BTreeMap<&'static str, &'static Product>,
}

#[derive(Default, Clone)]
struct Claims {
    /// Classifiers of names without wildcards.
    exact: Vec<(&'static str, usize)>,
    /// All the others, with what their names begin with.
    others: Vec<(&'static str, usize)>,
}

pub(super) struct Entry {
    pub(super) classifier: &'static Classifier,
    expressions: Vec<OnceLock<Regex>>,
}

/// Somebody who looks at a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Use {
    pub(super) classifier: usize,
    /// `None`: it is a condition only.
    pub(super) rule: Option<usize>,
}

impl Index {
    fn new(classifiers: impl Iterator<Item = &'static Classifier>) -> Self {
        let (mut exact, mut others) = (Vec::new(), Vec::new());
        let (mut entries, mut products) = (Vec::new(), BTreeMap::new());
        let mut uses: BTreeMap<&'static str, Vec<Use>> = BTreeMap::new();
        for (number, classifier) in classifiers.enumerate() {
            match classifier.names {
                Names::Any(names) if !names.iter().any(|name| name.contains(['*', '?'])) => {
                    exact.extend(names.iter().map(|name| (*name, number)));
                }
                Names::Any(names) => others.extend(names.iter().map(|name| {
                    let end = name.find(['*', '?']).unwrap_or(name.len());
                    (&name[..end], number)
                })),
                Names::Numbered(beginning, _) => others.push((beginning, number)),
            }
            for (rule_number, rule) in classifier.rules.iter().enumerate() {
                products.insert(rule.product.id, rule.product);
                let of_rule = Use { classifier: number, rule: Some(rule_number) };
                let of_condition = Use { classifier: number, rule: None };
                let anchors = rule.anchors.iter().map(|literal| (*literal, of_rule));
                for (literal, one) in anchors.chain(literals(rule).map(|literal| (literal, of_condition))) {
                    let all = uses.entry(literal).or_default();
                    if !all.contains(&one) {
                        all.push(one);
                    }
                }
            }
            let expressions = classifier.rules.iter().map(|_| OnceLock::new()).collect();
            entries.push(Entry { classifier, expressions });
        }
        let literals = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(uses.keys())
            .expect("a few hundred short literals make a small automaton");
        let (texts, uses) = uses.into_iter().unzip();
        let claims = (0..=u8::MAX).map(|first| Claims::new(first, &exact, &others)).collect();
        Self { entries, claims, literals, texts, uses, products }
    }

    pub(super) fn literal(&self, number: usize) -> &'static str {
        self.texts[number]
    }

    /// Classifiers that claim a file, with the numbers of its name.
    pub(super) fn claims<'a>(&'a self, base_name: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
        // Every file of an image is asked for, so the beginning has to rule out nearly all.
        let claims = base_name.bytes().next().and_then(|first| self.claims.get(usize::from(first)));
        let exact = claims.into_iter().flat_map(|claims| &claims.exact);
        let exact = exact.filter(move |(name, _)| *name == base_name).map(|(_, number)| (*number, ""));
        let others = claims.into_iter().flat_map(|claims| &claims.others);
        let others = others.filter(move |(beginning, _)| base_name.starts_with(beginning));
        let others = others.filter_map(|(_, number)| {
            self.entries[*number].classifier.names.claim(base_name).map(|numbers| (*number, numbers))
        });
        exact.chain(others)
    }

    #[cfg(test)]
    pub(super) fn product_ids(&self) -> impl Iterator<Item = &'static str> {
        self.products.keys().copied()
    }

    pub(super) fn product(&self, id: &str) -> Option<&'static Product> {
        self.products.get(id).copied()
    }
}

impl Claims {
    fn new(first: u8, exact: &[(&'static str, usize)], others: &[(&'static str, usize)]) -> Self {
        let is_possible =
            |(text, _): &&(&'static str, usize)| text.bytes().next().is_none_or(|it| it == first);
        let possible = |all: &[(&'static str, usize)]| all.iter().filter(is_possible).copied().collect();
        Self { exact: possible(exact), others: possible(others) }
    }
}

impl Entry {
    pub(super) fn expression(&self, rule: usize) -> &Regex {
        self.expressions[rule].get_or_init(|| compile(self.classifier.rules[rule].pattern))
    }
}

fn literals(rule: &Rule) -> impl Iterator<Item = &'static str> {
    rule.conditions.iter().filter_map(|condition| match condition {
        Condition::Contains(literal) | Condition::Lacks(literal) => Some(*literal),
        Condition::Path(_) => None,
    })
}

/// `<…>` is the version; `#3` are three numbers with dots, likewise `#2` and `#4`; `«name»` opens a group that `)` closes.
fn compile(pattern: &str) -> Regex {
    let numbers = |count: usize| vec!["[0-9]{1,6}"; count].join(r"\.");
    let written = pattern
        .replace("#2", &numbers(2))
        .replace("#3", &numbers(3))
        .replace("#4", &numbers(4))
        .replace('<', "«version»")
        .replace('>', ")")
        .replace('«', "(?P<")
        .replace('»', ">");
    RegexBuilder::new(&written)
        .unicode(false)
        .dot_matches_new_line(true)
        .build()
        .expect("all expressions of the table are compiled by a test")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binary::search::WINDOW_BYTES_MAX;

    #[test]
    fn every_row_is_whole() {
        let mut ids = BTreeMap::new();
        for entry in &INDEX.entries {
            assert!(!entry.classifier.rules.is_empty());
            for (number, rule) in entry.classifier.rules.iter().enumerate() {
                let names: Vec<_> = entry.expression(number).capture_names().flatten().collect();
                assert!(names.contains(&"version"), "{}", rule.pattern);
                assert!(rule.before.max(rule.after) <= WINDOW_BYTES_MAX, "{}", rule.pattern);
                assert!(rule.anchors.iter().all(|anchor| anchor.len() > 1), "{}", rule.pattern);
                assert!(
                    rule.product.cpes.iter().all(|cpe| cpe.split(':').count() == 2),
                    "{}",
                    rule.product.id
                );
                // One id, one product.
                let product: *const Product = rule.product;
                assert_eq!(*ids.entry(rule.product.id).or_insert(product), product, "{}", rule.product.id);
            }
        }
    }
}
