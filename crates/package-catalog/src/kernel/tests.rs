//! Kernels and modules, as they are and packed, in pieces of any size.

use std::io::Write as _;

use model::DiagnosticCode;

use super::{KernelSearch, TAG_KERNEL};
use crate::extract::search_file;
use crate::tests::packages_of;

const MODULE: &[u8] =
    b"license=GPL\0version=2.2.4-1\0srcversion=AB\0name=zfs\0vermagic=6.1.0-49-amd64 SMP mod_unload \0";

fn kernel() -> Vec<u8> {
    let mut head = b"MZ".to_vec();
    head.resize(0x202, 0);
    head.extend_from_slice(b"HdrS\x0f\x02");
    head.resize(0x20e, 0);
    head.extend_from_slice(&0x3000_u16.to_le_bytes());
    head.resize(0x3200, 1);
    head.extend_from_slice(b"6.1.0-49-amd64 (debian-kernel@lists.debian.org) #1 SMP\0");
    head.resize(100_000, 0);
    head
}

fn module(content: &[u8]) -> Vec<u8> {
    [b"\x7fELF".as_slice(), &[1; 5000], b"\0", content, &[0; 3000]].concat()
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn packed_by_xz(content: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn versions_are_found_in_pieces_of_any_size() {
    let (kernel, module) = (kernel(), module(MODULE));
    let zstd = zstd::encode_all(module.as_slice(), 1).unwrap();
    for (path, content, expected) in [
        ("boot/vmlinuz-6.1.0-49-amd64", &kernel, "\n6.1.0-49-amd64"),
        ("lib/modules/6.1.0/extra/zfs.ko", &module, "zfs\n2.2.4-1"),
        ("lib/modules/6.1.0/extra/zfs.ko.gz", &packed(&module), "zfs\n2.2.4-1"),
        ("usr/lib/modules/6.1.0/extra/zfs.ko.zst", &zstd, "zfs\n2.2.4-1"),
        ("lib/modules/6.1.0/extra/zfs.ko.xz", &packed_by_xz(&module), "zfs\n2.2.4-1"),
    ] {
        for piece in [1, 100, 4096, content.len()] {
            let found = search_file(&mut KernelSearch::default(), path, content, piece);
            assert_eq!(found, [(TAG_KERNEL, expected.as_bytes().to_vec())], "{path} {piece}");
        }
        search_file(&mut KernelSearch::default(), path, &content[..content.len() / 2], 4096);
    }
    let without = MODULE.strip_prefix(b"license=GPL\0version=2.2.4-1\0".as_slice()).unwrap();
    for (path, content) in [
        ("lib/modules/6.1.0/a.ko", self::module(without)),
        ("srv/a.ko", module.clone()),
        ("lib/modules/6.1.0/a.ko.bz2", module),
        ("boot/vmlinuz", b"MZ and nothing else".to_vec()),
    ] {
        assert_eq!(search_file(&mut KernelSearch::default(), path, &content, 4096), [], "{path}");
    }
}

#[test]
fn a_kernel_is_a_package() {
    let (packages, diagnostics) = packages_of("boot/vmlinuz", &kernel());
    assert_eq!((packages.len(), diagnostics), (1, Vec::new()));
    assert_eq!(packages[0].purl, "pkg:generic/linux-kernel@6.1.0-49-amd64");
    assert_eq!(packages[0].cpes, ["cpe:2.3:o:linux:linux_kernel:6.1.0:*:*:*:*:*:*:*"]);
    let (packages, _) = packages_of("lib/modules/6.1.0/zfs.ko", &module(MODULE));
    assert_eq!(packages[0].purl, "pkg:generic/zfs@2.2.4-1");
}

#[test]
fn what_cannot_be_unpacked_is_told() {
    let large_dictionary = {
        let mut options = liblzma::stream::LzmaOptions::new_preset(1).unwrap();
        options.dict_size(64 << 20);
        let mut filters = liblzma::stream::Filters::new();
        filters.lzma2(&options);
        let stream =
            liblzma::stream::Stream::new_stream_encoder(&filters, liblzma::stream::Check::Crc32).unwrap();
        let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(&module(MODULE)).unwrap();
        encoder.finish().unwrap()
    };
    let whole = packed_by_xz(&module(MODULE));
    let (whole_gz, whole_zstd) =
        (packed(&module(MODULE)), zstd::encode_all(module(MODULE).as_slice(), 1).unwrap());
    for (ending, content, why) in [
        ("gz", module(MODULE), "invalid gzip header"),
        ("zst", module(MODULE), "Unknown frame descriptor"),
        ("xz", module(MODULE), "not recognized"),
        ("gz", whole_gz[..whole_gz.len() - 20].to_vec(), ""),
        ("zst", whole_zstd[..whole_zstd.len() - 20].to_vec(), ""),
        ("xz", whole[..whole.len() - 20].to_vec(), ""),
        ("xz", large_dictionary, "memory"),
    ] {
        let (packages, diagnostics) = packages_of(&format!("lib/modules/6/a.ko.{ending}"), &content);
        let told: Vec<_> = diagnostics.iter().map(|told| (told.code, told.message.as_str())).collect();
        assert_eq!((packages.len(), told.len()), (0, 1), "{ending} {why} {told:?}");
        assert!(told[0].1.contains("cannot be unpacked") && told[0].1.contains(why), "{told:?}");
        assert_eq!(told[0].0, DiagnosticCode::ContentNotSearched);
    }

    // Nobody's module becomes so many times as large: it is only there to keep a scan busy.
    let zeros = zstd::encode_all(vec![0; 2 << 20].as_slice(), 1).unwrap();
    let found = search_file(&mut KernelSearch::default(), "lib/modules/6/a.ko.zst", &zeros, 4096);
    assert!(found[0].1.ends_with(b"it is too large"), "{found:?}");

    for (ending, content) in [("", module(MODULE)), (".gz", whole_gz), (".zst", whole_zstd), (".xz", whole)] {
        let path = format!("lib/modules/6/a.ko{ending}");
        for (bytes_max, is_told) in [(module(MODULE).len(), false), (module(MODULE).len() - 1, true)] {
            let found = search_file(&mut KernelSearch::new(bytes_max), &path, &content, 4096);
            assert_eq!(found[0].1.ends_with(b"it is too large"), is_told, "{ending} {bytes_max}");
        }
    }
}
