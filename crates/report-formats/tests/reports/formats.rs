//! Every format, written for one report whose names are as hostile as names can be.

use super::example::{Example, HOSTILE, WIDE};
use model::FindingState;
use report_formats::{
    ChosenFormat, FORMATS, GithubJob, Report, TableOptions, Template, WriteError, WriteOptions,
};

const TEMPLATE: &str =
    "{{ image.name }}\n{% for it in findings|default([]) %}{{ it.id }} {{ it.package }}\n{% endfor %}";

pub(crate) fn options() -> WriteOptions<'static> {
    let sha = "0123456789012345678901234567890123456789";
    WriteOptions {
        program_version: "1.2.3",
        github: GithubJob {
            sha: Some(sha),
            reference: Some("refs/heads/main"),
            id: Some("7"),
            correlator: Some("ci scan"),
        },
        template: Some(Template { name: "list.html.j2", text: TEMPLATE }),
        ..WriteOptions::default()
    }
}

pub(crate) fn write(example: &Example, format: &str) -> String {
    try_write(example, format).unwrap()
}

pub(crate) fn try_write(example: &Example, format: &str) -> Result<String, WriteError> {
    let options = options();
    let format = ChosenFormat::parse(format).unwrap();
    let report = if format.format.needs_findings || example.has_findings {
        Report::Scan(example.scan())
    } else {
        Report::Sbom(example.sbom())
    };
    format.write(&report, &options)
}

#[test]
fn every_format_gives_the_same_bytes_twice_and_lets_nothing_through() {
    for has_findings in [true, false] {
        let example = Example { has_findings, ..Example::hostile() };
        for format in FORMATS.iter().filter(|format| has_findings || !format.needs_findings) {
            let text = write(&example, format.name);
            assert_eq!(
                text,
                write(&Example { has_findings, ..Example::hostile() }, format.name),
                "{}",
                format.name
            );
            let is_obeyed = |it: &char| (it.is_control() && *it != '\n') || *it == '\u{202e}';
            // JSON escapes what it must; programs that show it escape the rest.
            let obeyed = text.chars().filter(is_obeyed).collect::<Vec<_>>();
            let is_for_programs = format.file_ending.contains("json") || format.name == "template";
            assert!(obeyed.is_empty() || is_for_programs, "{}: {obeyed:?}", format.name);
            assert!(text.ends_with('\n'), "{}", format.name);
            // These have no place for what is known about the packages, or only for a part of it.
            let is_list =
                ["spdx-", "syft-", "github", "openvex"].iter().any(|it| format.name.starts_with(it));
            assert!(text.contains("CVE-2024-0001") || !has_findings || is_list, "{}", format.name);
        }
    }
}

#[test]
fn an_image_without_packages_is_a_report_in_every_format() {
    let example = Example::empty();
    // Without statements there is no OpenVEX.
    for format in FORMATS.iter().filter(|format| format.name != "openvex") {
        let text = write(&example, format.name);
        assert!(text.ends_with('\n'), "{}: {text}", format.name);
    }
}

