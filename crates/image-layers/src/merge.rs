//! The entries of one more layer over those of the layers below.

use std::ops::Range;

use crate::item::{Item, Kind};
use crate::path::{compare, is_beneath};
use crate::tree::ImageTree;

/// Merges the items of the newest layer into the tree. Both are sorted, so items are taken over in runs.
pub(crate) fn merge(tree: &mut ImageTree, mut upper: Vec<Item>, is_traced: &dyn Fn(&str) -> bool) {
    let lower = std::mem::take(&mut tree.items);
    if lower.is_empty() {
        upper.retain(|item| !item.kind.is_marker());
        tree.items = upper;
        return;
    }
    let mut earlier = Vec::new();
    let runs = find_runs(tree, &lower, &upper, |hidden| {
        if hidden.has_body() && is_traced(tree.path_of(hidden)) {
            earlier.push(*hidden);
        }
    });
    // What is more stays where it is, as far as that can be: of most images one layer has nearly everything.
    tree.items = match upper.len() > lower.len() {
        true => join(upper, &lower, &runs, |run| matches!(run, Run::Upper(_))),
        false => join(lower, &upper, &runs, |run| matches!(run, Run::Lower(_))),
    };
    tree.earlier.extend(earlier);
}

/// Items that follow each other in one of the lists and in the merged one.
#[derive(Debug, Clone)]
enum Run {
    Lower(Range<usize>),
    Upper(Range<usize>),
}

impl Run {
    fn range(&self) -> Range<usize> {
        match self {
            Self::Lower(range) | Self::Upper(range) => range.clone(),
        }
    }
}

/// Runs of the merged list.
#[derive(Default)]
struct Runs(Vec<Run>);

impl Runs {
    fn push(&mut self, run: Run) {
        match (self.0.last_mut(), &run) {
            _ if run.range().is_empty() => {}
            (Some(Run::Lower(last)), Run::Lower(next)) | (Some(Run::Upper(last)), Run::Upper(next))
                if last.end == next.start =>
            {
                last.end = next.end;
            }
            _ => self.0.push(run),
        }
    }
}

/// What the merged list is made of. `hide` is told of every file that another one replaces.
fn find_runs(tree: &ImageTree, lower: &[Item], upper: &[Item], mut hide: impl FnMut(&Item)) -> Vec<Run> {
    let mut runs = Runs::default();
    let (mut at, mut index) = (0, 0);
    while let Some(item) = upper.get(index) {
        let path = tree.path_of(item);
        let end = at + run_end(&lower[at..], |lower| compare(tree.path_of(lower), path).is_lt());
        runs.push(Run::Lower(at..end));
        at = end;
        let is_there = lower.get(at).is_some_and(|lower| tree.path_of(lower) == path);
        let is_inside = |lower: &Item| is_beneath(tree.path_of(lower), path);
        let one = Run::Upper(index..index + 1);
        match item.kind {
            Kind::Opaque => {
                runs.push(Run::Lower(at..at + usize::from(is_there)));
                at += usize::from(is_there);
                at += run_end(&lower[at..], is_inside);
            }
            // What only paths imply never replaces what is there.
            Kind::ImpliedFolder if is_there => {}
            Kind::ImpliedFolder => runs.push(one),
            Kind::Folder => {
                at += usize::from(is_there);
                runs.push(one);
            }
            Kind::Whiteout | Kind::File | Kind::Symlink | Kind::HardLink | Kind::Other => {
                if is_there && item.kind == Kind::File {
                    hide(&lower[at]);
                }
                at += usize::from(is_there);
                at += run_end(&lower[at..], is_inside);
                if item.kind != Kind::Whiteout {
                    runs.push(one);
                }
            }
        }
        index += 1;
        let alone = alone_until(tree, lower.get(at), &upper[index..]);
        runs.push(Run::Upper(index..index + alone));
        index += alone;
    }
    runs.push(Run::Lower(at..lower.len()));
    runs.0
}

/// How many upper items at the start stand before the next lower one and have nothing to do with it.
fn alone_until(tree: &ImageTree, next: Option<&Item>, upper: &[Item]) -> usize {
    let Some(next) = next.map(|next| tree.path_of(next)) else {
        return upper.iter().position(|item| item.kind.is_marker()).unwrap_or(upper.len());
    };
    let end = run_end(upper, |upper| compare(tree.path_of(upper), next).is_lt());
    // Of nearly all items their length tells that the next lower one is not inside of them.
    let may_be_above = |item: &Item| match usize::from(item.path.bounds().1) {
        0 => true,
        length => next.as_bytes().get(length) == Some(&b'/'),
    };
    let is_above = |item: &Item| may_be_above(item) && is_beneath(next, tree.path_of(item));
    let is_other = |item: &Item| item.kind.is_marker() || is_above(item);
    upper[..end].iter().position(is_other).unwrap_or(end)
}

/// Makes the merged list in the memory of `base`: what is not in the list is closed up, what comes from `other` is put between.
fn join(mut base: Vec<Item>, other: &[Item], runs: &[Run], is_of_base: fn(&Run) -> bool) -> Vec<Item> {
    let mut kept = 0;
    for range in runs.iter().filter(|run| is_of_base(run)).map(Run::range) {
        let length = range.len();
        if range.start != kept {
            base.copy_within(range, kept);
        }
        kept += length;
    }
    base.truncate(kept);
    let added = runs.iter().filter(|run| !is_of_base(run)).map(Run::range);
    base.reserve_exact(added.clone().map(|range| range.len()).sum());
    added.for_each(|range| base.extend_from_slice(&other[range]));
    // From the end, so that nothing is moved twice.
    let mut end = base.len();
    for run in runs.iter().rev() {
        if end == kept {
            break;
        }
        let range = run.range();
        let start = end - range.len();
        if is_of_base(run) {
            base.copy_within(kept - range.len()..kept, start);
            kept -= range.len();
        } else {
            base[start..end].copy_from_slice(&other[range]);
        }
        end = start;
    }
    base
}

/// How many items at the start satisfy `is_in`, where no later one does after the first that does not. Looks near first.
fn run_end(items: &[Item], is_in: impl Fn(&Item) -> bool) -> usize {
    let mut step = 1;
    while step < items.len() && is_in(&items[step - 1]) {
        step *= 2;
    }
    let (low, high) = (step / 2, step.min(items.len()));
    low + items[low..high].partition_point(is_in)
}
