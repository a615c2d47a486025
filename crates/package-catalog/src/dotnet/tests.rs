//! Applications with their lists, assemblies without, runtimes; and what only looks like them.

use proptest::prelude::*;

use super::{BundleSearch, ResourceSearch, TAG_ASSEMBLY, bundle_search};
use crate::extract::search_file;
use crate::tests::inventory;

const APPLICATION: &[u8] = br#"{
  "runtimeTarget": {"name": ".NETCoreApp,Version=v8.0"},
  "targets": {".NETCoreApp,Version=v8.0": {
    "App/1.0.0": {"dependencies": {"Newtonsoft.Json": "13.0.1", "Meta": "2.0.0"}, "runtime": {"App.dll": {}}},
    "Newtonsoft.Json/13.0.1": {"runtime": {"lib/net6.0/Newtonsoft.Json.dll": {"fileVersion": "13.0.1.25517"}}},
    "Meta/2.0.0": {"dependencies": {"Humanizer.Core.de": "2.14.1"}},
    "Humanizer.Core.de/2.14.1": {"resources": {"lib/net6.0/de/Humanizer.resources.dll": {"locale": "de"}}},
    "System.Runtime/4.3.0": {"dependencies": {"Microsoft.NETCore.Platforms": "1.1.0"}},
    "Microsoft.NETCore.Platforms/1.1.0": {"runtime": {"lib/netstandard1.0/_._": {}}},
    "SQLite/2.1.0": {"runtimeTargets": {"runtimes/linux-x64/native/libe_sqlite3.so": {"assetType": "native"}}},
    "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.14": {"runtime": {"System.Runtime.dll": {}}},
    "Other.Reference/4.0.0.0": {"runtime": {"Other.dll": {}}}
  }},
  "libraries": {
    "App/1.0.0": {"type": "project"}, "Newtonsoft.Json/13.0.1": {"type": "package"}, "Meta/2.0.0": {"type": "package"},
    "Humanizer.Core.de/2.14.1": {"type": "package"}, "System.Runtime/4.3.0": {"type": "package"},
    "Microsoft.NETCore.Platforms/1.1.0": {"type": "package"}, "SQLite/2.1.0": {"type": "package"},
    "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.14": {"type": "runtimepack"},
    "Other.Reference/4.0.0.0": {"type": "reference"}
  }
}"#;

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A node of a version resource.
fn node(name: &str, value: &[u8], is_text: bool, inner: &[u8]) -> Vec<u8> {
    let mut node = vec![0; 6];
    node.extend(utf16(name));
    node.extend([0, 0]);
    let pad = |node: &mut Vec<u8>| node.resize(node.len().next_multiple_of(4), 0);
    pad(&mut node);
    node.extend(value);
    pad(&mut node);
    node.extend(inner);
    let value_length = if is_text { value.len() / 2 } else { value.len() };
    let length = u16::try_from(node.len()).unwrap();
    node[..2].copy_from_slice(&length.to_le_bytes());
    node[2..4].copy_from_slice(&u16::try_from(value_length).unwrap().to_le_bytes());
    node[4] = u8::from(is_text);
    pad(&mut node);
    node
}

fn version_resource(values: &[(&str, &str)]) -> Vec<u8> {
    let texts: Vec<u8> =
        values.iter().flat_map(|(key, value)| node(key, &utf16(&format!("{value}\0")), true, b"")).collect();
    let table = node("000004b0", b"", true, &texts);
    let info = [node("VarFileInfo", b"", true, b""), node("StringFileInfo", b"", true, &table)].concat();
    node("VS_VERSION_INFO", &[0xbd; 52], false, &info)
}

/// An assembly whose resources lie behind 3,000 bytes of code.
fn assembly(values: &[(&str, &str)], is_managed: bool) -> Vec<u8> {
    let mut file = vec![0; 0x400];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3c, &0x80_u32.to_le_bytes());
    put(0x80, b"PE\0\0");
    put(0x86, &2_u16.to_le_bytes());
    put(0x94, &240_u16.to_le_bytes());
    put(0x98, &0x20b_u16.to_le_bytes());
    let folders = 0x98 + 112;
    put(folders + 16, &0x4000_u32.to_le_bytes());
    put(folders + 14 * 8, &u32::from(is_managed).to_le_bytes());
    let resource = [vec![7; 200], version_resource(values)].concat();
    for (index, [address, raw_start, raw_bytes]) in
        [[0x2000, 0x400, 3000], [0x4000, 0x400 + 3000, u32::try_from(resource.len()).unwrap()]]
            .into_iter()
            .enumerate()
    {
        let at = 0x98 + 240 + index * 40;
        put(at + 8, &raw_bytes.to_le_bytes());
        put(at + 12, &u32::to_le_bytes(address));
        put(at + 16, &raw_bytes.to_le_bytes());
        put(at + 20, &u32::to_le_bytes(raw_start));
    }
    file.extend([1; 3000]);
    file.extend(resource);
    file.extend([2; 100]);
    file
}

