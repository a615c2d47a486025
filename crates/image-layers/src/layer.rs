//! Reading one layer archive.

use std::io::Read;

use model::Digest;

use crate::extract::{FileExtractor, FileStart};
use crate::finish::{self, Finished};
use crate::header::Header;
use crate::inflate::Workers;
use crate::item::{BODY_NONE, BODY_SPARSE, BODY_TOO_LARGE, Item, Kind, Span};
use crate::limits::{self, ImageLimits, LimitBreach, PATH_BYTES_CEILING, ReadBudget};
use crate::path;
use crate::record::{ContentHasher, FileObserver, FileWishes, Recording};
use crate::sort::Sorter;
use crate::stream::{StreamFacts, Unpacked};
use crate::tar_stream::{Member, MemberKind, TarStream};
use crate::{Compression, LayerError};

const WHITEOUT_PREFIX: &str = ".wh.";
const OPAQUE_NAME: &str = ".wh..wh..opq";
/// Housekeeping of one storage driver at the top of the archive; not part of the image, but for what hard links lead to.
const DRIVER_PREFIX: &str = ".wh..wh.";

/// One layer archive and what is expected of it.
pub struct LayerInput<'a> {
    /// Digest of the bytes as transported, when known.
    pub digest: Option<Digest>,
    /// Digest of the unpacked bytes, when known.
    pub diff_id: Option<Digest>,
    /// The compression that the media type states; `None` lets the first bytes decide.
    pub compression: Option<Compression>,
    /// The bytes.
    pub reader: &'a mut (dyn Read + Send),
}

/// One layer: an index of all its entries, and the bodies of the wanted files.
#[derive(Debug, Clone)]
pub struct Layer {
    pub(crate) digest: Digest,
    pub(crate) diff_id: Digest,
    pub(crate) compressed_bytes: u64,
    pub(crate) unpacked_bytes: u64,
    /// What it costs of the limit on entries.
    pub(crate) entry_count: u64,
    pub(crate) text: String,
    pub(crate) items: Vec<Item>,
    pub(crate) bodies: Vec<Box<[u8]>>,
    /// By member, ascending.
    pub(crate) extracts: Vec<(u32, Box<[u8]>)>,
    /// Empty when nobody asked for it.
    pub(crate) recording: Recording,
}

impl Layer {
    /// Digest of the bytes as transported.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Digest of the unpacked bytes.
    pub fn diff_id(&self) -> &Digest {
        &self.diff_id
    }

    /// How many bytes were transported.
    pub fn compressed_bytes(&self) -> u64 {
        self.compressed_bytes
    }

    /// How many bytes they became.
    pub fn unpacked_bytes(&self) -> u64 {
        self.unpacked_bytes
    }
}

/// Reads a layer archive in one pass.
///
/// `is_wanted` is asked for every regular file, with its path in the archive (`var/lib/dpkg/status`).
///
/// Shape:  tar (old, ustar, pax, GNU), plain or as gzip or zstd. Where archives are ambiguous they are read as Go's `archive/tar`
///         reads them; paths are brought into the root.
/// Limits: all of `limits`; `budget` carries the totals from layer to layer.
/// Errors: `Limit`, `DigestMismatch`, `DiffIdMismatch` and the like for a layer that must not be used; `Source` when `reader` fails.
/// Source: OCI image specification 1.1, `layer.md`; POSIX.1-2017 pax; GNU tar manual, "Basic Tar Format".
pub fn read_layer<'a>(
    input: LayerInput<'a>,
    is_wanted: &'a dyn Fn(&str) -> bool,
    limits: &'a ImageLimits,
    budget: &'a ReadBudget,
) -> Result<Layer, LayerError> {
    let readers = LayerReaders { is_wanted, extractor: None, observer: None };
    read_layer_with(input, readers, limits, budget)
}

/// Who looks at the files of a layer.
pub struct LayerReaders<'a> {
    /// Is asked for every regular file, with its path in the archive, whether its body is kept.
    pub is_wanted: &'a dyn Fn(&str) -> bool,
    /// Keeps a little of files whose bodies are not kept, or of those as well.
    pub extractor: Option<&'a mut dyn FileExtractor>,
    /// Sees every content as it passes; a body is kept when `is_wanted` or the observer wants it. With an observer the
    /// attributes of all members and the checksums of all files are written down.
    pub observer: Option<&'a mut dyn FileObserver>,
}

