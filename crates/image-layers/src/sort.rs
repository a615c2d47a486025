//! Items in the order of their paths.
//!
//! Archives are mostly written in order, or at least folder by folder: only inside a folder names stand as its file system has
//! them. So the items of a folder are sorted while the archive streams by, and what is left at its end is the order of folders.

use std::ops::Range;

use crate::item::{self, Item, Kind};
use crate::path;

/// Items in their order.
pub(crate) struct Sorted {
    pub(crate) items: Vec<Item>,
    /// All of them, run by run.
    pub(crate) runs: Vec<Run>,
    /// Whether one of them is a hard link.
    pub(crate) has_hard_links: bool,
}

/// Items of one folder that follow each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    start: u32,
    length: u32,
    /// Each has another path than any other item, and none is a folder, a marker or a hard link.
    pub(crate) is_plain: bool,
}

impl Run {
    pub(crate) fn places(&self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.length as usize
    }

    fn of<'a>(&self, items: &'a [Item]) -> &'a [Item] {
        &items[self.places()]
    }

    fn is_before(&self, other: &Self, items: &[Item], is_so: impl Fn(&Item, &Item) -> bool) -> bool {
        self.of(items).last().zip(other.of(items).first()).is_some_and(|(left, right)| is_so(left, right))
    }
}

/// What is known about the order of items so far.
#[derive(Default)]
pub(crate) struct Sorter {
    runs: Vec<Run>,
    /// Of the last run: how long the path of its folder is, and whether its items are in order.
    folder_length: usize,
    is_unordered: bool,
    has_hard_links: bool,
    keys: Vec<(u64, u32)>,
}

/// Sorts items of any order.
pub(crate) fn sort(mut items: Vec<Item>, text: &str) -> Sorted {
    let mut sorter = Sorter::default();
    for count in 1..=items.len() {
        let (folder, _) = path::split_name(items[count - 1].path.get(text));
        sorter.note_last(&mut items[..count], folder.len(), text);
    }
    sorter.finish(items, text)
}

impl Sorter {
    /// Takes note of the last item, which was added to the others. The path of its folder is so long.
    pub(crate) fn note_last(&mut self, items: &mut [Item], folder_length: usize, text: &str) {
        let [others @ .., last] = items else { return };
        let path = last.path.get(text);
        let is_plain = matches!(last.kind, Kind::File | Kind::Symlink | Kind::Other);
        self.has_hard_links |= last.kind == Kind::HardLink;
        if let Some(before) = others.last()
            && let Some(run) = self.runs.last_mut()
            && self.folder_length == folder_length
            && before.path.get(text).get(..folder_length) == path.get(..folder_length)
        {
            run.length += 1;
            run.is_plain &= is_plain;
            if !self.is_unordered {
                run.is_plain &= before.path.get(text) != path;
                self.is_unordered = item::compare(before, last, text).is_gt();
            }
            return;
        }
        self.end_run(others, text);
        self.folder_length = folder_length;
        let start = u32::try_from(others.len()).expect("entries are counted against a limit of two millions");
        self.runs.push(Run { start, length: 1, is_plain });
    }

    fn end_run(&mut self, items: &mut [Item], text: &str) {
        if std::mem::take(&mut self.is_unordered)
            && let Some(run) = self.runs.last_mut()
        {
            let items = &mut items[run.start as usize..];
            sort_names(items, self.folder_length, text, &mut self.keys);
            let is_other = |pair: &[Item]| pair[0].path.get(text) != pair[1].path.get(text);
            run.is_plain = run.is_plain && items.windows(2).all(is_other);
        }
    }

