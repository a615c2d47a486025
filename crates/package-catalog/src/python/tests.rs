//! Descriptions of Python packages in their three places.

use model::DiagnosticCode;

use crate::tests::{inventory, names, packages_of};

const METADATA: &str = "Metadata-Version: 2.1\nName: Zope.Interface\nVersion: 5.0rc1\nSummary: Interfaces\n\
    Author: Ada\nLicense: ZPL 2.1\nClassifier: License :: OSI Approved :: Zope Public License\n\
    Classifier: Topic :: Software\n\nName: not-this\nVersion: 9\n";

#[test]
fn all_places_of_a_description_are_read() {
    for (path, is_package) in [
        ("usr/lib/python3/dist-packages/zope-5.0.dist-info/METADATA", true),
        ("opt/venv/lib/python3.12/site-packages/zope.egg-info/PKG-INFO", true),
        ("usr/lib/python3/dist-packages/zope-5.0.egg-info", true),
        ("usr/lib/zope-5.0.DIST-INFO/metadata", true),
        ("opt/lib/zope-5.0-py3.11.egg/EGG-INFO/PKG-INFO", true),
        ("opt/EGG-INFO/PKG-INFO", false),
        ("usr/lib/zope-5.0.dist-info/METADATA.txt", false),
        ("usr/lib/metadata", false),
        ("METADATA", false),
    ] {
        let (packages, diagnostics) = packages_of(path, METADATA.as_bytes());
        let expected: &[&str] = if is_package { &["Zope.Interface 5.0rc1"] } else { &[] };
        let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!((names(&packages), diagnostics), (expected, vec![]), "{path}");
    }
}

#[test]
fn the_fields_of_the_head_count() {
    let read = |text: &[u8]| packages_of("a.dist-info/METADATA", text);
    let (packages, _) = read(METADATA.as_bytes());
    assert_eq!(packages[0].purl, "pkg:pypi/zope-interface@5.0rc1");
    assert_eq!(packages[0].licenses, ["Zope Public License"]);
    assert_eq!(packages[0].maintainer.as_deref(), Some("Ada"));
    let (packages, diagnostics) =
        read(b"name:a\r\nVERSION : 1\r\nversion: 2.0\r\nLicense-Expression: MIT\r\n\r\n");
    assert_eq!((names(&packages), diagnostics), (vec!["a 2.0".to_owned()], vec![]));
    assert_eq!(packages[0].licenses, ["MIT"]);
    let (packages, diagnostics) = read(b"Name: caf\xe9\n");
    assert_eq!(names(&packages), ["caf\u{fffd} -"]);
    assert_eq!(diagnostics[0].code, DiagnosticCode::MissingVersion);
    for broken in [b"Version: 1\n".as_slice(), b"{}", b"\n\n"] {
        let (packages, diagnostics) = read(broken);
        assert_eq!((packages, diagnostics[0].code), (vec![], DiagnosticCode::PackagesLeftOut));
    }
}

