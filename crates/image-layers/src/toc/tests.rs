//! Tables of contents that were written here, honest and hostile ones; those of real tools are read in the tests of the scanner.

use model::Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::plan::PlanLimits;
use super::{
    PartsInput, Toc, TocError, TocLimits, ZstdChunkedPosition, estargz_toc_offset, read_estargz_toc,
    read_layer_in_parts, read_zstd_chunked_toc,
};
use crate::layer::LayerReaders;
use crate::tests::{gzip, listing, member, zstd};
use crate::{ImageLimits, Layer, LayerError, ReadBudget, squash};

fn digest(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&Sha256::digest(bytes).into())
}

/// A document as zstd:chunked has it, read for a layer whose contents end at `data_end`.
fn read_document(document: &[u8], data_end: u64, limits: &TocLimits) -> Result<Toc, TocError> {
    let packed = zstd(document);
    let size = u32::try_from(packed.len()).unwrap().to_le_bytes();
    let frame = [b"\x50\x2a\x4d\x18", &size[..], &packed].concat();
    let position = ZstdChunkedPosition {
        offset: data_end + 8,
        packed_bytes: packed.len() as u64,
        document_bytes: document.len() as u64,
    };
    read_zstd_chunked_toc(&frame, &position, &digest(&packed), limits)
}

fn read_entries(entries: &Value, data_end: u64) -> Result<Toc, TocError> {
    let document = json!({"version": 1, "entries": entries}).to_string();
    read_document(document.as_bytes(), data_end, &TocLimits::default())
}

/// Contents, and the entries of files with them.
#[derive(Default)]
struct Written {
    data: Vec<u8>,
    entries: Vec<Value>,
}

impl Written {
    fn file(mut self, path: &str, body: &str) -> Self {
        let offset = self.data.len();
        self.data.extend(zstd(body.as_bytes()));
        self.entries.push(json!({
            "type": "reg", "name": path, "size": body.len(), "mode": 0o644, "offset": offset,
            "endOffset": self.data.len(), "digest": digest(body.as_bytes()).to_string(),
        }));
        self
    }

    fn entry(mut self, entry: Value) -> Self {
        self.entries.push(entry);
        self
    }

    fn read_with(&self, limits: &ImageLimits) -> Result<Layer, LayerError> {
        let toc = read_entries(&json!(self.entries), self.data.len() as u64).unwrap();
        let plan = toc.plan(&mut |_| true, &PlanLimits { gap_bytes_max: 0, ranges_max: 100 });
        let fetched: Vec<u8> = plan
            .ranges()
            .iter()
            .flat_map(|range| {
                let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
                self.data[start.unwrap()..end.unwrap()].to_vec()
            })
            .collect();
        let mut reader = fetched.as_slice();
        let input = PartsInput {
            digest: digest(&self.data),
            diff_id: digest(b""),
            size_bytes: self.data.len() as u64,
            toc: &toc,
            plan: &plan,
            reader: &mut reader,
        };
        let readers = LayerReaders { is_wanted: &|_| true, extractor: None, observer: None };
        read_layer_in_parts(input, readers, limits, &ReadBudget::new())
    }

    fn check(&self, expected: &[&str]) {
        let layer = self.read_with(&ImageLimits::default()).unwrap();
        assert!(layer.is_in_parts());
        assert!(layer.write_facts(&mut Vec::new()).is_err(), "never kept");
        assert_eq!(listing(&squash(vec![layer])), expected);
    }
}

#[test]
fn entries_become_what_unpacking_would_leave() {
    Written::default()
        .entry(json!({"type": "dir", "name": "./etc/"}))
        .file("etc/a", "one")
        .file("../../etc/b", "two")
        .entry(json!({"type": "symlink", "name": "link", "linkName": "../../etc"}))
        .entry(json!({"type": "hardlink", "name": "same", "linkName": "/etc/a"}))
        .file("etc/a", "three")
        .entry(json!({"type": "hardlink", "name": "c1", "linkName": "c2"}))
        .entry(json!({"type": "hardlink", "name": "c2", "linkName": "c1"}))
        .entry(json!({"type": "char", "name": "deep/er/null", "size": 77}))
        .entry(json!({"type": "reg", "name": "deep/empty"}))
        .check(&[
            "c1 ?",
            "c2 ?",
            "deep/",
            "deep/empty = ",
            "deep/er/",
            "deep/er/null ?",
            "etc/",
            "etc/a = three",
            "etc/b = two",
            "link -> ../../etc",
            "same = one",
        ]);
    let layers = [
        Written::default().file("a/gone", "x").file("b/gone", "x").file("c", "left"),
        Written::default()
            .entry(json!({"type": "reg", "name": "a/.wh.gone"}))
            .entry(json!({"type": "reg", "name": "b/.wh..wh..opq"})),
    ];
    let layers = layers.map(|layer| layer.read_with(&ImageLimits::default()).unwrap());
    assert_eq!(listing(&squash(layers.into())), ["a/", "b/", "c = left"]);
}

