//! The files of an image as a process in its container would see them.

use std::fmt;
use std::ops::Range;

use model::Digest;

use crate::Layer;
use crate::item::{BODY_NONE, BODY_SPARSE, BODY_TOO_LARGE, Item, Kind};
use crate::path::{self, is_beneath};
use crate::record::{Attributes, ContentId, IMPLIED_FOLDER, Recording};
use crate::squash::join;

/// As many links as Linux follows in one look-up.
const LINKS_MAX: usize = 40;

/// All entries of an image, sorted so that a folder is followed by what is in it, with the bodies of the wanted files.
#[derive(Default)]
pub struct ImageTree {
    pub(crate) items: Vec<Item>,
    /// Text of paths and links, by layer.
    pub(crate) texts: Vec<String>,
    pub(crate) bodies: Vec<Box<[u8]>>,
    pub(crate) layers: Vec<LayerDigests>,
    /// By layer; empty ones when nothing was recorded.
    pub(crate) recordings: Vec<Recording>,
    /// By layer and member.
    pub(crate) extracts: Vec<Vec<(u32, Box<[u8]>)>>,
    /// What upper layers have replaced of traced files, lowest layer first.
    pub(crate) earlier: Vec<Item>,
    /// The places of those items that are symbolic links or have another name than the one in their archive.
    pub(crate) links: Vec<u32>,
    /// Whether everything that a path goes through is there and no symbolic link, which is only known of the whole tree.
    pub(crate) are_folders_real: bool,
}

/// Bytes of all earlier versions together. Of a file whose versions do not fit, none is kept.
const EARLIER_BYTES_MAX: u64 = 48 << 20;

pub(crate) struct LayerDigests {
    pub(crate) digest: Digest,
    pub(crate) diff_id: Digest,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file, also one with several names.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
    /// A hard link to a file that is not in the image.
    BrokenHardLink,
    /// A device, pipe or socket.
    Other,
}

/// The content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// The bytes.
    Kept(&'a [u8]),
    /// Nobody wanted the file when its layer was read.
    NotKept,
    /// The file is larger than `file_bytes_max`.
    TooLarge,
    /// The file is stored without its holes, which is not read.
    Sparse,
}

/// Why a path leads to no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// There is no such path.
    #[error("path does not exist")]
    NotFound,
    /// A link on the way leads to nothing.
    #[error("link leads nowhere")]
    BrokenLink,
    /// More links than Linux would follow, or a circle.
    #[error("too many links, or links in a circle")]
    TooManyLinks,
}

/// One entry of the tree.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub(crate) tree: &'a ImageTree,
    pub(crate) item: &'a Item,
}

/// A wanted file whose body was not kept, because it is wanted under another name than the one in the archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingBody {
    /// The layer to read again, counted from the lowest.
    pub layer_index: usize,
    /// The path to want there.
    pub archive_path: String,
    /// Diff id of that layer.
    pub diff_id: Digest,
    /// Digest of that layer as transported.
    pub digest: Digest,
}

