//! Composer's list in its two forms, records of PEAR in theirs, and broken ones.

use model::DiagnosticCode;

use crate::tests::{names, packages_of};

const INSTALLED: &str = "app/vendor/composer/installed.json";
const RECORD: &str = "usr/local/lib/php/.registry/.channel.pecl.php.net/redis.reg";

#[test]
fn both_forms_of_composers_list_are_read() {
    let list = r#"[
        {"name": "Monolog/Monolog", "version": "v2.9.1", "license": ["MIT"], "authors": [{"name": "Jordi"}], "type": "library"},
        {"name": "acme/dev", "version": "dev-main", "license": "proprietary"},
        {"name": "acme/vendored", "version": "version-7"}
    ]"#;
    let object = format!(r#"{{"packages": {list}, "dev": true, "dev-package-names": ["acme/dev"]}}"#);
    for text in [list, object.as_str()] {
        let (packages, diagnostics) = packages_of(INSTALLED, text.as_bytes());
        let expected = ["Monolog/Monolog 2.9.1", "acme/dev dev-main", "acme/vendored version-7"];
        assert_eq!((names(&packages), diagnostics), (expected.map(str::to_owned).to_vec(), vec![]));
        let purls: Vec<_> = packages.iter().map(|package| package.purl.as_str()).collect();
        let expected = [
            "pkg:composer/monolog/monolog@2.9.1",
            "pkg:composer/acme/dev@dev-main",
            "pkg:composer/acme/vendored@version-7",
        ];
        assert_eq!(purls, expected);
        assert_eq!(
            (packages[0].licenses[0].as_str(), packages[0].maintainer.as_deref()),
            ("MIT", Some("Jordi"))
        );
    }
    for nowhere in
        ["app/installed.json", "app/mycomposer/installed.json", "app/vendor/composer/installed.php"]
    {
        assert_eq!(packages_of(nowhere, list.as_bytes()), (vec![], vec![]), "{nowhere}");
    }
    assert_eq!(packages_of(INSTALLED, br#"{"packages": []}"#), (vec![], vec![]));
}

#[test]
fn a_broken_record_takes_no_other_with_it() {
    for (text, expected, problems) in [
        (
            r#"[{"name":"a/a","version":"1"},5,{"version":"1"},{"name":"b/b","version":"2"}]"#,
            "a/a 1 b/b 2",
            2,
        ),
        (r#"[{"name":"a/a","version":"1"},{"name":"b/b","ver"#, "a/a 1", 1),
        (r#"{"packages":[{"name":"a/a","version":"1"}"#, "a/a 1", 1),
        (
            r#"[{"name":"a/a","version":"1"},{"name":"b/b","license":["\ud800"]},{"name":"c/c","version":"3"}]"#,
            "a/a 1 c/c 3",
            1,
        ),
        (r#"{"packages":7}"#, "", 1),
        ("<html>", "", 1),
    ] {
        let (packages, diagnostics) = packages_of(INSTALLED, text.as_bytes());
        assert_eq!(names(&packages).join(" "), expected, "{text}");
        assert_eq!(diagnostics.len(), problems, "{text}: {diagnostics:?}");
        assert!(diagnostics.iter().all(|told| told.code == DiagnosticCode::PackagesLeftOut));
    }
    let (packages, diagnostics) = packages_of(INSTALLED, br#"[{"name":"a/a"}]"#);
    assert_eq!(names(&packages), ["a/a -"]);
    assert_eq!((diagnostics[0].code, diagnostics[0].offset), (DiagnosticCode::MissingVersion, Some(1)));
}

#[test]
fn of_a_record_of_millions_of_values_the_known_ones_are_read() {
    let many = vec!["0"; 100_000].join(",");
    let keys: Vec<String> = (0..50_000).map(|number| format!("\"{number}\":0")).collect();
    let text = format!(
        "[{{{},\"license\":[{many}],\"authors\":{},\"name\":\"a/a\",\"version\":\"1\"}}]",
        keys.join(","),
        "[".repeat(100) + &"]".repeat(100)
    );
    let (packages, diagnostics) = packages_of(INSTALLED, text.as_bytes());
    assert_eq!((names(&packages), diagnostics), (vec!["a/a 1".to_owned()], vec![]));
}

#[test]
fn records_of_pear_in_both_forms_are_read() {
    let new = concat!(
        r#"a:7:{s:7:"attribs";a:1:{s:7:"version";s:3:"2.0";}s:4:"name";s:5:"redis";s:7:"channel";s:12:"pecl.php.net";"#,
        r#"s:4:"lead";a:2:{i:0;a:2:{s:4:"name";s:3:"Ada";s:6:"active";b:1;}i:1;a:1:{s:4:"name";s:1:"B";}}"#,
        r#"s:7:"version";a:2:{s:7:"release";s:5:"6.0.2";s:3:"api";s:5:"6.0.0";}"#,
        r#"s:7:"license";a:2:{s:7:"attribs";a:1:{s:3:"uri";s:1:"x";}s:8:"_content";s:3:"PHP";}"#,
        r#"s:13:"_lastmodified";i:1700000000;}"#,
    );
    let (packages, diagnostics) = packages_of(RECORD, new.as_bytes());
    assert_eq!((names(&packages), diagnostics), (vec!["redis 6.0.2".to_owned()], vec![]));
    assert_eq!(packages[0].purl, "pkg:pear/pecl.php.net/redis@6.0.2");
    assert_eq!((packages[0].licenses[0].as_str(), packages[0].maintainer.as_deref()), ("PHP", Some("Ada")));
    let old = r#"a:4:{s:8:"provides";a:0:{}s:7:"package";s:11:"Archive_Tar";s:15:"release_license";s:3:"BSD";s:7:"version";s:5:"1.3.2";}"#;
    let (packages, _) = packages_of("usr/share/php/.registry/archive_tar.reg", old.as_bytes());
    assert_eq!(
        (names(&packages), packages[0].licenses[0].as_str()),
        (vec!["Archive_Tar 1.3.2".to_owned()], "BSD")
    );
    assert_eq!(packages[0].purl, "pkg:pear/pear.php.net/Archive_Tar@1.3.2");
    let (packages, _) = packages_of(RECORD, old.as_bytes());
    assert_eq!(packages[0].purl, "pkg:pear/pecl.php.net/Archive_Tar@1.3.2");
    for nowhere in ["usr/share/php/.channels/pear.php.net.reg", "windows/user.reg", "x/myphp/.registry/a.reg"]
    {
        assert_eq!(packages_of(nowhere, old.as_bytes()), (vec![], vec![]), "{nowhere}");
    }
}

#[test]
fn broken_records_of_pear_end_where_they_end() {
    let deep = "a:1:{i:0;".repeat(100_000);
    let many = r#"a:99999999999:{s:4:"name";s:1:"a";"#;
    for (text, expected) in [
        (r#"a:2:{s:4:"name";s:5:"redis";s:7:"version";a:1:{s:7:"release";s:5:"6.0"#, "redis -"),
        (r#"a:2:{s:4:"name";s:5:"redis";s:7:"version";s:3:"6.0";X"#, "redis 6.0"),
        (r#"a:1:{s:9999:"name";s:5:"redis";}"#, ""),
        (r#"a:2:{s:1:"x";O:3:"Foo":1:{s:1:"y";N;}s:4:"name";s:1:"a";}"#, "a -"),
        (many, "a -"),
        (deep.as_str(), ""),
        ("hello", ""),
    ] {
        let (packages, diagnostics) = packages_of(RECORD, text.as_bytes());
        assert_eq!(names(&packages).join(" "), expected, "{text:.60}");
        assert!(!diagnostics.is_empty(), "{text:.60}");
    }
}