fn product(name: &str, version: &str) -> Vec<u8> {
    assembly(
        &[
            ("CompanyName", "Example"),
            ("ProductName", name),
            ("FileVersion", "1.2.3.4"),
            ("ProductVersion", version),
        ],
        true,
    )
}

/// URLs of all packages.
fn urls(files: &[(&str, &[u8])]) -> Vec<String> {
    let all = [&[("etc/os-release", &b"ID=x"[..])], files].concat();
    let found = inventory(&all);
    assert_eq!(found.diagnostics, []);
    found.packages.iter().map(|it| it.purl.strip_prefix("pkg:nuget/").unwrap().to_owned()).collect()
}

const INSTALLED: [&str; 5] = [
    "Humanizer.Core.de@2.14.1",
    "Meta@2.0.0",
    "Microsoft.NETCore.App.Runtime.linux-x64@8.0.14",
    "Newtonsoft.Json@13.0.1",
    "SQLite@2.1.0",
];

#[test]
fn what_brought_files_along_is_installed() {
    assert_eq!(urls(&[("app/App.deps.json", APPLICATION)]), INSTALLED);
    // Everything in one assembly: no file says what is in it.
    let bundled = String::from_utf8_lossy(APPLICATION).replace(
        "Other.Reference/4.0.0.0\": {\"type\": \"reference",
        "Costura.Fody/5.7.0\": {\"type\": \"package",
    );
    assert_eq!(urls(&[("app/App.deps.json", bundled.as_bytes())]).len(), 8);
}

#[test]
fn assemblies_that_are_claimed_belong_to_their_packages() {
    let (app, json, other) =
        (product("App", "1.0.0"), product("Json.NET", "13.0.1+abc"), product("Other", "2.5.0"));
    let files: [(&str, &[u8]); 6] = [
        ("app/App.deps.json", APPLICATION),
        ("app/Other.dll", &other),
        ("app/App.dll", &app),
        ("app/Newtonsoft.Json.dll", &json),
        ("app/plugins/Newtonsoft.Json.dll", &json),
        ("app/Free.dll", &other),
    ];
    let mut expected: Vec<&str> = INSTALLED.to_vec();
    expected.extend(["Free@2.5.0", "Other@2.5.0"]);
    expected.push("Newtonsoft.Json@13.0.1");
    expected.sort_unstable();
    assert_eq!(urls(&files), expected);
    // A list that only a link calls one claims as much.
    for link in [&b"=> app/.data"[..], b"-> .data"] {
        let linked = [&[("app/.data", APPLICATION), ("app/App.deps.json", link)], &files[1..]].concat();
        assert_eq!(urls(&linked), expected);
    }
    let found = inventory(&files);
    let owner = found.packages.iter().find(|it| !it.files.is_empty()).unwrap();
    assert_eq!(
        (owner.name.as_str(), owner.files[0].path.as_str()),
        ("Newtonsoft.Json", "/app/Newtonsoft.Json.dll")
    );
}

#[test]
fn assemblies_without_a_list_are_packages() {
    let named = [
        ("ProductName", "Tool"),
        ("OriginalFilename", "Real.Name.dll"),
        ("ProductVersion", "4.6.24705.01. Commit Hash: x"),
    ];
    for (path, content, expected) in [
        ("opt/x.dll", product("X", "1.0.0-beta.1+abc"), Some("x@1.0.0-beta.1")),
        ("opt/x.EXE", product("X", "not a version"), Some("x@1.2.3.4")),
        ("opt/x.dll", assembly(&named, true), Some("Real.Name@4.6.24705.01")),
        ("opt/x.dll", assembly(&named, false), None),
        ("opt/x.bin", product("X", "1.0.0"), None),
        ("opt/de/x.resources.dll", product("X", "1.0.0"), None),
        ("opt/x.dll", assembly(&[("FileVersion", "1.0")], true), None),
        (
            "usr/share/dotnet/packs/Microsoft.NETCore.App.Ref/8.0.1/ref/net8.0/x.dll",
            product("X", "8.0.1"),
            None,
        ),
    ] {
        assert_eq!(urls(&[(path, &content)]).first().map(String::as_str), expected, "{path}");
    }
}

/// An executable with an application in it.
fn bundle(mark: &[u8], place: u64, list: &[u8]) -> Vec<u8> {
    let fake = br#"x{ "runtimeTarget": {"name": "}{\"" ]} {"runtimeTarget""#;
    let parts: [&[u8]; 7] =
        [b"\x7fELF", &[3; 90], &place.to_le_bytes(), mark, fake, b" \"runtimeTarget\" \0", list];
    [&parts.concat()[..], &[0xff; 50]].concat()
}