#[test]
fn what_cannot_be_followed_is_not_used() {
    let sum = digest(b"x").to_string();
    let file = |name: &str, offset: u64, end: u64| json!({"type": "reg", "name": name, "size": 1, "offset": offset, "endOffset": end, "digest": sum});
    let zeros = |name: &str, end: u64| json!({"type": "reg", "name": name, "size": 1, "offset": 0, "endOffset": end, "chunkType": "zeros", "digest": sum});
    let piece = |kind: &str, offset: u64, at: u64, size: u64| {
        json!({"type": kind, "name": "f", "size": if kind == "reg" { 10 } else { 0 }, "offset": offset,
            "chunkOffset": at, "chunkSize": size, "chunkDigest": sum})
    };
    let rows = [
        (json!([file("a", 0, 10), file("b", 10, 20)]), ""),
        (json!([piece("reg", 0, 0, 4), piece("chunk", 5, 4, 0)]), ""),
        (json!([file("a", 0, 10), file("b", 9, 20)]), "overlap"),
        (json!([file("a", 10, 20), file("b", 0, 10)]), "order of the archive"),
        (json!([file("a", 0, 10), file("a", 0, 10)]), "overlap"),
        (json!([file("a", 0, 101)]), "overlap"),
        (json!([file("a", 0, 30), zeros("b", 10), file("c", 20, 40)]), "overlap"),
        (json!([file("a", 0, 30), zeros("b", 10), file("c", 30, 40)]), ""),
        (json!([file("a", 10, 10)]), "overlap"),
        (json!([file("a", u64::MAX, u64::MAX)]), "overlap"),
        (json!([piece("reg", 0, 0, 4), piece("chunk", 5, 5, 0)]), "gaps or overlap"),
        (json!([piece("reg", 0, 0, 4), piece("chunk", 5, 4, 7)]), "gaps or overlap"),
        (json!([piece("reg", 0, 0, 4), piece("chunk", 5, 11, 0)]), "gaps or overlap"),
        (json!([piece("reg", 0, 1, 0)]), "gaps or overlap"),
        (json!([piece("reg", 0, 0, 4), piece("chunk", 0, 4, 0)]), "overlap"),
        (json!([piece("chunk", 0, 0, 4)]), "follows no file"),
        (json!([file("a", 0, 10), piece("chunk", 0, 0, 4)]), "follows no file"),
        (json!([{"type": "reg", "name": "a", "size": 1, "offset": 0}]), "no SHA-256"),
        (
            json!([{"type": "reg", "name": "a", "size": 1, "digest": format!("sha512:{}", "0".repeat(128))}]),
            "no SHA-256",
        ),
        (json!([{"type": "reg", "name": "a\u{fffd}"}]), "not text"),
        (json!([{"type": "symlink", "name": "a", "linkName": "b\u{fffd}"}]), "not text"),
        (json!([{"type": "reg", "name": "a\0b"}]), "zero byte"),
        (json!([{"type": "socket", "name": "a"}]), "not understood"),
        (json!([{"type": "reg", "name": "a", "size": -1}]), "not understood"),
        (json!([{"name": "a"}]), "not understood"),
        (json!([[]]), "not understood"),
        (json!(null), "not understood"),
    ];
    for (entries, problem) in rows {
        let found = read_entries(&entries, 100).err().map(|error| error.to_string());
        let is_expected =
            found.as_ref().map_or(problem.is_empty(), |text| text.contains(problem) && !problem.is_empty());
        assert!(is_expected, "{entries}: {found:?}, not {problem}");
    }
    for document in [
        "",
        "[]",
        "{}",
        r#"{"version":2,"entries":[]}"#,
        r#"{"version":1}"#,
        r#"{"version":1,"version":1,"entries":[]}"#,
        r#"{"version":1,"entries":[]} x"#,
    ] {
        assert!(read_document(document.as_bytes(), 10, &TocLimits::default()).is_err(), "{document}");
    }
}

