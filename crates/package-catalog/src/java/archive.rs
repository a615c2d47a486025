//! Reading a Java archive while it streams by, with the archives in it: nothing is kept but what says which package it is.
//!
//! What is no archive and no description is passed by: by its length, or, where that stands only behind it, up to there.

use sha1::{Digest, Sha1};

use super::directory::{self, Directory, Record};
use super::entry::{Inflated, OpenEntry, Sink};
use super::facts::{ArchiveFacts, Metadata, Problem};
use super::folders::Folders;
use super::limits::Work;
use super::zip::{self, Behind, End, LocalHeader, Method};

/// Names in messages are cut.
const TOLD_NAME_CHARS: usize = 120;
/// So much is looked at in one piece where the end of an entry is looked for: at its beginning, and farther behind.
const WINDOW_BYTES: (usize, usize) = (1024, 16 * 1024);

/// Archives that are read wherever they lie.
const ENDINGS: [&str; 10] = ["jar", "war", "ear", "par", "sar", "nar", "jpi", "hpi", "kar", "lpkg"];
/// Archives that are read only in others: elsewhere these endings are something else.
const NESTED_ENDINGS: [&str; 3] = ["far", "rar", "zap"];
/// What has such a name is an archive, or broken.
const CERTAIN_ENDINGS: [&str; 5] = ["jar", "war", "ear", "jpi", "hpi"];

fn has_ending(path: &str, endings: &[&str]) -> bool {
    let dot = memchr::memrchr(b'.', path.as_bytes()).filter(|dot| *dot > 0);
    dot.is_some_and(|dot| endings.iter().any(|one| one.eq_ignore_ascii_case(&path[dot + 1..])))
}

/// Whether the file at this path may be one.
pub(crate) fn is_archive_name(path: &str) -> bool {
    has_ending(path, &ENDINGS)
}

/// Whether the file at this path is broken if it is none.
pub(super) fn is_certain_name(path: &str) -> bool {
    has_ending(path, &CERTAIN_ENDINGS)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The next entry is looked for: before the first, and behind what is not understood.
    Seek,
    Header,
    /// An entry, with so many bytes left.
    Known(u64),
    /// An entry whose end is looked for, of which so many bytes are behind.
    Scan(u64),
    /// An entry that ends where its compressed content does.
    Inflating,
    Behind,
    Directory,
    /// What stands behind the end: a comment, with so many bytes left.
    Comment(u64),
}

/// Reads one archive.
#[derive(Debug)]
pub(super) struct ArchiveReader {
    facts: ArchiveFacts,
    depth: usize,
    sha1: Sha1,
    state: State,
    /// What was taken and is not understood yet.
    pending: Vec<u8>,
    entry: Option<OpenEntry>,
    offset: u64,
    has_entries: bool,
    directory: Directory,
    folders: Folders,
    /// Whether it has come to its end. There may be another archive behind it, which programs see instead.
    is_ended: bool,
}

impl ArchiveReader {
    /// One for the archive at this path in the file, empty for the file itself.
    pub(super) fn new(path: String, depth: usize) -> Self {
        Self {
            facts: ArchiveFacts { path, ..ArchiveFacts::default() },
            depth,
            sha1: Sha1::new(),
            state: State::Seek,
            pending: Vec::new(),
            entry: None,
            offset: 0,
            has_entries: false,
            directory: Directory::default(),
            folders: Folders::default(),
            is_ended: false,
        }
    }

    /// The next bytes.
    pub(super) fn push(&mut self, bytes: &[u8], work: &mut Work) {
        self.sha1.update(bytes);
        let mut rest = bytes;
        while !rest.is_empty() && !work.is_over() {
            let used = match self.state {
                State::Seek => self.seek(rest),
                State::Header => self.header(rest, work),
                State::Known(left) => self.known(rest, left, work),
                State::Scan(passed) => self.scan(rest, passed, work),
                State::Inflating => self.inflating(rest, work),
                State::Behind => self.behind(rest, work),
                State::Directory => self.directory(rest, work),
                State::Comment(left) => self.comment(rest, left),
            };
            self.offset += used as u64;
            rest = &rest[used..];
        }
    }

