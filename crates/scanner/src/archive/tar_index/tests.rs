//! Tests of `tar_index`: the same index from a file and from a stream, and every damage is an error.

use std::io::Write as _;

use super::*;
use crate::ScanErrorKind;

fn member(kind: EntryType, name: &str, link: &str, body: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(body.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn file(name: &str, body: &[u8]) -> Vec<u8> {
    member(EntryType::Regular, name, "", body)
}

/// Indexes from a file and from a stream; both must agree.
fn index(bytes: &[u8]) -> Result<TarIndex, ScanError> {
    let mut on_disk = tempfile::tempfile().unwrap();
    on_disk.write_all(bytes).unwrap();
    on_disk.seek(SeekFrom::Start(0)).unwrap();
    let seeking = TarIndex::of_file(Path::new("x.tar"), &mut on_disk, bytes.len() as u64);
    let streaming = TarIndex::of_stream(Path::new("x.tar"), &mut &bytes[..]);
    assert_eq!(format!("{seeking:?}"), format!("{streaming:?}"));
    seeking
}

fn check(bytes: &[u8], name: &str, expected: Option<&[u8]>) {
    let index = index(bytes).unwrap();
    let found = index.find(name).map(|member| {
        let start = usize::try_from(member.offset).unwrap();
        &bytes[start..start + usize::try_from(member.size).unwrap()]
    });
    assert_eq!(found, expected, "{name}");
}

#[test]
fn files_are_found_by_name_and_through_links() {
    let archive = [
        file("./a/b", b"one"),
        file("c", b"two"),
        member(EntryType::Symlink, "d/e", "../a/b", b""),
        member(EntryType::Link, "f", "c", b""),
        member(EntryType::Symlink, "loop", "loop", b""),
        member(EntryType::Symlink, "out", "../../c", b""),
        member(EntryType::Directory, "g/", "", b""),
        file("c", b"three"),
        vec![0; 1024],
    ]
    .concat();
    check(&archive, "a/b", Some(b"one"));
    check(&archive, "./a//b", Some(b"one"));
    check(&archive, "c", Some(b"three"));
    check(&archive, "d/e", Some(b"one"));
    check(&archive, "f", Some(b"three"));
    for name in ["loop", "out", "g", "g/", "missing", "", "../c"] {
        check(&archive, name, None);
    }
}

#[test]
fn extensions_name_and_size_the_next_member() {
    let long = "x/".repeat(120) + "y";
    let pax = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        let length =
            (rest.len() + 1..).find(|length| length.to_string().len() + rest.len() == *length).unwrap();
        member(EntryType::XHeader, "p", "", format!("{length}{rest}").as_bytes())
    };
    let mut resized = file("big", b"12345678");
    resized[124..136].copy_from_slice(b"00000000000\0");
    let sum: u32 = resized[..512]
        .iter()
        .enumerate()
        .map(|(index, byte)| if (148..156).contains(&index) { 32 } else { u32::from(*byte) })
        .sum();
    resized[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let archive = [
        member(EntryType::GNULongName, "././@LongLink", "", format!("{long}\0").as_bytes()),
        file("short", b"gnu"),
        pax("path", "pax/name"),
        file("other", b"pax"),
        pax("size", "8"),
        resized,
        file("last", b"z"),
    ]
    .concat();
    check(&archive, &long, Some(b"gnu"));
    check(&archive, "pax/name", Some(b"pax"));
    check(&archive, "big", Some(b"12345678"));
    check(&archive, "last", Some(b"z"));
    check(&archive, "short", None);
}

#[test]
fn damage_is_an_error() {
    let good = [file("a", b"1234"), file("b", &[7; 600])].concat();
    // Without the padding of the last member and without the final zeros it is still whole.
    assert!(index(&good).is_ok());
    assert!(index(&good[..512 + 512 + 512 + 600]).is_ok());
    let mut wrong_checksum = good.clone();
    wrong_checksum[0] ^= 1;
    for bytes in
        [&good[..512 + 512 + 512 + 599], &good[..514], &good[..100], &[], &[0; 1024], &wrong_checksum]
    {
        let error = index(bytes).unwrap_err();
        assert_eq!(error.kind(), ScanErrorKind::BadImage, "{} bytes: {error}", bytes.len());
    }
    // A file of another kind is not quoted in the error.
    for (at, length) in [(148, 8), (124, 12)] {
        let mut other = good.clone();
        other[at..at + length].fill(b'\x1b');
        if at != 148 {
            let sum: u32 = other[..512]
                .iter()
                .enumerate()
                .map(|(index, byte)| if (148..156).contains(&index) { 32 } else { u32::from(*byte) })
                .sum();
            other[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let text = index(&other).unwrap_err().to_string();
        assert!(text.contains("not") && !text.contains('\x1b') && text.len() < 120, "{text}");
    }
    let huge = member(EntryType::GNULongName, "l", "", &vec![b'x'; (1 << 20) + 1]);
    assert!(index(&huge).is_err());
}

#[test]
fn the_number_of_members_has_a_limit() {
    for (count, expected) in [(MEMBERS_MAX, None), (MEMBERS_MAX + 1, Some(ScanErrorKind::LimitExceeded))] {
        let archive = file("a", b"").repeat(count);
        let outcome = TarIndex::of_stream(Path::new("x.tar"), &mut &archive[..]);
        assert_eq!(outcome.err().map(|error| error.kind()), expected, "{count}");
    }
}
