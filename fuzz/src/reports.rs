//! What is made of foreign facts: reports in every format, findings, verdicts.

use std::sync::LazyLock;

use advisory_feeds::{FeedLimits, osv};
use jiff::Timestamp;
use model::{FeedKind, ImageFacts, ImageReference, Inventory, MatchReport};
use policy::{Bundle, EvaluationInput};
use report_formats::{ChosenFormat, FORMATS, Report, Sbom, SbomLimits, Scan, Template, WriteOptions};
use vulnerability_db::matching::match_inventory;
use vulnerability_db::{Database, DatabaseSource};

const LIMITS: SbomLimits = SbomLimits { bytes_max: 1 << 20, packages_max: 200 };

/// An image that has a little of everything that rules ask about.
static IMAGE: LazyLock<ImageFacts> = LazyLock::new(|| {
    let manifest = include_bytes!("../seeds/image-documents/oci");
    let mut parts = manifest.splitn(2, |byte| *byte == 0);
    let (manifest, config) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    crate::documents::facts(manifest, config).expect("the seed is an image")
});

fn find_format(name: &str) -> ChosenFormat {
    ChosenFormat::parse(name).expect("a name out of the table of formats")
}

/// A package list of any format, written in all formats. Formats that are for other programs to read are read again: with as many
/// packages.
pub(crate) fn write_all(bytes: &[u8]) {
    let Ok((_, inventory)) = report_formats::read_sbom(bytes, &LIMITS) else { return };
    let sbom = Sbom { image_name: "a:1", image: Some(&IMAGE), inventory: &inventory, bases: &[] };
    let report = MatchReport::without_database();
    let scan = Scan { sbom, report: &report, decision: None, hidden_count: 0 };
    for format in FORMATS.iter().filter(|format| format.name != "template") {
        let written = find_format(format.name).write(&Report::Scan(scan), &WriteOptions::default());
        let Ok(written) = written else { continue };
        if format.file_ending.ends_with("json") {
            let read = serde_json::from_str::<serde_json::Value>(&written);
            assert!(read.is_ok(), "{} is no JSON: {read:?}", format.name);
        }
        let is_read = ["cyclonedx-json", "cyclonedx-xml", "spdx-json", "spdx-tag-value", "syft-json"];
        if is_read.contains(&format.name) {
            let read = report_formats::read_sbom(written.as_bytes(), &SbomLimits::default());
            let (_, read) = read.unwrap_or_else(|error| unreachable!("{} is not read: {error}", format.name));
            assert_eq!(read.packages.len(), inventory.packages.len(), "{}", format.name);
        }
    }
}

/// A template of a user.
pub(crate) fn render_template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let inventory = Inventory::default();
    let sbom = Sbom { image_name: "a:1", image: Some(&IMAGE), inventory: &inventory, bases: &[] };
    let template = Some(Template { name: "a.html", text });
    let options = WriteOptions { template, ..WriteOptions::default() };
    drop(find_format("template").write(&Report::Sbom(sbom), &options));
}

/// Records of OSV and a package list, with a NUL between them.
pub(crate) fn find_vulnerabilities(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (records, list) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(parsed) = osv::parse(records, "fuzz", &FeedLimits::default()) else { return };
    let Ok((_, inventory)) = report_formats::read_sbom(list, &LIMITS) else { return };
    let source = DatabaseSource {
        kind: FeedKind::Osv,
        name: "fuzz".to_owned(),
        advisories: parsed.advisories,
        diagnostics_count: 0,
        synced_at: Timestamp::UNIX_EPOCH,
    };
    let Ok(image) = vulnerability_db::build(vec![source], Timestamp::UNIX_EPOCH) else { return };
    let folder = tempfile::tempdir().expect("a folder for temporary files is there");
    let path = folder.path().join("a.db");
    vulnerability_db::write(&image, &path).expect("a small file is written");
    let database = Database::open(&path).expect("what was built can be opened");
    let Ok(report) = match_inventory(&inventory, &database) else { return };
    let sbom = Sbom { image_name: "a:1", image: Some(&IMAGE), inventory: &inventory, bases: &[] };
    let scan = Scan { sbom, report: &report, decision: None, hidden_count: 0 };
    for format in FORMATS.iter().filter(|format| format.needs_findings) {
        drop(find_format(format.name).write(&Report::Scan(scan), &WriteOptions::default()));
    }
}

/// A bundle, and an image that is judged by it.
pub(crate) fn judge(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice(bytes) else { return };
    drop(policy::review(&document, Timestamp::UNIX_EPOCH));
    drop(policy::parse_exceptions(&document));
    let Ok(bundle) = Bundle::load(&document) else { return };
    let reference: ImageReference = "a:1".parse().expect("a name of an image");
    let (inventory, report) = (Inventory::default(), MatchReport::without_database());
    let input = EvaluationInput::new(&reference, &IMAGE, &inventory, &report, Timestamp::UNIX_EPOCH);
    assert_eq!(policy::judge(&bundle, &input), policy::judge(&bundle, &input), "equal input, equal verdict");
}