    /// The archive is over; `is_whole`: and nothing of it is missing.
    pub(super) fn finish(mut self, is_whole: bool, is_certain: bool, work: &mut Work) {
        if let Some(entry) = self.entry.take() {
            let message = format!("archive ends within its entry `{}`", told(&entry.name));
            self.tell(false, entry.offset, message, work);
            if let Sink::Nested(reader) = entry.sink {
                reader.finish(false, false, work);
            }
        } else if !self.has_entries && !self.is_ended && self.state != State::Directory && !work.is_over() {
            if !is_certain {
                return;
            }
            self.tell(false, 0, "file is no archive: there is no entry in it".to_owned(), work);
        } else if !work.is_over() {
            self.tell_ending(work);
        }
        if let Some(limit) = work.over.clone().filter(|_| self.depth == 0) {
            let message = format!("archive was not read to its end: {limit}");
            self.facts.problems.push(Problem { is_limit: true, offset: self.offset, message });
        }
        if self.depth == 0 || (is_whole && !work.is_over()) {
            let digits = self.sha1.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            self.facts.sha1 = Some(digits);
        }
        self.facts.folder = self.folders.common();
        let section = serde_json::to_vec(&self.facts).unwrap_or_default();
        work.add_section(section, self.depth == 0);
    }

    fn tell(&mut self, is_limit: bool, offset: u64, message: String, work: &mut Work) {
        if work.take_problem() {
            self.facts.problems.push(Problem { is_limit, offset, message });
        }
    }

    /// Programs go by the directory: what they see of the archive and what was read are to be the same.
    fn tell_ending(&mut self, work: &mut Work) {
        if !self.is_ended {
            let message = match self.state {
                State::Directory => "archive ends within its directory",
                _ => "archive ends before its directory: entries may be missing",
            };
            return self.tell(false, self.offset, message.to_owned(), work);
        }
        if let Some((offset, count)) = self.directory.unlisted() {
            let message = format!(
                "{count} entries were read that the directory of the archive does not list: programs do not see them"
            );
            self.tell(false, offset, message, work);
        }
        if let Some((name, count)) = self.directory.unknown() {
            let message = format!(
                "{count} entries of the directory of the archive are not where it says, the first is `{}`: they were not read",
                told(name)
            );
            self.tell(false, self.offset, message, work);
        }
    }

    fn seek(&mut self, bytes: &[u8]) -> usize {
        // A signature may be cut in two.
        let seam: Vec<u8> = self.pending.iter().chain(bytes.iter().take(3)).copied().collect();
        if let Some(at) = zip::find_signature(&seam).filter(|at| *at < self.pending.len()) {
            self.pending.drain(..at);
            self.state = State::Header;
            return 0;
        }
        if let Some(at) = zip::find_signature(bytes) {
            self.pending.clear();
            self.state = State::Header;
            return at;
        }
        self.pending.extend_from_slice(&bytes[bytes.len().saturating_sub(3)..]);
        self.pending.drain(..self.pending.len().saturating_sub(3));
        bytes.len()
    }

    fn header(&mut self, bytes: &[u8], work: &mut Work) -> usize {
        let needed = needed_for_header(&self.pending);
        let used = take(&mut self.pending, bytes, needed);
        if self.pending.len() < needed_for_header(&self.pending) {
            return used;
        }
        let offset = (self.offset + used as u64).saturating_sub(self.pending.len() as u64);
        let signature = self.pending.first_chunk::<4>().copied().unwrap_or_default();
        if signature == zip::LOCAL {
            let header = LocalHeader::read(&self.pending);
            self.pending.clear();
            if let Some(header) = header {
                self.open(header, offset, work);
            }
        } else if zip::is_directory(signature) {
            self.directory.begin();
            self.is_ended = false;
            self.state = State::Directory;
        } else {
            self.lose(offset, work);
        }
        used
    }

