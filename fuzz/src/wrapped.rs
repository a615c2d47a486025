//! Readers of what lies inside of a container with lengths and checksums: the search makes the content, this makes the container.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};

use crate::{catalog, repair};

const NDB_PAGE: usize = 4096;
const NDB_BLOCK: usize = 16;

/// The header of a package, in a database of the form that has the least around it.
pub(crate) fn read_rpm_header(bytes: &[u8]) {
    let word = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut blob = [b"BlbS", &word(1)[..], &word(1), &word(bytes.len()), bytes].concat();
    blob.resize((blob.len() + 12).next_multiple_of(NDB_BLOCK) - 12, 0);
    let sum = repair::adler32(&blob).to_le_bytes();
    blob.extend([&sum[..], &word(bytes.len()), b"BlbE"].concat());
    let mut file = [b"RpmP", &word(0)[..], &word(1), &word(1)].concat();
    file.resize(32, 0);
    file.extend([b"Slot", &word(1)[..], &word(NDB_PAGE / NDB_BLOCK), &word(blob.len() / NDB_BLOCK)].concat());
    while file.len() < NDB_PAGE {
        file.extend(b"Slot\0\0\0\0\0\0\0\0\0\0\0\0");
    }
    file.extend(blob);
    catalog::read("var/lib/rpm/Packages.db", &file);
}

/// The list of crates in an executable, which is compressed there.
pub(crate) fn read_rust_crates(bytes: &[u8]) {
    let mut packed = ZlibEncoder::new([&b"\x7fELF"[..], &[0; 60]].concat(), Compression::fast());
    packed.write_all(bytes).expect("memory takes every byte");
    catalog::read("usr/bin/app", &packed.finish().expect("memory takes every byte"));
}

/// What an archive of Java says of itself, with a NUL between its manifest, the properties and the project file of Maven.
pub(crate) fn read_jar_texts(bytes: &[u8]) {
    const NAMES: [&str; 3] =
        ["META-INF/MANIFEST.MF", "META-INF/maven/g/a/pom.properties", "META-INF/maven/g/a/pom.xml"];
    let texts = bytes.splitn(NAMES.len(), |byte| *byte == 0);
    let archive: Vec<u8> =
        NAMES.into_iter().zip(texts).flat_map(|(name, text)| zip_entry(name, text)).collect();
    catalog::read("app/a-1.jar", &[&archive, &b"PK\x05\x06"[..], &[0; 18]].concat());
}

/// Nobody here compares the sum of an entry, and the directory behind the entries may be missing.
fn zip_entry(name: &str, text: &[u8]) -> Vec<u8> {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text).expect("memory takes every byte");
    let packed = packed.finish().expect("memory takes every byte");
    let long = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes();
    [
        &b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0"[..],
        &long(packed.len()),
        &long(text.len()),
        &short(name.len()),
        &short(0),
        name.as_bytes(),
        &packed,
    ]
    .concat()
}
