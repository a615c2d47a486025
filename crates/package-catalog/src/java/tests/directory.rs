//! Archives whose directory says something else than what lies in them.

use super::build::{DEFLATED, Row, STORED, Zip, jar, properties, properties_name};
use super::{messages, sections, urls};
use crate::tests::packages_of;

fn with(zip: Zip, artifact: &str) -> Zip {
    zip.add(DEFLATED, &properties_name(artifact), &properties("g", artifact, "1"))
}

/// URLs of the packages, and what is told.
fn read(file: &[u8]) -> (Vec<String>, String) {
    for piece in [1, 13] {
        assert_eq!(sections("a.jar", file, piece), sections("a.jar", file, file.len()), "{piece}");
    }
    let (packages, diagnostics) = packages_of("a.jar", file);
    let urls = urls(&packages).into_iter().map(|(url, _)| url.trim_start_matches("pkg:maven/").to_owned());
    (urls.collect(), messages(&diagnostics).join("\n"))
}

#[test]
fn entries_that_only_one_of_both_has_are_told() {
    let whole = || with(with(Zip::default(), "a"), "b");
    assert_eq!(read(&whole().finish()), (vec!["g/a@1".into(), "g/b@1".into()], String::new()));

    let mut hidden = whole();
    hidden.1.remove(1);
    let (packages, told) = read(&hidden.finish());
    assert_eq!(packages, ["g/a@1", "g/b@1"]);
    assert!(told.contains("1 entries were read that the directory of the archive does not list"), "{told}");

    let mut more = whole();
    more.1.push((7, "lib/secret.jar".to_owned(), 0));
    let (packages, told) = read(&more.finish());
    assert_eq!(packages, ["g/a@1", "g/b@1"]);
    assert!(told.contains("1 entries of the directory") && told.contains("`lib/secret.jar`"), "{told}");

    let changes: [fn(&mut Row); 3] = [|row| row.1.push('x'), |row| row.2 = 0, |row| row.0 += 1];
    for change in changes {
        let mut other = whole();
        change(&mut other.1[1]);
        let (_, told) = read(&other.finish());
        assert!(
            told.contains("1 entries were read") && told.contains("1 entries of the directory"),
            "{told}"
        );
    }
}

#[test]
fn the_last_directory_counts() {
    let file = [jar(STORED, "old", "1"), jar(STORED, "new", "2")].concat();
    let (packages, told) = read(&file);
    assert_eq!(packages, ["org.example/a", "org.example/new@2", "org.example/old@1"]);
    assert!(told.contains("3 entries were read") && !told.contains("entries of the directory"), "{told}");
    let empty = [jar(STORED, "old", "1"), Zip::default().finish()].concat();
    assert!(read(&empty).1.contains("3 entries were read"));
}

#[test]
fn what_stands_around_an_archive_is_no_lie() {
    let plain = jar(DEFLATED, "a", "1");
    let mut commented = plain.clone();
    let end = commented.len();
    commented[end - 2] = 11;
    commented.extend(b"PK\x03\x04 comment");
    let mut moved = Zip { 0: b"#!/bin/sh\n".to_vec(), ..Zip::default() };
    moved = with(moved, "a");
    for (what, file) in [
        ("comment", commented.clone()),
        ("comment and more", [commented.as_slice(), b"\n\n"].concat()),
        ("script", [b"#!/bin/sh\n".as_slice(), &plain].concat()),
        ("script that counts", moved.finish()),
        ("large", large()),
    ] {
        let (packages, told) = read(&file);
        assert_eq!((packages.len(), told.as_str()), (1, ""), "{what}");
    }
}

/// With everything in the directory in the wide form.
fn large() -> Vec<u8> {
    let Zip(mut file, entries) = with(Zip { 0: b"#!".to_vec(), ..Zip::default() }, "a");
    for (offset, name, method) in entries {
        file.extend(b"PK\x01\x02\x14\0\x14\0\0\0");
        file.extend(method.to_le_bytes());
        file.extend([0; 8]);
        file.extend([0xff; 8]);
        file.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        file.extend([28, 0]);
        file.extend([0; 10]);
        file.extend([0xff; 4]);
        file.extend(name.as_bytes());
        file.extend([1, 0, 24, 0]);
        file.extend([1; 16]);
        file.extend((offset as u64).to_le_bytes());
    }
    file.extend(b"PK\x06\x06");
    file.extend(44_u64.to_le_bytes());
    file.extend([0; 44]);
    file.extend(b"PK\x06\x07");
    file.extend([0; 16]);
    file.extend(b"PK\x05\x06");
    file.extend([0; 18]);
    file
}

#[test]
fn directories_that_cannot_be_read_are_told() {
    let Zip(entries, _) = with(Zip::default(), "a");
    for (behind, why) in [
        (b"PK\x06\x08\x10\0\0\0 encrypted".as_slice(), "encrypted or damaged"),
        (b"PK\x01\x02", "within its directory"),
        (b"PK\x06\x06\xff\xff\xff\xff\xff\xff\xff\xff", "encrypted or damaged"),
        (b"", "before its directory"),
    ] {
        let (packages, told) = read(&[entries.as_slice(), behind].concat());
        assert_eq!(packages, ["g/a@1"]);
        assert!(told.contains(why), "{why}: {told}");
    }
}

#[test]
fn any_number_of_directories_is_read() {
    const COUNT: usize = 20_000;
    let entry = Zip::default().add(STORED, "a", b"");
    let one = [entry.0.as_slice(), &Zip::default().finish()].concat();
    let file = one.repeat(COUNT);
    let (_, diagnostics) = packages_of("a.jar", &file);
    assert!(messages(&diagnostics).join("\n").contains(&format!("{COUNT} entries were read")));
}
