//! The HTML report: in a browser, without JavaScript, and with hostile names.

use std::path::Path;

use testkit::Scratch;

use super::example::Example;
use super::formats::write;

/// The rows that a real browser shows after the scripts have run: their package and whether they are hidden.
fn rows_in_browser(page: &Path, fragment: &str) -> Vec<(String, bool)> {
    let browser = testkit::require_program("chromium").unwrap();
    let profile = Scratch::new("browser").unwrap();
    let output = testkit::run(&browser, b"", |command| {
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-dev-shm-usage",
        ]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.args(["--dump-dom", &format!("file://{}#{fragment}", page.display())]);
    });
    let document = output.unwrap().success().unwrap();
    let rows = document.split("<tr data-severity").skip(1);
    let row = |row: &str| {
        let head = row.split('>').next().unwrap();
        let package = head.split("data-package=\"").nth(1).unwrap().split(' ').next().unwrap();
        (package.to_owned(), head.contains("hidden"))
    };
    rows.map(row).collect()
}

#[test]
fn a_browser_shows_what_the_filter_lets_through() {
    let mut example = Example::plain();
    let mut other = example.report.findings[0].clone();
    (other.package, other.id) = ("zlib1g".to_owned(), "CVE-2024-0002".to_owned());
    (other.purl, other.evidence.matched_name) = ("pkg:deb/debian/zlib1g".to_owned(), "zlib".to_owned());
    example.report.findings.push(other);
    let folder = Scratch::new("html").unwrap();
    let page = folder.path().join("report.html");
    std::fs::write(&page, write(&example, "html")).unwrap();
    for (fragment, libssl3_is_hidden, zlib1g_is_hidden) in [
        ("", false, false),
        ("LIBSSL3", false, true),
        ("cve-2024-0002%20zlib1g", true, false),
        ("%", false, false),
    ] {
        let expected = [("libssl3".to_owned(), libssl3_is_hidden), ("zlib1g".to_owned(), zlib1g_is_hidden)];
        assert_eq!(rows_in_browser(&page, fragment), expected, "#{fragment}");
    }
}

#[test]
fn the_page_has_every_row_without_scripts_and_nothing_from_outside() {
    for example in [Example::plain(), Example::hostile(), Example::empty()] {
        let page = write(&example, "html");
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert_eq!(page.matches("<tr data-severity").count(), example.report.findings.len());
        assert_eq!(page.matches("<tr data-listed").count(), example.inventory.packages.len());
        let before_script = page.split("<script").next().unwrap();
        for outside in ["src=", "@import", "url(", "<link", "<img", "javascript:", " onload"] {
            // What the image says is text; as text it may say anything.
            let is_text = example.name != "app:1" && outside == "javascript:";
            assert!(!before_script.contains(outside) || is_text, "{outside} in {page}");
        }
        assert!(page.contains("default-src 'none'"), "{page}");
    }
}
