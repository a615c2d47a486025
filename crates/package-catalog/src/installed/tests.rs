//! Broken descriptions that hide a package, and those that hide none.

use model::DiagnosticCode;

use crate::tests::{inventory, names};

/// What is told of a file; nothing of the image's name.
fn codes(files: &[(&str, &[u8])]) -> Vec<DiagnosticCode> {
    let told = inventory(files).diagnostics.into_iter().map(|it| it.code);
    told.filter(|code| *code != DiagnosticCode::UnknownDistro).collect()
}

#[test]
fn what_is_broken_where_packages_are_installed_hides_one() {
    let (hidden, told) = (DiagnosticCode::PackagesLeftOut, DiagnosticCode::BrokenRecord);
    for (path, expected) in [
        ("app/node_modules/a/package.json", hidden),
        ("node_modules/@s/a/package.json", hidden),
        ("usr/lib/node_modules/npm/node_modules/@s/a/package.json", hidden),
        ("app/node_modules/.pnpm/a@1.0.0/node_modules/a/package.json", hidden),
        ("app/node_modules/.pnpm/node_modules/a/package.json", hidden),
        ("app/node_modules/test/package.json", hidden),
        ("app/package.json", told),
        ("app/node_modules/.cache/package.json", told),
        ("app/node_modules/a/test/fixtures/node_modules/b/package.json", told),
        ("app/node_modules/next/dist/compiled/a/package.json", told),
        ("app/test/fixtures/node_modules/a/package.json", told),
        ("usr/lib/python3/dist-packages/a.dist-info/METADATA", hidden),
        ("var/task/a.dist-info/METADATA", hidden),
        ("usr/lib/python3/dist-packages/a.egg-info/PKG-INFO", hidden),
        ("usr/lib/python3/dist-packages/a.egg-info", hidden),
        ("usr/lib/python3/dist-packages/a.egg/EGG-INFO/PKG-INFO", hidden),
        ("usr/lib/python3/site-packages/b/data/a.dist-info/METADATA", told),
        ("srv/project/a.egg-info/PKG-INFO", told),
        ("var/task/tests/a.dist-info/METADATA", told),
        ("app/vendor/composer/installed.json", hidden),
        ("app/other/composer/installed.json", told),
        ("opt/conda/conda-meta/a-1-0.json", hidden),
        ("usr/lib/ruby/gems/3.1.0/specifications/a-1.gemspec", hidden),
        ("usr/lib/ruby/gems/3.1.0/specifications/default/a-1.gemspec", hidden),
        ("srv/specifications/deeper/folder/a-1.gemspec", told),
        ("app/a.deps.json", told),
        ("usr/share/dotnet/shared/a/8.0.1/a.deps.json", hidden),
    ] {
        assert_eq!(codes(&[(path, b"{ broken")]), [expected], "{path}");
        let emptied: &[DiagnosticCode] = if expected == hidden { &[hidden] } else { &[] };
        assert_eq!(codes(&[(path, b"")]), emptied, "{path}");
    }
    assert_eq!(codes(&[("app/a.deps.json", b"{ broken"), ("app/a.dll", b"MZ")]), [hidden]);
    let beside: [(&str, &[u8]); 2] =
        [("x/composer/installed.json", b"{ broken"), ("x/autoload.php", b"<?php")];
    assert_eq!(codes(&beside), [hidden]);
    assert_eq!(codes(&[("app/vendor/composer/installed.json", b"[]")]), []);
    assert_eq!(codes(&[("app/vendor/composer/installed.json", b"{")]), [hidden]);
}

#[test]
fn links_in_a_circle_where_databases_are_looked_for_are_told() {
    let files: [(&str, &[u8]); 4] = [
        ("etc/os-release", b"-> ../etc/os-release"),
        ("srv/any", b"-> any"),
        ("var/lib/dpkg", b"-> /var/lib/other"),
        ("var/lib/other", b"-> dpkg"),
    ];
    let told = inventory(&files).diagnostics.into_iter().filter(|it| it.code == DiagnosticCode::BrokenLink);
    assert_eq!(told.map(|it| it.subject).collect::<Vec<_>>(), ["/etc/os-release", "/var/lib/dpkg"]);
}

#[test]
fn one_broken_record_of_a_list_hides_a_package_and_loses_no_other() {
    let content = br#"{"packages": [{"name": "a/a", "version": "1"}, {"version": "2"}, {"name": "a/c", "version": "3"}]}"#;
    let found = inventory(&[("app/vendor/composer/installed.json", content)]);
    assert_eq!(names(&found.packages), ["a/a 1", "a/c 3"]);
    let codes: Vec<_> = found.diagnostics.iter().map(|it| it.code).collect();
    assert_eq!(codes, [DiagnosticCode::UnknownDistro, DiagnosticCode::PackagesLeftOut]);
}
