//! Which files are plugins, and what their comments say.

use model::DiagnosticCode;

use crate::tests::{names, packages_of};

const PATH: &str = "var/www/html/wp-content/plugins/akismet/akismet.php";
const HEADER: &str = "<?php\n/**\n * @package Akismet\n */\n/*\nPlugin Name: Akismet: Spam Protection\nDescription: x\n\
    Version: 5.3.1\nRequires at least: 5.8\nAuthor: Automattic\nLicense: GPLv2 or later\n*/\nclass A {}\n";

#[test]
fn files_with_a_header_are_plugins() {
    for (path, name) in [
        (PATH, "akismet 5.3.1"),
        ("wp-content/plugins/hello.php", "hello 5.3.1"),
        ("var/www/html/wp-content/plugins/akismet/views/akismet.php", ""),
        ("var/www/html/wp-content/themes/x/functions.php", ""),
        ("var/www/html/mywp-content/plugins/akismet/akismet.php", ""),
        ("var/www/html/wp-content/plugins/akismet/akismet.txt", ""),
    ] {
        let (packages, diagnostics) = packages_of(path, HEADER.as_bytes());
        assert_eq!((names(&packages).concat().as_str(), diagnostics), (name, vec![]), "{path}");
    }
    let (packages, _) = packages_of(PATH, HEADER.as_bytes());
    assert_eq!(packages[0].purl, "pkg:wordpress/akismet@5.3.1");
    assert_eq!(
        (packages[0].licenses[0].as_str(), packages[0].maintainer.as_deref()),
        ("GPLv2 or later", Some("Automattic"))
    );
}

#[test]
fn comments_of_all_kinds_are_read() {
    let late = format!("<?php //{}\n/* Plugin Name: a\nVersion: 1 */", "x".repeat(9000));
    for (text, expected) in [
        ("<?php /* Plugin Name: a */", "akismet -"),
        ("<?php\r\n/*\r\n * Plugin name: a\r\n * VERSION:   2.0 \r\n */", "akismet 2.0"),
        ("<?php\n# Plugin Name: a\n# Version: 3 ?>", "akismet 3"),
        ("<?php\n/* Plugin Name:\n Version: 1 */", ""),
        ("<?php\n$x = 'Plugin Name: a';", ""),
        ("<?php // Silence is golden.", ""),
        (late.as_str(), ""),
    ] {
        let (packages, diagnostics) = packages_of(PATH, text.as_bytes());
        assert_eq!(names(&packages).concat(), expected, "{text:.60}");
        let codes: Vec<_> = diagnostics.iter().map(|told| told.code).collect();
        let told = if expected.ends_with('-') { vec![DiagnosticCode::MissingVersion] } else { vec![] };
        assert_eq!(codes, told, "{text:.60}");
    }
}
