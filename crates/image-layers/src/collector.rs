//! What is taken of the members of a layer: an entry for each, the bodies of wanted files, extracts of others.

use crate::LayerError;
use crate::counting::Counting;
use crate::extract::{FileExtractor, FileStart};
use crate::finish;
use crate::item::{BODY_NONE, BODY_SPARSE, BODY_TOO_LARGE, Item, Kind, Span};
use crate::layer::{Gathered, LayerReaders};
use crate::limits::{self, ImageLimits, LimitBreach, PATH_BYTES_CEILING, ReadBudget};
use crate::path;
use crate::record::{ContentHasher, FileObserver, FileWishes, Recording};
use crate::sort::Sorter;
use crate::tar_stream::{Member, MemberKind};

const WHITEOUT_PREFIX: &str = ".wh.";
const OPAQUE_NAME: &str = ".wh..wh..opq";
/// Housekeeping of one storage driver at the top of the archive; not part of the image, but for what hard links lead to.
const DRIVER_PREFIX: &str = ".wh..wh.";

/// The members of a layer, one after the other, wherever they are described.
pub(crate) trait Members<'a> {
    /// Makes `member` the next one; false behind the last. The body of a member is read or skipped, once, before that.
    fn next_member(&mut self, member: &mut Member) -> Result<bool, LayerError>;

    /// Whether the body of the current member can be read; one that cannot is skipped.
    fn has_body(&self) -> bool;

    /// Passes over the current body.
    fn skip_body(&mut self, size: u64) -> Result<(), LayerError>;

    /// Whether the holes of a sparse file can be filled.
    fn has_room_for_holes(&self, member: &Member) -> bool;

    /// Passes over the current body and shows the content of the file piece by piece.
    fn visit_content(&mut self, member: &Member, visit: impl FnMut(&[u8])) -> Result<(), LayerError>;

    /// Reads the content of the current file.
    fn read_content(&mut self, member: &Member) -> Result<Vec<u8>, LayerError>;

    /// What is wrong at the current member.
    fn bad(&self, problem: &'static str) -> LayerError;

    /// A limit was passed at the current member.
    fn breach(&self, breach: LimitBreach) -> LayerError;

    /// What the layer may cost.
    fn limits(&self) -> &'a ImageLimits;

    /// What all layers have cost.
    fn budget(&self) -> &'a ReadBudget;
}

/// What is being gathered from the members.
pub(crate) struct Collector<'a, M> {
    members: M,
    is_wanted: &'a dyn Fn(&str) -> bool,
    extractor: Option<&'a mut dyn FileExtractor>,
    observer: Option<&'a mut dyn FileObserver>,
    recording: Recording,
    counting: Counting<'a>,
    text: String,
    items: Vec<Item>,
    sorter: Sorter,
    bodies: Vec<Box<[u8]>>,
    extracts: Vec<(u32, Box<[u8]>)>,
    // Reused from member to member.
    path: String,
    link: String,
}

