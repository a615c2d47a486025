//! Good and damaged archives, digests and compressions.

use std::io::{self, Read};

use super::{archive, file, gzip, listing, member, raw_member, read, zstd};
use crate::{Compression, ImageLimits, LayerError, LayerInput, ReadBudget, squash};

fn list(bytes: &[u8]) -> Vec<String> {
    listing(&squash(vec![read(bytes).unwrap()]))
}

fn ended(members: &[Vec<u8>]) -> Vec<u8> {
    [members.concat(), vec![0; 1024]].concat()
}

#[test]
fn every_compression_gives_the_same_tree_and_diff_id() {
    let plain = archive(&[file("d/a", "1"), file("b", &"long ".repeat(100_000))]);
    let (head, tail) = plain.split_at(700);
    let forms = [
        plain.clone(),
        gzip(&plain),
        [gzip(head), gzip(tail)].concat(),
        [gzip(&plain), gzip(b"")].concat(),
        zstd(&plain),
        [zstd(head), zstd(tail)].concat(),
        // A skippable frame in front.
        [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3], zstd(&plain).as_slice()].concat(),
    ];
    let expected = read(&plain).unwrap();
    for bytes in forms {
        let layer = read(&bytes).unwrap();
        assert_eq!(layer.diff_id(), expected.diff_id());
        assert_eq!(layer.compressed_bytes(), bytes.len() as u64);
        assert_eq!(layer.unpacked_bytes(), plain.len() as u64);
        assert_eq!(listing(&squash(vec![layer])), list(&plain));
    }
}

#[test]
fn digests_cover_all_bytes_and_a_mismatch_names_both() {
    // Bytes behind the end of the archive belong to the digests.
    let plain = [archive(&[file("a", "1")]), vec![7; 300_000]].concat();
    let bytes = gzip(&plain);
    let known = read(&bytes).unwrap();
    let other: model::Digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let read = |digest: &model::Digest, diff_id: &model::Digest| {
        let mut reader = bytes.as_slice();
        let (digest, diff_id) = (Some(digest.clone()), Some(diff_id.clone()));
        let input = LayerInput { digest, diff_id, compression: Some(Compression::Gzip), reader: &mut reader };
        crate::read_layer(input, &|_| true, &ImageLimits::default(), &ReadBudget::new())
    };
    assert!(read(known.digest(), known.diff_id()).is_ok());
    let error = read(&other, known.diff_id()).unwrap_err();
    assert_eq!(error.to_string(), format!("layer `{other}` has digest `{}`", known.digest()));
    let error = read(known.digest(), &other).unwrap_err();
    assert!(
        matches!(&error, LayerError::DiffIdMismatch { expected, actual, .. }
        if *expected == other && actual == known.diff_id()),
        "{error}"
    );
    // The longer hash function works the same way.
    use sha2::Digest as _;
    let long = |bytes: &[u8]| model::Digest::from_sha512(&sha2::Sha512::digest(bytes).into());
    assert_eq!(read(&long(&bytes), &long(&plain)).unwrap().digest(), &long(&bytes));
}

#[test]
fn a_layer_that_ends_early_is_said_to() {
    let plain = archive(&[file("a", &"x".repeat(2000)), file("b", "2")]);
    for cut in [1, 511, 513, 1000, 2512, 2561, 3000] {
        let error = read(&plain[..cut]).unwrap_err();
        assert!(matches!(error, LayerError::Truncated { .. }), "{cut}: {error}");
    }
    for whole in [gzip(&plain), zstd(&plain)] {
        for cut in [5, whole.len() / 2, whole.len() - 1] {
            let error = read(&whole[..cut]).unwrap_err();
            assert!(matches!(error, LayerError::Truncated { .. }), "{cut}: {error}");
        }
    }
    // Archives without their end blocks are common, and an empty layer has no members.
    assert_eq!(list(&plain[..plain.len() - 1024]).len(), 2);
    assert_eq!(list(&plain[..plain.len() - 512]).len(), 2);
    assert!(list(b"").is_empty());
}

