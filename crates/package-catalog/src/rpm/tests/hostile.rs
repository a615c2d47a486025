//! Databases that want to harm: no panic, an end, and never silence.

use std::time::{Duration, Instant};

use model::{DiagnosticCode, Inventory};
use proptest::prelude::*;

use super::build::{Value::Text, Value::Texts, berkeley, ndb, package, sqlite};
use super::forms::FORMS;
use super::messages;
use crate::rpm::header::{Header, tag};
use crate::rpm::write_ahead_log::Log;
use crate::tests::{inventory, names};

const OS_RELEASE: (&str, &[u8]) = ("etc/os-release", b"ID=x\n");

fn headers() -> Vec<Vec<u8>> {
    let long: &'static str = "long ".repeat(300).leak();
    let files = [
        (tag::FOLDER_NAMES, Texts(vec!["/a/", "/b/"])),
        (tag::BASE_NAMES, Texts(vec!["x", "y"])),
        (tag::FOLDER_INDEXES, super::build::Value::Numbers(vec![0, 1])),
    ];
    vec![
        package("a", &[(tag::VENDOR, Text(long))]),
        package("b", &files),
        package("c", &[(tag::VENDOR, Text(long))]),
        package("d", &[]),
    ]
}

fn read(path: &str, database: &[u8]) -> (Vec<String>, Vec<String>) {
    let Inventory { packages, diagnostics, .. } = inventory(&[OS_RELEASE, (path, database)]);
    (names(&packages), messages(&diagnostics).into_iter().map(str::to_owned).collect())
}

#[test]
fn a_file_that_ends_early_is_told_wherever_it_ends() {
    for (path, write) in FORMS {
        let whole = write(&headers());
        let all = read(path, &whole).0;
        assert_eq!(all.len(), 4);
        for end in (0..whole.len()).step_by(7) {
            let (packages, told) = read(path, &whole[..end]);
            assert!(packages.iter().all(|name| all.contains(name)), "{path} {end} {packages:?}");
            assert!(!told.is_empty() || end == 0 || packages == all, "{path} {end}: {packages:?}");
        }
    }
}

#[test]
fn circles_of_pages_end() {
    let put = |file: &mut Vec<u8>, offset: usize, bytes: &[u8]| {
        file[offset..offset + bytes.len()].copy_from_slice(bytes)
    };
    let path = "var/lib/rpm/rpmdb.sqlite";
    // Page 2 is the root with leaves 3 to 6; pages 7 to 9 hold what is too long of `a`, 10 to 12 of `c`.
    let whole = sqlite(&headers());
    let page = |number: usize| (number - 1) * 512;
    let mut circle = whole.clone();
    put(&mut circle, page(2) + 8, &2_u32.to_be_bytes());
    let (packages, told) = read(path, &circle);
    assert_eq!(packages, ["a 1-2", "b 1-2", "c 1-2"]);
    assert!(told.contains(&"page is in the table twice".to_owned()), "{told:?}");
    let mut circle = whole.clone();
    put(&mut circle, page(7), &7_u32.to_be_bytes());
    let (packages, told) = read(path, &circle);
    assert_eq!(packages, ["b 1-2", "c 1-2", "d 1-2"]);
    assert!(told.contains(&"row goes on in a circle of pages".to_owned()), "{told:?}");
    let mut far = whole;
    put(&mut far, page(2) + 8, &u32::MAX.to_be_bytes());
    let (packages, told) = read(path, &far);
    assert_eq!(packages, ["a 1-2", "b 1-2", "c 1-2"]);
    assert!(told.contains(&"page is behind the end of the file".to_owned()), "{told:?}");

    // Pages 1 to 4 are hash pages; 5 to 8 hold `a`.
    let path = "var/lib/rpm/Packages";
    let mut circle = berkeley(&headers(), false);
    put(&mut circle, 6 * 512 + 16, &5_u32.to_le_bytes());
    let (packages, told) = read(path, &circle);
    assert_eq!(packages, ["b 1-2", "c 1-2", "d 1-2"]);
    assert!(told.contains(&"value goes on in a circle of pages".to_owned()), "{told:?}");
    let mut other = berkeley(&headers(), true);
    put(&mut other, 5 * 512 + 16, &1_u32.to_be_bytes());
    let (packages, told) = read(path, &other);
    assert_eq!(packages, ["b 1-2", "c 1-2", "d 1-2"]);
    assert!(told.contains(&"value goes on in a page that is none of its kind".to_owned()), "{told:?}");

    let path = "var/lib/rpm/Packages.db";
    let mut damaged = ndb(&headers());
    let end = damaged.len() - 30;
    damaged[end] ^= 1;
    let (packages, told) = read(path, &damaged);
    assert_eq!(packages, ["a 1-2", "b 1-2", "c 1-2"]);
    assert!(told.contains(&"checksum of the blob is wrong".to_owned()), "{told:?}");
}

