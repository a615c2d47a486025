//! Archives in all forms, in pieces of any size, one in another; and what they are.

mod build;
mod directory;
mod hostile;
mod identity;
mod outside;

use build::{DEFLATED, Form, STORED, STREAMED, Zip, all_forms, jar};
use model::{Diagnostic, Package};

use super::{ArchiveLimits, ArchiveSearch};
use crate::extract::search_file;
use crate::tests::packages_of;

/// URL and path of every package.
fn urls(packages: &[Package]) -> Vec<(&str, &str)> {
    packages.iter().map(|it| (it.purl.as_str(), it.locations[0].path.as_str())).collect()
}

fn messages(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(|told| format!("{} {}", told.subject, told.message)).collect()
}

/// Sections of a file that comes in pieces of so many bytes.
fn sections(path: &str, bytes: &[u8], piece: usize) -> Vec<(u8, Vec<u8>)> {
    let mut search = ArchiveSearch::new(&ArchiveLimits::default(), 1 << 20);
    search_file(&mut search, path, bytes, piece)
}

#[test]
fn archives_of_all_forms_are_read_in_pieces_of_any_size() {
    for outer in all_forms() {
        for inner in all_forms() {
            let one = jar(inner, "one", "1.0");
            let war = Zip::default()
                .add(outer, "WEB-INF/", b"")
                .add(outer, "WEB-INF/classes/x.txt", &b"PK\x03\x04PK\x07\x08 text ".repeat(50))
                .add(outer, "WEB-INF/lib/one-1.0.jar", &one)
                .add(outer, "META-INF/MANIFEST.MF", b"Implementation-Version: 7\n")
                .finish();
            let whole = sections("opt/app.war", &war, war.len());
            assert_eq!(whole.len(), 2, "{outer:?} {inner:?} {:?}", String::from_utf8_lossy(&whole[0].1));
            for piece in [1, 2, 3, 29, 1000] {
                assert_eq!(sections("opt/app.war", &war, piece), whole, "{outer:?} {inner:?} {piece}");
            }
            let (packages, diagnostics) = packages_of("opt/app.war", &war);
            let expected = [
                ("pkg:maven/app@7", "/opt/app.war"),
                ("pkg:maven/org.example/one@1.0", "/opt/app.war:WEB-INF/lib/one-1.0.jar"),
            ];
            assert_eq!(urls(&packages), expected, "{outer:?} {inner:?}");
            assert_eq!(messages(&diagnostics), [""; 0], "{outer:?} {inner:?}");
        }
    }
}

#[test]
fn the_checksum_is_that_of_the_archive() {
    use sha1::{Digest, Sha1};
    let digits =
        |bytes: &[u8]| Sha1::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let inner = jar(STREAMED, "one", "1.0");
    let outer = Zip::default()
        .add(DEFLATED, "lib/one.jar", &inner)
        .add(STORED, "META-INF/MANIFEST.MF", b"\n")
        .finish();
    let (packages, _) = packages_of("a.ear", &outer);
    let found: Vec<_> = packages.iter().map(|it| it.java.as_ref().unwrap().sha1.clone().unwrap()).collect();
    assert_eq!(found, [digits(&outer), digits(&inner)]);
}

#[test]
fn an_archive_behind_a_script_is_found() {
    for script in ["#!/bin/sh\nexec java -jar \"$0\"\n", "#!/bin/sh\nPK\x03 P", ""] {
        let file = [script.as_bytes(), &jar(DEFLATED, "app", "2.0")].concat();
        for piece in [1, 5, 1000] {
            assert_eq!(sections("app.jar", &file, piece).len(), 1);
        }
        let (packages, diagnostics) = packages_of("srv/app.jar", &file);
        assert_eq!(urls(&packages), [("pkg:maven/org.example/app@2.0", "/srv/app.jar")], "{script}");
        assert_eq!(messages(&diagnostics), [""; 0]);
    }
}

#[test]
fn only_what_may_be_an_archive_is_read() {
    let one = jar(DEFLATED, "one", "1.0");
    for (path, count) in [
        ("a/one.jar", 1),
        ("a/one.JAR", 1),
        ("one.hpi", 1),
        ("one.kar", 1),
        ("one.zip", 0),
        ("one.rar", 0),
        ("jar", 0),
        (".jar", 0),
    ] {
        assert_eq!(packages_of(path, &one).0.len(), count, "{path}");
    }
    for (name, count) in [("x/one.rar", 1), ("one.far", 1), ("one.zip", 0)] {
        let outer = Zip::default().add(STORED, name, &one).finish();
        assert_eq!(packages_of("a.jar", &outer).0.len(), count, "{name}");
    }
}

#[test]
fn archives_in_archives_are_read_to_the_limit() {
    let nested = |depth: usize| {
        let start = jar(DEFLATED, "one", "1.0");
        (0..depth).fold(start, |inner, at| {
            let form = Form { is_deflated: at % 2 == 0, ..STREAMED };
            Zip::default().add(form, "a.jar", &inner).finish()
        })
    };
    for (depth, is_read) in [(1, true), (8, true), (9, false)] {
        let (packages, diagnostics) = packages_of("a.jar", &nested(depth));
        assert_eq!(!packages.is_empty(), is_read, "{depth}");
        if is_read {
            let path = format!("/{}", ["a.jar"].repeat(depth + 1).join(":"));
            assert_eq!(urls(&packages), [("pkg:maven/org.example/one@1.0", path.as_str())]);
        }
        assert_eq!(messages(&diagnostics).iter().any(|told| told.contains("depth 9 (limit 8)")), !is_read);
    }
}
