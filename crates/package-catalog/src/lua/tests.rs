//! Specifications of rocks in all forms of literals, and broken ones.

use model::DiagnosticCode;

use crate::tests::{names, packages_of};

const PATH: &str = "usr/local/lib/luarocks/rocks-5.1/luasocket/3.1.0-1/luasocket-3.1.0-1.rockspec";

#[test]
fn specifications_of_installed_rocks_count() {
    let text = "package = \"LuaSocket\"\nversion = \"3.1.0-1\"\n-- version = \"9\"\nsource = {\n   url = \"git://x\",\n   \
        tag = \"v3\", version = \"8\"\n}\ndescription = {\n   summary = [[Network\nversion = \"7\"]],\n   license = 'M\\073T',\n   \
        maintainer = \"Caleb\"\n}\n--[==[ version = \"6\" ]==]\nbuild = { modules = { license = \"no\" } }\n";
    for (path, is_rock) in [
        (PATH, true),
        ("opt/lua/rocks/a/1-1/a-1-1.rockspec", true),
        ("src/luasocket-3.1.0-1.rockspec", false),
        ("src/rocks-5.1/luasocket.rockspec", false),
    ] {
        let (packages, diagnostics) = packages_of(path, text.as_bytes());
        let expected = if is_rock { vec!["LuaSocket 3.1.0-1"] } else { vec![] };
        assert_eq!(
            (names(&packages), diagnostics),
            (expected.iter().map(ToString::to_string).collect(), vec![])
        );
    }
    let (packages, _) = packages_of(PATH, text.as_bytes());
    assert_eq!(packages[0].purl, "pkg:luarocks/luasocket@3.1.0-1");
    assert_eq!((packages[0].licenses[0].as_str(), packages[0].maintainer.as_deref()), ("MIT", Some("Caleb")));
}

#[test]
fn broken_specifications_are_told() {
    for (text, expected, code) in [
        ("package = 'a'\nversion = V", vec!["a -"], DiagnosticCode::MissingVersion),
        ("package = 'a'\nversion = [[1", vec!["a 1"], DiagnosticCode::BrokenRecord),
        ("version = '1'", vec![], DiagnosticCode::BrokenRecord),
        ("x = { package = 'a' }", vec![], DiagnosticCode::BrokenRecord),
        ("}}}} --[[ [==", vec![], DiagnosticCode::BrokenRecord),
    ] {
        let (packages, diagnostics) = packages_of(PATH, text.as_bytes());
        assert_eq!(names(&packages), expected, "{text}");
        assert!(diagnostics.iter().all(|told| told.code == code), "{text}: {diagnostics:?}");
    }
}
