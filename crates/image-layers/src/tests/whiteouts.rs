//! What upper layers hide and replace.

use super::{Part, archive, check, file, folder, hard_link, image, read, symlink};

#[test]
fn the_upper_layer_wins_and_the_lower_one_shows_through() {
    check(&[&[file("a", "1"), file("b", "2")], &[file("a", "3")]], &["a = 3", "b = 2"]);
    check(&[&[file("d/a", "1")], &[file("d/b", "2")]], &["d/", "d/a = 1", "d/b = 2"]);
    check(&[&[], &[file("a", "1")], &[]], &["a = 1"]);
    let tree = image(&[&[file("a", "1"), file("b", "2")], &[file("a", "3")]]);
    let layers: Vec<_> = tree.layers().cloned().collect();
    assert_eq!(tree.layer_of("/a"), Some(&layers[1]));
    assert_eq!(tree.layer_of("b"), Some(&layers[0]));
    assert_eq!(tree.layer_of("c"), None);
}

#[test]
fn a_whiteout_hides_lower_layers_only() {
    check(&[&[file("d/a", "1"), file("d/b", "2")], &[file("d/.wh.a", "")]], &["d/", "d/b = 2"]);
    check(&[&[file("d/a/x", "1"), file("d-", "2")], &[file(".wh.d", "")]], &["d- = 2"]);
    check(&[&[file("a", "1")], &[file(".wh.a", ""), file("a", "2")]], &["a = 2"]);
    check(&[&[file("a", "1")], &[file("a", "2"), file(".wh.a", "")]], &["a = 2"]);
    check(&[&[file("d/x", "1")], &[file(".wh.d", ""), file("d/y", "2")]], &["d/", "d/y = 2"]);
    check(&[&[], &[file(".wh.a", "")], &[file("a", "1")]], &["a = 1"]);
    check(&[&[file(".wh.a", ""), file("a", "1")]], &["a = 1"]);
}

#[test]
fn an_opaque_folder_hides_what_lower_layers_have_in_it() {
    let lower: &[Part] = &[file("d/a", "1"), file("d/e/b", "2"), file("d.x", "3")];
    check(&[lower, &[file("d/.wh..wh..opq", ""), file("d/c", "4")]], &["d/", "d/c = 4", "d.x = 3"]);
    check(
        &[lower, &[folder("d"), file("d/c", "4"), file("d/.wh..wh..opq", "")]],
        &["d/", "d/c = 4", "d.x = 3"],
    );
    check(&[lower, &[file("d/.wh..wh..opq", "")]], &["d/", "d.x = 3"]);
    check(&[lower, &[file(".wh..wh..opq", ""), file("n", "")]], &["n = "]);
    check(&[lower, &[file("d/e/.wh..wh..opq", "")]], &["d/", "d/a = 1", "d/e/", "d.x = 3"]);
}

#[test]
fn a_file_replaces_a_folder_and_the_reverse() {
    check(&[&[file("d/a", "1"), file("d/e/b", "2")], &[file("d", "3")]], &["d = 3"]);
    check(&[&[file("d", "1")], &[folder("d"), file("d/a", "2")]], &["d/", "d/a = 2"]);
    check(
        &[&[symlink("d", "e"), file("e/a", "1")], &[folder("d"), file("d/b", "2")]],
        &["d/", "d/b = 2", "e/", "e/a = 1"],
    );
    check(&[&[file("d/a", "1")], &[symlink("d", "e")]], &["d -> e"]);
    // In one archive the later member counts, and takes away what was inside.
    check(&[&[file("a", "1"), file("a", "2")]], &["a = 2"]);
    check(&[&[file("d/a", "1"), file("d", "2")]], &["d = 2"]);
    check(&[&[file("d/a", "1"), file("d", "2"), folder("d"), file("d/b", "3")]], &["d/", "d/b = 3"]);
    check(&[&[folder("d"), file("d/a", "1"), folder("d")]], &["d/", "d/a = 1"]);
    check(&[&[file("d/a", "1")], &[file("d", "2"), folder("d")]], &["d/"]);
}

