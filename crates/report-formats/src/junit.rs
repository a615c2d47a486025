//! JUnit's XML: every finding is a test that failed, so that any CI system shows it.

use std::fmt::Write as _;

use model::{DistroCoverage, Finding};

use crate::Scan;
use crate::escape::markup;
use crate::grouped::fixed_in;
use crate::scan_table::no_data_words;

/// Findings as failures, suppressed ones as skipped tests; one more test says whether there was data.
pub(crate) fn junit(scan: &Scan<'_>) -> String {
    let report = scan.report;
    let (failures, skipped) = (report.findings.len(), report.suppressed.len());
    let (tests, errors) = (failures + skipped + 1, usize::from(!report.is_covered()));
    let name = markup(scan.sbom.image_name);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <testsuites name=\"lazaret\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\">\n\
        <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">\n"
    );
    match &report.coverage {
        DistroCoverage::NoData(reason) => {
            let words = markup(&no_data_words(reason));
            writeln!(
                text,
                "<testcase classname=\"{name}\" name=\"vulnerability data\"><error type=\"no-data\" message=\"{words}\"/></testcase>"
            )
        }
        _ => writeln!(text, "<testcase classname=\"{name}\" name=\"vulnerability data\"/>"),
    }
    .expect("writing to a String cannot fail");
    for finding in &report.findings {
        let fixed = match fixed_in(finding).as_str() {
            "" => "no fix yet".to_owned(),
            fixed => format!("fixed in {fixed}"),
        };
        let message = markup(&format!("{} {}: {fixed}", finding.package, finding.version));
        let details = markup(&format!(
            "{} at {}; {}",
            finding.purl,
            finding.package_path,
            finding.summary.as_deref().unwrap_or_default()
        ));
        writeln!(
            text,
            "{}<failure type=\"{}\" message=\"{message}\">{details}</failure></testcase>",
            test_case(finding),
            finding.severity.name()
        )
        .expect("writing to a String cannot fail");
    }
    for suppressed in &report.suppressed {
        let reason = markup(&suppressed.reason.sentence());
        writeln!(text, "{}<skipped message=\"{reason}\"/></testcase>", test_case(&suppressed.finding))
            .expect("writing to a String cannot fail");
    }
    text.push_str("</testsuite>\n</testsuites>\n");
    text
}

fn test_case(finding: &Finding) -> String {
    let class = markup(&format!("{}:{}", finding.package_kind.purl_type(), finding.package));
    format!("<testcase classname=\"{class}\" name=\"[{}] {}\">", finding.severity.name(), markup(&finding.id))
}
