//! Notes of both widths and byte orders, in pieces of any size, and what becomes of them beside other evidence.

use model::{DiagnosticCode, PackageKind};

use super::{NoteSearch, TAG_NOTE};
use crate::extract::search_file;
use crate::tests::{inventory, names, packages_of};

const NOTE: &str = r#"{"type":"rpm","name":"coreutils","version":"9.1-1.fc38","architecture":"x86_64","osCpe":"cpe:/o:fedoraproject:fedora:38"}"#;

/// An executable with another note in front of that of the package.
fn executable(content: &str, is_wide: bool, is_little: bool) -> Vec<u8> {
    let number = |value: usize, count: usize| {
        let bytes = (value as u64).to_le_bytes()[..count].to_vec();
        if is_little { bytes } else { bytes.into_iter().rev().collect() }
    };
    let word = if is_wide { 8 } else { 4 };
    let note = |owner: &[u8], kind: usize, content: &[u8]| {
        let mut note =
            [number(owner.len(), 4), number(content.len(), 4), number(kind, 4), owner.to_vec()].concat();
        note.resize(note.len().next_multiple_of(4), 0);
        note.extend_from_slice(content);
        note.resize(note.len().next_multiple_of(4), 0);
        note
    };
    let notes = [note(b"GNU\0", 3, &[7; 21]), note(b"FDO\0", 0xcafe_1a7e, content.as_bytes())].concat();
    let header_bytes = if is_wide { 56 } else { 32 };
    let mut bytes = b"\x7fELF".to_vec();
    bytes.extend([if is_wide { 2 } else { 1 }, if is_little { 1 } else { 2 }, 1, 0]);
    bytes.resize(16 + 8 + word, 0);
    bytes.extend(number(64, word));
    bytes.resize(if is_wide { 54 } else { 42 }, 0);
    bytes.extend([number(header_bytes, 2), number(2, 2)].concat());
    bytes.resize(64 + header_bytes, 0);
    let start = 512;
    let header = match is_wide {
        true => [
            number(4, 4),
            number(0, 4),
            number(start, 8),
            vec![0; 16],
            number(notes.len(), 8),
            vec![0; 8],
            number(4, 8),
        ],
        false => [
            number(4, 4),
            number(start, 4),
            vec![0; 8],
            number(notes.len(), 4),
            vec![0; 8],
            number(4, 4),
            vec![],
        ],
    };
    bytes.extend(header.concat());
    bytes.resize(start, 0);
    bytes.extend(notes);
    bytes.resize(bytes.len() + 200, 0);
    bytes
}

#[test]
fn notes_are_found_in_pieces_of_any_size() {
    for (is_wide, is_little) in [(true, true), (true, false), (false, true), (false, false)] {
        let content = executable(NOTE, is_wide, is_little);
        for piece in [1, 300, content.len()] {
            let found = search_file(&mut NoteSearch::default(), "bin/ls", &content, piece);
            assert_eq!(found, [(TAG_NOTE, NOTE.as_bytes().to_vec())], "{is_wide} {is_little} {piece}");
        }
        for length in 0..content.len() {
            // However much is missing: nothing or the note, no panic.
            search_file(&mut NoteSearch::default(), "bin/ls", &content[..length], 4096);
        }
    }
}

#[test]
fn a_note_is_a_package_of_the_stated_system() {
    let (packages, diagnostics) = packages_of("bin/ls", &executable(NOTE, true, true));
    let package = &packages[0];
    assert_eq!((package.kind, diagnostics), (PackageKind::Rpm, Vec::new()));
    assert_eq!(package.purl, "pkg:rpm/fedora/coreutils@9.1-1.fc38?arch=x86_64&distro=fedora-38");
    assert_eq!(package.source.as_ref().map(|source| source.name.as_str()), Some("coreutils"));
    for (note, purl) in [
        (
            r#"{"type":"deb","os":"debian","osVersion":"13","name":"a","version":"1"}"#,
            "pkg:deb/debian/a@1?distro=debian-13",
        ),
        (
            r#"{"type":"apk","name":"a","version":"1","osCpe":"cpe:2.3:o:alpinelinux:alpine:3.20:*"}"#,
            "pkg:apk/alpine/a@1?distro=alpine-3.20",
        ),
        (
            r#"{"type":"rpm","name":"a","version":"1","osCpe":"cpe:/o:redhat:enterprise_linux:9"}"#,
            "pkg:rpm/redhat/a@1?distro=rhel-9",
        ),
        (r#"{"type":"pacman","name":"a","version":"1"}"#, "pkg:alpm/a@1"),
    ] {
        let (packages, _) = packages_of("bin/a", &executable(note, true, true));
        assert_eq!(packages[0].purl, purl);
    }
    for note in ["{}", "no JSON", r#"{"type":"npm","name":"a","version":"1"}"#] {
        let (packages, diagnostics) = packages_of("bin/a", &executable(note, true, true));
        assert_eq!((packages.len(), diagnostics[0].code), (0, DiagnosticCode::BrokenRecord), "{note}");
    }
}

#[test]
fn what_is_in_the_list_of_the_system_is_no_second_package() {
    let note = r#"{"type":"deb","os":"debian","name":"tool","version":"1-1"}"#;
    let other = r#"{"type":"deb","os":"ubuntu","name":"other","version":"3"}"#;
    let status = b"Package: tool\nStatus: install ok installed\nVersion: 1-1\nArchitecture: all\nMaintainer: a <a@debian.org>\n\n\
        Package: owner\nStatus: install ok installed\nVersion: 2\nArchitecture: all\nMaintainer: a <a@debian.org>\n";
    let found = inventory(&[
        ("etc/os-release", b"ID=debian\nVERSION_ID=13\n"),
        ("var/lib/dpkg/status", status),
        ("var/lib/dpkg/info/owner.list", b"/usr/bin/owned\n"),
        ("usr/bin/owned", &executable(other, true, true)),
        ("usr/local/bin/tool", &executable(note, true, true)),
        ("usr/local/bin/b", &executable(other, true, true)),
        ("usr/local/bin/c", &executable(other, true, true)),
    ]);
    assert_eq!(names(&found.packages), ["other 3", "owner 2", "tool 1-1"]);
    let paths: Vec<&str> = found.packages[0].locations.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["/usr/local/bin/b", "/usr/local/bin/c"]);
    assert_eq!(found.packages[0].is_third_party, Some(true), "another distro's");
}
