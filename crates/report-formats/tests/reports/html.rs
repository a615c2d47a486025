//! The HTML report: in a browser, without JavaScript, and with hostile names.

use std::path::Path;

use testkit::Scratch;

use super::example::Example;
use super::formats::write;

/// The rows that a real browser shows after the scripts have run: their package and whether they are hidden. There is no word on
/// the browser's console: neither an error nor something that the page's policy has kept back.
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
            "--enable-logging=stderr",
        ]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        command.args(["--dump-dom", &format!("file://{}#{fragment}", page.display())]);
    });
    let output = output.unwrap();
    assert!(!output.stderr.contains(":CONSOLE"), "{}", output.stderr);
    let document = output.success().unwrap();
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
fn findings_are_filtered_by_where_they_come_from() {
    let page = write(&super::bases::example(), "html");
    assert!(page.contains("1 of 3 findings comes with the base image debian:12"), "{page}");
    assert!(page.contains("<p class=\"banner warn\">debian:11 is not the base image"), "{page}");
    let folder = Scratch::new("html").unwrap();
    let file = folder.path().join("report.html");
    for (origin, shown) in
        [("base", ["libssl3"].as_slice()), ("own", &["app"]), ("", &["app", "libssl3", "lost"])]
    {
        std::fs::write(&file, touched(&page, "origin", origin)).unwrap();
        let rows = rows_in_browser(&file, "");
        let names: Vec<_> = rows.iter().filter(|(_, is_hidden)| !is_hidden).map(|(name, _)| name).collect();
        assert_eq!(names, shown, "{origin}");
    }
}

/// A page that somebody has touched: what the script does when something is chosen.
fn touched(page: &str, what: &str, value: &str) -> String {
    let policy = page.find("<meta http-equiv").unwrap()..page.find("<meta name=\"viewport\"").unwrap();
    let touch = format!(
        "<script>const form = document.forms[0]; form.elements.{what}.value = '{value}'; \
         form.dispatchEvent(new Event('input'));</script>\n</body>"
    );
    let mut page = page.replace("</body>", &touch);
    page.replace_range(policy, "");
    page
}

#[test]
fn thousands_of_findings_are_filtered_and_sorted() {
    let mut example = Example::plain();
    let first = example.report.findings.remove(0);
    for number in 0..5000_u32 {
        let mut finding = first.clone();
        finding.id = format!("CVE-2024-{number:05}");
        finding.package = format!("package{:03}", number * 7 % 250);
        finding.severity = model::Severity::ALL[usize::try_from(number % 6).unwrap()];
        (finding.state, finding.fixed_in) = match number % 4 {
            0 => (finding.state, finding.fixed_in),
            _ => (model::FindingState::NotFixed, Vec::new()),
        };
        example.report.findings.push(finding);
    }
    let folder = Scratch::new("html").unwrap();
    let page = folder.path().join("report.html");
    let text = write(&example, "html");
    for (order, fragment, shown) in [("worst", "cve-2024-00007", 1), ("package", "package049", 20)] {
        std::fs::write(&page, touched(&text, "order", order)).unwrap();
        let rows = rows_in_browser(&page, fragment);
        assert_eq!(rows.len(), 5000);
        assert_eq!(rows.iter().filter(|(_, is_hidden)| !is_hidden).count(), shown, "{order}");
        let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.is_sorted(), order == "package", "{order}");
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
