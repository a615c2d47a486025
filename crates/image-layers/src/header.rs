//! The header block of a tar member.
//!
//! What its fields mean is what the `tar` crate makes of them; the tests compare both. Reading them here spares the error that the
//! crate makes, with the path in it, of every field without a number: archives leave owners empty, a million times.

use std::ffi::CStr;

pub(crate) const BLOCK_BYTES: usize = 512;

const MODE: (usize, usize) = (100, 108);
const USER_ID: (usize, usize) = (108, 116);
const GROUP_ID: (usize, usize) = (116, 124);
const SIZE: (usize, usize) = (124, 136);
const CHECKSUM: (usize, usize) = (148, 156);
const MAGIC: (usize, usize) = (257, 265);
const GNU_REAL_SIZE: (usize, usize) = (483, 495);

/// One block.
pub(crate) struct Header {
    pub(crate) block: [u8; BLOCK_BYTES],
}

impl Header {
    pub(crate) fn new() -> Self {
        Self { block: [0; BLOCK_BYTES] }
    }

    /// What kind of member it is.
    pub(crate) fn flag(&self) -> u8 {
        self.block[156]
    }

    /// Bytes of the body.
    pub(crate) fn size(&self) -> Option<u64> {
        number(self.field(SIZE))
    }

    pub(crate) fn mode(&self) -> Option<u32> {
        octal(self.field(MODE)).map(low_half)
    }

    pub(crate) fn user_id(&self) -> Option<u64> {
        number(self.field(USER_ID))
    }

    pub(crate) fn group_id(&self) -> Option<u64> {
        number(self.field(GROUP_ID))
    }

    /// Appends the path.
    pub(crate) fn push_path(&self, path: &mut Vec<u8>) {
        if self.field(MAGIC) == b"ustar\x0000" && self.block[345] != 0 {
            path.extend_from_slice(until_zero(&self.block[345..500]));
            path.push(b'/');
        }
        path.extend_from_slice(until_zero(&self.block[..100]));
    }

    /// Appends the target of a link.
    pub(crate) fn push_link(&self, link: &mut Vec<u8>) {
        link.extend_from_slice(until_zero(&self.block[157..257]));
    }

    pub(crate) fn is_gnu(&self) -> bool {
        self.field(MAGIC) == b"ustar  \0"
    }

    /// Bytes of a sparse file with its holes, in a GNU header.
    pub(crate) fn gnu_real_size(&self) -> Option<u64> {
        number(self.field(GNU_REAL_SIZE))
    }

    /// Whether the map of a sparse file goes on in another block, in a GNU header.
    pub(crate) fn is_gnu_extended(&self) -> bool {
        self.block[482] == 1
    }

    /// Whether the checksum is that of the block; `None` when there is none. Some old archivers summed signed bytes.
    pub(crate) fn is_checksum_right(&self) -> Option<bool> {
        let stated = octal(self.field(CHECKSUM)).map(low_half)?;
        // In the sum stand blanks for the checksum itself.
        let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
        let unsigned = sum(&self.block) - sum(self.field(CHECKSUM)) + 8 * u32::from(b' ');
        if stated == unsigned {
            return Some(true);
        }
        let others = self.block[..CHECKSUM.0].iter().chain(&self.block[CHECKSUM.1..]);
        let signed = 8 * i64::from(b' ') + others.map(|byte| i64::from(byte.cast_signed())).sum::<i64>();
        Some(i64::from(stated) == signed)
    }

    fn field(&self, (start, end): (usize, usize)) -> &[u8] {
        &self.block[start..end]
    }
}

/// Whether a block holds nothing.
pub(crate) fn is_zero(block: &[u8; BLOCK_BYTES]) -> bool {
    block[0] == 0 && block.iter().all(|byte| *byte == 0)
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    CStr::from_bytes_until_nul(bytes).map_or(bytes, CStr::to_bytes)
}

fn low_half(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}

