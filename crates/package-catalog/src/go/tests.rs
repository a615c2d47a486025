//! Build information in one piece and in two, in pieces of any size, and in what only looks like it.

use model::{Diagnostic, DiagnosticCode, Package};

use super::old::FENCE as OLD_FENCE;
use super::{BuildInfoSearch, TAG_BUILD_INFO, TAG_OLD_BUILD_INFO};
use crate::extract::search_file;
use crate::tests::packages_of;

const FENCE: [u8; 16] = [7; 16];
const MODULES: &str = "path\texample.org/app/cmd\nmod\texample.org/app\t(devel)\t\n\
    dep\tgithub.com/gorilla/mux\tv1.8.0\th1:x=\ndep\texample.org/old\tv1.0.0\n=>\texample.org/fork\tv1.0.1\th1:y=\n\
    dep\texample.org/here\tv0.1.0\n=>\t./here\t(devel)\nbuild\t-compiler=gc\n\
    build\t-ldflags=\"-s -w -X example.org/app/internal.Version=2.3.4-rc1 -X main.commit=abc\"\n\
    build\tvcs.revision=0123456789abcdef0123\nbuild\tvcs.time=2024-01-31T10:20:30Z\n";

fn text(bytes: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    let mut length = bytes.len();
    while length >= 0x80 {
        written.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    written.push(u8::try_from(length).unwrap());
    written.extend_from_slice(bytes);
    written
}

fn header(pointer_bytes: u8, flags: u8) -> Vec<u8> {
    [b"\xff Go buildinf:".as_slice(), &[pointer_bytes, flags], &[0; 16]].concat()
}

fn build_info(go: &str, modules: &str) -> Vec<u8> {
    let fenced = [&FENCE, modules.as_bytes(), &FENCE].concat();
    [header(8, 2), text(go.as_bytes()), text(&fenced)].concat()
}

fn executable(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = b"\x7fELF".to_vec();
    bytes.resize(4096, 1);
    for part in parts {
        bytes.extend_from_slice(part);
        bytes.resize(bytes.len() + 100, 0);
    }
    bytes
}

fn search(bytes: &[u8], piece: usize) -> Option<(u8, Vec<u8>)> {
    search_file(&mut BuildInfoSearch::new(1 << 20), "usr/bin/app", bytes, piece).pop()
}

fn catalog(content: &[u8]) -> (Vec<Package>, Vec<Diagnostic>) {
    packages_of("usr/bin/app", content)
}

#[test]
fn it_is_found_in_pieces_of_any_size() {
    let good = build_info("go1.22.1", MODULES);
    let as_text = b"\xff Go buildinf:\x08\x02 is what it begins with";
    let bytes = executable(&[as_text, &header(8, 2), &good]);
    let expected = Some((TAG_BUILD_INFO, format!("go1.22.1\n{MODULES}").into_bytes()));
    for piece in [1, 7, 13, 31, 512, 4096, bytes.len()] {
        assert_eq!(search(&bytes, piece), expected, "{piece}");
    }
    assert_eq!(search(&executable(&[as_text]), 512), None);
    assert_eq!(search(&executable(&[&good[..good.len() - 1]])[..4096 + good.len() - 1], 512), None, "cut");
    let mut old = header(8, 0);
    old[16..24].copy_from_slice(&0x0054_1230_u64.to_le_bytes());
    old[24..32].copy_from_slice(&0x0054_1240_u64.to_le_bytes());
    assert_eq!(search(&executable(&[&old]), 512), Some((TAG_OLD_BUILD_INFO, Vec::new())));
}

#[test]
fn modules_become_packages() {
    let (packages, diagnostics) = catalog(&executable(&[&build_info("go1.22.1 X:boringcrypto", MODULES)]));
    let found: Vec<(&str, Option<&str>, &str)> = packages
        .iter()
        .map(|package| (package.name.as_str(), package.version.as_deref(), package.purl.as_str()))
        .collect();
    let expected = [
        ("example.org/app", Some("v2.3.4-rc1"), "pkg:golang/example.org/app@v2.3.4-rc1"),
        ("example.org/fork", Some("v1.0.1"), "pkg:golang/example.org/fork@v1.0.1"),
        ("example.org/here", None, "pkg:golang/example.org/here"),
        ("github.com/gorilla/mux", Some("v1.8.0"), "pkg:golang/github.com/gorilla/mux@v1.8.0"),
        ("stdlib", Some("1.22.1"), "pkg:golang/stdlib@1.22.1"),
    ];
    assert_eq!(found, expected);
    assert!(packages.iter().all(|package| package.locations[0].path == "/usr/bin/app"));
    let codes: Vec<_> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [DiagnosticCode::MissingVersion], "{diagnostics:?}");
}