#[test]
fn packages_that_came_from_no_index_say_from_where() {
    for (origin, expected) in [
        (
            r#"{"url": "https://me:secret@example.com/a/b.git", "vcs_info": {"vcs": "git", "commit_id": "c0ffee"}}"#,
            "pkg:pypi/a@1?vcs_url=git%2Bhttps:%2F%2Fexample.com%2Fa%2Fb.git%40c0ffee",
        ),
        (
            r#"{"url": "https://example.com/a-1.whl?sig=secret", "archive_info": {}}"#,
            "pkg:pypi/a@1?download_url=https:%2F%2Fexample.com%2Fa-1.whl",
        ),
        (r#"{"url": "file:///root/src", "dir_info": {"editable": true}}"#, "pkg:pypi/a@1"),
        (r#"{"url": "x", "vcs_info": {"vcs": "git"}}"#, "pkg:pypi/a@1"),
        ("{", "pkg:pypi/a@1"),
        ("[[[[", "pkg:pypi/a@1"),
    ] {
        let found = inventory(&[
            ("lib/a-1.dist-info/METADATA", b"Name: a\nVersion: 1\n"),
            ("lib/a-1.dist-info/direct_url.json", origin.as_bytes()),
        ]);
        assert_eq!((found.packages.len(), found.packages[0].purl.as_str()), (1, expected), "{origin}");
    }
}

#[test]
fn an_origin_that_only_a_link_names_is_read() {
    let origin = br#"{"url": "https://h/a", "vcs_info": {"vcs": "git", "commit_id": "1"}}"#;
    let (metadata, path) = ("lib/a-1.dist-info/METADATA", "lib/a-1.dist-info/direct_url.json");
    let other = "srv/b-1.dist-info/direct_url.json";
    for files in [
        [("data/x", origin.as_slice()), (path, b"=> data/x")],
        [("data/x", origin), (path, b"-> /data/x")],
        [(other, origin), (path, b"=> srv/b-1.dist-info/direct_url.json")],
        [(other, origin), (path, b"-> /srv/b-1.dist-info/direct_url.json")],
    ] {
        let found = inventory(&[files[0], files[1], (metadata, b"Name: a\nVersion: 1\n")]);
        assert_eq!(found.packages.len(), 1);
        assert_eq!(found.packages[0].purl, "pkg:pypi/a@1?vcs_url=git%2Bhttps:%2F%2Fh%2Fa%401", "{files:?}");
    }
}

#[test]
fn the_standard_library_is_no_package() {
    let (packages, diagnostics) =
        packages_of("usr/lib/python2.7/lib-dynload/Python-2.7.egg-info", b"Name: Python\nVersion: 2.7.18\n");
    assert_eq!((packages, diagnostics), (vec![], vec![]));
}

#[test]
fn a_description_without_its_files_is_told() {
    let record = b"six.py,,\na/__init__.py,,\n../bin/x,,\n";
    for (files, is_told) in [
        (vec!["lib/six.py"], false),
        (vec!["lib/six.pyc"], false),
        (vec!["lib/a/b.py"], false),
        (vec!["lib/b.py", "bin/x"], true),
    ] {
        let mut image = vec![
            ("lib/s-1.dist-info/METADATA", b"Name: s\nVersion: 1\n".as_slice()),
            ("lib/s-1.dist-info/RECORD", record),
        ];
        image.extend(files.iter().map(|path| (*path, b"x".as_slice())));
        let found = inventory(&image);
        assert_eq!(found.packages.len(), 1, "{files:?}");
        let told = found.diagnostics.iter().any(|told| told.message.contains("none of the files"));
        assert_eq!(told, is_told, "{files:?} {:?}", found.diagnostics);
    }
}

#[test]
fn packages_in_development_are_found_by_what_lies_with_their_sources() {
    let found = inventory(&[
        ("lib/site-packages/a.egg-link", b"/srv/a\n.\n"),
        ("lib/site-packages/easy-install.pth", b"/srv/a\n"),
        ("srv/a/a.egg-info/PKG-INFO", b"Name: a\nVersion: 1\n"),
        ("srv/a/a.egg-info/top_level.txt", b"a\n"),
    ]);
    assert_eq!(names(&found.packages), ["a 1"]);
}

#[test]
fn an_expression_is_taken_before_classifiers() {
    let of = |license: &str| {
        let text =
            format!("Name: a\nVersion: 1\nLicense: {license}\nClassifier: License :: OSI Approved :: X\n");
        let (packages, _) =
            crate::tests::packages_of("usr/lib/python3/a-1.dist-info/METADATA", text.as_bytes());
        packages[0].licenses.clone()
    };
    for license in [
        "MIT",
        "BSD-3-Clause",
        "BSD-3-Clause OR Apache-2.0",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "CC0-1.0",
        "(MIT AND GPL-2.0)",
        "BSL-1.0",
    ] {
        assert_eq!(of(license), [license]);
    }
    for license in [
        "BSD",
        "MIT License",
        "GPLv3+",
        "LICENSE.txt",
        "BSD-3-Clause OR",
        "-",
        "see file",
        "see-LICENSE",
        "MIT-License",
        "BSD-like",
        "LicenseRef-Ours",
        "NOASSERTION",
    ] {
        assert_eq!(of(license), ["X"], "{license}");
    }
}
