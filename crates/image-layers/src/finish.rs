//! From the sorted members of an archive to the entries that unpacking them would leave.

use crate::item::{self, Item, Kind, Span};
use crate::path::{self, is_beneath};
use crate::sort::{Run, Sorted};

/// A folder of one storage driver: hard links may lead to the files in it, which are not in the image themselves.
pub(crate) const LINK_TARGETS: &str = ".wh..wh.plnk/";

/// The entries of a layer, sorted, each path once.
pub(crate) struct Finished {
    pub(crate) items: Vec<Item>,
    /// How many folders were added because paths go through them. Adding stops above the given limit.
    pub(crate) implied_count: u64,
    /// A path that uses a file of the same layer as a folder; no runtime can unpack that.
    pub(crate) conflict: Option<Span>,
}

/// Takes sorted items: lets hard links become what they link to, lets later members replace earlier ones and adds implied folders.
pub(crate) fn finish(sorted: Sorted, text: &str, implied_max: u64) -> Finished {
    let Sorted { mut items, mut runs, has_hard_links } = sorted;
    if has_hard_links {
        resolve_hard_links(&mut items, text);
    }
    let is_link_target = |item: &Item| item.path.get(text).starts_with(LINK_TARGETS);
    let first = items.partition_point(|item| path::compare(item.path.get(text), LINK_TARGETS).is_lt());
    if items.get(first).is_some_and(is_link_target) {
        items.retain(|item| !is_link_target(item));
        runs.clear();
    }
    let placed = Placed { items, taken: 0, kept: 0, added: Vec::new() };
    let mut placing = Placing { text, placed, open: Vec::new(), implied_count: 0, conflict: None };
    for run in &runs {
        placing.place_run(run, implied_max);
    }
    // Where places are not those of the runs any more.
    placing.place_until(usize::MAX, implied_max);
    let Placing { placed, implied_count, conflict, .. } = placing;
    Finished { items: placed.finish(), implied_count, conflict }
}

/// What is placed, in the memory of what it is made of: of nearly all items only their places change.
struct Placed {
    items: Vec<Item>,
    /// So many items were looked at; their memory is free.
    taken: usize,
    /// So many are placed at the beginning.
    kept: usize,
    /// Items for which no memory was free, and before which of the kept ones they belong.
    added: Vec<(usize, Item)>,
}

impl Placed {
    fn push(&mut self, item: Item) {
        if self.kept < self.taken {
            self.items[self.kept] = item;
            self.kept += 1;
        } else {
            self.added.push((self.kept, item));
        }
    }

    /// Keeps the next items as they are.
    fn keep(&mut self, count: usize) {
        if self.kept < self.taken {
            self.items.copy_within(self.taken..self.taken + count, self.kept);
        }
        self.taken += count;
        self.kept += count;
    }

    fn finish(self) -> Vec<Item> {
        let Self { mut items, kept, added, .. } = self;
        items.truncate(kept);
        items.extend(added.iter().map(|(_, item)| *item));
        // From the end, so that nothing is moved twice.
        let mut end = kept;
        for (number, (before, item)) in added.iter().enumerate().rev() {
            items.copy_within(*before..end, before + number + 1);
            items[before + number] = *item;
            end = *before;
        }
        items
    }
}

/// A hard link is the file that its target was at that moment, also when a later member replaces the target.
fn resolve_hard_links(items: &mut [Item], text: &str) {
    let is_link = |index: &usize| items[*index].kind == Kind::HardLink;
    let mut links: Vec<usize> = (0..items.len()).filter(is_link).collect();
    links.sort_by_key(|index| items[*index].order);
    for index in links {
        let link = items[index];
        let target_path = link.text.get(text);
        let behind = items.partition_point(|item| {
            path::compare(item.path.get(text), target_path)
                .then_with(|| item.kind.rank().cmp(&1))
                .then_with(|| item.order.cmp(&link.order))
                .is_lt()
        });
        let Some(target) = behind.checked_sub(1).map(|before| items[before]) else { continue };
        let is_target = target.path.get(text) == target_path && !target.kind.is_marker();
        if is_target && !target.kind.is_folder() && target.kind != Kind::HardLink {
            items[index].become_link_to(&target);
        }
    }
}

/// An entry whose inside may follow.
struct Open {
    path: Span,
    kind: Kind,
    order: u32,
    /// What is inside and not later than this was removed when a file or link took a folder's place.
    barrier: Option<u32>,
}

struct Placing<'a> {
    text: &'a str,
    placed: Placed,
    open: Vec<Open>,
    implied_count: u64,
    conflict: Option<Span>,
}