/// Like [`read_layer`], with more who look at the files.
pub fn read_layer_with<'a>(
    input: LayerInput<'a>,
    readers: LayerReaders<'a>,
    limits: &'a ImageLimits,
    budget: &'a ReadBudget,
) -> Result<Layer, LayerError> {
    let expected = (input.digest.clone(), input.diff_id.clone());
    let (unpacked, Workers { inflating, hashing }) = Unpacked::open(input, limits, budget)?;
    let layer = unpacked.layer().to_owned();
    let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
    std::thread::scope(|scope| {
        let inflater = named("inflate").spawn_scoped(scope, || inflating.run());
        let hasher = hashing.map(|hashing| named("hash").spawn_scoped(scope, || hashing.run()));
        if let Err(source) = inflater.and_then(|_| hasher.transpose()) {
            return Err(LayerError::Source { layer, source });
        }
        collect(unpacked, readers, expected, limits, budget)
    })
}

/// The third thread's work: everything but inflating and hashing.
fn collect<'a>(
    unpacked: Unpacked<'a>,
    readers: LayerReaders<'a>,
    (expected_digest, expected_diff_id): (Option<Digest>, Option<Digest>),
    limits: &'a ImageLimits,
    budget: &'a ReadBudget,
) -> Result<Layer, LayerError> {
    let LayerReaders { is_wanted, extractor, observer } = readers;
    let mut collector = Collector {
        tar: TarStream::new(unpacked),
        is_wanted,
        extractor,
        observer,
        recording: Recording::default(),
        text: String::new(),
        items: Vec::new(),
        sorter: Sorter::default(),
        bodies: Vec::new(),
        extracts: Vec::new(),
        path: String::new(),
        link: String::new(),
    };
    let mut order: u32 = 0;
    let (mut header, mut member) = (Header::new(), Member::default());
    while collector.tar.next_member(&mut header, &mut member)? {
        collector.take(&member, order)?;
        order = order.saturating_add(1);
    }
    let Collector { tar, mut text, items, sorter, bodies, extracts, recording, .. } = collector;
    let layer_name = tar.unpacked.layer().to_owned();
    let StreamFacts { digest, diff_id, compressed_bytes, unpacked_bytes } = tar.unpacked.finish()?;
    if let Some(expected) = expected_digest
        && expected != digest
    {
        return Err(LayerError::DigestMismatch { expected, actual: digest });
    }
    if let Some(expected) = expected_diff_id
        && expected != diff_id
    {
        return Err(LayerError::DiffIdMismatch { layer: layer_name, expected, actual: diff_id });
    }
    text.shrink_to_fit();
    let implied_max = limits.entries_max.saturating_sub(budget.entries());
    let Finished { items, implied_count, conflict } =
        finish::finish(sorter.finish(items, &text), &text, implied_max);
    if let Err(breach) = budget.spend_entries(implied_count, limits) {
        return Err(LayerError::Limit { layer: layer_name, breach });
    }
    if conflict.is_some() {
        let problem = "a file is used as a folder";
        return Err(LayerError::BadArchive { layer: layer_name, offset: unpacked_bytes, problem });
    }
    let entry_count = u64::from(order) + implied_count;
    Ok(Layer {
        digest,
        diff_id,
        compressed_bytes,
        unpacked_bytes,
        entry_count,
        text,
        items,
        bodies,
        extracts,
        recording,
    })
}

/// What is being gathered from the members.
struct Collector<'a> {
    tar: TarStream<'a>,
    is_wanted: &'a dyn Fn(&str) -> bool,
    extractor: Option<&'a mut dyn FileExtractor>,
    observer: Option<&'a mut dyn FileObserver>,
    recording: Recording,
    text: String,
    items: Vec<Item>,
    sorter: Sorter,
    bodies: Vec<Box<[u8]>>,
    extracts: Vec<(u32, Box<[u8]>)>,
    // Reused from member to member.
    path: String,
    link: String,
}

