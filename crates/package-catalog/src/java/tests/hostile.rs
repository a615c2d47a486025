//! Bombs, lies, halves and anything else: bounded and told.

use proptest::prelude::*;

use super::build::{DEFLATED, STORED, STREAMED, Zip, jar, properties, properties_name};
use super::{ArchiveLimits, ArchiveSearch, messages, sections, urls};
use crate::extract::search_file;
use crate::tests::packages_of;

/// What is told of a file when these limits hold.
fn told(limits: &ArchiveLimits, kept: usize, path: &str, bytes: &[u8]) -> String {
    let found = search_file(&mut ArchiveSearch::new(limits, kept), path, bytes, 4096);
    found.iter().map(|(_, section)| String::from_utf8_lossy(section).into_owned()).collect()
}

#[test]
fn every_limit_is_named() {
    let bomb = Zip::default().add(DEFLATED, "bomb.jar", &vec![0; 3_000_000]).finish();
    let default = ArchiveLimits { ratio_bytes_free: 1_000_000, ..ArchiveLimits::default() };
    assert!(told(&default, 1 << 20, "a.jar", &bomb).contains("(ratio limit)"));
    let limits = ArchiveLimits { inflated_bytes_max: 2_999_999, ..ArchiveLimits::default() };
    assert!(told(&limits, 1 << 20, "a.jar", &bomb).contains("more than 2999999 bytes come out of it"));
    let limits = ArchiveLimits { inflated_bytes_max: 3_000_000, ..ArchiveLimits::default() };
    assert!(!told(&limits, 1 << 20, "a.jar", &bomb).contains("come out"));
    let many = (0..5).fold(Zip::default(), |zip, at| zip.add(STORED, &format!("{at}"), b"")).finish();
    for (entries_max, is_told) in [(4, true), (5, false)] {
        let limits = ArchiveLimits { entries_max, ..ArchiveLimits::default() };
        assert_eq!(told(&limits, 1 << 20, "a.jar", &many).contains("more than 4 entries"), is_told);
    }
    let name = properties_name("a");
    let content = properties("g", "a", "1");
    let one = Zip::default().add(DEFLATED, &name, &content).finish();
    for (metadata_bytes_max, is_told) in [(content.len() - 1, true), (content.len(), false)] {
        let limits = ArchiveLimits { metadata_bytes_max, ..ArchiveLimits::default() };
        assert_eq!(told(&limits, 1 << 20, "a.jar", &one).contains("is larger than"), is_told);
    }
    let talkative = (0..50).fold(Zip::default(), |zip, _| zip.add(DEFLATED, &name, &content)).finish();
    assert!(
        told(&ArchiveLimits::default(), 3000, "a.jar", &talkative).contains("more than 3000 bytes about")
    );
    let limits = ArchiveLimits { problems_max: 2, ..ArchiveLimits::default() };
    let nested = (0..5).fold(Zip::default(), |zip, at| zip.add(STORED, &format!("{at}.jar"), b"no")).finish();
    assert_eq!(told(&limits, 1 << 20, "a.jar", &nested).matches("no archive").count(), 2);
}

#[test]
fn one_bad_entry_takes_nothing_from_the_others() {
    let one = jar(STREAMED, "one", "1.0");
    for (what, broken) in [
        ("is encrypted", patch(Zip::default().add(STORED, "x.jar", b"abc"), 6, 1)),
        ("is compressed by method 12", patch(Zip::default().add(STORED, "x.jar", b"abc"), 8, 12)),
        ("is damaged", patch(Zip::default().add(DEFLATED, "x.jar", &one), 40, 0xff)),
        ("is damaged", patch(Zip::default().add(STREAMED, "x.jar", &one), 40, 0xff)),
        ("something between", {
            let mut zip = Zip::default().add(STORED, "x", b"");
            zip.0.extend(b"what is this");
            zip
        }),
        ("no archive", Zip::default().add(STORED, "x.jar", b"abc")),
        ("is cut off", Zip::default().add(STORED, "x", b"").add(DEFLATED, "x.jar", &one)),
    ] {
        let broken = if what == "is cut off" { shorten(broken) } else { broken };
        let file = broken.add(STORED, "y/one-1.0.jar", &one).finish();
        let (packages, diagnostics) = packages_of("opt/a.jar", &file);
        let told = messages(&diagnostics).join("\n");
        assert!(told.contains(what), "{what}: {told}");
        let expected = ("pkg:maven/org.example/one@1.0", "/opt/a.jar:y/one-1.0.jar");
        assert!(urls(&packages).contains(&expected), "{what}: {packages:?}");
    }
}

#[test]
fn any_number_of_project_files_is_read() {
    const COUNT: usize = 10_000;
    let pom = |at| {
        format!("<project><groupId>g</groupId><artifactId>a{at}</artifactId><version>1</version></project>")
    };
    let zip = (0..COUNT).fold(Zip::default(), |zip, at| {
        zip.add(STORED, &format!("META-INF/maven/g/a{at}/pom.xml"), pom(at).as_bytes())
    });
    let (packages, diagnostics) = packages_of("x-1.0.jar", &zip.finish());
    assert_eq!((packages.len(), messages(&diagnostics)), (COUNT + 1, Vec::new()));
}

fn patch(mut zip: Zip, at: usize, value: u8) -> Zip {
    zip.0[at] = value;
    zip
}

/// Makes the last entry, the second, two bytes shorter than its content.
fn shorten(mut zip: Zip) -> Zip {
    let at = 31 + 18;
    let length = u32::from_le_bytes(*zip.0[at..].first_chunk().unwrap()) - 2;
    zip.0[at..at + 4].copy_from_slice(&length.to_le_bytes());
    zip.0.truncate(zip.0.len() - 2);
    zip
}

#[test]
fn half_files_are_told() {
    let whole = Zip::default()
        .add(STREAMED, &properties_name("a"), &properties("g", "a", "1"))
        .add(DEFLATED, "lib/one.jar", &jar(STORED, "one", "1.0"))
        .finish();
    for length in 5..whole.len() {
        let (_, diagnostics) = packages_of("a.jar", &whole[..length]);
        assert!(!diagnostics.is_empty(), "{length}");
    }
    let (packages, diagnostics) = packages_of("a.jar", &whole);
    assert_eq!((packages.len(), diagnostics.len()), (2, 0));
    for (path, content, is_told) in [
        ("a.jar", &b"version https://git-lfs"[..], true),
        ("a.par", b"PAR2 archive", false),
        ("a.jar", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", false),
        ("a.jar", b"PK\x05\x06 nothing", true),
    ] {
        assert_eq!(!packages_of(path, content).1.is_empty(), is_told, "{path}");
    }
}

proptest! {
    #[test]
    fn changed_bytes_never_panic_and_pieces_do_not_matter(
        changes in prop::collection::vec((0_usize..2500, any::<u8>()), 0..12),
        piece in 1_usize..400,
    ) {
        let inner = jar(STREAMED, "one", "1.0");
        let mut file = Zip::default()
            .add(STREAMED, "x/one.jar", &inner)
            .add(STORED, "two.jar", &inner)
            .add(DEFLATED, "META-INF/MANIFEST.MF", b"Implementation-Version: 1\nBundle-SymbolicName: a.b\n")
            .finish();
        for (at, value) in changes {
            if let Some(byte) = file.get_mut(at) {
                *byte = value;
            }
        }
        let whole = sections("a.jar", &file, file.len());
        prop_assert!(!whole.is_empty());
        prop_assert_eq!(sections("a.jar", &file, piece), whole);
    }
}
