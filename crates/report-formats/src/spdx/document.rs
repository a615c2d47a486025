//! A document of edition 2.3 as a tree of JSON; the tag-value form is made from it.

use std::collections::BTreeMap;

use model::OwnedFile;
use serde_json::{Map, Value, json};

use super::licenses::{self, UNKNOWN};
use crate::Sbom;
use crate::cyclonedx::{is_cpe, is_sha1};
use crate::listing::{self, ListedPackage, Listing, Properties};
use crate::sbom_formats::{Meta, TOOL, TOOL_VERSION};

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const SUBJECT: &str = "SPDXRef-Subject";
const SYSTEM: &str = "SPDXRef-OperatingSystem";

pub(super) fn document(sbom: &Sbom<'_>, meta: &Meta) -> Value {
    let listing = Listing::of(sbom, meta.has_files);
    let created = seconds(meta.time(sbom.image));
    let mut named = BTreeMap::new();
    let mut packages = vec![subject(sbom)];
    packages.extend(system(&listing));
    let listed = listing.packages.iter().zip(&sbom.inventory.packages);
    let written = listed.map(|(listed, of)| package(listed, listing.files_of(of), &created, &mut named));
    packages.extend(written);
    let mut relationships = vec![relationship(DOCUMENT, "DESCRIBES", SUBJECT)];
    let contained = packages.iter().skip(1).filter_map(|package| package["SPDXID"].as_str());
    relationships.extend(contained.map(|id| relationship(SUBJECT, "CONTAINS", id)));
    let mut document = Map::new();
    let mut add = |key: &str, value: Value| drop(document.insert(key.to_owned(), value));
    add("spdxVersion", json!("SPDX-2.3"));
    add("dataLicense", json!("CC0-1.0"));
    add("SPDXID", json!(DOCUMENT));
    add("name", json!(sbom.image_name));
    let uuid = listing::uuid(&listing.content_hash(&sbom.inventory.packages));
    add("documentNamespace", json!(format!("https://spdx.org/spdxdocs/{TOOL}-{uuid}")));
    add("creationInfo", json!({"created": created, "creators": [creator()]}));
    add("packages", Value::Array(packages));
    let named: Vec<Value> = named
        .iter()
        .map(|(id, text)| json!({"licenseId": id, "name": text, "extractedText": text}))
        .collect();
    if !named.is_empty() {
        add("hasExtractedLicensingInfos", Value::Array(named));
    }
    add("annotations", annotations(&listing.properties, &[], &created));
    add("relationships", Value::Array(relationships));
    Value::Object(document)
}

fn creator() -> String {
    format!("Tool: {TOOL}-{TOOL_VERSION}")
}

/// Times here have no fractions of seconds.
fn seconds(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}

/// All properties as lines of one annotation.
fn annotations(properties: &Properties, files: &[OwnedFile], created: &str) -> Value {
    let files = files.iter().map(|file| format!("{}={}", listing::FILE, listing::to_line(file)));
    let properties = properties.iter().map(|(name, value)| format!("{name}={value}"));
    let lines: Vec<String> = properties.chain(files).collect();
    json!([{
        "annotationDate": created,
        "annotationType": "OTHER",
        "annotator": creator(),
        "comment": lines.join("\n"),
    }])
}

fn subject(sbom: &Sbom<'_>) -> Value {
    let digest = sbom.image.map(|image| image.digest.to_string());
    bare(SUBJECT, sbom.image_name, digest.as_deref(), "CONTAINER")
}

fn system(listing: &Listing) -> Option<Value> {
    let system = listing.system.as_ref()?;
    Some(bare(SYSTEM, &system.name, system.version.as_deref(), "OPERATING_SYSTEM"))
}

fn bare(id: &str, name: &str, version: Option<&str>, purpose: &str) -> Value {
    let mut package = Map::new();
    let mut add = |key: &str, value: &str| drop(package.insert(key.to_owned(), json!(value)));
    add("name", name);
    add("SPDXID", id);
    if let Some(version) = version {
        add("versionInfo", version);
    }
    add("downloadLocation", UNKNOWN);
    package.insert("filesAnalyzed".to_owned(), json!(false));
    package.insert("primaryPackagePurpose".to_owned(), json!(purpose));
    Value::Object(package)
}

fn package(
    listed: &ListedPackage,
    files: &[OwnedFile],
    created: &str,
    named: &mut BTreeMap<String, String>,
) -> Value {
    let mut package = Map::new();
    let mut add = |key: &str, value: Value| drop(package.insert(key.to_owned(), value));
    add("name", json!(listed.name));
    add("SPDXID", json!(format!("SPDXRef-Package-{}", listed.reference)));
    if let Some(version) = &listed.version {
        add("versionInfo", json!(version));
    }
    if let Some(supplier) = &listed.supplier {
        // One line: other readers take nothing else. The exact text is a property.
        let supplier = supplier.replace(listing::is_special, "\u{fffd}");
        add("supplier", json!(format!("Organization: {supplier}")));
    }
    add("downloadLocation", json!(UNKNOWN));
    add("filesAnalyzed", json!(false));
    if let Some(sha1) = listed.sha1.as_ref().filter(|sha1| is_sha1(sha1)) {
        add("checksums", json!([{"algorithm": "SHA1", "checksumValue": sha1.to_lowercase()}]));
    }
    add("licenseConcluded", json!(UNKNOWN));
    add("licenseDeclared", json!(licenses::expression(&listed.licenses, named)));
    add("copyrightText", json!(UNKNOWN));
    let is_locator =
        |text: &&String| !text.is_empty() && text.chars().all(|letter| letter.is_ascii_graphic());
    let purl = Some(&listed.purl).filter(is_locator).map(|purl| ("PACKAGE-MANAGER", "purl", purl));
    let cpes = listed.cpes.iter().filter(|cpe| is_cpe(cpe)).map(|cpe| ("SECURITY", "cpe23Type", cpe));
    let references: Vec<Value> = purl
        .into_iter()
        .chain(cpes)
        .map(|(category, kind, locator)| {
            json!({"referenceCategory": category, "referenceType": kind, "referenceLocator": locator})
        })
        .collect();
    if !references.is_empty() {
        add("externalRefs", Value::Array(references));
    }
    add("annotations", annotations(&listed.properties, files, created));
    Value::Object(package)
}