#[test]
fn tables_have_limits() {
    let entries = json!([{"type": "dir", "name": "a"}, {"type": "dir", "name": "b"}]);
    let document = json!({"version": 1, "entries": entries}).to_string();
    let length = document.len() as u64;
    let packed = zstd(document.as_bytes()).len() as u64 + 8;
    for (entries_max, document_bytes_max, packed_bytes_max, expected) in [
        (2, length, packed, None),
        (3, length + 1, packed + 1, None),
        (1, length, packed, Some("2 entries (limit 1)")),
        (2, length - 1, packed, Some("inflated bytes")),
        (2, length, packed - 1, Some("compressed bytes")),
    ] {
        let limits = TocLimits { entries_max, document_bytes_max, packed_bytes_max, ..TocLimits::default() };
        let found = read_document(document.as_bytes(), 10, &limits).err().map(|error| error.to_string());
        assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
        assert!(found.unwrap_or_default().contains(expected.unwrap_or_default()), "{expected:?}");
    }
}

#[test]
fn layers_have_the_limits_that_they_always_have() {
    let check = |written: &Written, change: fn(&mut ImageLimits), expected: &str| {
        let mut limits = ImageLimits::default();
        change(&mut limits);
        let error = written.read_with(&limits).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, not {expected}");
    };
    let two = || Written::default().file("a/b/c", "one").file("d", "two");
    check(&two(), |limits| limits.entries_max = 3, "entries (limit 3)");
    check(&two(), |limits| limits.nesting_max = 2, "folders in a path");
    check(&two(), |limits| limits.path_bytes_max = 4, "bytes in a path");
    check(&two(), |limits| limits.kept_bytes_max = 5, "bytes of wanted files");
    check(&two(), |limits| limits.unpacked_bytes_max = 1024, "unpacked bytes");
    check(&two().file("d/e", "x"), |_| {}, "a file is used as a folder");
    let zeros = digest(&[0; 8]).to_string();
    let hole = |size: u64| json!({"type": "reg", "name": "hole", "size": size, "offset": 0, "endOffset": 1, "chunkType": "zeros", "digest": zeros});
    two().entry(hole(8)).read_with(&ImageLimits::default()).unwrap();
    check(&two().entry(hole(1 << 40)), |_| {}, "unpacked bytes");
    check(&two().entry(hole(u64::MAX)), |_| {}, "unpacked bytes");
    let open = |limits: &mut ImageLimits| {
        limits.held_bytes_max = u64::MAX;
        (limits.unpacked_bytes_max, limits.file_bytes_max, limits.kept_bytes_max) =
            (u64::MAX / 2, u64::MAX, u64::MAX);
    };
    check(&two().entry(hole(1 << 40)), open, "unpacked bytes per compressed byte");
}

#[test]
fn contents_have_the_checksums_of_the_table() {
    let mut written = Written::default().file("a", "one").file("b", "two");
    written.entries[1]["digest"] = json!(digest(b"other").to_string());
    let error = written.read_with(&ImageLimits::default()).unwrap_err();
    assert!(matches!(&error, LayerError::PartMismatch { path, .. } if &**path == "b"), "{error}");
    let mut written = Written::default().file("a", "one");
    written.entries[0]["size"] = json!(4);
    let error = written.read_with(&ImageLimits::default()).unwrap_err();
    assert!(matches!(error, LayerError::Truncated { .. }), "{error}");
    let mut written = Written::default().file("a", "one");
    written.data.fill(7);
    let error = written.read_with(&ImageLimits::default()).unwrap_err();
    assert!(matches!(error, LayerError::BadCompression { .. }), "{error}");
}

fn bounds(plan: &super::PartPlan) -> Vec<(u64, u64)> {
    plan.ranges().iter().map(|range| (range.start, range.end)).collect()
}

