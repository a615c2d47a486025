//! Whatever the bytes: no panic; whatever the layers: the same tree as from unpacking them one member at a time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Part, archive, file, folder, gzip, hard_link, listing, read, symlink, zstd};
use crate::{Body, squash};

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        for head in [&b""[..], &[0x1f, 0x8b, 8, 0], &[0x28, 0xb5, 0x2f, 0xfd]] {
            if let Ok(layer) = read(&[head, &bytes].concat()) {
                squash(vec![layer]);
            }
        }
    }

    #[test]
    fn damaged_archives_never_panic(
        parts in prop::collection::vec(part(), 0..8),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        compression in 0..3,
    ) {
        let plain = archive(&parts);
        let mut bytes = match compression { 0 => plain, 1 => gzip(&plain), _ => zstd(&plain) };
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(layer) = read(&bytes) {
            squash(vec![layer]);
        }
    }

    #[test]
    fn any_layers_give_a_sorted_tree_that_finds_itself(layers in layers()) {
        let squashed = || squash(layers.iter().filter_map(|parts| read(&archive(parts)).ok()).collect());
        let (tree, mut doubted) = (squashed(), squashed());
        doubted.are_folders_real = false;
        let paths: Vec<&str> = tree.entries().map(|entry| entry.path()).collect();
        prop_assert!(paths.windows(2).all(|pair| crate::path::compare(pair[0], pair[1]).is_lt()), "{:?}", paths);
        for path in paths {
            prop_assert_eq!(tree.entry(path).unwrap().path(), path);
            // What is looked up at once is what a look-up folder by folder finds.
            let found = |tree: &crate::ImageTree| {
                let resolved = tree.resolve(path).map(|entry| entry.path().to_owned());
                (resolved, tree.locate(&format!("/{path}")).map(|entry| entry.path().to_owned()))
            };
            prop_assert_eq!(found(&tree), found(&doubted));
        }
        listing(&tree);
    }

    #[test]
    fn squashing_is_the_same_as_unpacking(layers in plain_layers()) {
        let mut expected = BTreeMap::new();
        let mut read_layers = Vec::new();
        for parts in &layers {
            // A layer that no runtime can unpack is not compared.
            let Ok(layer) = read(&archive(parts)) else { return Ok(()) };
            read_layers.push(layer);
            if unpack(&mut expected, parts).is_none() {
                return Ok(());
            }
        }
        let tree = squash(read_layers);
        let found: BTreeMap<String, Option<Vec<u8>>> = tree
            .entries()
            .map(|entry| (entry.path().to_owned(), match entry.body() {
                Body::Kept(body) => Some(body.to_vec()),
                _ => None,
            }))
            .collect();
        prop_assert_eq!(found, expected);
    }
}

fn name() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec!["a", "b", "c", "a-", ".wh.a", ".wh.b", ".wh..wh..opq", "..", ""]),
        1..4,
    )
    .prop_map(|components| components.join("/"))
}

fn part() -> impl Strategy<Value = Part> {
    (0..4, name(), name()).prop_map(|(kind, path, target)| match kind {
        0 => file(&path, &target),
        1 => folder(&path),
        2 => symlink(&path, &target),
        _ => hard_link(&path, &target),
    })
}

fn layers() -> impl Strategy<Value = Vec<Vec<Part>>> {
    prop::collection::vec(prop::collection::vec(part(), 0..8), 0..4)
}

/// Files, folders and markers only: their unpacking is modelled below.
fn plain_layers() -> impl Strategy<Value = Vec<Vec<Part>>> {
    let name = prop::collection::vec(prop::sample::select(vec!["a", "b", "a-"]), 1..4);
    let part = (0..5, name, any::<u8>()).prop_map(|(kind, mut components, body)| match kind {
        0 | 1 => file(&components.join("/"), &body.to_string()),
        2 => folder(&components.join("/")),
        3 => {
            let last = components.pop().unwrap();
            components.push([".wh.", last].concat().leak());
            file(&components.join("/"), "")
        }
        _ => {
            components.push(".wh..wh..opq");
            file(&components.join("/"), "")
        }
    });
    prop::collection::vec(prop::collection::vec(part, 0..6), 0..4)
}

/// The slow and plain way: hide first, then write member after member. `None` where a file is in the way.
fn unpack(tree: &mut BTreeMap<String, Option<Vec<u8>>>, parts: &[Part]) -> Option<()> {
    let paths = || {
        parts.iter().map(|part| match part {
            Part::File(path, _) | Part::Folder(path) => path.as_str(),
            _ => "",
        })
    };
    for path in paths() {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        if name == ".wh..wh..opq" {
            tree.retain(|path, _| !path.starts_with(&prefix));
        } else if let Some(hidden) = name.strip_prefix(".wh.") {
            let hidden = format!("{prefix}{hidden}");
            tree.retain(|path, _| *path != hidden && !path.starts_with(&format!("{hidden}/")));
        }
    }
    for part in parts {
        let (path, body) = match part {
            Part::File(path, body) => (path, Some(body.clone())),
            Part::Folder(path) => (path, None),
            _ => return None,
        };
        for (slash, _) in path.match_indices('/') {
            let is_file = tree.entry(path[..slash].to_owned()).or_insert(None).is_some();
            if is_file {
                return None;
            }
        }
        if path.rsplit('/').next()?.starts_with(".wh.") {
            continue;
        }
        if body.is_some() {
            tree.retain(|inside, _| !inside.starts_with(&format!("{path}/")));
        }
        tree.insert(path.clone(), body);
    }
    Some(())
}