#[test]
fn records_that_overlap_cost_no_more_than_a_few_times_the_file() {
    let began = Instant::now();
    // Every slot names the same large blob.
    let large: &'static str = "x".repeat(1 << 20).leak();
    let one = ndb(&[package("a", &[(tag::SIZE + 9000, Text(large))])]);
    let (slots, blob) = one.split_at(4096);
    let mut slots = slots.to_vec();
    let slot = slots[32..48].to_vec();
    for place in slots[32..].chunks_exact_mut(16) {
        place.copy_from_slice(&slot);
    }
    let (packages, told) = read("var/lib/rpm/Packages.db", &[slots, blob.to_vec()].concat());
    assert!((1..=4).contains(&packages.len()), "{packages:?}");
    assert!(told.iter().any(|told| told.contains("records overlap")), "{told:?}");
    // Every cell of a page names the same long row.
    let mut file = sqlite(&headers());
    let leaf = 2 * 512;
    let place = [file[leaf + 8], file[leaf + 9]];
    assert!(u16::from_be_bytes(place) >= 8 + 60);
    file[leaf + 4] = 30;
    file[leaf + 8..leaf + 68].copy_from_slice(&place.repeat(30));
    let (_, told) = read("var/lib/rpm/rpmdb.sqlite", &file);
    assert!(told.iter().any(|told| told.contains("records overlap")), "{told:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn hostile_numbers_of_a_header_are_refused() {
    let parse = |words: [u32; 2], rest: &[u8]| {
        let bytes = [words.map(u32::to_be_bytes).concat(), rest.to_vec()].concat();
        Header::parse(&bytes)
            .map(|header| header.text(tag::NAME).map(<[u8]>::to_vec))
            .map_err(|error| error.to_string())
    };
    assert_eq!(parse([u32::MAX, u32::MAX], &[]), Err("it has 4294967295 entries (limit 65535)".to_owned()));
    assert_eq!(parse([65_536, 0], &[]), Err("it has 65536 entries (limit 65535)".to_owned()));
    assert_eq!(parse([0, 1], &[]), Err("it says that it has 9 bytes, and has 8".to_owned()));
    assert_eq!(parse([0, 0], &[]), Ok(None));
    let entry =
        |kind: u32, offset: u32, count: u32| [tag::NAME, kind, offset, count].map(u32::to_be_bytes).concat();
    for (kind, offset, count, data, expected) in [
        (6, 0, 1, &b"a\0"[..], Some(&b"a"[..])),
        (6, 1, 1, b"a\0", Some(b"")),
        (6, 2, 1, b"a\0", None),
        (6, u32::MAX, 1, b"a\0", None),
        (6, 0, 0, b"a\0", None),
        (6, 0, 1, b"ab", None),
        (8, 0, u32::MAX, b"a\0", Some(b"a")),
        (4, 0, 1, b"a\0", None),
        (99, 0, 1, b"a\0", None),
    ] {
        let rest = [entry(kind, offset, count), data.to_vec()].concat();
        let found = parse([1, u32::try_from(data.len()).unwrap()], &rest);
        assert_eq!(found, Ok(expected.map(<[u8]>::to_vec)), "{kind} {offset} {count}");
    }
}

/// Bytes of a database, changed at some places.
fn mutated(form: usize, changes: &[(usize, u8)], end: usize) -> Vec<u8> {
    let mut bytes = FORMS[form].1(&headers());
    for (place, value) in changes {
        let place = place % bytes.len();
        bytes[place] = *value;
    }
    bytes.truncate(end);
    bytes
}

proptest! {
    #[test]
    fn changed_bytes_are_read_or_told(
        form in 0..FORMS.len(),
        changes in prop::collection::vec((any::<usize>(), prop_oneof![any::<u8>(), Just(0), Just(0xff)]), 0..40),
        end in prop_oneof![Just(usize::MAX), 0..20_000_usize],
    ) {
        let bytes = mutated(form, &changes, end);
        let path = FORMS[form].0;
        let (packages, told) = read(path, &bytes);
        prop_assert_eq!((&packages, &told), (&read(path, &bytes).0, &read(path, &bytes).1));
        prop_assert!(packages.len() <= 8, "{:?}", packages);
    }

    #[test]
    fn one_changed_byte_of_a_page_link_loses_at_most_two_packages(form in 0..FORMS.len(), page in 0..20_usize, byte in 0..4_usize, value: u8) {
        let mut bytes = FORMS[form].1(&headers());
        let place = (page * 512 + byte + if form >= 2 { 16 } else { 0 }).min(bytes.len() - 1);
        // The first pages are what says that it is a database at all.
        if place >= 1024 || form == 1 && place >= 32 {
            bytes[place] = value;
            let (packages, told) = read(FORMS[form].0, &bytes);
            prop_assert!(packages.len() >= 2 || !told.is_empty(), "{:?} {:?}", packages, told);
            prop_assert!(packages.len() == 4 || !told.is_empty(), "{:?} {:?}", packages, told);
        }
    }

    #[test]
    fn any_bytes_behind_a_magic_number(magic in 0..6_usize, bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let magics: [&[u8]; 6] = [
            b"SQLite format 3\0\x02\0\0\0", b"RpmP\0\0\0\0\0\0\0\0\x01\0\0\0", b"", b"\0\0\0\0\0\0\0\0\0\0\0\0\x61\x15\x06\0\x09\0\0\0\0\x02\0\0",
            b"\0\0\0\0\0\0\0\0\0\0\0\0\0\x06\x15\x61\0\0\0\x09\0\0\x02\0\0\x08\0\0", b"\0\0\0\0\0\0\0\0\0\0\0\0\x62\x31\x05\0",
        ];
        let file = [magics[magic], &bytes].concat();
        for (path, _) in FORMS {
            let (packages, told) = read(path, &file);
            prop_assert!(!told.is_empty() || file.iter().all(u8::is_ascii_whitespace), "{:?}", packages);
        }
        let _ = (Header::parse(&bytes), Log::parse(&bytes));
    }
}

#[test]
fn a_database_with_nothing_readable_is_told_as_unreadable() {
    for (path, _) in FORMS {
        for content in [&b"asdf\n\nyolo"[..], &[0; 5000], b"SQLite format 3\0", b"RpmP"] {
            let found = inventory(&[OS_RELEASE, (path, content)]);
            let codes: Vec<_> = found.diagnostics.iter().map(|told| told.code).collect();
            assert_eq!(codes, [DiagnosticCode::UnreadableDatabase], "{path} {:?}", found.diagnostics);
        }
    }
}