#[test]
fn applications_in_one_file_have_their_list_in_it() {
    let mark = bundle_search::MARK;
    let whole = bundle(&mark, 7000, APPLICATION);
    assert_eq!(urls(&[("usr/bin/app", &whole)]), INSTALLED);
    assert_eq!(urls(&[("usr/bin/app.so.1", &whole)]), [""; 0]);
    let mut search = BundleSearch::new(1 << 20);
    let expected = search_file(&mut search, "app", &whole, whole.len());
    for piece in [1, 7, 100, 1000] {
        assert_eq!(search_file(&mut search, "app", &whole, piece), expected, "{piece}");
    }
    // The program that starts applications, without one; and other executables.
    for other in [
        bundle(&mark, 0, APPLICATION),
        bundle(&mark[1..], 7, APPLICATION),
        bundle(&mark, 7, &APPLICATION[..900]),
    ] {
        assert_eq!(urls(&[("usr/bin/app", &other)]), [""; 0]);
    }
    // A list that is longer than the limit, and many that are none.
    assert_eq!(search_file(&mut BundleSearch::new(APPLICATION.len() - 1), "app", &whole, 99), []);
    let many = bundle(&mark, 7, &b"{\"runtimeTarget\"".repeat(100_000));
    let told = search_file(&mut search, "app", &many, 64 * 1024);
    assert!(String::from_utf8_lossy(&told[0].1).contains("more than 64 places"));
}

#[test]
fn a_runtime_is_one_package() {
    let list = br#"{"targets": {"t": {"Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"runtime": {"System.Runtime.dll": {}}}}},
        "libraries": {"Microsoft.NETCore.App.Runtime.linux-x64/8.0.1": {"type": "package"}}}"#;
    let (one, two) = (product("Microsoft .NET", "8.0.1"), product("Microsoft .NET", "8.0.1"));
    let folder = "usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.1";
    let paths = [
        format!("{folder}/System.Runtime.dll"),
        format!("{folder}/Unlisted.dll"),
        format!("{folder}/Microsoft.NETCore.App.deps.json"),
    ];
    let mut files: Vec<(&str, &[u8])> = vec![(&paths[0], &one), (&paths[1], &two), (&paths[2], list)];
    assert_eq!(urls(&files), ["Microsoft.NETCore.App.Runtime.linux-x64@8.0.1"]);
    assert_eq!(inventory(&files).packages[0].cpes, ["cpe:2.3:a:microsoft:.net:8.0.1:*:*:*:*:*:*:*"]);
    files.pop();
    assert_eq!(urls(&files), ["Microsoft.NETCore.App@8.0.1"]);
    assert_eq!(inventory(&files).packages[0].cpes, ["cpe:2.3:a:microsoft:.net:8.0.1:*:*:*:*:*:*:*"]);
}

#[test]
fn broken_lists_are_told() {
    for content in ["{", "[]", "{}", "{\"libraries\": 1}"] {
        let found = inventory(&[("etc/os-release", b"ID=x"), ("app/a.deps.json", content.as_bytes())]);
        assert_eq!((found.packages.len(), found.diagnostics.len()), (0, 1), "{content}");
    }
    let cycle = br#"{"targets": {"t": {"a/1": {"dependencies": {"b": "1"}, "runtime": {"a.dll": {}}}, "b/1": {"dependencies": {"a": "1", "b": "1"}}}},
        "libraries": {"a/1": {"type": "package"}, "b/1": {"type": "package"}, "/1": {"type": "package"}, "c": {"type": "package"}}}"#;
    assert_eq!(urls(&[("a.deps.json", cycle)]), ["a@1", "b@1"]);
}

#[test]
fn lists_of_very_many_names_are_refused() {
    let list = |count: usize| {
        let libraries: Vec<String> = (0..count).map(|number| format!("\"{number}\":0")).collect();
        format!("{{\"targets\":[0],\"libraries\":{{{}}}}}", libraries.join(","))
    };
    for (count, is_read) in [(100_000, true), (100_001, false)] {
        assert_eq!(super::deps_json::reduce(list(count).as_bytes()).is_ok(), is_read, "{count}");
    }
    let deep = format!("{{\"x\":{},\"libraries\":{{}}}}", "[".repeat(5_000) + &"]".repeat(5_000));
    assert!(super::deps_json::reduce(deep.as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn changed_bytes_never_panic_and_pieces_do_not_matter(
        changes in prop::collection::vec((0_usize..5000, any::<u8>()), 0..12),
        piece in 1_usize..700,
    ) {
        let mut file = product("App", "1.0.0");
        for (at, value) in changes {
            if let Some(byte) = file.get_mut(at) {
                *byte = value;
            }
        }
        let mut search = ResourceSearch::new();
        let whole = search_file(&mut search, "a.dll", &file, file.len());
        prop_assert_eq!(search_file(&mut search, "a.dll", &file, piece), whole.clone());
        prop_assert!(whole.iter().all(|(tag, _)| *tag == TAG_ASSEMBLY));
    }
}
