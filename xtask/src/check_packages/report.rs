//! The tables of a check: each image and judge, each difference with its reason, and what is left unexplained.

use std::collections::BTreeMap;

use super::compare::{Comparison, Difference, Side};
use super::differences::{RULES, Rule};
use crate::progress::print;

/// One judge on one image.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) image: &'static str,
    pub(super) judge: &'static str,
    pub(super) kind: &'static str,
    pub(super) comparison: Comparison,
}

/// All rows, and what the rules say to them.
#[derive(Debug, Default)]
pub(super) struct Report {
    lines: Vec<String>,
    images: Vec<&'static str>,
    /// How often each rule explained something, by its place in the table.
    explained: BTreeMap<usize, usize>,
    unexplained: Vec<String>,
    failures: Vec<String>,
}

impl Report {
    pub(super) fn add(&mut self, row: Row) {
        self.add_with(row, RULES);
    }

    /// An image about which nothing can be said.
    pub(super) fn add_failure(&mut self, failure: String) {
        self.failures.push(failure);
    }

    fn add_with(&mut self, row: Row, rules: &[Rule]) {
        let Row { image, judge, kind, comparison } = row;
        let mut explained = 0;
        for difference in &comparison.differences {
            match rules.iter().position(|rule| rule.explains(image, kind, difference)) {
                Some(rule) => {
                    explained += 1;
                    *self.explained.entry(rule).or_default() += 1;
                }
                None => self.unexplained.push(describe(image, judge, difference)),
            }
        }
        self.images.push(image);
        self.lines.push(format!(
            "| {image} | {judge} | {} | {} | {} | {} | {} | {explained} of {} |",
            comparison.judge,
            comparison.lazaret,
            comparison.both,
            comparison.count_only(Side::Judge),
            comparison.count_only(Side::Lazaret),
            comparison.differences.len(),
        ));
    }

    /// Whether every difference has a reason, and all was compared.
    pub(super) fn is_explained(&self) -> bool {
        self.unexplained.is_empty() && self.failures.is_empty() && !self.lines.is_empty()
    }

    pub(super) fn print(&self) {
        print(
            "| image | judge | judge lists | Lazaret lists | both | only the judge | only Lazaret | explained |",
        );
        print("|---|---|---|---|---|---|---|---|");
        self.lines.iter().for_each(|line| print(line));
        let told: Vec<_> = self.explained.iter().map(|(rule, count)| (&RULES[*rule], count)).collect();
        if !told.is_empty() {
            print("\n| differences | of | listed only by | why |");
            print("|---|---|---|---|");
        }
        for (rule, count) in told {
            let side = side_name(rule.side);
            print(&format!(
                "| {count} | {} ({}) | {side} | {} |",
                rule.kind,
                rule.images.join(", "),
                rule.reason
            ));
        }
        for rule in self.rules_without_use(RULES) {
            print(&format!("\nexplains nothing any more: {rule:?}"));
        }
        if !self.unexplained.is_empty() {
            print(&format!("\n{} differences are not explained:", self.unexplained.len()));
        }
        self.unexplained.iter().chain(&self.failures).for_each(|line| print(line));
    }

    /// Those about images that were read, which explained nothing.
    fn rules_without_use<'a>(&self, rules: &'a [Rule]) -> Vec<&'a Rule> {
        let is_about = |rule: &Rule| self.images.iter().any(|image| rule.is_about(image));
        let numbered = rules.iter().enumerate();
        numbered
            .filter(|(number, rule)| !self.explained.contains_key(number) && is_about(rule))
            .map(|(_, rule)| rule)
            .collect()
    }
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Judge => "the judge",
        Side::Lazaret => "Lazaret",
    }
}

fn describe(image: &str, judge: &str, difference: &Difference) -> String {
    let listed = &difference.listed;
    let architecture = if listed.architecture.is_empty() { "" } else { " " };
    format!(
        "  {image}, {judge}: listed only by {}: {} {}{architecture}{} at {}",
        side_name(difference.side),
        listed.name,
        listed.version,
        listed.architecture,
        listed.place
    )
}

#[cfg(test)]
mod tests {
    use super::super::compare::{Listed, compare};
    use super::*;

    #[test]
    fn differences_are_explained_or_named_and_idle_rules_are_told() {
        let rule = |image: &'static [&'static str], name: &'static str| Rule {
            images: image,
            kind: "npm",
            side: Side::Lazaret,
            name,
            version: "*",
            place: "*",
            reason: "a reason that is long enough",
        };
        let rules = [rule(&["one"], "template"), rule(&["one"], "gone"), rule(&["two"], "other")];
        let judge = [Listed::new("a", "1", "p"), Listed::new("b", "1", "p")];
        let row = |ours: &[Listed]| Row {
            image: "one",
            judge: "npm",
            kind: "npm",
            comparison: compare(&judge, ours),
        };
        let mut report = Report::default();
        assert!(!report.is_explained(), "nothing was compared");
        report.add_with(
            row(&[judge.clone().to_vec(), vec![Listed::new("template", "", "p")]].concat()),
            &rules,
        );
        assert!(report.is_explained());
        assert_eq!(report.lines, ["| one | npm | 2 | 3 | 2 | 0 | 1 | 1 of 1 |"]);
        let idle: Vec<&str> = report.rules_without_use(&rules).iter().map(|rule| rule.name).collect();
        assert_eq!(idle, ["gone"]);
        report.add_with(row(&judge[..1]), &rules);
        assert!(!report.is_explained());
        assert_eq!(report.unexplained, ["  one, npm: listed only by the judge: b 1 at p"]);
        report.unexplained.clear();
        assert!(report.is_explained());
        report.add_failure("two".to_owned());
        assert!(!report.is_explained());
    }
}
