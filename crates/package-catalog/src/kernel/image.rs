//! The version in the head of a kernel that a boot loader starts.
//!
//! Source: Linux, `Documentation/arch/x86/boot.rst`: `HdrS` at 0x202; at 0x20e where the text begins, counted from 0x200.

const MAGIC_AT: usize = 0x202;
const MAGIC: &[u8] = b"HdrS";
const POINTER_AT: usize = 0x20e;
const POINTER_BASE: usize = 0x200;
/// Its text stands in the part that runs first, which is smaller.
pub(super) const HEAD_BYTES: usize = 64 * 1024;
const VERSION_BYTES_MAX: usize = 128;
/// Of kernels that are not packed: what they print first.
const BANNER: &[u8] = b"Linux version ";

/// `6.1.0-49-amd64 (debian-kernel@lists.debian.org) #1 SMP …`: the first word.
pub(super) fn version(head: &[u8]) -> Option<&str> {
    let text = match head.get(MAGIC_AT..MAGIC_AT + MAGIC.len()) == Some(MAGIC) {
        true => {
            let pointer = head.get(POINTER_AT..POINTER_AT + 2)?.first_chunk::<2>()?;
            head.get(POINTER_BASE + usize::from(u16::from_le_bytes(*pointer))..)?
        }
        false => head.get(memchr::memmem::find(head, BANNER)? + BANNER.len()..)?,
    };
    let end = text.iter().take(VERSION_BYTES_MAX).position(|byte| matches!(byte, b' ' | 0))?;
    let word = std::str::from_utf8(&text[..end]).ok()?;
    word.starts_with(|first: char| first.is_ascii_digit()).then_some(word)
}
