//! Whatever a description of packages holds: no panic, no growth, the same in pieces of any size.

use proptest::prelude::*;

use super::inventory;
use crate::CatalogLimits;
use crate::described::DescriptionSearch;
use crate::extract::search_file;

const PLACES: [&str; 16] = [
    "usr/lib/specifications/a.gemspec",
    "app/vendor/composer/installed.json",
    "usr/share/php/.registry/a.reg",
    "opt/conda/conda-meta/a.json",
    "usr/lib/luarocks/rocks-5.1/a/1-1/a-1-1.rockspec",
    "srv/wp-content/plugins/a/a.php",
    "usr/lib/R/library/a/DESCRIPTION",
    "usr/lib/erlang/lib/a-1/ebin/a.app",
    "app/deps/a/hex_metadata.config",
    "root/.julia/packages/a/abcde/Project.toml",
    "root/.pub-cache/hosted/pub.dev/a-1/pubspec.yaml",
    "app/.build/workspace-state.json",
    "usr/lib/python3/a.dist-info/METADATA",
    "usr/lib/python3/a.dist-info/direct_url.json",
    "usr/lib/python3/a-1-py3.egg",
    "app/.yarn/cache/a-npm-1-ab.zip",
];

/// Bytes that look like the formats, mixed with any others.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let pieces = vec![
        "s.name = ",
        "s.version = ",
        "s.platform = ",
        "\"a\"",
        "'",
        "\"",
        "%q<",
        "#{",
        "\\u{1F",
        "\\x",
        "\\7",
        ".freeze",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        ",",
        ";",
        ":",
        "=",
        "\n",
        "\r\n",
        "# stub: a 1 ruby lib\n",
        "{\"packages\":",
        "PK\x03\x04",
        "{\"name\":\"a/b\",\"version\":\"v1\"}",
        "\"files\":[\"x\"]",
        "a:2:{",
        "s:4:\"name\";",
        "s:7:\"version\";",
        "s:1:\"a\";",
        "i:0;",
        "O:1:\"x\":1:{",
        "a:99999999999999999999:{",
        "package = ",
        "version = ",
        "[==[",
        "]==]",
        "--[[",
        "Plugin Name: a\n",
        "Version: 1\n",
        "Package: a\n",
        "Built: x\n",
        "{application,a,[{vsn,",
        "<<\"1\"/utf8>>",
        "$",
        "{<<\"name\">>,",
        "name = \"a\"\n",
        "uuid = \"u\"\n",
        "name: a\n",
        "version: 1\n",
        "Name: a\n",
        "\0",
        "é",
        "\u{feff}",
        "{\"object\":{\"dependencies\":[",
        "{\"url\":\"https://a@b/c\",\"vcs_info\":{\"vcs\":\"git\"}}",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(pieces).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_description_gives_an_inventory(contents in prop::collection::vec(content(), PLACES.len())) {
        let files: Vec<_> = PLACES.into_iter().zip(contents.iter().map(Vec::as_slice)).collect();
        let first = inventory(&files);
        prop_assert_eq!(&first, &inventory(&files));
        for package in &first.packages {
            prop_assert!(package.purl.starts_with("pkg:") && !package.name.is_empty(), "{:?}", package);
            prop_assert!(package.locations[0].path.starts_with('/'));
        }
    }

    #[test]
    fn it_is_the_same_in_pieces_of_any_size(bytes in content(), at in 0..12_usize, piece in 1..9_usize) {
        let read = |piece| {
            let mut search = DescriptionSearch::new(CatalogLimits::default().section_bytes_max);
            search_file(&mut search, PLACES[at], &bytes, piece)
        };
        prop_assert_eq!(read(piece), read(usize::MAX));
    }
}

#[test]
fn each_limit_is_told() {
    let list = |count: usize| {
        let records = (0..count).map(|number| format!(r#"{{"name":"a/a{number}","version":"1"}}"#));
        format!("[{}]", records.collect::<Vec<_>>().join(","))
    };
    let check = |text: &str, limits: &CatalogLimits, packages: usize, told: &str| {
        let tree = super::tree(&[("etc/os-release", b"ID=x"), (PLACES[1], text.as_bytes())]);
        let found = crate::catalog(&tree, limits);
        assert_eq!(found.packages.len(), packages, "{told}");
        let messages: Vec<_> = found.diagnostics.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(messages.iter().any(|message| message.contains(told)), !told.is_empty(), "{messages:?}");
        assert!(!told.is_empty() || messages.is_empty(), "{messages:?}");
    };
    let limits = CatalogLimits {
        packages_max: 3,
        value_bytes_max: 10,
        diagnostics_max: 2,
        ..CatalogLimits::default()
    };
    check(&list(3), &limits, 3, "");
    check(&list(4), &limits, 3, "more than 3 packages");
    check(&list(20_000), &CatalogLimits::default(), 20_000, "");
    check(&list(20_001), &CatalogLimits::default(), 20_000, "more than 20000 packages in one file");
    check(
        r#"[{"name":"a/aaaaaaaaa","version":"1"}]"#,
        &limits,
        0,
        "value of 11 bytes is left out (limit 10)",
    );
    check(&format!("[{}]", ["5"; 150].join(",")), &limits, 0, "more broken records");
    let large = format!(r#"[{{"name":"a/a","version":"1","x":"{}"}}]"#, "y".repeat(33 << 20));
    check(&large, &limits, 0, "file is larger than 33554432 bytes");
}
