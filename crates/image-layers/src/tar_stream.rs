//! The members of a tar archive, one after the other.
//!
//! Headers are decoded by the `tar` crate. The walk over them is our own, for three reasons: the lengths of extension headers are
//! held against a limit before they are read, pax values with line ends are understood, and where archives are ambiguous the
//! answer is the one of Go's `archive/tar`, since that is what container runtimes unpack with.

use crate::pax::{self, PaxRecords};
use crate::stream::Unpacked;
use crate::{LayerError, LimitBreach};

const BLOCK_BYTES: usize = 512;

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberKind {
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
    /// As written; an archive may set any bit.
    pub(crate) mode: u32,
    pub(crate) user_id: u64,
    pub(crate) group_id: u64,
}

/// Reads members from unpacked bytes.
pub(crate) struct TarStream<'a> {
    pub(crate) unpacked: Unpacked<'a>,
    /// Bytes between the end of the current body and the next header.
    padding: u64,
}

impl<'a> TarStream<'a> {
    pub(crate) fn new(unpacked: Unpacked<'a>) -> Self {
        Self { unpacked, padding: 0 }
    }

    pub(crate) fn bad(&self, problem: &'static str) -> LayerError {
        LayerError::BadArchive {
            layer: self.unpacked.layer().to_owned(),
            offset: self.unpacked.offset(),
            problem,
        }
    }

    /// The next member, `None` at the end of the archive.
    pub(crate) fn next_member(&mut self) -> Result<Option<Member>, LayerError> {
        let mut records = PaxRecords::default();
        let (mut long_path, mut long_link) = (None, None);
        let mut has_extension = false;
        loop {
            let Some(header) = self.next_header()? else {
                return if has_extension {
                    Err(self.bad("extension header without a member"))
                } else {
                    Ok(None)
                };
            };
            let size = header.entry_size().map_err(|_| self.bad("size of a member is not a number"))?;
            match header.as_bytes()[156] {
                b'x' => {
                    let bytes = self.read_extension(size)?;
                    records = pax::parse(&bytes).map_err(|problem| self.bad(problem))?;
                }
                b'L' => long_path = Some(self.read_long_name(size)?),
                b'K' => long_link = Some(self.read_long_name(size)?),
                b'g' => {
                    // Runtimes take it for a member of its own: it ends what was said before and applies to nothing.
                    self.read_extension(size)?;
                    (records, long_path, long_link) = (PaxRecords::default(), None, None);
                    has_extension = false;
                    continue;
                }
                _ => return self.start_member(&header, size, records, long_path, long_link).map(Some),
            }
            has_extension = true;
        }
    }

    /// Passes over the current body.
    pub(crate) fn skip_body(&mut self, size: u64) -> Result<(), LayerError> {
        self.unpacked.skip(size)
    }

    /// Passes over the current body and shows it piece by piece.
    pub(crate) fn visit_body(&mut self, size: u64, visit: &mut dyn FnMut(&[u8])) -> Result<(), LayerError> {
        self.unpacked.visit(size, visit)
    }

    /// Reads the current body.
    pub(crate) fn read_body(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        let mut bytes = Vec::new();
        self.unpacked.read_into(size, &mut bytes)?;
        Ok(bytes)
    }

    fn next_header(&mut self) -> Result<Option<tar::Header>, LayerError> {
        self.unpacked.skip(std::mem::take(&mut self.padding))?;
        let mut header = tar::Header::new_old();
        if !self.unpacked.read_full(header.as_mut_bytes())? {
            return Ok(None);
        }
        if is_zero(header.as_bytes()) {
            // Two blocks of zeros end an archive. After one, runtimes accept nothing but the end.
            let mut second = [0; BLOCK_BYTES];
            let is_end = !self.unpacked.read_full(&mut second)? || is_zero(&second);
            return if is_end { Ok(None) } else { Err(self.bad("single block of zeros between members")) };
        }
        let stated = header.cksum().map_err(|_| self.bad("member header has no checksum"))?;
        let (unsigned, signed) = checksums(header.as_bytes());
        if stated != unsigned && i64::from(stated) != signed {
            return Err(self.bad("member header has a wrong checksum"));
        }
        Ok(Some(header))
    }

