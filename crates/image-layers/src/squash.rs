//! Layers over each other, the way a container runtime unpacks them.

use crate::item::{BODY_SPARSE, Item, Kind, Span};
use crate::path::{self, is_beneath};
use crate::tree::{ImageTree, LayerDigests};
use crate::{Layer, path::compare};
use crate::{finish, sort};

/// How often paths of one layer are led through links; longer chains of links are kept under the path as written.
const REDIRECT_ROUNDS_MAX: usize = 8;
/// How much text a layer may gain by that: links can make paths longer.
const REDIRECT_TEXT_GROWTH_MAX: usize = 64 << 20;

/// Lays the layers, lowest first, over each other.
///
/// - `.wh.NAME` hides NAME of lower layers, `.wh..wh..opq` hides all that lower layers have in its folder.
/// - A file replaces a folder with everything in it; a listed folder replaces a file or link.
/// - A path through a linked folder (`lib/x` where `lib` → `usr/lib`) lands in the folder that the link names.
/// - A hard link is the file that its target was when the link was made.
///
/// Source: OCI image specification 1.1, `layer.md`, "Applying Changesets".
pub fn squash(layers: Vec<Layer>) -> ImageTree {
    squash_tracing(layers, &|_| false)
}

/// Like [`squash`], and keeps what lower layers had at paths of `is_traced`, see [`Entry::earlier_versions`](crate::Entry::earlier_versions).
pub fn squash_tracing(layers: Vec<Layer>, is_traced: &dyn Fn(&str) -> bool) -> ImageTree {
    let mut tree = ImageTree::default();
    for layer in layers {
        apply(&mut tree, layer, is_traced);
    }
    resolve_late_hard_links(&mut tree);
    tree.limit_earlier_versions();
    tree.drop_hidden_bodies();
    tree
}

fn apply(tree: &mut ImageTree, layer: Layer, is_traced: &dyn Fn(&str) -> bool) {
    let Layer { digest, diff_id, mut text, items, bodies, extracts, recording, .. } = layer;
    let number = u32::try_from(tree.layers.len()).expect("so many layers do not fit into memory");
    let first_body = u32::try_from(tree.bodies.len()).expect("bodies are counted against the entry limit");
    let mut items = items;
    for item in &mut items {
        (item.layer, item.text_layer) = (number, number);
        if item.body < BODY_SPARSE {
            item.body += first_body;
        }
    }
    let mut items = redirect(tree, items, &mut text);
    for item in items.iter_mut().filter(|item| item.kind == Kind::HardLink) {
        let target = tree.resolve_parent(item.text.get(&text)).and_then(|path| tree.item_at(&path));
        if let Some(target) = target.filter(|target| !target.kind.is_folder()) {
            item.become_link_to(target);
        }
    }
    tree.layers.push(LayerDigests { digest, diff_id });
    tree.texts.push(text);
    tree.recordings.push(recording);
    tree.extracts.push(extracts);
    tree.bodies.extend(bodies);
    merge(tree, items, is_traced);
}

/// Leads paths that go through links into the folders that the links name.
fn redirect(tree: &ImageTree, mut items: Vec<Item>, text: &mut String) -> Vec<Item> {
    let text_max = text.len().saturating_add(REDIRECT_TEXT_GROWTH_MAX);
    for _ in 0..REDIRECT_ROUNDS_MAX {
        let moves = find_moves(tree, &items, text);
        if moves.is_empty() {
            break;
        }
        let mut moved = Vec::with_capacity(items.len());
        let mut at = 0;
        for step in &moves {
            moved.extend_from_slice(&items[at..step.start]);
            at = step.end;
            for item in &items[step.start..step.end] {
                moved.push(move_item(*item, step, text, text_max));
            }
        }
        moved.extend_from_slice(&items[at..]);
        moved.retain(|item| item.kind != Kind::ImpliedFolder);
        // Folders that paths go through are bounded like the paths themselves: by the limit on path text.
        items = finish::finish(sort::sort(moved, text), text, u64::MAX).items;
    }
    items
}

/// A run of items whose first `old_length` bytes of path become `folder`.
struct Move {
    start: usize,
    end: usize,
    old_length: usize,
    folder: String,
}

fn find_moves(tree: &ImageTree, items: &[Item], text: &str) -> Vec<Move> {
    let mut moves = Vec::new();
    let mut index = 0;
    while let Some(item) = items.get(index) {
        let path = item.path.get(text);
        let target = match item.kind {
            Kind::Symlink => Some(item.text.get(text)),
            Kind::ImpliedFolder => tree
                .item_at(path)
                .filter(|lower| lower.kind == Kind::Symlink)
                .map(|lower| tree.text_of(lower)),
            _ => None,
        };
        index += 1;
        let Some(target) = target else { continue };
        let inside = items[index..]
            .iter()
            .take_while(|item| is_beneath(item.path.get(text), path) || item.path.get(text) == path)
            .count();
        if inside == 0 {
            continue;
        }
        let folder = link_destination(path, target);
        if folder != path && !is_beneath(&folder, path) {
            moves.push(Move { start: index, end: index + inside, old_length: path.len(), folder });
            index += inside;
        }
    }
    moves
}