impl<'a, M: Members<'a>> Collector<'a, M> {
    pub(crate) fn new(members: M, readers: LayerReaders<'a>) -> Self {
        let LayerReaders { is_wanted, extractor, observer } = readers;
        let counting = Counting::new(members.budget(), members.limits());
        Self {
            members,
            counting,
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
        }
    }

    /// Takes all members; where they came from is given back.
    pub(crate) fn gather(mut self) -> Result<(M, Gathered), LayerError> {
        let mut order: u32 = 0;
        let mut member = Member::default();
        while self.members.next_member(&mut member)? {
            self.take(&member, order)?;
            order = order.saturating_add(1);
        }
        self.counting.settle().map_err(|breach| self.members.breach(breach))?;
        let Self { members, text, items, sorter, bodies, extracts, recording, .. } = self;
        let sorted = sorter.finish(items, &text);
        Ok((members, Gathered { member_count: order, text, sorted, bodies, extracts, recording }))
    }

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
            return Err(self.members.breach(breach));
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
            return self.members.skip_body(member.size);
        } else if let Some(hidden) = name.strip_prefix(WHITEOUT_PREFIX) {
            if matches!(hidden, "" | "." | "..") {
                return Err(self.members.bad("whiteout names no file"));
            }
            let slash = if folder.is_empty() { "" } else { "/" };
            Some((format!("{folder}{slash}{hidden}"), Kind::Whiteout))
        } else {
            None
        };
        if let Some((hidden, kind)) = marker {
            self.members.skip_body(member.size)?;
            let path = self.keep_text(&hidden)?;
            let (folder, _) = path::split_name(&hidden);
            self.push(Item { kind, ..Item::bare(path, order) }, folder.len());
            return Ok(());
        }
        if written.is_empty() {
            // The root itself.
            return self.members.skip_body(member.size);
        }
        let path = self.keep_text(written)?;
        let item = self.take_entry(member, written, Item::bare(path, order))?;
        self.push(item, folder.len());
        Ok(())
    }

    fn check_entry(&mut self, member: &Member, written: &str) -> Result<(), LimitBreach> {
        let limits = self.members.limits();
        let longest = member.path.len().max(member.link.len()).max(written.len()) as u64;
        limits::check("bytes in a path", longest, limits.path_bytes_max.min(PATH_BYTES_CEILING))?;
        // Most paths are too short for so many folders.
        if written.len() as u64 > limits.nesting_max {
            limits::check("folders in a path", path::depth(written), limits.nesting_max)?;
        }
        self.counting.add_entry()
    }

    fn take_entry(&mut self, member: &Member, written: &str, bare: Item) -> Result<Item, LayerError> {
        match member.kind {
            MemberKind::Folder => Ok(Item { kind: Kind::Folder, ..bare }),
            MemberKind::Other => {
                self.members.skip_body(member.size)?;
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
                let is_whole = member.kind == MemberKind::File || self.members.has_room_for_holes(member);
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
                self.members.visit_content(member, |bytes| extractor.read(bytes))?;
                self.keep_extract(written, order)?;
            }
            None => self.members.skip_body(member.size)?,
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
        if !self.members.has_body() {
            self.members.skip_body(member.size)?;
            let is_large = member.file_size > self.members.limits().file_bytes_max;
            return Ok(if is_large && (self.is_wanted)(written) { BODY_TOO_LARGE } else { BODY_NONE });
        }
        let wishes = match &mut self.observer {
            Some(observer) => observer.start(written, member.file_size),
            None => FileWishes::default(),
        };
        let is_read = self.starts_extractor(member, written);
        if !wishes.keeps_body && !(self.is_wanted)(written) {
            self.pass_body(member, written, wishes, (order, is_read))?;
            return Ok(BODY_NONE);
        }
        let limits = self.members.limits();
        if member.file_size > limits.file_bytes_max {
            self.pass_body(member, written, wishes, (order, is_read))?;
            return Ok(BODY_TOO_LARGE);
        }
        if let Err(breach) = self.members.budget().spend_kept(member.file_size, limits) {
            return Err(self.members.breach(LimitBreach { path: Some(written.to_owned()), ..breach }));
        }
        let body = self.members.read_content(member)?;
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
        let index = index.ok_or_else(|| self.members.bad("too many wanted files"))?;
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
            return self.members.skip_body(member.size);
        }
        self.members.visit_content(member, |bytes| {
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
        let members = &self.members;
        members
            .budget()
            .spend_kept(extract.len() as u64, members.limits())
            .map_err(|breach| members.breach(LimitBreach { path: Some(written.to_owned()), ..breach }))?;
        self.extracts.push((order, extract.into_boxed_slice()));
        Ok(())
    }

    fn keep_text(&mut self, piece: &str) -> Result<Span, LayerError> {
        self.counting.add_text(piece.len() as u64).map_err(|breach| self.members.breach(breach))?;
        Span::append(&mut self.text, piece).ok_or_else(|| self.members.bad("paths are too long in total"))
    }

    fn push(&mut self, item: Item, folder_length: usize) {
        self.items.push(item);
        self.sorter.note_last(&mut self.items, folder_length, &self.text);
    }
}
