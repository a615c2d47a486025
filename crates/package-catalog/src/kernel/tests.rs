//! Kernels and modules, as they are and packed, in pieces of any size.

use std::io::Write as _;

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

#[test]
fn versions_are_found_in_pieces_of_any_size() {
    let (kernel, module) = (kernel(), module(MODULE));
    let zstd = zstd::encode_all(module.as_slice(), 1).unwrap();
    for (path, content, expected) in [
        ("boot/vmlinuz-6.1.0-49-amd64", &kernel, "\n6.1.0-49-amd64"),
        ("lib/modules/6.1.0/extra/zfs.ko", &module, "zfs\n2.2.4-1"),
        ("lib/modules/6.1.0/extra/zfs.ko.gz", &packed(&module), "zfs\n2.2.4-1"),
        ("usr/lib/modules/6.1.0/extra/zfs.ko.zst", &zstd, "zfs\n2.2.4-1"),
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
        ("lib/modules/6.1.0/a.ko.gz", module),
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
