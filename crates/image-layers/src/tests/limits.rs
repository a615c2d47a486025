//! Every limit just below, exactly at and just above.

use std::io::Read as _;

use super::{Part, archive, file, gzip, member, raw_member, read_with, zstd};
use crate::{Body, ImageLimits, LayerError, LimitBreach, LimitedReader, ReadAllError, squash};

/// Reads with a limit set one below, at and one above what the archive needs.
fn check(bytes: &[u8], name: &str, needed: u64, set: impl Fn(&mut ImageLimits, u64)) {
    for (maximum, is_accepted) in [(needed - 1, false), (needed, true), (needed + 1, true)] {
        let mut limits = ImageLimits::default();
        set(&mut limits, maximum);
        match read_with(bytes, &limits) {
            Ok(_) => assert!(is_accepted, "{name} {maximum} was accepted"),
            Err(LayerError::Limit { breach, .. }) => {
                assert!(!is_accepted, "{name} {maximum}: {breach}");
                assert_eq!((breach.limit, breach.maximum), (name, maximum));
                assert!(breach.value > maximum);
            }
            Err(error) => panic!("{name} {maximum}: {error}"),
        }
    }
}

#[test]
fn each_limit_is_the_largest_accepted_value() {
    let parts =
        [file("a/b/cc", &"x".repeat(1000)), file("d", "2"), Part::Symlink("l".into(), "target".into())];
    let plain = archive(&parts);
    let compressed = gzip(&plain);
    check(&compressed, "compressed bytes", compressed.len() as u64, |limits, value| {
        limits.layer_bytes_max = value
    });
    check(&compressed, "unpacked bytes", plain.len() as u64, |limits, value| {
        limits.unpacked_bytes_max = value
    });
    // Three members and the two folders that a path goes through.
    check(&plain, "entries", 5, |limits, value| limits.entries_max = value);
    check(&plain, "bytes in a path", 6, |limits, value| limits.path_bytes_max = value);
    check(&plain, "bytes of paths", 6 + 1 + 1 + 6, |limits, value| limits.index_bytes_max = value);
    check(&plain, "folders in a path", 3, |limits, value| limits.nesting_max = value);
    check(&plain, "bytes of wanted files", 1001, |limits, value| limits.kept_bytes_max = value);
    // Entries of 80 bytes, and the last two.
    check(&plain, "bytes in memory", 5 * 80 + 14 + 1001, |limits, value| limits.held_bytes_max = value);
    let extended = [member(b'0', &[b'n'; 200], b"", b""), vec![0; 1024]].concat();
    check(&extended, "bytes of an extension header", 201, |limits, value| limits.extension_bytes_max = value);
}

#[test]
fn entries_that_are_counted_together_are_counted_exactly() {
    for count in [63, 64, 65, 66, 129, 130, 131, 400] {
        let parts: Vec<Part> = (0..count).map(|number| file(&format!("file-{number:05}"), "x")).collect();
        let bytes = archive(&parts);
        check(&bytes, "entries", count, |limits, value| limits.entries_max = value);
        check(&bytes, "bytes of paths", 10 * count, |limits, value| limits.index_bytes_max = value);
        let held = (80 + 10 + 1) * count;
        check(&bytes, "bytes in memory", held, |limits, value| limits.held_bytes_max = value);
        let limits = ImageLimits { entries_max: count - 1, ..ImageLimits::default() };
        let told = read_with(&bytes, &limits).unwrap_err().to_string();
        let last = count - 1;
        assert_eq!(told, format!("layer `unnamed` has {count} entries (limit {last}) at `file-{last:05}`"));
    }
}

#[test]
fn the_ratio_counts_above_the_free_bytes() {
    let plain = archive(&[file("zeros", &"\0".repeat(1 << 20))]);
    for compressed in [gzip(&plain), zstd(&plain)] {
        let ratio = (plain.len() as u64).div_ceil(compressed.len() as u64);
        let needed = 1
            + (0..)
                .find(|ratio_max| {
                    let limits = ImageLimits {
                        ratio_max: ratio_max + 1,
                        ratio_free_bytes: 0,
                        ..ImageLimits::default()
                    };
                    read_with(&compressed, &limits).is_ok()
                })
                .unwrap();
        // While streaming, the decoder may be ahead of the bytes it has taken.
        assert!(needed >= ratio, "{needed} {ratio}");
        check(&compressed, "unpacked bytes per compressed byte", needed, |limits, value| {
            (limits.ratio_max, limits.ratio_free_bytes) = (value, 0);
        });
        for (free, is_accepted) in [(-1, false), (0, true), (1, true)] {
            let ratio_free_bytes = (plain.len() as u64).saturating_add_signed(free);
            let limits = ImageLimits { ratio_max: 1, ratio_free_bytes, ..ImageLimits::default() };
            assert_eq!(read_with(&compressed, &limits).is_ok(), is_accepted);
        }
    }
}

