//! What reports say about the base image that a user named.

use model::{BaseImage, Digest, Finding, Location, NamedBase, NotTheBase, Package, PackageKind};
use report_formats::{SBOM_SCHEMA, SCAN_SCHEMA};
use serde_json::Value;

use super::example::Example;
use super::formats::write;
use super::native::assert_valid;

fn digest(fill: u8) -> Digest {
    Digest::from_sha256(&[fill; 32])
}

fn base(name: &str, fill: u8, objection: Option<NotTheBase>) -> NamedBase {
    NamedBase {
        name: name.into(),
        digests: vec![digest(fill)],
        image_id: digest(9),
        layer_count: 1,
        objection,
    }
}

/// One package with a finding from the base, one from the image's own layer, and one from nobody knows where.
pub(crate) fn example() -> Example {
    let mut example = Example::plain();
    let first = example.report.findings.remove(0);
    example.inventory.layers = vec![digest(4), digest(5)];
    example.inventory.packages.clear();
    for (name, layer) in [("libssl3", Some(4)), ("app", Some(5)), ("lost", None)] {
        let path = format!("/srv/{name}");
        let package = Package {
            purl: format!("pkg:npm/{name}@1"),
            locations: vec![Location { path: path.clone(), layer: layer.map(digest) }],
            ..Package::new(PackageKind::Npm, name.into(), Some("1".into()))
        };
        let finding = Finding {
            package: name.into(),
            package_kind: PackageKind::Npm,
            purl: package.purl.clone(),
            package_path: path,
            ..first.clone()
        };
        example.inventory.packages.push(package);
        example.report.findings.push(finding);
    }
    let differs = NotTheBase::LayerDiffers { number: 1 };
    example.bases = vec![base("debian:11", 6, Some(differs)), base("debian:12", 7, None)];
    example
}

fn json(example: &Example, schema: &str) -> Value {
    let value = serde_json::from_str(&write(example, "json")).unwrap();
    assert_valid(schema, &value);
    value
}

#[test]
fn findings_of_the_base_are_told_from_the_images_own() {
    let example = example();
    let table = write(&example, "table");
    let line = "1 of 3 findings comes with the base image debian:12; 1 from the image's own layers; \
        1 from a layer that is not known\ndebian:11 is not the base image: layer 1 differs\n";
    assert!(table.contains(line), "{table}");
    for (name, word) in [("libssl3", "base"), ("app", "own"), ("lost", "High")] {
        let row = table.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        assert!(row.trim_end().ends_with(word), "{name}: {row}");
    }
    let value = json(&example, SCAN_SCHEMA);
    let origins: Vec<_> =
        value["findings"].as_array().unwrap().iter().map(|it| &it["from_base_image"]).collect();
    assert_eq!(origins, [&Value::Bool(true), &Value::Bool(false), &Value::Null]);
    let bases = &value["image"]["base_images"];
    assert_eq!((&bases[0]["is_base"], &bases[0]["objection"]), (&false.into(), &"layer 1 differs".into()));
    assert_eq!((&bases[1]["is_base"], &bases[1]["layer_count"]), (&true.into(), &1.into()));

    let csv = write(&example, "csv");
    let last: Vec<_> = csv.lines().map(|line| line.rsplit(',').next().unwrap()).collect();
    assert_eq!(last, ["from_base_image", "yes", "no", ""]);
    let markdown = write(&example, "markdown");
    assert!(markdown.contains("| Severity | From |") && markdown.contains("| High | own |"), "{markdown}");
    let sarif: Value = serde_json::from_str(&write(&example, "sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["properties"]["fromBaseImage"], true);
    assert!(sarif["runs"][0]["invocations"][0].to_string().contains("debian:11 is not the base image"));
    assert!(write(&example, "cyclonedx-json").contains("lazaret:from-base-image"));
}

#[test]
fn packages_of_the_base_are_told_from_the_images_own() {
    let example = Example { has_findings: false, ..example() };
    let table = write(&example, "table");
    assert!(table.contains("1 of 3 packages comes with the base image debian:12; 1 from"), "{table}");
    let value = json(&example, SBOM_SCHEMA);
    assert_eq!(value["packages"][0]["from_base_image"], true);
    assert_eq!(value["packages"][1]["from_base_image"], false);
    let csv = write(&example, "csv");
    assert!(csv.lines().nth(1).unwrap().ends_with(",yes"), "{csv}");
    let markdown = write(&example, "markdown");
    assert!(markdown.contains("| Source | From |") && markdown.contains("|  | own |"), "{markdown}");
}

/// A component in two places comes from both.
#[test]
fn a_package_may_come_from_both() {
    let mut example = example();
    for (package, finding) in example.inventory.packages.iter_mut().zip(&mut example.report.findings) {
        (package.name, finding.package) = ("same".into(), "same".into());
    }
    assert!(write(&example, "table").contains("base, own"));
}

#[test]
fn without_a_base_reports_are_as_they_were() {
    let plain = write(&Example::plain(), "table");
    let mut refused = example();
    refused.bases.truncate(1);
    for (table, has_objection) in [(plain, false), (write(&refused, "table"), true)] {
        assert!(!table.contains("FROM") && !table.contains("come"), "{table}");
        assert_eq!(table.contains("debian:11 is not the base image"), has_objection, "{table}");
    }
    assert!(!write(&Example::plain(), "json").contains("base_image"));
}

#[test]
fn what_the_image_says_of_its_base_is_held_against_it() {
    for (stated, is_stated, has_line) in
        [(Some(7), Value::Bool(true), false), (Some(8), Value::Bool(false), true), (None, Value::Null, true)]
    {
        let mut example = example();
        let name = Some("docker.io/library/debian:12".to_owned());
        example.image.as_mut().unwrap().base = Some(BaseImage { name, digest: stated.map(digest) });
        assert_eq!(json(&example, SCAN_SCHEMA)["image"]["base_images"][1]["is_stated"], is_stated);
        let table = write(&example, "table");
        let line = "the image itself says that it was built from docker.io/library/debian:12";
        assert_eq!(table.contains(line), has_line, "{table}");
    }
}