fn move_item(item: Item, step: &Move, text: &mut String, text_max: usize) -> Item {
    let rest = item.path.get(text)[step.old_length..].trim_start_matches('/');
    let path = join(&step.folder, rest);
    if item.kind == Kind::ImpliedFolder || path.is_empty() || text.len() + path.len() > text_max {
        return item;
    }
    Span::append(text, &path).map_or(item, |path| Item { path, ..item })
}

/// Where a link leads, inside the root.
pub(crate) fn link_destination(link_path: &str, target: &str) -> String {
    let (folder, _) = path::split_name(link_path);
    let joined = if target.starts_with('/') { target.to_owned() } else { format!("{folder}/{target}") };
    let mut destination = String::new();
    path::normalise(joined.as_bytes(), &mut destination);
    destination
}

pub(crate) fn join(folder: &str, rest: &str) -> String {
    match (folder.is_empty(), rest.is_empty()) {
        (true, _) => rest.to_owned(),
        (_, true) => folder.to_owned(),
        _ => format!("{folder}/{rest}"),
    }
}

/// Merges the items of the newest layer into the tree. Both are sorted, so lower items are copied in runs.
fn merge(tree: &mut ImageTree, upper: Vec<Item>, is_traced: &dyn Fn(&str) -> bool) {
    let lower = std::mem::take(&mut tree.items);
    if lower.is_empty() {
        tree.items = upper;
        tree.items.retain(|item| !item.kind.is_marker());
        return;
    }
    let mut earlier = Vec::new();
    let mut out = Vec::with_capacity(lower.len() + upper.len());
    let mut at = 0;
    // Upper items up to here are between the lower item before `at` and the one there.
    let mut gap_end = 0;
    for (index, item) in upper.iter().enumerate() {
        if index < gap_end && !lower.get(at).is_some_and(|next| is_above(tree, item, next)) {
            out.extend(Some(item).filter(|item| !item.kind.is_marker()));
            continue;
        }
        let path = tree.path_of(item);
        let end = run_end(&lower[at..], |lower| compare(tree.path_of(lower), path).is_lt());
        out.extend_from_slice(&lower[at..at + end]);
        at += end;
        gap_end = lower.get(at).map_or(upper.len(), |next| {
            let next = tree.path_of(next);
            index + run_end(&upper[index..], |upper| compare(tree.path_of(upper), next).is_lt())
        });
        let is_there = lower.get(at).is_some_and(|lower| tree.path_of(lower) == path);
        match item.kind {
            Kind::Opaque => {
                out.extend(lower.get(at).filter(|_| is_there));
                at += usize::from(is_there);
                at += run_end(&lower[at..], |lower| is_beneath(tree.path_of(lower), path));
            }
            // What only paths imply never replaces what is there.
            Kind::ImpliedFolder if is_there => {}
            Kind::ImpliedFolder => out.push(*item),
            Kind::Folder => {
                at += usize::from(is_there);
                out.push(*item);
            }
            Kind::Whiteout | Kind::File | Kind::Symlink | Kind::HardLink | Kind::Other => {
                if is_there && item.kind == Kind::File && lower[at].has_body() && is_traced(path) {
                    earlier.push(lower[at]);
                }
                at += usize::from(is_there);
                at += run_end(&lower[at..], |lower| is_beneath(tree.path_of(lower), path));
                if item.kind != Kind::Whiteout {
                    out.push(*item);
                }
            }
        }
    }
    out.extend_from_slice(&lower[at..]);
    tree.items = out;
    tree.earlier.extend(earlier);
}

/// Whether `lower` is inside of `item`. Of nearly all items their length tells that it is not.
fn is_above(tree: &ImageTree, item: &Item, lower: &Item) -> bool {
    let (_, length) = item.path.bounds();
    let lower = tree.path_of(lower);
    let may_be = length == 0 || lower.as_bytes().get(usize::from(length)) == Some(&b'/');
    may_be && is_beneath(lower, tree.path_of(item))
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

/// Hard links whose target is only known in the whole tree, such as one written through a linked folder.
fn resolve_late_hard_links(tree: &mut ImageTree) {
    for index in 0..tree.items.len() {
        if tree.items[index].kind != Kind::HardLink {
            continue;
        }
        let target = tree
            .resolve_parent(tree.text_of(&tree.items[index]))
            .and_then(|path| tree.item_at(&path))
            .filter(|target| matches!(target.kind, Kind::File | Kind::Symlink | Kind::Other))
            .copied();
        if let Some(target) = target {
            tree.items[index].become_link_to(&target);
        }
    }
}