    /// Sorts the items that were noted.
    pub(crate) fn finish(mut self, mut items: Vec<Item>, text: &str) -> Sorted {
        self.end_run(&mut items, text);
        let Self { mut runs, has_hard_links, .. } = self;
        let are_in_order = |runs: &[Run]| {
            let is_before = |left: &Item, right: &Item| item::compare(left, right, text).is_le();
            runs.is_sorted_by(|left, right| left.is_before(right, &items, is_before))
        };
        if !are_in_order(&runs) {
            runs.sort_by(|left, right| match (left.of(&items).first(), right.of(&items).first()) {
                (Some(left), Some(right)) => item::compare(left, right, text),
                _ => left.length.cmp(&right.length),
            });
            if !are_in_order(&runs) {
                // A folder stands among the files of another one. A stable sort uses the sorted runs.
                items.sort_by(|left, right| item::compare(left, right, text));
                let length = runs.iter().map(|run| run.length).sum();
                let runs = vec![Run { start: 0, length, is_plain: false }];
                return Sorted { items, runs, has_hard_links };
            }
            let sorted = runs.iter().map(|run| run.of(&items)).collect::<Vec<_>>().concat();
            let mut start = 0;
            for run in &mut runs {
                (run.start, start) = (start, start + run.length);
            }
            items = sorted;
        }
        // Where a folder comes more than once, so may a path in it.
        for at in 1..runs.len() {
            let is_same = |left: &Item, right: &Item| left.path.get(text) == right.path.get(text);
            if runs[at - 1].is_before(&runs[at], &items, is_same) {
                (runs[at - 1].is_plain, runs[at].is_plain) = (false, false);
            }
        }
        Sorted { items, runs, has_hard_links }
    }
}

/// Sorts items of one folder. Most of them are told apart by a few bytes behind what all their paths begin with.
fn sort_names(items: &mut [Item], folder_length: usize, text: &str, keys: &mut Vec<(u64, u32)>) {
    let name = |item: &Item| item.path.bytes(text).get(folder_length..).unwrap_or_default();
    let Some((first, others)) = items.split_first() else { return };
    let first = name(first);
    let shared = others.iter().map(|other| path::shared_length(first, name(other))).min().unwrap_or_default();
    keys.clear();
    keys.extend((0..).zip(&*items).map(|(at, item)| (path::order_key(name(item), shared), at)));
    let by_number = |number: u32| &items[number as usize];
    keys.sort_unstable_by(|left, right| {
        let by_item = || item::compare(by_number(left.1), by_number(right.1), text);
        left.0.cmp(&right.0).then_with(by_item).then(left.1.cmp(&right.1))
    });
    let sorted: Vec<Item> = keys.iter().map(|(_, number)| *by_number(*number)).collect();
    items.copy_from_slice(&sorted);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Span;
    use proptest::prelude::*;

    fn items(paths: &[(String, Kind)]) -> (Vec<Item>, String) {
        let mut text = String::new();
        let items = (0..).zip(paths).map(|(order, (path, kind))| {
            let path = Span::append(&mut text, path).unwrap();
            Item { kind: *kind, ..Item::bare(path, order) }
        });
        (items.collect(), text)
    }

    proptest! {
        #[test]
        fn any_items_come_into_the_order_that_comparing_has(
            paths in proptest::collection::vec(
                (
                    prop_oneof!["[ab.-]{1,2}(/[ab.-]{1,9}){0,3}", "x/some-folder/entry-[0-9a-f]{1,12}"],
                    prop_oneof![Just(Kind::File), Just(Kind::Folder), Just(Kind::Whiteout), Just(Kind::Opaque)],
                ),
                0..60,
            ),
            is_grouped in any::<bool>(),
        ) {
            let mut paths = paths;
            if is_grouped {
                paths.sort_by(|left, right| path::split_name(&left.0).0.cmp(path::split_name(&right.0).0));
            }
            let (items, text) = items(&paths);
            let orders = |items: &[Item]| items.iter().map(|item| item.order).collect::<Vec<_>>();
            let mut expected = items.clone();
            expected.sort_by(|left, right| item::compare(left, right, &text));
            let Sorted { items, runs, .. } = sort(items, &text);
            prop_assert_eq!(orders(&items), orders(&expected));
            let mut start = 0;
            for run in runs {
                prop_assert_eq!(run.places().start, start);
                let (plain, rest) = items[start..].split_at(run.places().len());
                let (first, next) = (plain[0].path.get(&text), rest.first().map(|item| item.path.get(&text)));
                let before = start.checked_sub(1).map(|at| items[at].path.get(&text));
                start = run.places().end;
                if run.is_plain {
                    prop_assert!(before != Some(first));
                    prop_assert!(next != plain.last().map(|item| item.path.get(&text)));
                    prop_assert!(plain.is_sorted_by(|left, right| left.path.get(&text) != right.path.get(&text)));
                    prop_assert!(plain.iter().all(|item| item.kind == Kind::File));
                    let folder = |item: &Item| path::split_name(item.path.get(&text)).0.to_owned();
                    prop_assert!(plain.iter().all(|item| folder(item) == path::split_name(first).0));
                }
            }
            prop_assert_eq!(start, items.len());
        }
    }
}