impl Collector<'_> {
    fn take(&mut self, member: &Member, order: u32) -> Result<(), LayerError> {
        let mut written = std::mem::take(&mut self.path);
        path::normalise(&member.path, &mut written);
        let result = self.take_at(member, &written, order);
        self.path = written;
        result
    }

    fn take_at(&mut self, member: &Member, written: &str, order: u32) -> Result<(), LayerError> {
        if let Err(breach) = self.check_entry(member, written) {
            let breach = LimitBreach { path: Some(written.chars().take(200).collect()), ..breach };
            return Err(self.tar.unpacked.breach(breach));
        }
        if self.observer.is_some() {
            // Markers too, so that the number of a member is its place here.
            self.recording.push(member.mode, member.user_id, member.group_id);
        }
        let (folder, name) = path::split_name(written);
        let marker = if !name.starts_with('.') && !written.starts_with('.') {
            None
        } else if name == OPAQUE_NAME {
            Some((folder.to_owned(), Kind::Opaque))
        } else if written.starts_with(finish::LINK_TARGETS) && member.kind == MemberKind::File {
            None
        } else if written.starts_with(DRIVER_PREFIX) {
            return self.tar.skip_body(member.size);
        } else if let Some(hidden) = name.strip_prefix(WHITEOUT_PREFIX) {
            if matches!(hidden, "" | "." | "..") {
                return Err(self.tar.bad("whiteout names no file"));
            }
            let slash = if folder.is_empty() { "" } else { "/" };
            Some((format!("{folder}{slash}{hidden}"), Kind::Whiteout))
        } else {
            None
        };
        if let Some((hidden, kind)) = marker {
            self.tar.skip_body(member.size)?;
            let path = self.keep_text(&hidden)?;
            self.push(Item { kind, ..bare_item(path, order) });
            return Ok(());
        }
        if written.is_empty() {
            // The root itself.
            return self.tar.skip_body(member.size);
        }
        let path = self.keep_text(written)?;
        let item = self.take_entry(member, written, bare_item(path, order))?;
        self.push(item);
        Ok(())
    }

    fn check_entry(&self, member: &Member, written: &str) -> Result<(), LimitBreach> {
        let limits = self.tar.unpacked.limits();
        let longest = member.path.len().max(member.link.len()).max(written.len()) as u64;
        limits::check("bytes in a path", longest, limits.path_bytes_max.min(PATH_BYTES_CEILING))?;
        limits::check("folders in a path", path::depth(written), limits.nesting_max)?;
        self.tar.unpacked.budget().spend_entries(1, limits)
    }

    fn take_entry(&mut self, member: &Member, written: &str, bare: Item) -> Result<Item, LayerError> {
        match member.kind {
            MemberKind::Folder => Ok(Item { kind: Kind::Folder, ..bare }),
            MemberKind::Other => {
                self.tar.skip_body(member.size)?;
                Ok(Item { kind: Kind::Other, ..bare })
            }
            MemberKind::Symlink => {
                let mut link = std::mem::take(&mut self.link);
                link.clear();
                path::push_text(&member.link, &mut link);
                let text = self.keep_text(&link)?;
                self.link = link;
                Ok(Item { kind: Kind::Symlink, text, ..bare })
            }
            MemberKind::HardLink => {
                let mut link = std::mem::take(&mut self.link);
                path::normalise(&member.link, &mut link);
                let text = self.keep_text(&link)?;
                self.link = link;
                Ok(Item { kind: Kind::HardLink, text, ..bare })
            }
            MemberKind::SparseFile | MemberKind::File => {
                let is_whole = member.kind == MemberKind::File || self.tar.has_room_for_holes(member);
                let body = match is_whole {
                    true => self.take_body(member, written, bare.order)?,
                    false => self.take_data(member, written, bare.order)?,
                };
                Ok(Item { kind: Kind::File, text: bare.path, size: member.file_size, body, ..bare })
            }
        }
    }

    /// Looks at the data of a sparse file with more holes than can be filled. Nothing of it is kept but an extract.
    fn take_data(&mut self, member: &Member, written: &str, order: u32) -> Result<u32, LayerError> {
        let is_read = self.starts_extractor(member, written);
        match self.extractor.as_mut().filter(|_| is_read) {
            Some(extractor) => {
                self.tar.visit_content(member, |bytes| extractor.read(bytes))?;
                self.keep_extract(written, order)?;
            }
            None => self.tar.skip_body(member.size)?,
        }
        Ok(BODY_SPARSE)
    }

    fn starts_extractor(&mut self, member: &Member, written: &str) -> bool {
        let start = FileStart {
            path: written,
            size_bytes: member.file_size,
            is_executable: member.mode & 0o111 != 0,
        };
        self.extractor.as_mut().is_some_and(|extractor| extractor.start(&start))
    }

    fn take_body(&mut self, member: &Member, written: &str, order: u32) -> Result<u32, LayerError> {
        let wishes = match &mut self.observer {
            Some(observer) => observer.start(written, member.file_size),
            None => FileWishes::default(),
        };
        let is_read = self.starts_extractor(member, written);
        if !wishes.keeps_body && !(self.is_wanted)(written) {
            self.pass_body(member, written, wishes, (order, is_read))?;
            return Ok(BODY_NONE);
        }
        let limits = self.tar.unpacked.limits();
        if member.file_size > limits.file_bytes_max {
            self.pass_body(member, written, wishes, (order, is_read))?;
            return Ok(BODY_TOO_LARGE);
        }
        if let Err(breach) = self.tar.unpacked.budget().spend_kept(member.file_size, limits) {
            return Err(self.tar.unpacked.breach(LimitBreach { path: Some(written.to_owned()), ..breach }));
        }
        let body = self.tar.read_content(member)?;
        if let Some(observer) = &mut self.observer {
            observer.read(&body);
            observer.end(order);
            let mut hasher = ContentHasher::new(wishes);
            hasher.update(&body);
            self.recording.set_checksums(hasher);
        }
        if let Some(extractor) = self.extractor.as_mut().filter(|_| is_read) {
            extractor.read(&body);
            self.keep_extract(written, order)?;
        }
        let index = u32::try_from(self.bodies.len()).ok().filter(|index| *index < BODY_SPARSE);
        let index = index.ok_or_else(|| self.tar.bad("too many wanted files"))?;
        self.bodies.push(body.into_boxed_slice());
        Ok(index)
    }

    /// Passes over a body that is not kept.
    fn pass_body(
        &mut self,
        member: &Member,
        written: &str,
        wishes: FileWishes,
        (order, is_read): (u32, bool),
    ) -> Result<(), LayerError> {
        let mut extractor = self.extractor.as_mut().filter(|_| is_read);
        let mut observed = self.observer.as_mut().map(|observer| (observer, ContentHasher::new(wishes)));
        if extractor.is_none() && observed.is_none() {
            return self.tar.skip_body(member.size);
        }
        self.tar.visit_content(member, |bytes| {
            if let Some((observer, hasher)) = &mut observed {
                hasher.update(bytes);
                observer.read(bytes);
            }
            if let Some(extractor) = &mut extractor {
                extractor.read(bytes);
            }
        })?;
        if let Some((observer, hasher)) = observed {
            observer.end(order);
            self.recording.set_checksums(hasher);
        }
        if is_read { self.keep_extract(written, order) } else { Ok(()) }
    }

    /// Keeps what the extractor found in the file that is over.
    fn keep_extract(&mut self, written: &str, order: u32) -> Result<(), LayerError> {
        let Some(extract) = self.extractor.as_mut().and_then(|extractor| extractor.end()) else {
            return Ok(());
        };
        let unpacked = &self.tar.unpacked;
        unpacked
            .budget()
            .spend_kept(extract.len() as u64, unpacked.limits())
            .map_err(|breach| unpacked.breach(LimitBreach { path: Some(written.to_owned()), ..breach }))?;
        self.extracts.push((order, extract.into_boxed_slice()));
        Ok(())
    }

    fn keep_text(&mut self, piece: &str) -> Result<Span, LayerError> {
        let unpacked = &self.tar.unpacked;
        unpacked
            .budget()
            .spend_index(piece.len() as u64, unpacked.limits())
            .map_err(|breach| unpacked.breach(breach))?;
        Span::append(&mut self.text, piece).ok_or_else(|| self.tar.bad("paths are too long in total"))
    }

    fn push(&mut self, item: Item) {
        self.items.push(item);
        self.sorter.note_last(&mut self.items, &self.text);
    }
}

/// An item with nothing but its place. Layers are numbered when they are squashed.
fn bare_item(path: Span, order: u32) -> Item {
    Item {
        path,
        text: Span::default(),
        size: 0,
        order,
        origin: order,
        body: BODY_NONE,
        layer: 0,
        text_layer: 0,
        kind: Kind::Other,
    }
}
