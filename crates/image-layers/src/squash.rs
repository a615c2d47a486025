//! Layers over each other, the way a container runtime unpacks them.

use crate::item::{BODY_SPARSE, Item, Kind, Span};
use crate::merge::merge;
use crate::path::{self, is_beneath};
use crate::tree::{ImageTree, LayerDigests};
use crate::{Layer, finish, sort};

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
/// Limits: 65,536 layers, which whoever opens an image sees to; more are a panic.
/// Source: OCI image specification 1.1, `layer.md`, "Applying Changesets".
pub fn squash(layers: Vec<Layer>) -> ImageTree {
    squash_tracing(layers, &|_| false)
}

/// Like [`squash`], and keeps what lower layers had at paths of `is_traced`, see [`Entry::earlier_versions`](crate::Entry::earlier_versions).
pub fn squash_tracing(layers: Vec<Layer>, is_traced: &dyn Fn(&str) -> bool) -> ImageTree {
    let mut tree = ImageTree::default();
    let mut has_conflicts = false;
    for layer in layers {
        has_conflicts |= apply(&mut tree, layer, is_traced);
    }
    tree.limit_earlier_versions();
    settle(&mut tree, has_conflicts);
    tree
}

/// Lays one more layer over the tree. Returns whether a link leads one of its paths through a file.
fn apply(tree: &mut ImageTree, layer: Layer, is_traced: &dyn Fn(&str) -> bool) -> bool {
    let Layer { digest, diff_id, mut text, items, bodies, extracts, recording, .. } = layer;
    let number = u16::try_from(tree.layers.len()).expect("images of more than a thousand layers are refused");
    let first_body = u32::try_from(tree.bodies.len()).expect("bodies are counted against the entry limit");
    let mut items = items;
    let mut has_hard_links = false;
    for item in &mut items {
        has_hard_links |= item.kind == Kind::HardLink;
        (item.layer, item.text_layer) = (number, number);
        if item.body < BODY_SPARSE {
            item.body += first_body;
        }
    }
    let (mut items, has_conflicts) = redirect(tree, items, &mut text);
    if has_hard_links {
        resolve_hard_links(tree, &mut items, &text);
    }
    tree.layers.push(LayerDigests { digest, diff_id });
    tree.texts.push(text);
    tree.recordings.push(recording);
    tree.extracts.push(extracts);
    tree.bodies.extend(bodies);
    merge(tree, items, is_traced);
    has_conflicts
}

/// Hard links to files of lower layers.
fn resolve_hard_links(tree: &ImageTree, items: &mut [Item], text: &str) {
    for item in items.iter_mut().filter(|item| item.kind == Kind::HardLink) {
        let target = tree.resolve_parent(item.text.get(text)).and_then(|path| tree.item_at(&path));
        if let Some(target) = target.filter(|target| !target.kind.is_folder()) {
            item.become_link_to(target);
        }
    }
}

/// Leads paths that go through links into the folders that the links name. Returns also whether one of these is a file.
fn redirect(tree: &ImageTree, mut items: Vec<Item>, text: &mut String) -> (Vec<Item>, bool) {
    let mut has_conflicts = false;
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
        let finished = finish::finish(sort::sort(moved, text), text, u64::MAX);
        has_conflicts |= finished.conflict.is_some();
        items = finished.items;
    }
    (items, has_conflicts)
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
        index += 1;
        // Asked of each of a million entries: the place of its path is looked at where it matters.
        let path = || item.path.get(text);
        let target = match item.kind {
            Kind::Symlink => Some(item.text.get(text)),
            Kind::ImpliedFolder => tree
                .item_at(path())
                .filter(|lower| lower.kind == Kind::Symlink)
                .map(|lower| tree.text_of(lower)),
            _ => None,
        };
        let Some(target) = target else { continue };
        let path = path();
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

/// What is only known of the whole tree, all in one walk: of a million entries every walk takes milliseconds.
fn settle(tree: &mut ImageTree, has_conflicts: bool) {
    let mut is_used = Used::new(tree);
    tree.earlier.iter().for_each(|item| is_used.note_body(item));
    // What lies in a file lies in folders that are not there either.
    let (mut links, mut are_folders_real) = (Vec::new(), !has_conflicts);
    for index in 0..tree.items.len() {
        if tree.items[index].kind == Kind::HardLink {
            resolve_late_hard_link(tree, index);
        }
        let item = &tree.items[index];
        is_used.note(tree, item);
        if item.kind == Kind::Symlink || (item.kind == Kind::File && !item.is_named_as_written()) {
            links.push(u32::try_from(index).expect("entries are counted against a limit of two millions"));
            // What is beneath an entry follows it.
            let next = tree.items.get(index + 1).filter(|_| item.kind == Kind::Symlink);
            let is_inside = |next: &Item| is_beneath(tree.path_of(next), tree.path_of(item));
            are_folders_real &= !next.is_some_and(is_inside);
        }
    }
    (tree.links, tree.are_folders_real) = (links, are_folders_real);
    is_used.drop_others(tree);
}

/// A hard link whose target is only known in the whole tree, such as one written through a linked folder.
fn resolve_late_hard_link(tree: &mut ImageTree, index: usize) {
    let target = tree
        .resolve_parent(tree.text_of(&tree.items[index]))
        .and_then(|path| tree.item_at(&path))
        .filter(|target| matches!(target.kind, Kind::File | Kind::Symlink | Kind::Other))
        .copied();
    if let Some(target) = target {
        tree.items[index].become_link_to(&target);
    }
}

/// Bodies and extracts that files of the tree have. Those that upper layers replaced are of no use to anybody, unless the bodies
/// are traced.
struct Used {
    bodies: Vec<bool>,
    /// By layer.
    extracts: Vec<Vec<bool>>,
}

impl Used {
    fn new(tree: &ImageTree) -> Self {
        let extracts = tree.extracts.iter().map(|of_layer| vec![false; of_layer.len()]);
        Self { bodies: vec![false; tree.bodies.len()], extracts: extracts.collect() }
    }

    fn note(&mut self, tree: &ImageTree, item: &Item) {
        self.note_body(item);
        if item.kind == Kind::File
            && let Some(index) = tree.extract_index(item)
        {
            self.extracts[item.text_layer as usize][index] = true;
        }
    }

    fn note_body(&mut self, item: &Item) {
        if item.kind == Kind::File
            && let Some(used) = self.bodies.get_mut(item.body as usize)
        {
            *used = true;
        }
    }

    fn drop_others(self, tree: &mut ImageTree) {
        for (body, _) in tree.bodies.iter_mut().zip(self.bodies).filter(|(_, used)| !used) {
            *body = Box::default();
        }
        for (extracts, is_used) in tree.extracts.iter_mut().zip(self.extracts) {
            let mut is_used = is_used.into_iter();
            extracts.retain(|_| is_used.next().unwrap_or(false));
        }
    }
}