#[test]
fn a_main_module_has_the_version_that_is_best_known() {
    let of = |settings: &str| {
        let modules = format!("path\tm.org/a\nmod\tm.org/a\t(devel)\t\n{settings}");
        let (packages, _) = catalog(&executable(&[&build_info("go1.20", &modules)]));
        packages.iter().find(|package| package.name == "m.org/a").unwrap().version.clone()
    };
    for (settings, expected) in [
        ("", None),
        ("build\t-ldflags=-X main.version=v1.2.3\n", Some("v1.2.3")),
        ("build\t-ldflags='-X=m.org/a/b.buildVersion=1.2'\n", Some("v1.2")),
        ("build\t-ldflags=-X m.org/a/app.ver=0.59.1\n", Some("v0.59.1")),
        ("build\t-ldflags=-X other.org/b.Version=1.2.3\n", None),
        ("build\t-ldflags=-X m.org/ab.Version=1.2.3\n", None),
        ("build\t-ldflags=-X main.version=dev\n", None),
        (
            "build\tvcs.revision=0123456789abcdef\nbuild\tvcs.time=2024-01-31T10:20:30Z\n",
            Some("v0.0.0-20240131102030-0123456789ab"),
        ),
        ("build\tvcs.revision=0123\nbuild\tvcs.time=2024-01-31T10:20:30Z\n", None),
    ] {
        assert_eq!(of(settings).as_deref(), expected, "{settings}");
    }
}

/// An executable of Go 1.17: the texts, the header with two addresses, and the two variables it points to.
fn old_executable(big: bool, wide: bool, version: &str, modules: &str) -> Vec<u8> {
    let word = if wide { 8 } else { 4 };
    let number = |value: usize, bytes: usize| {
        let little = value.to_le_bytes()[..bytes].to_vec();
        if big { little.into_iter().rev().collect() } else { little }
    };
    let mut file = vec![0; 64];
    file[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, if big { 2 } else { 1 }]);
    let mut put = |at: usize, value: usize, bytes: usize| {
        file[at..at + bytes].copy_from_slice(&number(value, bytes));
    };
    put(24 + word, 64, word);
    let (row_bytes, fields) = if wide { (56, 8) } else { (32, 4) };
    put(if wide { 54 } else { 42 }, row_bytes, 2);
    put(if wide { 56 } else { 44 }, 1, 2);
    let mut row = vec![0; row_bytes];
    row[..4].copy_from_slice(&number(1, 4));
    for (at, value) in [(0, 0), (1, 0x40_0000), (3, 0x10_0000)] {
        row[fields + at * word..][..word].copy_from_slice(&number(value, word));
    }
    file.extend(row);
    file.extend_from_slice(b"go1.13 is what this was made for;");
    let version_at = file.len();
    file.extend_from_slice(format!("{version}goroutine").as_bytes());
    file.extend(OLD_FENCE[0]);
    file.extend_from_slice(modules.as_bytes());
    file.extend(OLD_FENCE[1]);
    file.resize(file.len().next_multiple_of(16) + 640, 3);
    let variables_at = file.len() + 32;
    let mut header = b"\xff Go buildinf:".to_vec();
    header.extend([u8::try_from(word).unwrap(), u8::from(big)]);
    header.extend(number(0x40_0000 + variables_at, word));
    header.extend(number(0x40_0000 + variables_at + 2 * word, word));
    header.resize(32, 0);
    file.extend(header);
    file.extend(number(0x40_0000 + version_at, word));
    file.extend(number(version.len(), word));
    file.resize(file.len() + 100, 0);
    file
}