impl Placing<'_> {
    /// Places the items of a run, as far as none of them is placed.
    fn place_run(&mut self, run: &Run, implied_max: u64) {
        let places = run.places();
        let is_next = run.is_plain && self.placed.taken == places.start && self.implied_count <= implied_max;
        let items = self.placed.items.get(places.clone()).filter(|_| is_next);
        let ends = items.and_then(|items| items.first().copied().zip(items.last().copied()));
        if let Some((first, last)) = ends
            && self.is_simple(first.path.get(self.text))
        {
            self.imply_folders(&first);
            self.placed.keep(places.len());
            let barrier = Some(last.order);
            self.open.push(Open { path: last.path, kind: last.kind, order: last.order, barrier });
            return;
        }
        self.place_until(places.end, implied_max);
    }

    /// Places the items before this place, and all those that have the path of the last of them.
    fn place_until(&mut self, end: usize, implied_max: u64) {
        while let Some(item) = self.placed.items.get(self.placed.taken).copied()
            && self.placed.taken < end
            && self.implied_count <= implied_max
        {
            let path = item.path.get(self.text);
            let rest = &self.placed.items[self.placed.taken..];
            let count = rest.iter().take_while(|item| item.path.get(self.text) == path).count();
            let group = (count > 1).then(|| rest[..count].to_vec());
            self.placed.taken += count;
            match group {
                Some(group) => self.place(&group),
                None if self.place_one(&item, path) => {}
                None => self.place(&[item]),
            }
        }
    }

    /// Leaves open only what a path is inside of.
    fn close_others(&mut self, path: &str) {
        while self.open.last().is_some_and(|open| !is_beneath(path, open.path.get(self.text))) {
            self.open.pop();
        }
    }

    /// Whether nothing was replaced in the folders that are above a path.
    fn is_simple(&mut self, path: &str) -> bool {
        self.close_others(path);
        // A folder in which nothing was replaced, and so is what it is in.
        self.open.iter().all(|open| open.kind.is_folder() && open.barrier.is_none())
    }

    /// Places the one item of a path if that is simple; false if not.
    fn place_one(&mut self, item: &Item, path: &str) -> bool {
        if !self.is_simple(path) || item.kind.is_marker() {
            return false;
        }
        self.imply_folders(item);
        self.placed.push(*item);
        let barrier = (!item.kind.is_folder()).then_some(item.order);
        self.open.push(Open { path: item.path, kind: item.kind, order: item.order, barrier });
        true
    }

    /// Places all items of one path.
    fn place(&mut self, group: &[Item]) {
        let Some(first) = group.first() else { return };
        let path = first.path.get(self.text);
        self.close_others(path);
        let barrier = self.open.last().and_then(|open| open.barrier);
        let entries = || group.iter().filter(|item| !item.kind.is_marker() && Some(item.order) > barrier);
        let whiteout = group.iter().find(|item| item.kind == Kind::Whiteout);
        let opaque = group.iter().find(|item| item.kind == Kind::Opaque);
        let mut survivor = entries().max_by_key(|item| item.order).copied();
        if let (None, Some(opaque)) = (survivor, opaque)
            && Some(opaque.order) > barrier
            && !path.is_empty()
        {
            self.implied_count += 1;
            survivor = Some(Item { kind: Kind::ImpliedFolder, ..*opaque });
        }
        let Some(any) = survivor.as_ref().or(whiteout).or(opaque) else { return };
        let file_above = self.open.iter().find(|open| !open.kind.is_folder() && open.kind != Kind::Symlink);
        match file_above {
            None if Some(any.order) > barrier => self.imply_folders(any),
            // A marker from before its folder was replaced; it still hides what is below.
            None => {}
            Some(file) if any.order > file.order => self.conflict = self.conflict.or(Some(any.path)),
            Some(_) => {}
        }
        let replaced = entries().filter(|item| !item.kind.is_folder()).map(|item| item.order).max();
        // A folder that took a file's place inside this archive is as new as the file: nothing of lower layers is in it.
        let renewed = survivor.filter(|survivor| survivor.kind.is_folder() && replaced.is_some());
        let hiding = whiteout.copied().or(renewed.map(|item| Item { kind: Kind::Whiteout, ..item }));
        for item in hiding.into_iter().chain(survivor).chain(opaque.copied()) {
            self.placed.push(item);
        }
        if let Some(survivor) = survivor {
            self.open.push(Open {
                path: survivor.path,
                kind: survivor.kind,
                order: survivor.order,
                barrier: barrier.max(replaced),
            });
        }
    }

    /// Adds the folders between the innermost open one and `item`.
    fn imply_folders(&mut self, item: &Item) {
        let path = item.path.get(self.text);
        let known = self.open.last().map_or(0, |open| open.path.get(self.text).len() + 1);
        let barrier = self.open.last().and_then(|open| open.barrier);
        for (slash, _) in path[known..].match_indices('/') {
            let folder = Item {
                kind: Kind::ImpliedFolder,
                path: item.path.prefix(known + slash),
                text: Span::default(),
                size: 0,
                body: item::BODY_NONE,
                ..*item
            };
            self.implied_count += 1;
            self.placed.push(folder);
            self.open.push(Open { path: folder.path, kind: folder.kind, order: folder.order, barrier });
        }
    }
}
