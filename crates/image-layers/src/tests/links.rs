//! Symbolic and hard links, and bodies that only a link makes wanted.

use super::{Part, archive, check, file, folder, hard_link, image, read, symlink};
use crate::{Body, FindError, ImageLimits, LayerInput, ReadBudget, squash};

#[test]
fn a_layer_writes_through_the_linked_folders_of_lower_layers() {
    let usr_merged: &[Part] = &[symlink("lib", "usr/lib"), file("usr/lib/a", "1")];
    check(
        &[usr_merged, &[file("lib/b", "2")]],
        &["lib -> usr/lib", "usr/", "usr/lib/", "usr/lib/a = 1", "usr/lib/b = 2"],
    );
    check(&[usr_merged, &[file("lib/a", "2")]], &["lib -> usr/lib", "usr/", "usr/lib/", "usr/lib/a = 2"]);
    check(&[usr_merged, &[file("lib/.wh.a", "")]], &["lib -> usr/lib", "usr/", "usr/lib/"]);
    check(
        &[usr_merged, &[file("lib/.wh..wh..opq", ""), file("lib/c", "3")]],
        &["lib -> usr/lib", "usr/", "usr/lib/", "usr/lib/c = 3"],
    );
    // Inside one archive as well, once the link is there.
    check(
        &[&[file("usr/lib/a", "1"), symlink("lib", "/usr/lib"), file("lib/b", "2")]],
        &["lib -> /usr/lib", "usr/", "usr/lib/", "usr/lib/a = 1", "usr/lib/b = 2"],
    );
    // Two links in a row, and a link to a folder that is not there yet.
    check(
        &[&[symlink("a", "b"), symlink("b", "c")], &[file("a/x", "1")]],
        &["a -> b", "b -> c", "c/", "c/x = 1"],
    );
    check(&[&[symlink("a", "../../out")], &[file("a/x", "1")]], &["a -> ../../out", "out/", "out/x = 1"]);
    // Links in a circle: what was written stays visible where it was written.
    check(&[&[symlink("a", "b"), symlink("b", "a")], &[file("a/x", "1")]], &["a -> b", "a/x = 1", "b -> a"]);
    check(&[&[symlink("a", "a/b")], &[file("a/x", "1")]], &["a -> a/b", "a/x = 1"]);
}

#[test]
fn look_ups_follow_links_and_stay_inside() {
    let tree = image(&[&[
        file("usr/lib/f", "1"),
        symlink("lib", "usr/lib"),
        symlink("abs", "/usr/lib/f"),
        symlink("out", "../../../usr/lib/f"),
        symlink("usr/up", "../lib/f"),
        symlink("one", "two"),
        symlink("two", "one"),
        symlink("gone", "nothing/x"),
        symlink("self", "."),
    ]]);
    for path in [
        "usr/lib/f",
        "/lib/f",
        "abs",
        "out",
        "usr/up",
        "./lib//f",
        "lib/../lib/f",
        "self/self/abs",
        "../lib/f",
    ] {
        assert_eq!(tree.read(path), Some(Body::Kept(b"1")), "{path}");
        assert_eq!(tree.find(path).unwrap().path(), "usr/lib/f");
    }
    assert_eq!(tree.resolve("one").unwrap_err(), FindError::TooManyLinks);
    assert_eq!(tree.resolve("gone").unwrap_err(), FindError::BrokenLink);
    assert_eq!(tree.resolve("nothing").unwrap_err(), FindError::NotFound);
    assert_eq!(tree.resolve("usr/lib/f/x").unwrap_err(), FindError::NotFound);
    assert!(tree.read("usr/lib").is_none());
    assert_eq!(tree.entry("lib").unwrap().link_target(), Some("usr/lib"));
}

#[test]
fn exactly_as_many_links_are_followed_as_linux_follows() {
    for (links, is_found) in [(39, true), (40, true), (41, false)] {
        let mut parts = vec![file("l0", "end")];
        parts.extend((1..=links).map(|number| symlink(&format!("l{number}"), &format!("l{}", number - 1))));
        assert_eq!(image(&[&parts]).find(&format!("l{links}")).is_some(), is_found, "{links}");
    }
}

#[test]
fn paths_that_go_through_too_many_links_are_not_taken_for_real_ones() {
    for (links, is_led_to_its_end) in [(7, true), (8, true), (9, false)] {
        let mut lower = vec![folder("real")];
        let target = |number: u32| if number == 1 { "real".to_owned() } else { format!("l{}", number - 1) };
        lower.extend((1..=links).map(|number| symlink(&format!("l{number}"), &target(number))));
        let through = format!("l{links}/x");
        let tree = image(&[&lower, &[file(&through, "1")]]);
        assert_eq!(tree.entry("real/x").is_some(), is_led_to_its_end, "{links}");
        assert_eq!(tree.find(&through).is_some(), is_led_to_its_end, "{links}");
        // As written, or nearly so, it is an entry, but no process would find it there.
        let kept = tree.files().next().unwrap().path();
        assert_eq!(tree.find(kept).is_some(), is_led_to_its_end, "{kept}");
    }
}

