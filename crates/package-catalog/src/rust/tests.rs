//! Lists of crates, compressed in every way, in pieces of any size, and what only looks like one.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use model::DiagnosticCode;

use super::{AuditSearch, TAG_CRATES};
use crate::extract::search_file;
use crate::tests::{names, packages_of};

const LIST: &str = r#"{"packages":[{"name":"app","version":"0.1.0","source":"local","dependencies":[1,2],"root":true},
{"name":"itoa","version":"1.0.11","source":"crates.io"},{"name":"cc","version":"1.0.9","source":"crates.io","kind":"build"},
{"name":"patched","version":"2.0.0","source":"git"}]}"#;

/// What `cargo auditable` 0.7.7 writes for a program with one dependency and another one that only builds it.
const REAL: &str = "\
    789c6d8ed10ac2300c45ff25cfa5ac8a0fdbaf88484ca3866dcd683b4146ffdd2a22537c3de49cdc\
    0526a41e2f9ca0db2f107064e840b22218b8714ca2a102671bebda8a92ce919e27143173b2a250cc\
    c7cb12ee5f5e63b7d6adb54109870a3c4f1c3c0792d7e7c66c0e06a26a862ec79957cd77ec4857a6\
    fe27dedaddff4d067a09bea2d32c838752e3678d23d6bc2b0f4a734e3d";

fn compressed(text: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn executable(parts: &[&[u8]]) -> Vec<u8> {
    // Places that look like the beginning of a compressed text.
    let mut bytes = [b"\x7fELF".as_slice(), &b"xx\x9c\x05x\x01\x00x\xda\x02\x00".repeat(9_000)].concat();
    for part in parts {
        bytes.extend_from_slice(part);
        bytes.resize(bytes.len() + 3_000, b'x');
    }
    bytes
}

fn search(content: &[u8], piece: usize) -> Vec<(u8, Vec<u8>)> {
    search_file(&mut AuditSearch::new(1 << 16), "bin/app", content, piece)
}

#[test]
fn it_is_found_in_pieces_of_any_size() {
    for level in [0, 1, 4, 6, 9] {
        let content = executable(&[&compressed(b"{\"other\": 1}", 6), &compressed(LIST.as_bytes(), level)]);
        let expected = vec![(TAG_CRATES, [b"\0", LIST.as_bytes()].concat())];
        for piece in [1, 700, 65_536, content.len()] {
            assert_eq!(search(&content, piece), expected, "{level} {piece}");
        }
    }
    assert_eq!(search(&executable(&[]), 4096), []);
    assert_eq!(search(&compressed(LIST.as_bytes(), 6), 4096), [], "no executable");
}

#[test]
fn it_is_found_at_any_place() {
    let list = compressed(LIST.as_bytes(), 6);
    for at in (65_536 - 1100..65_536 + 20).step_by(37) {
        let mut content = b"\x7fELF".to_vec();
        content.resize(at, 7);
        content.extend_from_slice(&list);
        content.resize(70_000, 7);
        assert_eq!(search(&content, 5_000).len(), 1, "{at}");
        assert_eq!(search(&content[..at + list.len()], 5_000).len(), 1, "{at} at the end");
    }
}

#[test]
fn crates_become_packages() {
    let (packages, diagnostics) = packages_of("bin/app", &executable(&[&compressed(LIST.as_bytes(), 6)]));
    assert_eq!(names(&packages), ["app 0.1.0", "itoa 1.0.11", "patched 2.0.0"]);
    let purls: Vec<&str> = packages.iter().map(|package| package.purl.as_str()).collect();
    let expected =
        ["pkg:cargo/app@0.1.0?source=local", "pkg:cargo/itoa@1.0.11", "pkg:cargo/patched@2.0.0?source=git"];
    assert_eq!((purls, diagnostics), (expected.to_vec(), Vec::new()));
    let digits = REAL.replace(' ', "");
    let real: Vec<u8> =
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect();
    let (packages, diagnostics) = packages_of("bin/tiny", &executable(&[&real]));
    assert_eq!((names(&packages), diagnostics), (vec!["itoa 1.0.19".into(), "tiny 0.3.1".into()], vec![]));
}

#[test]
fn what_cannot_be_read_is_told() {
    let list = compressed(LIST.as_bytes(), 6);
    let large = format!("{{\"packages\":[{}", " ".repeat(5 << 20));
    let mut changed = executable(&[&list]);
    let end = changed.len() - 3_000;
    changed[end - 1] ^= 1;
    for (content, why) in [
        (executable(&[&list])[..end - 10].to_vec(), "ends before"),
        (changed, "not compressed as"),
        (executable(&[&compressed(large.as_bytes(), 6)]), "larger than"),
        (executable(&[&compressed(b"{\"packages\": 7}", 6)]), "no JSON"),
    ] {
        let (packages, diagnostics) = packages_of("bin/app", &content);
        assert!(packages.is_empty() && diagnostics.len() == 1, "{why} {diagnostics:?}");
        assert!(diagnostics[0].message.contains(why), "{diagnostics:?}");
    }
    let broken = LIST.replace("\"itoa\"", "7");
    let (packages, diagnostics) = packages_of("bin/app", &executable(&[&compressed(broken.as_bytes(), 6)]));
    assert_eq!(names(&packages), ["app 0.1.0", "patched 2.0.0"]);
    assert_eq!(diagnostics[0].code, DiagnosticCode::BrokenRecord);
}