#[test]
fn executables_of_old_go_are_put_together_from_their_pieces() {
    let modules = "path\tm.org/a\nmod\tm.org/a\tv1.2.3\t\ndep\tm.org/b\tv1.0.0\th1:x=\n";
    for (big, wide) in [(false, true), (false, false), (true, true)] {
        let bytes = old_executable(big, wide, "go1.17.2", modules);
        let expected = Some((TAG_OLD_BUILD_INFO, format!("go1.17.2\n{modules}").into_bytes()));
        for piece in [1, 7, 31, 33, 512, bytes.len()] {
            assert_eq!(search(&bytes, piece), expected, "{big} {wide} {piece}");
        }
        let (packages, diagnostics) = catalog(&bytes);
        let purls: Vec<&str> = packages.iter().map(|package| package.purl.as_str()).collect();
        assert_eq!(
            purls,
            ["pkg:golang/m.org/a@v1.2.3", "pkg:golang/m.org/b@v1.0.0", "pkg:golang/stdlib@1.17.2"]
        );
        assert_eq!(diagnostics, []);
    }
    // A list without end, and more versions than are kept: what is known stays.
    let mut endless = old_executable(false, true, "go1.17.2", modules);
    let at = memchr::memmem::find(&endless, &OLD_FENCE[1]).unwrap();
    endless[at] = 0;
    assert!(search(&endless, 512).is_some_and(|(_, section)| section.starts_with(b"go1.17.2\n")));
    let many = "go1.1 ".repeat(1000);
    let crowded = old_executable(false, true, "devel", &format!("path\tm.org/a\n{many}"));
    assert!(search(&crowded, 512).is_some_and(|(_, section)| section.starts_with(b"\npath")));
}

#[test]
fn an_executable_without_a_module_is_known_by_its_path() {
    let of = |path: &str, settings: &str| {
        let info = build_info("go1.19.8", &format!("path\t{path}\n{settings}"));
        let found = catalog(&executable(&[&info])).0;
        found.iter().map(|package| package.purl.clone()).collect::<Vec<_>>()
    };
    let library = "pkg:golang/stdlib@1.19.8";
    assert_eq!(of("command-line-arguments", ""), [library]);
    assert_eq!(of("cmd/compile", ""), ["pkg:golang/cmd/compile@1.19.8", library]);
    assert_eq!(of("m.org/a/cmd/b", ""), ["pkg:golang/m.org/a/cmd/b", library]);
    let settings = "build\t-ldflags=-X main.version=v1.2.3\n";
    assert_eq!(of("m.org/a/cmd/b", settings), ["pkg:golang/m.org/a/cmd/b@v1.2.3", library]);
}

#[test]
fn what_cannot_be_read_is_told() {
    let mut old = header(8, 0);
    old[16..24].copy_from_slice(&0x0054_1230_u64.to_le_bytes());
    old[24..32].copy_from_slice(&0x0054_1240_u64.to_le_bytes());
    let (_, diagnostics) = catalog(&executable(&[&old]));
    assert_eq!(diagnostics[0].code, DiagnosticCode::UnreadableDatabase, "{diagnostics:?}");
    assert!(diagnostics[0].message.contains("before 1.18"), "{diagnostics:?}");
    let (packages, diagnostics) =
        catalog(&executable(&[&build_info("go1.22.1", "nonsense\ndep\tm.org/a\tv1.0.0\n")]));
    assert!(packages.iter().any(|package| package.name == "m.org/a"), "one bad line loses no other");
    assert!(diagnostics.iter().any(|it| it.code == DiagnosticCode::BrokenRecord), "{diagnostics:?}");
    // The same content in a file that is no executable.
    assert_eq!(catalog(&build_info("go1.22.1", MODULES)), (vec![], vec![]));
}