/// A field in octal digits, or, with the uppermost bit set, in binary.
pub(crate) fn number(field: &[u8]) -> Option<u64> {
    match field.split_first() {
        Some((first, rest)) if first & 0x80 != 0 => {
            // Of a long field the last eight bytes count.
            let (start, rest) = match field.len() {
                8 => (u64::from(first ^ 0x80), rest),
                length => (0, &field[length - 8..]),
            };
            Some(rest.iter().fold(start, |sum, byte| sum << 8 | u64::from(*byte)))
        }
        _ => octal(field),
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    // Nearly all are digits and then one zero byte or blank.
    let mut sum = 0;
    for (at, byte) in field.iter().enumerate() {
        match byte {
            // Fields have at most twelve digits.
            b'0'..=b'7' => sum = sum << 3 | u64::from(byte - b'0'),
            0 if at > 0 => return Some(sum),
            _ => break,
        }
    }
    let text = str::from_utf8(until_zero(field)).ok()?;
    u64::from_str_radix(text.trim(), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything that either of them says about a block.
    type Said = (Option<u64>, Option<u32>, [Option<u64>; 2], (Vec<u8>, Vec<u8>), Option<(Option<u64>, bool)>);

    fn ours(header: &Header) -> Said {
        let (mut path, mut link) = (Vec::new(), Vec::new());
        header.push_path(&mut path);
        header.push_link(&mut link);
        let gnu = header.is_gnu().then(|| (header.gnu_real_size(), header.is_gnu_extended()));
        (header.size(), header.mode(), [header.user_id(), header.group_id()], (path, link), gnu)
    }

    fn theirs(header: &tar::Header) -> Said {
        let link = header.link_name_bytes().unwrap_or_default().into_owned();
        (
            header.entry_size().ok(),
            header.mode().ok(),
            [header.uid().ok(), header.gid().ok()],
            (header.path_bytes().into_owned(), link),
            header.as_gnu().map(|gnu| (gnu.real_size().ok(), gnu.is_extended())),
        )
    }

    fn check(block: &[u8; BLOCK_BYTES]) {
        let mut known = tar::Header::new_old();
        known.as_mut_bytes().copy_from_slice(block);
        assert_eq!(ours(&Header { block: *block }), theirs(&known), "{block:?}");
        let stated = octal(&block[148..156]).map(low_half);
        assert_eq!(stated, known.cksum().ok(), "{:?}", &block[148..156]);
    }

    #[test]
    fn numbers_are_read_in_all_their_forms() {
        let fields: [&[u8]; 14] = [
            b"0000644\0",
            b"000644 \0",
            b"   644 \0",
            b"00000644",
            b"\0\0\0\0\0\0\0\0",
            b"        ",
            b"+644\0\0\0\0",
            b"-644\0\0\0\0",
            b"0000948\0",
            b"644\x0077\0\0",
            b"\xc2\xa06\0\0\0\0\0",
            b"\x80\0\0\0\0\0\x01\0",
            b"\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x0b12\0\0\0\0\0",
        ];
        for field in fields {
            let mut block = [0; BLOCK_BYTES];
            for start in [100, 108, 116, 124, 128, 148, 483, 487] {
                block[start..start + 8].copy_from_slice(field);
            }
            check(&block);
            block[257..265].copy_from_slice(b"ustar  \0");
            check(&block);
        }
    }

    #[test]
    fn a_checksum_may_be_of_signed_bytes() {
        let mut header = Header::new();
        header.block[..4].copy_from_slice(b"\xff\xfe\x80a");
        assert_eq!(header.is_checksum_right(), None);
        let unsigned = 0xff + 0xfe + 0x80 + u32::from(b'a') + 8 * 32;
        // Three of the bytes are above 127 and count 256 less.
        for (sum, is_right) in [(unsigned, true), (unsigned - 3 * 256, true), (unsigned - 1, false)] {
            header.block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            assert_eq!(header.is_checksum_right(), Some(is_right), "{sum}");
        }
    }

    proptest! {
        #[test]
        fn any_block_says_the_same_to_the_crate(
            bytes in proptest::collection::vec(prop_oneof![Just(0_u8), Just(b' '), b'0'..=b'8', any::<u8>()], BLOCK_BYTES),
            magic in prop_oneof![Just(*b"ustar\x0000"), Just(*b"ustar  \0"), Just([0; 8])],
        ) {
            let mut block = [0; BLOCK_BYTES];
            block.copy_from_slice(&bytes);
            block[257..265].copy_from_slice(&magic);
            check(&block);
        }
    }
}