#[test]
fn a_table_names_a_package_once_and_what_is_fixable_first() {
    let mut example = Example::plain();
    let mut other = example.report.findings[0].clone();
    other.id = "CVE-2024-0002".to_owned();
    other.state = FindingState::NotFixed;
    other.fixed_in.clear();
    other.severity = model::Severity::Critical;
    let mut elsewhere = other.clone();
    elsewhere.package = "aaa".to_owned();
    let mut twice = example.report.findings[0].clone();
    twice.package_path = "/elsewhere".to_owned();
    example.report.findings.splice(0..0, [elsewhere, other, twice]);
    let format = ChosenFormat::parse("table").unwrap();
    let options = |width, has_color| WriteOptions {
        table: TableOptions { width, has_color, shows_suppressed: true },
        ..WriteOptions::default()
    };
    let report = Report::Scan(example.scan());
    let shown = format.write(&report, &options(Some(100), false)).unwrap();
    let position = |text: &str| shown.find(text).expect(text);
    assert!(
        position("CVE-2024-0001") < position("CVE-2024-0002") && position("libssl3") < position("aaa"),
        "{shown}"
    );
    let rows = shown.split("\n\n").next().unwrap();
    assert_eq!(rows.matches("libssl3").count(), 1, "{shown}");
    assert!(rows.contains("(2 places)"), "{shown}");
    assert!(shown.contains("2 with a fix, 2 without a fix"), "{shown}");
    assert!(shown.contains("1 suppressed") && shown.contains("it comes with the package"), "{shown}");
    let piped = format.write(&report, &options(None, false)).unwrap();
    assert_eq!(piped.split("\n\n").next().unwrap().matches("libssl3").count(), 2, "{piped}");
    for width in [40, 60, 80, 120] {
        let shown = format.write(&report, &options(Some(width), false)).unwrap();
        let table = shown.split("\n\n").next().unwrap();
        let widest = table.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(width), "{widest} of {width}:\n{table}");
    }
    let colored = format.write(&report, &options(Some(100), true)).unwrap();
    assert!(colored.contains("\u{1b}["), "{colored:?}");
}

/// Columns that a terminal needs for a text of ours: two for each letter of East Asia and each picture, none for what joins others.
fn columns(line: &str) -> usize {
    let of_letter = |letter: char| match letter {
        '\u{300}'..='\u{36f}' | '\u{200d}' => 0,
        '\u{3000}'..='\u{30ff}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{1f300}'..='\u{1faff}' => 2,
        _ => 1,
    };
    line.chars().map(of_letter).sum()
}

#[test]
fn tables_fit_into_narrow_terminals_whatever_the_names() {
    let mut example = Example::list();
    example.report.findings[0].package = "x".repeat(5000);
    example.report.findings[1].version = "1.".repeat(2000);
    example.report.findings[2].fixed_in = vec!["9".repeat(300), WIDE.into()];
    example.report.findings[3].package = format!("{HOSTILE}{WIDE}");
    for has_findings in [true, false] {
        let report = if has_findings { Report::Scan(example.scan()) } else { Report::Sbom(example.sbom()) };
        for width in [1, 20, 40, 80] {
            let table = TableOptions { width: Some(width), has_color: false, shows_suppressed: true };
            let options = WriteOptions { table, ..WriteOptions::default() };
            let text = ChosenFormat::parse("table").unwrap().write(&report, &options).unwrap();
            let rows = text.split("\n\n").next().unwrap();
            let widest = rows.lines().map(columns).max().unwrap();
            assert!(width < 40 || widest <= usize::from(width), "{widest} of {width}:\n{rows}");
            assert!(text.chars().all(|it| it == '\n' || !it.is_control()), "{text:?}");
        }
    }
}

#[test]
fn a_spreadsheet_has_one_line_for_each_finding_and_no_formula() {
    let text = write(&Example::hostile(), "csv");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(!text.contains(",=") && text.contains("'=cmd"), "{text}");
    let text = write(&Example { has_findings: false, ..Example::plain() }, "csv");
    assert!(text.lines().nth(1).unwrap().starts_with("libssl3,3.0.11-1,deb,arm64,openssl,"), "{text}");
}

#[test]
fn markdown_has_no_markup_of_the_image() {
    let text = write(&Example::hostile(), "markdown");
    assert!(!text.contains("<script") || text.contains("`"), "{text}");
    for line in text.lines().filter(|line| line.contains("<script")) {
        assert!(line.contains("`"), "outside of code: {line}");
    }
    assert!(!text.contains("](javascript:"), "{text}");
    assert!(
        HOSTILE.contains('|') && text.lines().filter(|line| line.starts_with("| ")).count() >= 2,
        "{text}"
    );
}
