//! What is written is valid under the published schemas.

use jsonschema::{Retrieve, Uri};
use serde_json::Value;

use super::{image, inventory, report};
use crate::{CycloneDxVersion, Meta, Sbom, cyclonedx_json, cyclonedx_xml, spdx_json, syft_json};

const SPDX_LICENSES: &str = include_str!("../../../testdata/sbom/schemas/spdx.SNAPSHOT.schema.json");
const SIGNATURES: &str = include_str!("../../../testdata/sbom/schemas/jsf-0.82.SNAPSHOT.schema.json");
const ALGORITHMS: &str =
    include_str!("../../../testdata/sbom/schemas/cryptography-defs.SNAPSHOT.schema.json");
const SPDX: &str = include_str!("../../../testdata/sbom/schemas/spdx-schema-2.3.json");
const SYFT: &str = include_str!("../../../testdata/sbom/schemas/syft-16.1.13.schema.json");

fn cyclonedx_schema(version: CycloneDxVersion) -> &'static str {
    match version {
        CycloneDxVersion::V1_4 => include_str!("../../../testdata/sbom/schemas/bom-1.4.SNAPSHOT.schema.json"),
        CycloneDxVersion::V1_5 => include_str!("../../../testdata/sbom/schemas/bom-1.5.SNAPSHOT.schema.json"),
        CycloneDxVersion::V1_6 => include_str!("../../../testdata/sbom/schemas/bom-1.6.SNAPSHOT.schema.json"),
        CycloneDxVersion::V1_7 => include_str!("../../../testdata/sbom/schemas/bom-1.7.SNAPSHOT.schema.json"),
    }
}

/// The schemas that others refer to, from here and never from the network.
struct Files;

impl Retrieve for Files {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let text = match uri.as_str().rsplit('/').next().unwrap_or_default() {
            "spdx.SNAPSHOT.schema.json" => SPDX_LICENSES,
            "jsf-0.82.SNAPSHOT.schema.json" => SIGNATURES,
            "cryptography-defs.SNAPSHOT.schema.json" => ALGORITHMS,
            other => return Err(format!("no schema `{other}` here").into()),
        };
        Ok(serde_json::from_str(text)?)
    }
}

fn problems(schema: &str, document: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(schema).expect("a schema is JSON");
    let document: Value = serde_json::from_str(document).expect("what is written is JSON");
    let validator =
        jsonschema::options().with_retriever(Files).build(&schema).expect("a published schema is one");
    validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn documents_are_valid_under_the_published_schemas() {
    let (image, inventory, report) = (image(), inventory(), report());
    let nothing = model::Inventory::default();
    for sbom in [
        Sbom { image_name: "app:1", image: Some(&image), inventory: &inventory, bases: &[] },
        Sbom { image_name: "a\tb", image: None, inventory: &nothing, bases: &[] },
    ] {
        for version in CycloneDxVersion::ALL {
            for report in [None, Some(&report)] {
                for created in [None, Some(jiff::Timestamp::UNIX_EPOCH)] {
                    let written = cyclonedx_json(&sbom, report, version, &Meta { created, has_files: true });
                    let found = problems(cyclonedx_schema(version), &written);
                    assert_eq!(found, [] as [String; 0], "{}\n{written}", version.name());
                }
            }
        }
        let written = spdx_json(&sbom, &Meta { created: None, has_files: true });
        assert_eq!(problems(SPDX, &written), [] as [String; 0], "{written}");
        let document: Value = serde_json::from_str(&written).expect("what is written is JSON");
        for supplier in
            document["packages"].as_array().into_iter().flatten().filter_map(|it| it["supplier"].as_str())
        {
            assert!(
                supplier.lines().count() == 1 && !supplier.contains(crate::listing::is_special),
                "{supplier:?}"
            );
        }
        let written = syft_json(&sbom, &Meta::default());
        assert_eq!(problems(SYFT, &written), [] as [String; 0], "{written}");
    }
    // The judge does say no.
    assert_ne!(
        problems(cyclonedx_schema(CycloneDxVersion::V1_6), r#"{"bomFormat": "CycloneDX"}"#),
        [] as [String; 0]
    );
    assert_ne!(problems(SPDX, r#"{"SPDXID": 1}"#), [] as [String; 0]);
    assert_ne!(problems(SYFT, r#"{"artifacts": [{}]}"#), [] as [String; 0]);
}

#[test]
fn documents_in_xml_are_valid_under_the_published_schemas() {
    let xmllint = testkit::require_program("xmllint").expect("it is installed");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/sbom/schemas");
    let (image, inventory, report) = (image(), inventory(), report());
    let sbom = Sbom { image_name: "app:1", image: Some(&image), inventory: &inventory, bases: &[] };
    let check = |version: CycloneDxVersion, document: &str| {
        let output = testkit::run(&xmllint, document.as_bytes(), |command| {
            let schema = format!("{folder}/bom-{}.SNAPSHOT.xsd", version.name());
            command.args(["--noout", "--nonet", "--huge", "--schema", &schema, "-"]);
        });
        output.expect("it runs")
    };
    for version in CycloneDxVersion::ALL {
        for report in [None, Some(&report)] {
            let meta = Meta { created: Some(jiff::Timestamp::UNIX_EPOCH), has_files: true };
            let written = cyclonedx_xml(&sbom, report, version, &meta);
            check(version, &written).success().unwrap_or_else(|error| panic!("{error}\n{written}"));
        }
        let wrong =
            cyclonedx_xml(&sbom, None, version, &Meta::default()).replace("</metadata>", "<x/></metadata>");
        assert!(check(version, &wrong).success().is_err(), "the judge does say no");
    }
}

#[test]
fn ids_of_licenses_are_those_that_the_schemas_know() {
    let schema: Value = serde_json::from_str(SPDX_LICENSES).expect("a schema is JSON");
    let known: Vec<&str> =
        schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let unknown: Vec<&str> = spdx::identifiers::LICENSES
        .iter()
        .map(|license| license.name)
        .filter(|name| crate::licenses::is_old_id(name) && !known.contains(name))
        .collect();
    assert_eq!(unknown, [] as [&str; 0]);
}