    fn directory(&mut self, bytes: &[u8], work: &mut Work) -> usize {
        let (_, needed) = directory::record(&self.pending);
        let used = take(&mut self.pending, bytes, needed);
        let (record, length) = directory::record(&self.pending);
        if self.pending.len() < length {
            return used;
        }
        match record {
            Record::Entry => self.directory.list(&self.pending),
            Record::End(comment) => {
                self.is_ended = true;
                self.state = State::Comment(comment);
            }
            Record::Other => {}
            Record::Unknown => {
                let message = "directory of the archive is encrypted or damaged".to_owned();
                let offset = (self.offset + used as u64).saturating_sub(self.pending.len() as u64);
                self.tell(false, offset, message, work);
                self.state = State::Seek;
            }
        }
        self.pending.clear();
        used
    }

    fn comment(&mut self, bytes: &[u8], left: u64) -> usize {
        let used = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        self.state = match left - used as u64 {
            0 => State::Seek,
            left => State::Comment(left),
        };
        used
    }

    /// Goes on at the next thing that looks like an entry.
    fn lose(&mut self, offset: u64, work: &mut Work) {
        self.tell(false, offset, "there is something between the entries of the archive".to_owned(), work);
        self.state = State::Seek;
    }

    fn open(&mut self, header: LocalHeader, offset: u64, work: &mut Work) {
        work.count_entry();
        self.has_entries = true;
        self.is_ended = false;
        self.directory.add_local(offset, header.fingerprint);
        self.folders.count(&header.name);
        let sink = self.sink(&header, offset, work);
        let is_inflated = header.method == Method::Deflated && !matches!(sink, Sink::Nothing);
        self.state = match header.compressed_bytes {
            Some(bytes) => State::Known(bytes),
            None if is_inflated => State::Inflating,
            None => State::Scan(0),
        };
        let inflater = is_inflated.then(|| work.spares.take());
        self.entry = Some(OpenEntry::new(header, offset, sink, inflater));
        if self.state == State::Known(0) {
            self.close(work);
        }
    }

    /// What becomes of an entry's content.
    fn sink(&mut self, header: &LocalHeader, offset: u64, work: &mut Work) -> Sink {
        let name = &header.name;
        let metadata = Metadata::of(name);
        let is_nested = has_ending(name, &ENDINGS) || has_ending(name, &NESTED_ENDINGS);
        if metadata.is_none() && !is_nested {
            return Sink::Nothing;
        }
        let (depth, maximum) = (self.depth, work.limits.nesting_max);
        let (is_limit, why) = match (header.method, metadata) {
            _ if header.is_encrypted => (false, "is encrypted".to_owned()),
            (Method::Other(method), _) => (false, format!("is compressed by method {method}")),
            (_, Some(kind)) => return Sink::Metadata { kind, content: Vec::new(), is_larger: false },
            (_, None) if depth >= maximum => {
                (true, format!("is an archive at depth {} (limit {maximum})", depth + 1))
            }
            (_, None) => {
                let path = match self.facts.path.as_str() {
                    "" => name.clone(),
                    outer => format!("{outer}:{name}"),
                };
                return Sink::Nested(Box::new(Self::new(path, depth + 1)));
            }
        };
        self.tell(is_limit, offset, format!("entry `{}` {why}: it was not read", told(name)), work);
        Sink::Nothing
    }

    fn known(&mut self, bytes: &[u8], left: u64, work: &mut Work) -> usize {
        let used = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        self.data(&bytes[..used], work);
        self.state = State::Known(left - used as u64);
        if self.state == State::Known(0) {
            self.close(work);
        }
        used
    }

    fn data(&mut self, bytes: &[u8], work: &mut Work) {
        let Some(entry) = &mut self.entry else { return };
        if entry.data(bytes, work).is_damaged {
            self.give_up_entry(work);
        }
    }