#[test]
fn garbage_and_wrong_compressions_are_refused() {
    let plain = archive(&[file("a", "1")]);
    let error = read(&[b'g'; 2000]).unwrap_err();
    assert!(matches!(error, LayerError::BadArchive { offset: 512, .. }), "{error}");
    let mut broken = gzip(&plain);
    let middle = broken.len() / 2;
    broken[middle] ^= 0x55;
    let error = read(&broken).unwrap_err();
    assert!(
        matches!(
            error,
            LayerError::BadCompression { .. } | LayerError::Truncated { .. } | LayerError::BadArchive { .. }
        ),
        "{error}"
    );
    let error = read(&[gzip(&plain), b"trailing garbage".to_vec()].concat()).unwrap_err();
    assert!(matches!(error, LayerError::BadCompression { compression: Compression::Gzip, .. }), "{error}");
    let declared = |bytes: &[u8], compression| {
        let mut reader = bytes;
        let input =
            LayerInput { digest: None, diff_id: None, compression: Some(compression), reader: &mut reader };
        crate::read_layer(input, &|_| true, &ImageLimits::default(), &ReadBudget::new())
    };
    let error = declared(&plain, Compression::Gzip).unwrap_err();
    assert_eq!(error.to_string(), "layer `unnamed` is uncompressed, its media type says gzip");
    assert!(declared(&zstd(&plain), Compression::Gzip).is_err());
    assert!(declared(&gzip(&plain), Compression::None).is_err());
    assert!(matches!(declared(b"", Compression::Gzip), Err(LayerError::Truncated { .. })));
    assert!(declared(&zstd(&plain), Compression::Zstd).is_ok());
}

#[test]
fn an_error_of_the_reader_stays_the_readers_error() {
    struct Breaks(usize);
    impl Read for Breaks {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection was cut"));
            }
            let count = self.0.min(out.len());
            out[..count].fill(0);
            self.0 -= count;
            Ok(count)
        }
    }
    for count in [0, 100, 700_000] {
        let mut reader = Breaks(count);
        let input = LayerInput { digest: None, diff_id: None, compression: None, reader: &mut reader };
        let error =
            crate::read_layer(input, &|_| true, &ImageLimits::default(), &ReadBudget::new()).unwrap_err();
        let LayerError::Source { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.to_string(), "connection was cut");
    }
}

#[test]
fn long_names_are_read_in_both_forms() {
    let long = format!("{}/name", "folder".repeat(30));
    let target = format!("{}/target", "other".repeat(40));
    assert_eq!(
        list(&ended(&[member(b'2', long.as_bytes(), target.as_bytes(), b"")])),
        [format!("{}/", "folder".repeat(30)), format!("{long} -> {target}")]
    );
    let pax = |text: &[u8], kind, body: &[u8]| {
        ended(&[raw_member(b'x', b"pax", b"", text, None), raw_member(kind, b"short", b"", body, None)])
    };
    assert_eq!(list(&pax(b"10 path=a\n", b'0', b"1")), ["a = 1"]);
    assert_eq!(list(&pax(b"14 linkpath=t\n", b'2', b"")), ["short -> t"]);
    // The size of the record counts, not the one of the header.
    let sized = ended(&[
        raw_member(b'x', b"pax", b"", b"10 size=3\n", None),
        raw_member(b'0', b"a", b"", b"abc", Some(0)),
        raw_member(b'0', b"b", b"", b"2", None),
    ]);
    assert_eq!(list(&sized), ["a = abc", "b = 2"]);
    // Global records apply to nothing, as in container runtimes.
    let global =
        ended(&[raw_member(b'g', b"g", b"", b"10 path=z\n", None), raw_member(b'0', b"a", b"", b"1", None)]);
    assert_eq!(list(&global), ["a = 1"]);
    // An old folder is a file with a slash behind it; a body that a link claims to have is none.
    assert_eq!(list(&ended(&[raw_member(0, b"d/", b"", b"", None)])), ["d/"]);
    let claims =
        ended(&[raw_member(b'2', b"l", b"t", b"", Some(512)), raw_member(b'0', b"a", b"", b"1", None)]);
    assert_eq!(list(&claims), ["a = 1", "l -> t"]);
}

