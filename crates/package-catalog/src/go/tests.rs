//! Build information in one piece and in two, in pieces of any size, and in what only looks like it.

use model::{Diagnostic, DiagnosticCode, Package};

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
