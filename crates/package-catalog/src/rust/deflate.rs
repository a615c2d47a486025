//! Whether a compressed text may begin at some bytes: told by the first ten of them, long before anything is inflated.
//!
//! Source: RFC 1950 and RFC 1951.

/// So many bytes are looked at.
pub(super) const PRELUDE_BYTES: usize = 12;

/// The text that is looked for begins with it.
pub(super) const BEGINNING: &[u8] = b"{\"packages\"";

const CODE_LENGTHS_MAX: usize = 19;
/// `{` in the fixed code, in the order in which its bits are stored.
const FIXED_BRACE: u32 = (0x30 + b'{' as u32).reverse_bits() >> 24;

/// Whether what begins with `x` is a stream with a first block that can be one of text.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    let Some(head) = bytes.first_chunk::<PRELUDE_BYTES>() else { return false };
    // The four levels that a writer can name; all use the largest window.
    if head[0] != b'x' || !matches!(head[1], 0x01 | 0x5e | 0x9c | 0xda) {
        return false;
    }
    let bits = head[2..].iter().rev().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let take = |at: usize, count: usize| u32::try_from((bits >> at) & ((1 << count) - 1)).unwrap_or_default();
    match take(1, 2) {
        // As it is: the length, the same with all bits turned, and the text.
        0 => take(8, 16) == take(24, 16) ^ 0xffff && take(40, 8) == u32::from(b'{'),
        1 => take(3, 8) == FIXED_BRACE,
        2 => {
            let (literals, distances) = (take(3, 5), take(8, 5));
            let count = take(13, 4) as usize + 4;
            let lengths = (0..count.min(CODE_LENGTHS_MAX)).map(|index| take(17 + 3 * index, 3));
            // A code that is whole fills all of its space.
            let filled: u32 = lengths.filter(|length| *length > 0).map(|length| 128 >> length).sum();
            literals < 30 && distances < 30 && filled == 128
        }
        _ => false,
    }
}