impl<'a> Entry<'a> {
    /// Real path, without a leading slash.
    #[inline]
    pub fn path(&self) -> &'a str {
        self.tree.path_of(self.item)
    }

    /// What it is.
    #[inline]
    pub fn kind(&self) -> EntryKind {
        match self.item.kind {
            Kind::File => EntryKind::File,
            Kind::Symlink => EntryKind::Symlink,
            Kind::HardLink => EntryKind::BrokenHardLink,
            Kind::Folder | Kind::ImpliedFolder => EntryKind::Folder,
            Kind::Other | Kind::Whiteout | Kind::Opaque => EntryKind::Other,
        }
    }

    /// Bytes of the file; of a sparse one with its holes, as far as its archive says.
    pub fn size(&self) -> u64 {
        self.item.size
    }

    /// Diff id of the layer that has the entry as it is seen.
    pub fn layer(&self) -> &'a Digest {
        &self.tree.layers[self.item.layer as usize].diff_id
    }

    /// That layer, counted from the lowest.
    pub fn layer_index(&self) -> usize {
        self.item.layer as usize
    }

    /// Target of a symbolic link, as written.
    pub fn link_target(&self) -> Option<&'a str> {
        (self.item.kind == Kind::Symlink).then(|| self.tree.text_of(self.item))
    }

    /// Owner, permissions and checksum; `None` when its layer was read without recording them.
    pub fn attributes(&self) -> Option<Attributes> {
        let recording = self.tree.recordings.get(self.item.text_layer as usize)?;
        let recorded = recording.get(self.item.origin)?;
        Some(if self.item.kind == Kind::ImpliedFolder { IMPLIED_FOLDER } else { recorded })
    }

    /// Which content it has.
    pub fn content_id(&self) -> ContentId {
        ContentId { layer_index: self.item.text_layer.into(), member: self.item.origin }
    }

    /// What an extractor has kept of a regular file.
    #[inline]
    pub fn extract(&self) -> Option<&'a [u8]> {
        let found = self.tree.extract_index(self.item)?;
        let of_layer = &self.tree.extracts[self.item.text_layer as usize];
        (self.item.kind == Kind::File).then(|| &*of_layer[found].1)
    }

    /// What lower layers had at this path before, newest first, with the diff ids of these layers: all versions or none.
    pub fn earlier_versions(&self) -> impl Iterator<Item = (&'a Digest, &'a [u8])> {
        let (tree, path) = (self.tree, self.path());
        tree.earlier.iter().rev().filter(move |item| tree.path_of(item) == path).filter_map(|item| {
            let body = tree.bodies.get(item.body as usize)?;
            Some((&tree.layers[item.layer as usize].diff_id, &**body))
        })
    }

    /// Where the body of a regular file can be read again.
    pub fn missing_body(&self) -> Option<MissingBody> {
        let is_missing = self.item.kind == Kind::File && self.item.body == BODY_NONE;
        is_missing.then(|| self.tree.missing_body(self.item))
    }

    /// Content of a file; whatever else it is, nothing was kept.
    pub fn body(&self) -> Body<'a> {
        match (self.item.kind, self.item.body) {
            (Kind::File, BODY_TOO_LARGE) => Body::TooLarge,
            (Kind::File, BODY_SPARSE) => Body::Sparse,
            (Kind::File, index) => {
                self.tree.bodies.get(index as usize).map_or(Body::NotKept, |body| Body::Kept(body))
            }
            _ => Body::NotKept,
        }
    }
}

