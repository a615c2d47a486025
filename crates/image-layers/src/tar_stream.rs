//! The members of a tar archive, one after the other.
//!
//! The walk over them is our own, for three reasons: the lengths of extension headers are held against a limit before they are
//! read, pax values with line ends are understood, and where archives are ambiguous the answer is the one of Go's `archive/tar`,
//! since that is what container runtimes unpack with.

use crate::collector::Members;
use crate::header::{BLOCK_BYTES, Header, is_zero};
use crate::pax::{self, PaxRecords};
use crate::sparse::Segment;
use crate::stream::Unpacked;
use crate::{ImageLimits, LayerError, LimitBreach, ReadBudget};

/// What a member is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberKind {
    #[default]
    File,
    /// A file whose body is stored without its holes.
    SparseFile,
    Folder,
    Symlink,
    HardLink,
    /// Devices, pipes and whatever else has no body for us.
    Other,
}

/// One member. Its body must be read or skipped, once, before the next member is asked for.
#[derive(Default)]
pub(crate) struct Member {
    /// As written.
    pub(crate) path: Vec<u8>,
    /// Target of a symbolic or hard link, as written.
    pub(crate) link: Vec<u8>,
    pub(crate) kind: MemberKind,
    /// Bytes of the body in the archive.
    pub(crate) size: u64,
    /// Bytes of the file, with its holes.
    pub(crate) file_size: u64,
    /// Where the bytes of a sparse file belong.
    pub(crate) segments: Vec<Segment>,
    /// As written; an archive may set any bit.
    pub(crate) mode: u32,
    pub(crate) user_id: u64,
    pub(crate) group_id: u64,
}

/// What extension headers say of the next member. Most members have none.
#[derive(Default)]
struct Extensions {
    records: Option<Box<PaxRecords>>,
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

/// Reads members from unpacked bytes.
pub(crate) struct TarStream<'a> {
    pub(crate) unpacked: Unpacked<'a>,
    /// Bytes between the end of the current body and the next header.
    padding: u64,
    /// Bytes of holes that may still be filled.
    pub(crate) holes_left: u64,
    /// Memory for the header of the next member.
    header: Option<Box<Header>>,
}

impl<'a> Members<'a> for TarStream<'a> {
    fn next_member(&mut self, member: &mut Member) -> Result<bool, LayerError> {
        let mut header = self.header.take().unwrap_or_else(|| Box::new(Header::new()));
        let found = self.read_member(&mut header, member);
        self.header = Some(header);
        found
    }

    fn has_body(&self) -> bool {
        true
    }

    fn has_room_for_holes(&self, member: &Member) -> bool {
        self.can_fill_holes(member)
    }

    fn skip_body(&mut self, size: u64) -> Result<(), LayerError> {
        self.unpacked.skip(size)
    }

    fn visit_content(&mut self, member: &Member, mut visit: impl FnMut(&[u8])) -> Result<(), LayerError> {
        match member.kind {
            MemberKind::SparseFile => self.visit_sparse(member, &mut visit),
            _ => self.unpacked.visit(member.size, visit),
        }
    }

    fn read_content(&mut self, member: &Member) -> Result<Vec<u8>, LayerError> {
        if member.kind != MemberKind::SparseFile {
            return self.read_body(member.size);
        }
        let mut bytes = Vec::new();
        self.visit_sparse(member, &mut |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    fn bad(&self, problem: &'static str) -> LayerError {
        LayerError::BadArchive {
            layer: self.unpacked.layer().to_owned(),
            offset: self.unpacked.offset(),
            problem,
        }
    }

    fn breach(&self, breach: LimitBreach) -> LayerError {
        self.unpacked.breach(breach)
    }

    fn limits(&self) -> &'a ImageLimits {
        self.unpacked.limits()
    }

    fn budget(&self) -> &'a ReadBudget {
        self.unpacked.budget()
    }
}

impl<'a> TarStream<'a> {
    pub(crate) fn new(unpacked: Unpacked<'a>) -> Self {
        let holes_left = unpacked.limits().ratio_free_bytes;
        Self { unpacked, padding: 0, holes_left, header: None }
    }

    /// Makes `member` the next one; false at the end of the archive. `header` is memory for its header.
    fn read_member(&mut self, header: &mut Header, member: &mut Member) -> Result<bool, LayerError> {
        let mut extensions = Extensions::default();
        let mut has_extension = false;
        loop {
            if !self.next_header(header)? {
                return if has_extension {
                    Err(self.bad("extension header without a member"))
                } else {
                    Ok(false)
                };
            }
            let size = header.size().ok_or_else(|| self.bad("size of a member is not a number"))?;
            match header.flag() {
                b'x' => {
                    let bytes = self.read_extension(size)?;
                    let records = pax::parse(&bytes).map_err(|problem| self.bad(problem))?;
                    extensions.records = Some(Box::new(records));
                }
                b'L' => extensions.long_path = self.read_long_name(size)?,
                b'K' => extensions.long_link = self.read_long_name(size)?,
                b'g' => {
                    // Runtimes take it for a member of its own: it ends what was said before and applies to nothing.
                    self.read_extension(size)?;
                    extensions = Extensions::default();
                    has_extension = false;
                    continue;
                }
                _ => {
                    self.start_member(member, header, size, extensions)?;
                    return Ok(true);
                }
            }
            has_extension = true;
        }
    }

