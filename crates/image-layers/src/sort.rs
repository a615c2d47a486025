//! Items in the order of their paths.
//!
//! Archives are mostly written in order, or at least folder by folder: only inside a folder names stand as its file system has
//! them. So the items of a folder are sorted while the archive streams by, and what is left at its end is the order of folders.

use crate::item::{self, Item};
use crate::path;

/// What is known about the order of items so far.
#[derive(Default)]
pub(crate) struct Sorter {
    /// Where items of one folder begin that follow each other.
    runs: Vec<u32>,
    /// Of the last run: how long the path of its folder is, and whether its items are in order.
    folder_length: usize,
    is_unordered: bool,
    keys: Vec<(u64, u32)>,
}

/// Sorts items of any order.
pub(crate) fn sort(mut items: Vec<Item>, text: &str) -> Vec<Item> {
    let mut sorter = Sorter::default();
    for count in 1..=items.len() {
        sorter.note_last(&mut items[..count], text);
    }
    sorter.finish(items, text)
}

impl Sorter {
    /// Takes note of the last item, which was added to the others.
    pub(crate) fn note_last(&mut self, items: &mut [Item], text: &str) {
        let [others @ .., last] = items else { return };
        let path = last.path.get(text);
        let folder_length = path::split_name(path).0.len();
        if let Some(before) = others.last()
            && self.folder_length == folder_length
            && before.path.get(text).get(..folder_length) == path.get(..folder_length)
        {
            self.is_unordered = self.is_unordered || item::compare(before, last, text).is_gt();
            return;
        }
        self.end_run(others, text);
        self.folder_length = folder_length;
        self.runs
            .push(u32::try_from(others.len()).expect("entries are counted against a limit of two millions"));
    }

    fn end_run(&mut self, items: &mut [Item], text: &str) {
        if std::mem::take(&mut self.is_unordered)
            && let Some(start) = self.runs.last()
        {
            sort_names(&mut items[*start as usize..], text, &mut self.keys);
        }
    }

    /// Sorts the items that were noted.
    pub(crate) fn finish(mut self, mut items: Vec<Item>, text: &str) -> Vec<Item> {
        self.end_run(&mut items, text);
        let ends = self.runs.iter().skip(1).copied().chain(u32::try_from(items.len()));
        let mut runs: Vec<&[Item]> =
            self.runs.iter().zip(ends).map(|(start, end)| &items[*start as usize..end as usize]).collect();
        let is_sorted = |runs: &[&[Item]]| {
            let ends = |run: &[Item]| run.first().copied().zip(run.last().copied());
            runs.iter()
                .filter_map(|run| ends(run))
                .is_sorted_by(|left, right| item::compare(&left.1, &right.0, text).is_le())
        };
        if is_sorted(&runs) {
            return items;
        }
        runs.sort_by(|left, right| match (left.first(), right.first()) {
            (Some(left), Some(right)) => item::compare(left, right, text),
            _ => left.len().cmp(&right.len()),
        });
        if is_sorted(&runs) {
            return runs.concat();
        }
        // A folder stands among the files of another one. A stable sort uses the sorted runs.
        items.sort_by(|left, right| item::compare(left, right, text));
        items
    }
}

/// Sorts items of one folder. Most of them are told apart by a few bytes behind what all their paths begin with.
fn sort_names(items: &mut [Item], text: &str, keys: &mut Vec<(u64, u32)>) {
    let Some((first, others)) = items.split_first() else { return };
    let path = first.path.get(text).as_bytes();
    let shared = |other: &Item| path::shared_length(path, other.path.get(text).as_bytes());
    let shared = others.iter().map(shared).min().unwrap_or_default();
    keys.clear();
    keys.extend((0..).zip(&*items).map(|(at, item)| (path::order_key(item.path.get(text), shared), at)));
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
    use crate::item::{Kind, Span};
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
            prop_assert_eq!(orders(&sort(items, &text)), orders(&expected));
        }
    }
}
