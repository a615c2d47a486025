//! Programs in pieces of any size, rows of real bytes, and what becomes of them in an image.

mod evidence;
mod images;

use super::{ClassifierSearch, TAG_PROGRAM};
use crate::extract::search_file;

/// The product and version that are found in a file, by id.
fn find(path: &str, content: &[u8], piece: usize) -> Vec<(String, String)> {
    let sections = search_file(&mut ClassifierSearch::default(), path, content, piece);
    let programs = sections.into_iter().filter(|(tag, _)| *tag == TAG_PROGRAM);
    programs
        .map(|(_, section)| {
            let text = String::from_utf8(section).unwrap();
            let mut lines = text.lines();
            let mut next = || lines.next().unwrap_or_default().to_owned();
            (next(), next())
        })
        .collect()
}

#[test]
fn a_literal_at_the_end_of_a_block_is_seen_whole() {
    let mut content = vec![b'.'; 200_000];
    for at in [65_530, 64_512, 63_000, 64_448 - 4, 131_072] {
        let mut content = content.clone();
        content[at..at + 15].copy_from_slice(b"BusyBox v1.36.1");
        for piece in [7, 4096, 65_536, 200_000] {
            let found = find("bin/busybox", &content, piece);
            assert_eq!(found, [("busybox".to_owned(), "1.36.1".to_owned())], "{at} {piece}");
        }
    }
    content.truncate(100);
    content.extend_from_slice(b"BusyBox v1.36.1");
    assert_eq!(find("bin/busybox", &content, 1).len(), 1, "at the end of the file");
    assert_eq!(find("bin/box", &content, 64), [], "another name");
}