#[test]
fn a_file_hides_what_lies_in_a_folder_that_was_never_there() {
    // No runtime can unpack the lower layer: its link leads a path through a file.
    let lower = [symlink("a", "b"), file("b", "1"), file("a/a/a", "2")];
    check(&[&lower], &["a -> b", "b = 1", "b/a/a = 2"]);
    check(&[&lower, &[file("b/a", "3")]], &["a -> b", "b = 1", "b/a = 3"]);
    let upper = [file("b/Z", "3"), file("b/a", "4")];
    check(&[&lower, &upper], &["a -> b", "b = 1", "b/Z = 3", "b/a = 4"]);
}

#[test]
fn a_hard_link_keeps_the_file_it_was_made_of() {
    check(&[&[file("a", "1"), hard_link("b", "a")]], &["a = 1", "b = 1"]);
    check(
        &[&[file("a", "1"), hard_link("b", "./a"), hard_link("c", "/b")], &[file(".wh.a", "")]],
        &["b = 1", "c = 1"],
    );
    check(&[&[file("a", "1"), hard_link("b", "a")], &[file("a", "2")]], &["a = 2", "b = 1"]);
    check(&[&[file("a", "1"), hard_link("b", "a"), file("a", "2")]], &["a = 2", "b = 1"]);
    check(&[&[file("a", "1")], &[hard_link("b", "a")], &[file("a", "2")]], &["a = 2", "b = 1"]);
    check(
        &[&[file("usr/a", "1"), symlink("l", "usr")], &[hard_link("b", "l/a")]],
        &["b = 1", "l -> usr", "usr/", "usr/a = 1"],
    );
    check(
        &[&[file("usr/a", "1"), symlink("l", "usr"), hard_link("b", "l/a")]],
        &["b = 1", "l -> usr", "usr/", "usr/a = 1"],
    );
    // Targets that are not there, not yet there, a folder, or the link itself.
    check(&[&[hard_link("b", "a")]], &["b ?"]);
    check(&[&[folder("a"), hard_link("b", "a")]], &["a/", "b ?"]);
    check(&[&[hard_link("b", "b")]], &["b ?"]);
}

#[test]
fn bodies_that_only_links_make_wanted_can_be_read_again() {
    let is_wanted = |path: &str| path.starts_with("db/") && path.ends_with("status");
    let lower = archive(&[
        file("data/one", "1"),
        hard_link("db/status", "data/one"),
        file("data/one", "replaced"),
        file("store/sub/status", "2"),
        file("store/other", "3"),
        file("plain", "4"),
    ]);
    let upper = archive(&[file("x", ""), symlink("db/linked", "../store"), symlink("db2", "plain")]);
    let read = |bytes: &[u8], is_wanted: &dyn Fn(&str) -> bool| {
        let mut reader = bytes;
        let input = LayerInput { digest: None, diff_id: None, compression: None, reader: &mut reader };
        crate::read_layer(input, is_wanted, &ImageLimits::default(), &ReadBudget::new()).unwrap()
    };
    let mut tree = squash(vec![read(&lower, &is_wanted), read(&upper, &is_wanted)]);
    assert_eq!(tree.read("db/status"), Some(Body::NotKept));
    let missing = tree.missing(&["db/linked", "db2", "nothing"], &is_wanted);
    let named: Vec<_> = missing.iter().map(|body| (body.layer_index, body.archive_path.as_str())).collect();
    assert_eq!(named, [(0, "data/one"), (0, "store/sub/status")]);
    let again = read(&lower, &|path| missing.iter().any(|body| body.archive_path == path));
    tree.fill(0, again);
    assert_eq!(tree.read("db/status"), Some(Body::Kept(b"1")));
    assert_eq!(tree.read("data/one"), Some(Body::Kept(b"replaced")));
    assert_eq!(tree.read("db/linked/sub/status"), Some(Body::Kept(b"2")));
    assert_eq!(tree.read("store/other"), Some(Body::NotKept));
    assert!(tree.missing(&["db/linked"], &is_wanted).is_empty());
    // A layer that is not the one named changes nothing.
    tree.fill(0, read(&upper, &|_| true));
    tree.fill(7, read(&upper, &|_| true));
    assert_eq!(tree.read("store/other"), Some(Body::NotKept));
}

#[test]
fn everything_inside_a_folder_is_found() {
    let tree = image(&[&[file("a/b/c", ""), file("a/d", ""), file("a-b", ""), file("b", "")]]);
    let inside = |path: &str| tree.beneath(path).map(|entry| entry.path()).collect::<Vec<_>>();
    assert_eq!(inside("/a"), ["a/b", "a/b/c", "a/d"]);
    assert_eq!(inside("a/b"), ["a/b/c"]);
    assert_eq!(inside("b"), [""; 0]);
    assert_eq!(inside("").len(), 6);
    assert_eq!(read(&archive(&[])).unwrap().unpacked_bytes(), 1024);
}