#[test]
fn few_ranges_are_asked_for() {
    let sum = digest(b"x").to_string();
    let entries: Vec<Value> = [0, 10, 50, 60, 200]
        .map(|at: u64| {
            json!({"type": "reg", "name": format!("f{at}"), "size": 1, "offset": at, "endOffset": at + 5, "digest": sum})
        })
        .into();
    let toc = read_entries(&json!(entries), 1000).unwrap();
    for (gap_bytes_max, ranges_max, expected) in [
        (0, 100, vec![(0, 5), (10, 15), (50, 55), (60, 65), (200, 205)]),
        (5, 100, vec![(0, 15), (50, 65), (200, 205)]),
        (5, 2, vec![(0, 65), (200, 205)]),
        (0, 0, vec![(0, 205)]),
        (u64::MAX, 100, vec![(0, 205)]),
    ] {
        let plan = toc.plan(&mut |_| true, &PlanLimits { gap_bytes_max, ranges_max });
        assert_eq!(bounds(&plan), expected, "{gap_bytes_max} {ranges_max}");
    }
    let plan = toc.plan(&mut |file| file.path == "f50", &PlanLimits { gap_bytes_max: 9, ranges_max: 9 });
    assert_eq!((bounds(&plan), plan.byte_count()), (vec![(50, 55)], 5));
}

#[test]
fn a_footer_leads_to_the_table() {
    let footer = |offset: &str| {
        let mut footer = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\0".to_vec();
        footer.extend_from_slice(offset.as_bytes());
        footer.extend_from_slice(b"STARGZ\x01\0\0\xff\xff\0\0\0\0\0\0\0\0");
        footer
    };
    assert_eq!(estargz_toc_offset(&footer("00000000000001ff")), Some(511));
    assert_eq!(estargz_toc_offset(&footer("ffffffffffffffff")), Some(u64::MAX));
    assert_eq!(estargz_toc_offset(&footer("+0000000000001ff")), None);
    assert_eq!(estargz_toc_offset(&footer("00000000000001ff")[1..]), None);
    assert_eq!(estargz_toc_offset(b""), None);
    // The older form, without the name of the field.
    let old = [
        &b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x16\0"[..],
        b"00000000000001ffSTARGZ\x01\0\0\xff\xff\0\0\0\0\0\0\0\0",
    ]
    .concat();
    assert_eq!((old.len(), estargz_toc_offset(&old)), (47, None));
}

#[test]
fn the_table_of_estargz_is_the_one_that_the_manifest_names() {
    let document = json!({"version": 1, "entries": [{"type": "dir", "name": "etc"}]}).to_string();
    let read = |archive: Vec<u8>, expected: &[u8]| {
        read_estargz_toc(&gzip(&archive), 100, &digest(expected), &TocLimits::default())
    };
    let archive = |name: &[u8]| member(b'0', name, b"", document.as_bytes());
    let toc = read(archive(b"stargz.index.json"), document.as_bytes()).unwrap();
    assert_eq!(toc.entries.len(), 2, "the table is a file itself");
    let mismatch = read(archive(b"stargz.index.json"), b"other").unwrap_err();
    assert!(matches!(mismatch, TocError::DigestMismatch { .. }), "{mismatch}");
    for bad in [archive(b"other.json"), archive(b"stargz.index.json")[..520].to_vec(), Vec::new()] {
        let error = read(bad, document.as_bytes()).unwrap_err();
        assert!(matches!(error, TocError::Unusable(_)), "{error}");
    }
    let error = read_estargz_toc(b"no gzip", 100, &digest(b""), &TocLimits::default()).unwrap_err();
    assert!(matches!(error, TocError::Unusable(_)), "{error}");
}

#[test]
fn a_frame_that_is_not_there_is_no_lie() {
    let position = ZstdChunkedPosition { offset: 8, packed_bytes: 4, document_bytes: 10 };
    let read = |frame: &[u8]| {
        read_zstd_chunked_toc(frame, &position, &digest(b"good"), &TocLimits::default()).unwrap_err()
    };
    for frame in [
        &b""[..],
        b"\x50\x2a\x4d\x18",
        b"\x28\xb5\x2f\xfd\x04\0\0\0good",
        b"\x50\x2a\x4d\x18\x05\0\0\0good",
        b"\x50\x2a\x4d\x18\x04\0\0\0goo",
    ] {
        assert!(matches!(read(frame), TocError::Unusable(_)), "{frame:?}");
    }
    assert!(matches!(read(b"\x5f\x2a\x4d\x18\x04\0\0\0bad!"), TocError::DigestMismatch { .. }));
    assert!(matches!(read(b"\x50\x2a\x4d\x18\x04\0\0\0good"), TocError::Unusable("it is not zstd")));
}