    fn start_member(
        &mut self,
        header: &tar::Header,
        header_size: u64,
        records: PaxRecords,
        long_path: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> Result<Member, LayerError> {
        let path = match long_path.or(records.sparse_name).or(records.path) {
            Some(path) => path,
            None => header.path_bytes().into_owned(),
        };
        let link = match long_link.or(records.link) {
            Some(link) => link,
            None => header.link_name_bytes().map(|link| link.into_owned()).unwrap_or_default(),
        };
        if path.contains(&0) || link.contains(&0) {
            return Err(self.bad("member has a path with a zero byte"));
        }
        let flag = header.as_bytes()[156];
        let kind = match flag {
            b'0' | 0 | b'7' if records.is_sparse => MemberKind::SparseFile,
            // Before there was a type for folders, a slash at the end of the name said it.
            0 if path.ends_with(b"/") => MemberKind::Folder,
            b'0' | 0 | b'7' => MemberKind::File,
            b'1' => MemberKind::HardLink,
            b'2' => MemberKind::Symlink,
            b'5' => MemberKind::Folder,
            b'S' => MemberKind::SparseFile,
            _ => MemberKind::Other,
        };
        if flag == b'S' {
            self.skip_sparse_map(header)?;
        }
        let size = match flag {
            // These have no body, whatever their size field says.
            b'1' | b'2' | b'3' | b'4' | b'5' | b'6' => 0,
            _ => records.size.unwrap_or(header_size),
        };
        let blocks = size.checked_next_multiple_of(BLOCK_BYTES as u64);
        self.padding = blocks.ok_or_else(|| self.bad("size of a member is too large"))? - size;
        let old_sparse_size = || header.as_gnu().and_then(|gnu| gnu.real_size().ok());
        let file_size = match kind {
            MemberKind::SparseFile => records.sparse_size.or_else(old_sparse_size).unwrap_or(size),
            _ => size,
        };
        // Fields without a number count as zero, as runtimes read them.
        let mode = header.mode().unwrap_or_default();
        let user_id = records.user_id.unwrap_or_else(|| header.uid().unwrap_or_default());
        let group_id = records.group_id.unwrap_or_else(|| header.gid().unwrap_or_default());
        Ok(Member { path, link, kind, size, file_size, mode, user_id, group_id })
    }

    /// The map of an old GNU sparse file goes on in further blocks in front of the body.
    fn skip_sparse_map(&mut self, header: &tar::Header) -> Result<(), LayerError> {
        let gnu = header.as_gnu().ok_or_else(|| self.bad("sparse member without a GNU header"))?;
        let mut is_extended = gnu.is_extended();
        while is_extended {
            let mut block = [0; BLOCK_BYTES];
            if !self.unpacked.read_full(&mut block)? {
                return Err(self.unpacked.truncated());
            }
            is_extended = block[504] == 1;
        }
        Ok(())
    }

    fn read_extension(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        let maximum = self.unpacked.limits().extension_bytes_max;
        crate::limits::check("bytes of an extension header", size, maximum)
            .map_err(|breach: LimitBreach| self.unpacked.breach(breach))?;
        let bytes = self.read_body(size)?;
        self.padding = size.next_multiple_of(BLOCK_BYTES as u64) - size;
        Ok(bytes)
    }

    fn read_long_name(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        let mut name = self.read_extension(size)?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        name.truncate(end);
        Ok(name)
    }
}

fn is_zero(block: &[u8; BLOCK_BYTES]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// The sum over the header with blanks for the checksum itself; some old archivers summed signed bytes.
fn checksums(block: &[u8; BLOCK_BYTES]) -> (u32, i64) {
    let mut unsigned = 8 * u32::from(b' ');
    let mut signed = 8 * i64::from(b' ');
    for byte in block[..148].iter().chain(&block[156..]) {
        unsigned += u32::from(*byte);
        signed += i64::from(byte.cast_signed());
    }
    (unsigned, signed)
}
