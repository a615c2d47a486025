//! Sparse files: archives hold their data without the holes, and a map of where it belongs; who unpacks them puts zeros between.
//!
//! What a runtime unpacks is what is read, so that nothing hides in a file by being stored like this. Only zeros that would be
//! more than all bytes that a layer may have at any ratio are left out; such a file is not kept, and what it says about itself is
//! still looked for in its data.

use crate::LayerError;
use crate::collector::Members;
use crate::header::{BLOCK_BYTES, Header, number};
use crate::pax::{SparseForm, parse_decimal};
use crate::tar_stream::{Member, TarStream};

/// Where a piece of data begins in the file, and how long it is.
pub(crate) type Segment = (u64, u64);

/// More pieces than any archiver writes.
const SEGMENTS_MAX: usize = 100_000;
/// Where the map stands in a GNU header, and in the blocks behind it.
const MAP_IN_HEADER: std::ops::Range<usize> = 386..482;
const MAP_IN_BLOCK: std::ops::Range<usize> = 0..504;
const IS_EXTENDED: usize = 504;
const NUMBER_BYTES: usize = 12;
const ZEROS: [u8; 4096] = [0; 4096];

impl TarStream<'_> {
    /// Reads the map of a member, wherever it stands; what stands in the body is no longer part of it.
    pub(crate) fn read_sparse_map(
        &mut self,
        header: &Header,
        form: Option<SparseForm>,
        member: &mut Member,
    ) -> Result<(), LayerError> {
        let map = match form {
            Some(SparseForm::InHeader(map)) => Some(map),
            Some(SparseForm::InBody) => self.read_map_in_body(&mut member.size)?,
            None => self.read_gnu_map(header)?,
        };
        let map = map.filter(|map| is_valid(map, member.file_size));
        member.segments = map.ok_or_else(|| self.bad("map of a sparse member is broken"))?;
        Ok(())
    }

    fn read_gnu_map(&mut self, header: &Header) -> Result<Option<Vec<Segment>>, LayerError> {
        let mut map = Vec::new();
        let mut is_good = take_numbers(&header.block[MAP_IN_HEADER], &mut map);
        let mut is_extended = header.is_gnu_extended();
        while is_extended {
            let mut block = [0; BLOCK_BYTES];
            if !self.unpacked.read_full(&mut block)? {
                return Err(self.unpacked.truncated());
            }
            is_good = is_good && take_numbers(&block[MAP_IN_BLOCK], &mut map);
            is_extended = block[IS_EXTENDED] != 0;
        }
        Ok(is_good.then_some(map))
    }

    /// Decimal numbers, one a line: how many pieces there are, then start and length of each; filled up with zeros to a block.
    fn read_map_in_body(&mut self, size: &mut u64) -> Result<Option<Vec<Segment>>, LayerError> {
        let (mut numbers, mut digits) = (Vec::new(), Vec::new());
        let is_complete = |numbers: &[u64]| {
            numbers.first().is_some_and(|count| numbers.len() as u64 > count.saturating_mul(2))
        };
        while !is_complete(&numbers) {
            let mut block = [0; BLOCK_BYTES];
            if *size < BLOCK_BYTES as u64 || !self.unpacked.read_full(&mut block)? {
                return Ok(None);
            }
            *size -= BLOCK_BYTES as u64;
            for byte in block {
                match byte {
                    b'0'..=b'9' if digits.len() < 20 => digits.push(byte),
                    b'\n' => {
                        let Some(number) = parse_decimal(&digits) else { return Ok(None) };
                        numbers.push(number);
                        digits.clear();
                    }
                    _ if is_complete(&numbers) => break,
                    _ => return Ok(None),
                }
                if is_complete(&numbers) {
                    break;
                }
            }
            if numbers.first().is_some_and(|count| *count > SEGMENTS_MAX as u64) {
                return Ok(None);
            }
        }
        Ok(Some(numbers[1..].chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()))
    }

    /// Whether all zeros of a member can be put in their place.
    pub(crate) fn can_fill_holes(&self, member: &Member) -> bool {
        let data: u64 = member.segments.iter().map(|(_, length)| length).sum();
        member.file_size - data <= self.holes_left
    }

    /// Shows the current body as the file that it becomes; of holes, as much as there is room for.
    pub(crate) fn visit_sparse(
        &mut self,
        member: &Member,
        visit: &mut dyn FnMut(&[u8]),
    ) -> Result<(), LayerError> {
        let (mut at, mut stored) = (0, member.size);
        for (start, length) in member.segments.iter().copied().chain([(member.file_size, 0)]) {
            let mut hole = (start - at).min(self.holes_left);
            self.holes_left -= hole;
            while hole > 0 {
                let count = usize::try_from(hole).unwrap_or(usize::MAX).min(ZEROS.len());
                visit(&ZEROS[..count]);
                hole -= count as u64;
            }
            stored = stored
                .checked_sub(length)
                .ok_or_else(|| self.bad("sparse member has less data than its map"))?;
            self.unpacked.visit(length, &mut *visit)?;
            at = start + length;
        }
        self.unpacked.skip(stored)
    }
}

/// Start and length, again and again, up to the first that is empty. Whether all of them are numbers.
fn take_numbers(fields: &[u8], map: &mut Vec<Segment>) -> bool {
    for pair in fields.chunks_exact(2 * NUMBER_BYTES) {
        if pair[0] == 0 {
            break;
        }
        let (start, length) = pair.split_at(NUMBER_BYTES);
        let (Some(start), Some(length)) = (number(start), number(length)) else { return false };
        map.push((start, length));
        if map.len() > SEGMENTS_MAX {
            return false;
        }
    }
    true
}

/// Pieces stand one behind the other and end within the file.
fn is_valid(map: &[Segment], file_size: u64) -> bool {
    let mut at = 0;
    map.len() <= SEGMENTS_MAX
        && map.iter().all(|(start, length)| {
            let end = start.checked_add(*length).filter(|end| *start >= at && *end <= file_size);
            at = end.unwrap_or(at);
            end.is_some()
        })
}