#[test]
fn housekeeping_of_storage_drivers_is_left_out() {
    check(&[&[file(".wh..wh.plnk/1.2", "x"), folder(".wh..wh.orph"), file("a", "1")]], &["a = 1"]);
    // But for what hard links lead to, in whichever order.
    let plain = file(".wh..wh.plnk/1.2", "x");
    let link = hard_link("d/a", ".wh..wh.plnk/1.2");
    check(&[&[plain, link]], &["d/", "d/a = x"]);
}

#[test]
fn paths_are_brought_into_the_root() {
    check(
        &[&[file("../../etc/x", "1"), file("/etc/y", "2"), file("./etc/./z", "3"), folder("./")]],
        &["etc/", "etc/x = 1", "etc/y = 2", "etc/z = 3"],
    );
    check(&[&[file("etc/x", "1")], &[file("/etc/../etc/.wh.x", "")]], &["etc/"]);
    check(&[&[Part::Pipe("p".to_owned())]], &["p ?"]);
}

#[test]
fn earlier_versions_of_traced_files_are_kept_newest_first() {
    let layer = |parts: &[Part]| read(&archive(parts)).unwrap();
    let layers = || {
        vec![
            layer(&[file("db", "1"), file("other", "1"), file("gone", "1")]),
            layer(&[file("db", "2"), file("other", "2")]),
            layer(&[file("x", ""), file(".wh.gone", "")]),
            layer(&[file("db", "3"), file("gone", "2")]),
        ]
    };
    let versions = |tree: &crate::ImageTree, path: &str| -> Vec<(usize, String)> {
        let layers: Vec<_> = tree.layers().collect();
        let number = |layer| layers.iter().position(|known| *known == layer).unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let entry = tree.entry(path).unwrap();
        entry.earlier_versions().map(|(layer, bytes)| (number(layer), text(bytes))).collect()
    };
    let tree = crate::squash_tracing(layers(), &|path| path != "other");
    assert_eq!(versions(&tree, "db"), [(1, "2".to_owned()), (0, "1".to_owned())]);
    // Not traced; and what was taken away has no earlier version.
    assert_eq!((versions(&tree, "other"), versions(&tree, "gone")), (vec![], vec![]));
    assert_eq!(versions(&crate::squash(layers()), "db"), []);
    // All versions of a file, or none.
    let large = "x".repeat(30 << 20);
    let many = [
        layer(&[file("a", &large), file("b", "1")]),
        layer(&[file("a", &large), file("b", "2")]),
        layer(&[file("a", ""), file("b", "3")]),
    ];
    let tree = crate::squash_tracing(many.into(), &|_| true);
    assert_eq!(versions(&tree, "a"), []);
    assert_eq!(versions(&tree, "b"), [(1, "2".to_owned()), (0, "1".to_owned())]);
}

#[test]
fn a_file_that_comes_again_is_there_once() {
    // In the same folder, in one that comes again, and between folders that stand in order.
    let again = [file("a/x", "1"), file("a/y", "2"), file("b/1", "3"), file("a/y", "44"), file("a/z", "5")];
    check(&[&again], &["a/", "a/x = 1", "a/y = 44", "a/z = 5", "b/", "b/1 = 3"]);
    let before = [file("a/x", "1"), file("a/y", "2"), file("b/1", "3"), folder("c"), file("a/y", "44")];
    check(&[&before], &["a/", "a/x = 1", "a/y = 44", "b/", "b/1 = 3", "c/"]);
    let at_once = [file("a/y", "1"), file("a/x", "2"), file("a/y", "33"), file("a/x", "44")];
    check(&[&at_once], &["a/", "a/x = 44", "a/y = 33"]);
    let in_order = [file("a/x", "1"), file("a/x", "22"), file("a/y", "3")];
    check(&[&in_order], &["a/", "a/x = 22", "a/y = 3"]);
}
