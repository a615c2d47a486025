//! Tables of ranges: whether a version satisfies what an installer was asked for.
//!
//! Advisories have plain bounds (`introduced`, `fixed`, `last_affected`), so that the grammar of installers (`^1.2`, `~=1.0`,
//! `1.x || 2.x`, `==1.*`) is no part of the product. A row counts where its range is one plain comparison, since it then says how
//! two versions are ordered. `<` and `>` of PEP 440 are no plain comparisons: they leave out pre-releases and
//! post-releases of their bound, which an advisory does not.

use std::cmp::Ordering;
use std::path::Path;

use anyhow::{Result, bail};
use package_versions::VersionScheme;

use super::{Count, describe};
use crate::progress::print;

/// Whether an order satisfies an operator.
type Condition = fn(Ordering) -> bool;

/// A plain comparison.
struct Comparison<'a> {
    is_satisfied_by: Condition,
    bound: &'a str,
}

/// Longer ones first.
const OPERATORS: [(&str, Condition); 6] = [
    (">=", Ordering::is_ge),
    ("<=", Ordering::is_le),
    ("==", Ordering::is_eq),
    ("!=", Ordering::is_ne),
    (">", Ordering::is_gt),
    ("<", Ordering::is_lt),
];

pub(super) fn is_range_table(text: &str) -> bool {
    let header = text.lines().find(|line| !line.is_empty() && !line.starts_with('#'));
    header.is_some_and(|header| header.split('\t').nth(2) == Some("satisfied"))
}

pub(super) fn check_ranges(scheme: VersionScheme, file: &Path, text: &str) -> Result<Count> {
    let mut count = Count::default();
    let rows = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    for (index, line) in rows.skip(1) {
        let (place, mut words) = (format!("{}:{}", file.display(), index + 1), line.split('\t'));
        let (Some(version), Some(range), Some(satisfied)) = (words.next(), words.next(), words.next()) else {
            bail!("{place}: `{line}` is not a version, a range and whether it is satisfied");
        };
        let is_satisfied = satisfied.eq_ignore_ascii_case("true");
        let Some(comparison) = parse_comparison(scheme, version, range) else {
            count.not_applicable += 1;
            continue;
        };
        let found = scheme.compare_strictly(version, comparison.bound);
        if found.as_ref().is_ok_and(|order| (comparison.is_satisfied_by)(*order) == is_satisfied) {
            count.held += 1;
        } else {
            count.failed += 1;
            let found = describe(&found);
            print(&format!("{place}: `{version}` and `{range}` should be {satisfied}; the order is {found}"));
        }
    }
    Ok(count)
}

/// `None` for everything that is more than the order of two versions.
fn parse_comparison<'a>(scheme: VersionScheme, version: &str, range: &'a str) -> Option<Comparison<'a>> {
    let (operator, is_satisfied_by) = OPERATORS.iter().find(|(operator, _)| range.starts_with(operator))?;
    let bound = range.strip_prefix(operator)?.trim();
    let is_plain = match scheme {
        // `===` compares text, a local version counts only if the bound has one.
        VersionScheme::Pep440 => {
            !matches!(*operator, "<" | ">")
                && !bound.starts_with('=')
                && (matches!(*operator, "<=" | ">=") || !format!("{version}{bound}").contains('+'))
        }
        // npm fills up a bound that is not complete.
        _ => bound.split('.').count() == 3,
    };
    (is_plain && !bound.contains(['*', 'x', ' ', '|']))
        .then_some(Comparison { is_satisfied_by: *is_satisfied_by, bound })
}
