//! The header block of a tar member.
//!
//! What its fields mean is what Go's `archive/tar` makes of them, because that is what container runtimes unpack with. For nearly all
//! headers the `tar` crate says the same, and the tests compare both. Reading them here also spares the error that the crate makes,
//! with the path in it, of every field without a number: archives leave owners empty, a million times.

pub(crate) const BLOCK_BYTES: usize = 512;

const MODE: (usize, usize) = (100, 108);
const USER_ID: (usize, usize) = (108, 116);
const GROUP_ID: (usize, usize) = (116, 124);
const SIZE: (usize, usize) = (124, 136);
const CHECKSUM: (usize, usize) = (148, 156);
const MAGIC: (usize, usize) = (257, 263);
const MAGIC_AND_VERSION: (usize, usize) = (257, 265);
const GNU_REAL_SIZE: (usize, usize) = (483, 495);
const GNU_TIMES: [(usize, usize); 2] = [(345, 357), (357, 369)];
const PREFIX: (usize, usize) = (345, 500);
const STAR_PREFIX: (usize, usize) = (345, 476);
const STAR_TRAILER: (usize, usize) = (508, 512);

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
        number(self.field(MODE)).map(low_half)
    }

    pub(crate) fn user_id(&self) -> Option<u64> {
        number(self.field(USER_ID))
    }

    pub(crate) fn group_id(&self) -> Option<u64> {
        number(self.field(GROUP_ID))
    }

    /// Appends the path.
    pub(crate) fn push_path(&self, path: &mut Vec<u8>) {
        let prefix = self.prefix();
        if !prefix.is_empty() {
            path.extend_from_slice(prefix);
            path.push(b'/');
        }
        path.extend_from_slice(until_zero(&self.block[..100]));
    }

    /// What stands before the name, whatever the version beside the magic is.
    fn prefix(&self) -> &[u8] {
        if self.field(MAGIC) == b"ustar\0" {
            let is_star = self.field(STAR_TRAILER) == b"tar\0";
            return until_zero(self.field(if is_star { STAR_PREFIX } else { PREFIX }));
        }
        // Go before 1.8 wrote a prefix over the times of GNU headers, and later ones still find it there.
        let has_times = || GNU_TIMES.iter().all(|time| is_time(self.field(*time)));
        if self.is_gnu() && !has_times() {
            let prefix = until_zero(self.field(PREFIX));
            return if prefix.is_ascii() { prefix } else { &[] };
        }
        &[]
    }

    /// Appends the target of a link.
    pub(crate) fn push_link(&self, link: &mut Vec<u8>) {
        link.extend_from_slice(until_zero(&self.block[157..257]));
    }

    pub(crate) fn is_gnu(&self) -> bool {
        self.field(MAGIC_AND_VERSION) == b"ustar  \0"
    }

    /// Bytes of a sparse file with its holes, in a GNU header.
    pub(crate) fn gnu_real_size(&self) -> Option<u64> {
        number(self.field(GNU_REAL_SIZE))
    }

    /// Whether the map of a sparse file goes on in another block, in a GNU header.
    pub(crate) fn is_gnu_extended(&self) -> bool {
        self.block[482] != 0
    }

    /// Whether the checksum is that of the block; `None` when there is none. Some old archivers summed signed bytes.
    pub(crate) fn is_checksum_right(&self) -> Option<bool> {
        let stated = octal(self.field(CHECKSUM)).map(low_half)?;
        // In the sum stand blanks for the checksum itself.
        let checksum: u32 = self.field(CHECKSUM).iter().map(|byte| u32::from(*byte)).sum();
        let unsigned = sum(&self.block) - checksum + 8 * u32::from(b' ');
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

/// The sum of all bytes.
fn sum(block: &[u8; BLOCK_BYTES]) -> u32 {
    // Eight bytes at a time, every second one in lanes of sixteen bits: 64 times two bytes fit in one.
    const EVERY_SECOND: u64 = 0x00ff_00ff_00ff_00ff;
    let lanes = block.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
    let lanes: u64 = lanes.map(|bytes| (bytes & EVERY_SECOND) + (bytes >> 8 & EVERY_SECOND)).sum();
    (0..4).map(|lane| low_half(lanes >> (16 * lane) & 0xffff)).sum()
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    memchr::memchr(0, bytes).map_or(bytes, |end| &bytes[..end])
}

fn low_half(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}

/// Whether a time of a GNU header is one: a number of either form that fits in 63 bits, or nothing.
fn is_time(field: &[u8]) -> bool {
    let Some(first) = field.first().filter(|first| **first & 0x80 != 0) else {
        return field.first() == Some(&0)
            || octal_digits(field).iter().all(|byte| matches!(byte, b'0'..=b'7'));
    };
    // In a negative number all bits are turned round. Eight bytes hold 63 bits and a sign, in front of them stand zeros.
    let turned = if first & 0x40 == 0 { 0 } else { 0xff };
    let (front, rest) = field.split_at(field.len() - 8);
    let is_zero = |(at, byte): (usize, &u8)| (byte ^ turned) & if at == 0 { 0x7f } else { 0xff } == 0;
    front.iter().enumerate().all(is_zero) && (rest[0] ^ turned) & 0x80 == 0
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
    // Nearly all are digits and then one zero byte, or empty.
    if let Some((first, rest)) = field.split_first_chunk() {
        let (number, count) = leading_digits(*first);
        let more = match count {
            8 => rest.iter().take_while(|byte| matches!(byte, b'0'..=b'7')).count(),
            _ => 0,
        };
        if count > 0 && field.get(count + more) == Some(&0) {
            // Fields have at most twelve digits.
            return Some(rest[..more].iter().fold(number, |sum, byte| sum << 3 | u64::from(byte - b'0')));
        }
        if *first == [0; 8] && rest.iter().all(|byte| *byte == 0) {
            return Some(0);
        }
    }
    match octal_digits(field) {
        [] => Some(0),
        digits => u64::from_str_radix(str::from_utf8(digits).ok()?.trim(), 8).ok(),
    }
}

/// The number that the octal digits at the beginning are, and how many they are.
fn leading_digits(bytes: [u8; 8]) -> (u64, usize) {
    // All at once: a byte is a digit when nothing but its lowest three bits differs from `0`.
    let bits = u64::from_be_bytes(bytes) ^ 0x3030_3030_3030_3030;
    let count = (bits & 0xf8f8_f8f8_f8f8_f8f8).leading_zeros() / 8;
    let digits = bits.checked_shr(64 - 8 * count).unwrap_or_default();
    // Two digits, then four, then eight move together.
    let digits = digits & 0x0007_0007_0007_0007 | digits >> 5 & 0x0038_0038_0038_0038;
    let digits = digits & 0x0000_003f_0000_003f | digits >> 10 & 0x0000_0fc0_0000_0fc0;
    (digits & 0x0fff | digits >> 20 & 0x00ff_f000, count as usize)
}

/// What is left without the blanks and zero bytes around it, up to a zero byte.
fn octal_digits(field: &[u8]) -> &[u8] {
    let is_filler = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| !is_filler(byte)).unwrap_or(field.len());
    let end = field.iter().rposition(|byte| !is_filler(byte)).map_or(start, |last| last + 1);
    until_zero(&field[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything that either of them says about a block. What runtimes take for a number and the crate does not is left out, and
    /// a path in whose place the crate looks for something else.
    type Said = (Option<u64>, Option<u32>, [Option<u64>; 2], (Vec<u8>, Vec<u8>), Option<(Option<u64>, bool)>);

    /// The crate makes nothing of a field that is empty or begins with zeros.
    fn is_odd(field: &[u8]) -> bool {
        until_zero(field).iter().all(|byte| *byte == b' ')
    }

    fn has_odd_path(header: &Header) -> bool {
        let is_other_ustar =
            header.field(MAGIC) == b"ustar\0" && header.field(MAGIC_AND_VERSION) != b"ustar\x0000";
        let is_star = header.field(STAR_TRAILER) == b"tar\0";
        is_other_ustar || is_star || (header.is_gnu() && !header.prefix().is_empty())
    }

    fn ours(header: &Header) -> Said {
        let (mut path, mut link) = (Vec::new(), Vec::new());
        header.push_path(&mut path);
        header.push_link(&mut link);
        if has_odd_path(header) {
            path.clear();
        }
        let number = |number: Option<u64>, place| number.filter(|_| !is_odd(header.field(place)));
        let real_size = || number(header.gnu_real_size(), GNU_REAL_SIZE);
        let mode = number(header.mode().map(u64::from), MODE).map(low_half);
        (
            number(header.size(), SIZE),
            mode.filter(|_| header.block[100] & 0x80 == 0),
            [number(header.user_id(), USER_ID), number(header.group_id(), GROUP_ID)],
            (path, link),
            header.is_gnu().then(|| (real_size(), header.is_gnu_extended())),
        )
    }

    fn theirs(header: &tar::Header, has_odd_path: bool) -> Said {
        let link = header.link_name_bytes().unwrap_or_default().into_owned();
        let path = if has_odd_path { Vec::new() } else { header.path_bytes().into_owned() };
        (
            header.entry_size().ok(),
            // In binary it is none for the crate.
            header.mode().ok().filter(|_| header.as_bytes()[100] & 0x80 == 0),
            [header.uid().ok(), header.gid().ok()],
            (path, link),
            header.as_gnu().map(|gnu| (gnu.real_size().ok(), gnu.isextended != [0])),
        )
    }

    fn check(block: &[u8; BLOCK_BYTES]) {
        let mut known = tar::Header::new_old();
        known.as_mut_bytes().copy_from_slice(block);
        let header = Header { block: *block };
        assert_eq!(ours(&header), theirs(&known, has_odd_path(&header)), "{block:?}");
        let field = header.field(CHECKSUM);
        let stated = octal(field).filter(|_| !is_odd(field)).map(low_half);
        assert_eq!(stated, known.cksum().ok(), "{field:?}");
    }

    /// What Go 1.24 made of such headers.
    #[test]
    fn odd_headers_are_read_as_runtimes_read_them() {
        let check = |changes: &[(usize, &[u8])], path: &str| {
            let mut header = Header::new();
            for (at, bytes) in [(0, &b"name"[..]), (345, b"pre")].iter().chain(changes) {
                header.block[*at..*at + bytes.len()].copy_from_slice(bytes);
            }
            let mut found = Vec::new();
            header.push_path(&mut found);
            assert_eq!(String::from_utf8_lossy(&found), path, "{changes:?}");
        };
        let ustar = |version: &[u8]| [b"ustar\0", version].concat();
        for version in [&b"00"[..], b"\0\0", b"  ", b"01"] {
            check(&[(257, &ustar(version))], "pre/name");
        }
        check(&[(257, b"ustar"), (262, b" 00")], "name");
        check(&[(257, b"USTAR\x0000")], "name");
        // The prefix of star is shorter: times are behind it.
        let long = [b'p'; 155];
        let named = |length: usize| format!("{}/name", "p".repeat(length));
        check(&[(257, &ustar(b"00")), (345, &long)], &named(155));
        check(&[(257, &ustar(b"00")), (345, &long), (508, b"tar\0")], &named(131));
        let gnu: (usize, &[u8]) = (257, b"ustar  \0");
        check(&[gnu], "pre/name");
        for (time, is_time) in [
            (&b"00000000000\0"[..], true),
            (b"\0garbage    ", true),
            (b"            ", true),
            (b" 12 \0       ", true),
            (b"12345678\0   ", false),
            (b" 1 2         ", false),
            (b"+1\0\0\0\0\0\0\0\0\0\0", false),
            (b"\x80\0\0\0\x7f\0\0\0\0\0\0\0", true),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", false),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", false),
            (b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", true),
            (b"\xff\xff\xff\xff\x7f\0\0\0\0\0\0\0", false),
        ] {
            let field: &[u8; 12] = time[..12].try_into().unwrap();
            assert_eq!(super::is_time(field), is_time, "{time:?}");
        }
        check(&[gnu, (345, b"usr/bin\0")], "usr/bin/name");
        check(&[gnu, (345, b"00000000000\0"), (357, b"usr/bin\0")], "00000000000/name");
        check(&[gnu, (345, b"\0\0\0"), (357, b"usr/bin\0")], "name");
        check(&[gnu, (345, "bü\0".as_bytes())], "name");
    }

    #[test]
    fn what_is_no_number_to_the_crate_may_be_one() {
        for (field, expected) in [
            (&b"\0\0\0\0\0\0\0\0"[..], Some(0)),
            (b"        ", Some(0)),
            (b"\x000000755", Some(0o755)),
            (b" \0 755 \0", Some(0o755)),
            (b"\x80\0\0\0\0\0\x01\xed", Some(0o755)),
            (b"\0 x\0\0\0\0\0", None),
        ] {
            assert_eq!(number(field), expected, "{field:?}");
            let mut header = Header::new();
            header.block[100..108].copy_from_slice(field);
            assert_eq!(header.mode().map(u64::from), expected, "{field:?}");
        }
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
        assert_eq!(header.is_checksum_right(), Some(false));
        header.block[148] = b'x';
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
