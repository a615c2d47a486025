//! Checksums made right again: without that a search ends at the first of them, because hardly any change of a file keeps it.

const TAR_BLOCK: usize = 512;
const TAR_SUM: std::ops::Range<usize> = 148..156;
const LOG_HEADER: usize = 32;
const LOG_FRAME_HEADER: usize = 24;

/// A tar archive with the right sum in each of its headers; `None` where there is nothing to mend.
pub(crate) fn tar(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut repaired = bytes.to_vec();
    let mut at = 0;
    while let Some(block) = repaired.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<TAR_BLOCK>()) {
        if block.iter().all(|byte| *byte == 0) {
            break;
        }
        block[TAR_SUM].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[TAR_SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let size = tar::Header::from_byte_slice(block).entry_size().unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        at = at.saturating_add(size.div_ceil(TAR_BLOCK).saturating_add(1).saturating_mul(TAR_BLOCK));
    }
    (repaired != bytes).then_some(repaired)
}

/// A write-ahead log of SQLite with the right sums in its header and in each frame of its newest use.
pub(crate) fn write_ahead_log(bytes: &[u8]) -> Vec<u8> {
    let mut repaired = bytes.to_vec();
    let Some(header) = bytes.first_chunk::<LOG_HEADER>() else { return repaired };
    let is_big_endian = header[3] & 1 == 1;
    let mut sums = add(is_big_endian, (0, 0), &header[..24]);
    write_sums(&mut repaired[24..32], sums);
    let page_bytes = header[8..12].iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    let frames = repaired[LOG_HEADER..].chunks_exact_mut(LOG_FRAME_HEADER.saturating_add(page_bytes));
    for frame in frames.take_while(|frame| frame[8..16] == header[16..24]) {
        sums = add(is_big_endian, sums, &frame[..8]);
        sums = add(is_big_endian, sums, &frame[LOG_FRAME_HEADER..]);
        write_sums(&mut frame[16..24], sums);
    }
    repaired
}

/// Source: sqlite.org, "WAL-mode File Format", section 4.2.
fn add(is_big_endian: bool, sums: (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let bytes = bytes.first_chunk().copied().unwrap_or_default();
        if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    bytes.chunks_exact(8).fold(sums, |(first, second), pair| {
        let first = first.wrapping_add(word(&pair[..4])).wrapping_add(second);
        (first, second.wrapping_add(word(&pair[4..])).wrapping_add(first))
    })
}

fn write_sums(place: &mut [u8], (first, second): (u32, u32)) {
    place[..4].copy_from_slice(&first.to_be_bytes());
    place[4..].copy_from_slice(&second.to_be_bytes());
}

/// Source: RFC 1950.
pub(crate) fn adler32(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_archive_gets_its_sums_back() {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(600);
        for path in ["a", "b"] {
            archive.append_data(&mut header, path, [7; 600].as_slice()).expect("memory takes all");
        }
        let whole = archive.into_inner().expect("memory takes all");
        let mut changed = whole.clone();
        changed[1536] = b'c';
        changed[600] = 9;
        let repaired = tar(&changed).expect("something is changed");
        let names: Vec<_> = tar::Archive::new(repaired.as_slice())
            .entries()
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .expect("it is whole again")
            .iter()
            .map(|entry| entry.path_bytes().into_owned())
            .collect();
        assert_eq!(names, [b"a", b"c"]);
    }

    #[test]
    fn adler_is_what_the_rfc_says() {
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