#[test]
fn a_large_wanted_file_is_a_fact_and_not_an_error() {
    for (maximum, expected) in [(2, Body::TooLarge), (3, Body::Kept(b"123")), (4, Body::Kept(b"123"))] {
        let limits = ImageLimits { file_bytes_max: maximum, ..ImageLimits::default() };
        let tree = squash(vec![read_with(&archive(&[file("a", "123")]), &limits).unwrap()]);
        assert_eq!(tree.read("a"), Some(expected));
    }
}

#[test]
fn a_window_that_would_need_much_memory_is_refused() {
    let plain = archive(&[file("a", &"some text ".repeat(30_000))]);
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(20).unwrap();
    std::io::copy(&mut plain.as_slice(), &mut encoder).unwrap();
    let compressed = encoder.finish().unwrap();
    for (zstd_window_log_max, is_accepted) in [(19, false), (20, true), (21, true)] {
        let limits = ImageLimits { zstd_window_log_max, ..ImageLimits::default() };
        let result = read_with(&compressed, &limits);
        assert_eq!(result.is_ok(), is_accepted, "{zstd_window_log_max}");
        if let Err(error) = result {
            assert!(
                matches!(&error, LayerError::Limit { breach, .. } if breach.limit == "bits of zstd window"),
                "{error}"
            );
        }
    }
}

#[test]
fn totals_are_carried_from_layer_to_layer() {
    let bytes = archive(&[file("a", "123")]);
    let budget = crate::ReadBudget::new();
    let limits = ImageLimits { entries_max: 2, ..ImageLimits::default() };
    let read = || {
        let mut reader = bytes.as_slice();
        let input = crate::LayerInput { digest: None, diff_id: None, compression: None, reader: &mut reader };
        crate::read_layer(input, &|_| true, &limits, &budget)
    };
    assert!(read().is_ok() && read().is_ok());
    assert_eq!((budget.entries(), budget.kept_bytes()), (2, 6));
    assert_eq!((budget.unpacked_bytes(), budget.held_bytes()), (2 * bytes.len() as u64, 2 * (80 + 1 + 3)));
    assert_eq!(read().unwrap_err().to_string(), "layer `unnamed` has 3 entries (limit 2) at `a`");
}

#[test]
fn a_size_in_a_header_reserves_nothing() {
    let bytes = raw_member(b'0', b"a", b"", b"x", Some(1 << 40));
    let limits = ImageLimits {
        file_bytes_max: u64::MAX,
        kept_bytes_max: u64::MAX,
        held_bytes_max: u64::MAX,
        ..ImageLimits::default()
    };
    assert!(matches!(read_with(&bytes, &limits), Err(LayerError::Truncated { .. })));
}

#[test]
fn a_limited_reader_tells_a_full_input_from_a_longer_one() {
    for (maximum, is_accepted) in [(4, false), (5, true), (6, true)] {
        match LimitedReader::new(&b"12345"[..], "test bytes", maximum).read_all() {
            Ok(bytes) => assert!(is_accepted && bytes == b"12345"),
            Err(ReadAllError::Limit(breach)) => {
                assert!(!is_accepted);
                assert_eq!(breach.to_string(), format!("{} test bytes (limit {maximum})", maximum + 1));
            }
            Err(error) => panic!("{error}"),
        }
    }
    let mut reader = LimitedReader::new(&b"12345"[..], "test bytes", 3);
    let mut out = [0; 10];
    assert_eq!(reader.read(&mut out).unwrap(), 3);
    assert_eq!(reader.bytes_read(), 3);
    let error = reader.read(&mut out).unwrap_err();
    assert_eq!(LimitBreach::from_io(&error).unwrap().maximum, 3);
}