/// A member of the old form, with this map in its header and in one block behind it.
fn old_sparse(path: &[u8], map: [&[(u64, u64)]; 2], real_size: u64, data: &[u8]) -> Vec<u8> {
    let write = |block: &mut [u8], map: &[(u64, u64)]| {
        for (slot, (start, length)) in block.chunks_exact_mut(24).zip(map) {
            slot.copy_from_slice(format!("{start:011o}\0{length:011o}\0").as_bytes());
        }
    };
    let mut block = raw_member(b'S', path, b"", b"", Some(data.len() as u64));
    write(&mut block[386..482], map[0]);
    block[482] = u8::from(!map[1].is_empty());
    block[483..495].copy_from_slice(format!("{real_size:011o}\0").as_bytes());
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes().copy_from_slice(&block);
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    if !map[1].is_empty() {
        let mut more = [0; 512];
        write(&mut more[..504], map[1]);
        out.extend(more);
    }
    out.extend(data);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

#[test]
fn sparse_files_are_read_with_their_holes() {
    let record = |text: &str| {
        let length =
            (text.len()..).find(|length| length.to_string().len() + 2 + text.len() == *length).unwrap();
        format!("{length} {text}\n")
    };
    let pax = |records: &[&str], data: &[u8]| {
        let records: String = records.iter().map(|text| record(text)).collect();
        ended(&[
            raw_member(b'x', b"pax", b"", records.as_bytes(), None),
            raw_member(b'0', b"made-up", b"", data, None),
            raw_member(b'0', b"z", b"", b"2", None),
        ])
    };
    let name = "GNU.sparse.name=real";
    let size = "GNU.sparse.realsize=7";
    let mut in_body = b"2\n0\n2\n4\n2\n".to_vec();
    in_body.resize(512, 0);
    in_body.extend(b"abcd");
    let whole = ["real = ab\0\0cd\0", "z = 2"];
    assert_eq!(list(&pax(&["GNU.sparse.major=1", "GNU.sparse.minor=0", name, size], &in_body)), whole);
    assert_eq!(list(&pax(&["GNU.sparse.map=0,2,4,2", name, "GNU.sparse.size=7"], b"abcd")), whole);
    let pairs =
        ["GNU.sparse.offset=0", "GNU.sparse.numbytes=2", "GNU.sparse.offset=4", "GNU.sparse.numbytes=2"];
    assert_eq!(list(&pax(&[&pairs[..], &[name, size]].concat(), b"abcd")), whole);
    // A form that runtimes do not know is a file as it stands there.
    assert_eq!(list(&pax(&["GNU.sparse.major=9", name, size], b"abcd")), ["made-up = abcd", "z = 2"]);
    let old = |map, size| {
        ended(&[old_sparse(b"real", map, size, b"abcd"), raw_member(b'0', b"z", b"", b"2", None)])
    };
    assert_eq!(list(&old([&[(0, 2), (4, 2)], &[]], 7)), whole);
    assert_eq!(list(&old([&[(0, 2)], &[(4, 2)]], 7)), whole);
    // More holes than may be filled: the file is there, its content is not.
    assert_eq!(list(&old([&[(0, 2), (4, 2)], &[]], 1 << 32)), ["real = Sparse", "z = 2"]);
    for map in [&[(0, 2), (1, 2)][..], &[(0, 2), (6, 2)], &[(0, 2), (4, 3)]] {
        assert!(read(&old([map, &[]], 7)).is_err(), "{map:?}");
    }
    for body in ["x\n", "18446744073709551615\n", "99999999999999999999999\n"] {
        let mut body = body.as_bytes().to_vec();
        body.resize(1024, 0);
        let broken = pax(&["GNU.sparse.major=1", "GNU.sparse.minor=0", name, size], &body);
        assert!(read(&broken).is_err());
    }
}

/// What a runtime unpacks that an archive can be made to hide from whoever reads it in another way.
#[test]
fn nothing_hides_where_archives_are_ambiguous() {
    let evil = || raw_member(b'0', b"usr/bin/evil", b"", b"1", None);
    // A header of a large file, in whose body all that follows would be.
    let swallow = || raw_member(b'0', b"harmless", b"", b"", Some(1 << 20));
    let x = |records: &[u8]| raw_member(b'x', b"pax", b"", records, None);
    let set = |mut block: Vec<u8>, changes: &[(usize, &[u8])]| {
        for (at, bytes) in changes {
            block[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        let mut header = tar::Header::new_old();
        header.as_mut_bytes().copy_from_slice(&block[..512]);
        header.set_cksum();
        block[..512].copy_from_slice(header.as_bytes());
        block
    };
    let old = |flag: u8, more: &[u8]| {
        let bodies = [vec![b'A'; 512], swallow()].concat();
        let header = set(
            raw_member(b'S', b"sparse", b"", b"", Some(1024)),
            &[(386, b"00000000000\x0000000002000\0"), (482, &[flag]), (483, b"00000002000\0")],
        );
        [header, more.to_vec(), bodies].concat()
    };
    let listed = |members: &[Vec<u8>]| -> Vec<String> {
        let paths = list(&ended(members)).into_iter();
        paths.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let block = |last: u8| [vec![0; 504], vec![last], vec![0; 7]].concat();
    // The flag decides which map counts, and any value but zero says that it goes on.
    let map = b"24 GNU.sparse.map=0,512\n29 GNU.sparse.name=elsewhere\n";
    let expected = ["sparse", "usr/", "usr/bin/", "usr/bin/evil"];
    assert_eq!(listed(&[x(map), old(1, &block(0)), evil()]), expected);
    assert_eq!(listed(&[old(2, &block(0)), evil()]), expected);
    assert_eq!(listed(&[old(b'1', &[block(9), block(0)].concat()), evil()]), expected);
    // A folder of the old kind has no body.
    let folder = raw_member(0, b"d/", b"", b"", Some(512));
    let paths = ["d/", "usr/", "usr/bin/", "usr/bin/evil"];
    assert_eq!(listed(&[folder, evil()]), paths);
    // An empty long name says nothing.
    let empty = |flag| raw_member(flag, b"././@LongLink", b"", b"\0", None);
    assert_eq!(listed(&[empty(b'L'), evil()]), &paths[1..]);
    let link = raw_member(b'2', b"l", b"target", b"", None);
    assert_eq!(list(&ended(&[empty(b'K'), link])), ["l -> target"]);
    // Of the magic of ustar the version does not count.
    let status =
        set(raw_member(b'0', b"status", b"", b"1", None), &[(257, b"ustar\0\0\0"), (345, b"var/lib/dpkg\0")]);
    assert_eq!(listed(&[status]), ["var/", "var/lib/", "var/lib/dpkg/", "var/lib/dpkg/status"]);
    // Fields that hold nothing are zero.
    let nothing = set(raw_member(b'0', b"a", b"", b"", None), &[(100, &[0; 36])]);
    assert_eq!(listed(&[nothing, evil()]), ["a", "usr/", "usr/bin/", "usr/bin/evil"]);
}

#[test]
fn archives_that_runtimes_refuse_are_refused() {
    let good = raw_member(b'0', b"a", b"", b"1", None);
    let mut wrong_sum = good.clone();
    wrong_sum[0] = b'b';
    let cases = [
        wrong_sum,
        [good.clone(), vec![0; 512], good.clone()].concat(),
        raw_member(b'x', b"x", b"", b"10 path=a\n", None),
        raw_member(b'L', b"x", b"", b"name\0", None),
        ended(&[raw_member(b'x', b"x", b"", b"99 path=a\n", None), good.clone()]),
        archive(&[file("d/.wh.", "")]),
        archive(&[file("d/.wh...", "")]),
        archive(&[file("d", "1"), file("d/a", "2")]),
    ];
    for (index, bytes) in cases.iter().enumerate() {
        let error = read(bytes).unwrap_err();
        assert!(matches!(error, LayerError::BadArchive { .. }), "{index}: {error}");
    }
}

#[test]
fn media_types_say_the_compression() {
    let cases = [
        ("application/vnd.oci.image.layer.v1.tar", Ok(Some(Compression::None))),
        ("application/vnd.oci.image.layer.v1.tar+gzip", Ok(Some(Compression::Gzip))),
        ("application/vnd.oci.image.layer.v1.tar+zstd", Ok(Some(Compression::Zstd))),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", Ok(Some(Compression::Gzip))),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Ok(Some(Compression::Gzip))),
        ("application/octet-stream; x=y", Ok(None)),
        ("", Ok(None)),
        ("application/vnd.oci.image.layer.v1.tar+encrypted", Err(())),
        ("text/html", Err(())),
    ];
    for (media_type, expected) in cases {
        assert_eq!(Compression::from_media_type(media_type).map_err(|_| ()), expected, "{media_type}");
    }
}

/// The first thread may be ahead by all its buffers before the second one takes the first of them.
#[test]
fn a_layer_larger_than_all_buffers_is_read_by_a_slow_reader() {
    let body = "x".repeat(3 << 20);
    let archive = archive(&[file("a", &body), file("b", &body)]);
    for _ in 0..20 {
        let mut reader = archive.as_slice();
        let input = LayerInput { digest: None, diff_id: None, compression: None, reader: &mut reader };
        let layer = crate::read_layer(input, &|_| true, &ImageLimits::default(), &ReadBudget::new()).unwrap();
        assert_eq!(layer.unpacked_bytes(), archive.len() as u64);
    }
}