impl ImageTree {
    /// The entry at a path; links on the way and at the end are followed inside the image.
    pub fn find(&self, path: &str) -> Option<Entry<'_>> {
        self.resolve(path).ok()
    }

    /// Like [`Self::find`], and says why there is none.
    pub fn resolve(&self, path: &str) -> Result<Entry<'_>, FindError> {
        let real = self.walk(path, true)?;
        self.entry(&real).ok_or(FindError::NotFound)
    }

    /// The entry at exactly this real path, a link as a link.
    pub fn entry(&self, path: &str) -> Option<Entry<'_>> {
        self.item_at(path.trim_matches('/')).map(|item| Entry { tree: self, item })
    }

    /// The entry at a path; links in its folders are followed, one at its end is the entry.
    pub fn locate(&self, path: &str) -> Option<Entry<'_>> {
        self.entry(&self.resolve_parent(path)?)
    }

    /// Content of the file at a path; links are followed.
    pub fn read(&self, path: &str) -> Option<Body<'_>> {
        self.find(path).filter(|entry| entry.kind() == EntryKind::File).map(|entry| entry.body())
    }

    /// Diff id of the layer that has the entry at a path; links are followed.
    pub fn layer_of(&self, path: &str) -> Option<&Digest> {
        self.find(path).map(|entry| entry.layer())
    }

    /// All entries, sorted by the components of their paths.
    #[inline]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.items.iter().map(|item| Entry { tree: self, item })
    }

    /// All regular files, sorted by the components of their paths.
    pub fn files(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries().filter(|entry| entry.kind() == EntryKind::File)
    }

    /// The entries at these places among all.
    pub fn entries_within(&self, places: Range<usize>) -> impl Iterator<Item = Entry<'_>> {
        self.items.get(places).unwrap_or_default().iter().map(|item| Entry { tree: self, item })
    }

    /// Symbolic links, and files that may be seen under another path than the one in their archive, sorted like the entries.
    pub fn links(&self) -> impl Iterator<Item = Entry<'_>> {
        self.link_items().map(|item| Entry { tree: self, item })
    }

    pub(crate) fn link_items(&self) -> impl Iterator<Item = &Item> {
        self.links.iter().map(|index| &self.items[*index as usize])
    }

    /// Everything inside a real folder, at any depth.
    pub fn beneath(&self, folder: &str) -> impl Iterator<Item = Entry<'_>> {
        let folder = folder.trim_matches('/').to_owned();
        let start = self.items.partition_point(|item| path::compare(self.path_of(item), &folder).is_le());
        let start = if folder.is_empty() { 0 } else { start };
        self.items[start..]
            .iter()
            .take_while(move |item| is_beneath(self.path_of(item), &folder))
            .map(|item| Entry { tree: self, item })
    }

    /// Diff ids of the layers, lowest first.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = &Digest> {
        self.layers.iter().map(|layer| &layer.diff_id)
    }

    /// Calls `visit` for every file that one of `paths` reaches through a link, with the path as it is reached that way.
    ///
    /// A path may name a file or a folder; of a folder, everything inside is visited.
    pub fn visit_linked<'a>(&'a self, paths: &[&str], visit: &mut dyn FnMut(&str, Entry<'a>)) {
        for path in paths {
            let Some(entry) = self.find(path).filter(|entry| entry.path() != *path) else { continue };
            if entry.kind() != EntryKind::Folder {
                visit(path, entry);
                continue;
            }
            let folder = entry.path().to_owned();
            for inner in self.beneath(&folder) {
                if inner.kind() != EntryKind::Folder {
                    let rest = inner.path().get(folder.len()..).unwrap_or_default();
                    visit(&join(path, rest.trim_start_matches('/')), inner);
                }
            }
        }
    }

    /// Wanted files that were not kept, because only a link gives them the wanted name.
    ///
    /// Read each named layer again, wanting the archive paths, and give the result to [`Self::fill`].
    pub fn missing(&self, wanted_paths: &[&str], is_wanted: &dyn Fn(&str) -> bool) -> Vec<MissingBody> {
        let mut found = std::collections::BTreeSet::new();
        // Under its own name a file was asked for when its layer was read.
        for item in self.link_items() {
            if item.kind == Kind::File
                && item.body == BODY_NONE
                && self.path_of(item) != self.text_of(item)
                && is_wanted(self.path_of(item))
            {
                found.insert(self.missing_body(item));
            }
        }
        self.visit_linked(wanted_paths, &mut |seen, entry| {
            let is_missing = entry.item.kind == Kind::File && entry.item.body == BODY_NONE;
            if is_missing && is_wanted(seen) {
                found.insert(self.missing_body(entry.item));
            }
        });
        found.into_iter().collect()
    }

    /// Takes bodies that are missing from a layer that was read again.
    pub fn fill(&mut self, layer_index: usize, layer: Layer) {
        let Ok(number) = u16::try_from(layer_index) else { return };
        if self.layers.get(layer_index).is_none_or(|known| known.diff_id != layer.diff_id) {
            return;
        }
        let mut kept: Vec<(u32, u32)> = layer
            .items
            .iter()
            .filter(|item| item.kind == Kind::File && item.body != BODY_NONE)
            .map(|item| (item.origin, item.body))
            .collect();
        kept.sort_unstable();
        let first_body =
            u32::try_from(self.bodies.len()).expect("bodies are counted against the entry limit");
        for item in &mut self.items {
            if item.kind != Kind::File || item.body != BODY_NONE || item.text_layer != number {
                continue;
            }
            if let Ok(found) = kept.binary_search_by_key(&item.origin, |(origin, _)| *origin) {
                let body = kept[found].1;
                item.body = if body < BODY_SPARSE { body + first_body } else { body };
            }
        }
        self.bodies.extend(layer.bodies);
    }

    pub(crate) fn missing_body(&self, item: &Item) -> MissingBody {
        let layer = &self.layers[item.text_layer as usize];
        MissingBody {
            layer_index: item.text_layer as usize,
            archive_path: self.text_of(item).to_owned(),
            diff_id: layer.diff_id.clone(),
            digest: layer.digest.clone(),
        }
    }

    /// Lets go of earlier versions that would take too much memory, all those of a path together.
    pub(crate) fn limit_earlier_versions(&mut self) {
        let mut bytes: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
        for item in &self.earlier {
            *bytes.entry(self.path_of(item)).or_default() += item.size;
        }
        let mut left = EARLIER_BYTES_MAX;
        let mut fits = |size: &u64| left.checked_sub(*size).map(|rest| left = rest).is_some();
        let kept: std::collections::BTreeSet<String> =
            bytes.into_iter().filter(|(_, size)| fits(size)).map(|(path, _)| path.to_owned()).collect();
        let earlier = std::mem::take(&mut self.earlier);
        self.earlier = earlier.into_iter().filter(|item| kept.contains(self.path_of(item))).collect();
    }

    /// Where the extract of a file stands among those of its layer.
    #[inline]
    pub(crate) fn extract_index(&self, item: &Item) -> Option<usize> {
        let of_layer = self.extracts.get(item.text_layer as usize)?;
        of_layer.binary_search_by_key(&item.origin, |(member, _)| *member).ok()
    }

    #[inline]
    pub(crate) fn path_of(&self, item: &Item) -> &str {
        item.path.get(&self.texts[item.layer as usize])
    }

    pub(crate) fn text_of(&self, item: &Item) -> &str {
        item.text.get(&self.texts[item.text_layer as usize])
    }

    pub(crate) fn item_at(&self, path: &str) -> Option<&Item> {
        let index = self.items.binary_search_by(|item| path::compare(self.path_of(item), path)).ok()?;
        self.items.get(index)
    }

    /// The real path of an entry whose folders may be links; the last component is not followed.
    pub(crate) fn resolve_parent(&self, path: &str) -> Option<String> {
        self.walk(path, false).ok()
    }

    /// Real path: links are followed inside the root, `..` never leaves it.
    fn walk(&self, path: &str, follows_last: bool) -> Result<String, FindError> {
        // What is there under just this name is in folders only.
        let path = path.trim_start_matches('/');
        if self.are_folders_real
            && let Some(item) = self.item_at(path)
            && (item.kind != Kind::Symlink || !follows_last)
        {
            return Ok(path.to_owned());
        }
        let mut real = String::new();
        let mut pending: Vec<&str> = path.rsplit('/').collect();
        let mut links = 0;
        while let Some(component) = pending.pop() {
            match component {
                "" | "." => continue,
                ".." => {
                    real.truncate(real.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let before = real.len();
            if before > 0 {
                real.push('/');
            }
            real.push_str(component);
            let missing = if links > 0 { FindError::BrokenLink } else { FindError::NotFound };
            let item = self.item_at(&real).ok_or(missing)?;
            if item.kind != Kind::Symlink || (!follows_last && pending.is_empty()) {
                continue;
            }
            links += 1;
            if links > LINKS_MAX {
                return Err(FindError::TooManyLinks);
            }
            let target = self.text_of(item);
            real.truncate(if target.starts_with('/') { 0 } else { before });
            pending.extend(target.rsplit('/'));
        }
        Ok(real)
    }
}

impl fmt::Debug for ImageTree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ImageTree")
            .field("entries", &self.items.len())
            .field("layers", &self.layers.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Entry")
            .field("path", &self.path())
            .field("kind", &self.kind())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}