    fn read_body(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        let mut bytes = Vec::new();
        self.unpacked.read_into(size, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the next header; false at the end of the archive.
    fn next_header(&mut self, header: &mut Header) -> Result<bool, LayerError> {
        self.unpacked.skip(std::mem::take(&mut self.padding))?;
        if !self.unpacked.read_full(&mut header.block)? {
            return Ok(false);
        }
        if is_zero(&header.block) {
            // Two blocks of zeros end an archive. After one, runtimes accept nothing but the end.
            let mut second = [0; BLOCK_BYTES];
            let is_end = !self.unpacked.read_full(&mut second)? || is_zero(&second);
            return if is_end { Ok(false) } else { Err(self.bad("single block of zeros between members")) };
        }
        match header.is_checksum_right() {
            Some(true) => Ok(true),
            Some(false) => Err(self.bad("member header has a wrong checksum")),
            None => Err(self.bad("member header has no checksum")),
        }
    }

    fn start_member(
        &mut self,
        member: &mut Member,
        header: &Header,
        header_size: u64,
        extensions: Extensions,
    ) -> Result<(), LayerError> {
        let Member { path, link, .. } = member;
        path.clear();
        link.clear();
        let flag = header.flag();
        let Extensions { mut records, long_path, long_link } = extensions;
        // A member of the old form has its map in its header, whatever an extension says.
        let sparse_form = records.as_mut().and_then(|records| records.take_sparse_form());
        let sparse_form = sparse_form.filter(|_| flag != b'S');
        let sparse_size = records.as_ref().and_then(|records| records.sparse_file_size());
        let (sparse_name, pax_path, pax_link) = match &mut records {
            Some(it) => (it.sparse_name.take(), it.path.take(), it.link.take()),
            None => (None, None, None),
        };
        let sparse_name = sparse_name.filter(|_| sparse_form.is_some());
        // No form of a name holds a zero byte: some end there, others were refused.
        match sparse_name.or(long_path).or(pax_path) {
            Some(long) => *path = long,
            None => header.push_path(path),
        }
        match long_link.or(pax_link) {
            Some(long) => *link = long,
            None => header.push_link(link),
        }
        let kind = match flag {
            b'0' | 0 | b'7' if sparse_form.is_some() => MemberKind::SparseFile,
            // Before there was a type for folders, a slash at the end of the name said it.
            0 if path.ends_with(b"/") => MemberKind::Folder,
            b'0' | 0 | b'7' => MemberKind::File,
            b'1' => MemberKind::HardLink,
            b'2' => MemberKind::Symlink,
            b'5' => MemberKind::Folder,
            b'S' => MemberKind::SparseFile,
            _ => MemberKind::Other,
        };
        if flag == b'S' && !header.is_gnu() {
            return Err(self.bad("sparse member without a GNU header"));
        }
        let size = match flag {
            // These have no body, whatever their size field says.
            0 if kind == MemberKind::Folder => 0,
            b'1' | b'2' | b'3' | b'4' | b'5' | b'6' => 0,
            _ => records.as_ref().and_then(|records| records.size).unwrap_or(header_size),
        };
        let blocks = size.checked_next_multiple_of(BLOCK_BYTES as u64);
        self.padding = blocks.ok_or_else(|| self.bad("size of a member is too large"))? - size;
        let no_number = || self.bad("size of a sparse member is not a number");
        let file_size = match kind {
            MemberKind::SparseFile if flag == b'S' => header.gnu_real_size().ok_or_else(no_number)?,
            MemberKind::SparseFile => sparse_size.unwrap_or(size),
            _ => size,
        };
        // Fields without a number count as zero, as runtimes read them.
        let mode = header.mode().unwrap_or_default();
        let (user_id, group_id) =
            records.map(|records| (records.user_id, records.group_id)).unwrap_or_default();
        let user_id = user_id.or_else(|| header.user_id()).unwrap_or_default();
        let group_id = group_id.or_else(|| header.group_id()).unwrap_or_default();
        (member.kind, member.size, member.file_size) = (kind, size, file_size);
        (member.mode, member.user_id, member.group_id) = (mode, user_id, group_id);
        match kind {
            MemberKind::SparseFile => self.read_sparse_map(header, sparse_form, member),
            _ => Ok(()),
        }
    }

    fn read_extension(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        let maximum = self.unpacked.limits().extension_bytes_max;
        crate::limits::check("bytes of an extension header", size, maximum)
            .map_err(|breach: LimitBreach| self.unpacked.breach(breach))?;
        let bytes = self.read_body(size)?;
        self.padding = size.next_multiple_of(BLOCK_BYTES as u64) - size;
        Ok(bytes)
    }

    /// `None`: an empty one says nothing.
    fn read_long_name(&mut self, size: u64) -> Result<Option<Vec<u8>>, LayerError> {
        let mut name = self.read_extension(size)?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        name.truncate(end);
        Ok(Some(name).filter(|name| !name.is_empty()))
    }
}