    fn give_up_entry(&mut self, work: &mut Work) {
        let Some(entry) = &mut self.entry else { return };
        let message =
            format!("entry `{}` is damaged: its compressed content cannot be read", told(&entry.name));
        let offset = entry.offset;
        if let Sink::Nested(reader) = entry.give_up() {
            reader.finish(false, false, work);
        }
        self.tell(false, offset, message, work);
    }

    fn inflating(&mut self, bytes: &[u8], work: &mut Work) -> usize {
        let Some(entry) = &mut self.entry else { return bytes.len() };
        let Inflated { used, is_damaged } = entry.data(bytes, work);
        if is_damaged {
            let passed = entry.passed();
            self.give_up_entry(work);
            self.state = State::Scan(passed);
        } else if entry.is_content_over() {
            self.close(work);
        }
        used
    }

    fn scan(&mut self, bytes: &[u8], passed: u64, work: &mut Work) -> usize {
        // Most entries are small: of what stands behind them not much is copied.
        let bytes = &bytes
            [..bytes.len().min(if passed < WINDOW_BYTES.0 as u64 { WINDOW_BYTES.0 } else { WINDOW_BYTES.1 })];
        let before = self.pending.len();
        self.pending.extend_from_slice(bytes);
        let (content, descriptor) = match zip::find_end(&self.pending, passed) {
            End::At(at, length) => (at, Some(length)),
            End::NotBefore(at) => (at, None),
        };
        let window = std::mem::take(&mut self.pending);
        self.data(&window[..content], work);
        let Some(descriptor) = descriptor else {
            self.pending = window;
            self.pending.drain(..content);
            self.state = State::Scan(passed + content as u64);
            return bytes.len();
        };
        self.close(work);
        self.state = State::Header;
        // What stands behind the descriptor is read again, as far as it came with these bytes.
        let behind = content + descriptor;
        self.pending = window.get(behind..before).unwrap_or_default().to_vec();
        behind.saturating_sub(before)
    }

    fn behind(&mut self, bytes: &[u8], work: &mut Work) -> usize {
        match zip::look_behind(&self.pending) {
            Behind::Needs(needed) => return take(&mut self.pending, bytes, needed),
            Behind::Nothing => self.state = State::Header,
            Behind::Descriptor(length) => {
                self.pending.drain(..length);
                self.state = State::Header;
            }
            Behind::Unknown => self.lose(self.offset, work),
        }
        0
    }

    /// The entry is over.
    fn close(&mut self, work: &mut Work) {
        let Some(entry) = self.entry.take() else { return };
        self.state = if entry.has_descriptor { State::Behind } else { State::Header };
        self.pending.clear();
        let is_whole = entry.is_content_over();
        work.spares.give_back(entry.inflater);
        if !is_whole {
            let message = format!("entry `{}` is cut off", told(&entry.name));
            self.tell(false, entry.offset, message, work);
        }
        match entry.sink {
            Sink::Nested(reader) => reader.finish(is_whole, is_certain_name(&entry.name), work),
            Sink::Metadata { kind, content, is_larger } => {
                if is_larger && !kind.is_complete(&content) {
                    let maximum = work.limits.metadata_bytes_max;
                    let message = format!("entry `{}` is larger than {maximum} bytes", told(&entry.name));
                    return self.tell(true, entry.offset, message, work);
                }
                work.take_kept(self.facts.add(kind, &content));
            }
            Sink::Nothing => {}
        }
    }
}

/// Takes bytes until there are as many as needed.
fn take(pending: &mut Vec<u8>, bytes: &[u8], needed: usize) -> usize {
    let used = needed.saturating_sub(pending.len()).min(bytes.len());
    pending.extend_from_slice(&bytes[..used]);
    used
}

fn needed_for_header(pending: &[u8]) -> usize {
    match pending.first_chunk::<{ zip::SIGNATURE_BYTES }>() {
        Some(&zip::LOCAL) if pending.len() < zip::HEADER_BYTES => zip::HEADER_BYTES,
        Some(&zip::LOCAL) => zip::header_length(pending),
        _ => zip::SIGNATURE_BYTES,
    }
}

fn told(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(TOLD_NAME_CHARS).collect()
}
