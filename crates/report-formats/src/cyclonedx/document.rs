//! A document as a tree of JSON. Members stand in the order in which the XML schemas want the elements: XML is made from it.

use model::{MatchReport, OwnedFile, Package, PackageKind};
use serde_json::{Map, Value, json};

use super::vulnerabilities;
use crate::Sbom;
use crate::listing::{self, ListedPackage, Listing, Properties};
use crate::sbom_formats::{CycloneDxVersion, Meta, TOOL, TOOL_VERSION};
use crate::syft_json::syft_source;

/// How the document names the image itself.
const SUBJECT: &str = "subject";
/// How it names the operating system.
const SYSTEM: &str = "operating-system";
/// Of a package that is in many places, other tools are told so many.
const FOREIGN_LOCATIONS_MAX: usize = 16;

pub(super) fn document(
    sbom: &Sbom<'_>,
    report: Option<&MatchReport>,
    version: CycloneDxVersion,
    meta: &Meta,
) -> Value {
    let listing = Listing::of(sbom, meta.has_files);
    let mut bom = Map::new();
    if version >= CycloneDxVersion::V1_5 {
        let schema = format!("http://cyclonedx.org/schema/bom-{}.schema.json", version.name());
        bom.insert("$schema".to_owned(), json!(schema));
    }
    bom.insert("bomFormat".to_owned(), json!("CycloneDX"));
    bom.insert("specVersion".to_owned(), json!(version.name()));
    let serial = format!("urn:uuid:{}", listing::uuid(&listing.content_hash(&sbom.inventory.packages)));
    bom.insert("serialNumber".to_owned(), json!(serial));
    bom.insert("version".to_owned(), json!(1));
    bom.insert("metadata".to_owned(), metadata(sbom, &listing, version, meta));
    let packages = &sbom.inventory.packages;
    let components =
        listing.packages.iter().zip(packages).map(|(listed, package)| component(&listing, listed, package));
    let components: Vec<Value> = system(&listing).into_iter().chain(components).collect();
    bom.insert("components".to_owned(), Value::Array(components));
    if let Some(report) = report {
        let found = vulnerabilities::list(sbom, &listing, report, version);
        bom.insert("vulnerabilities".to_owned(), Value::Array(found));
    }
    Value::Object(bom)
}

fn metadata(sbom: &Sbom<'_>, listing: &Listing, version: CycloneDxVersion, meta: &Meta) -> Value {
    let mut metadata = Map::new();
    if let Some(created) = meta.created {
        metadata.insert("timestamp".to_owned(), json!(created.to_string()));
    }
    let tools = match version {
        CycloneDxVersion::V1_4 => json!([{"name": TOOL, "version": TOOL_VERSION}]),
        _ => json!({"components": [{"type": "application", "name": TOOL, "version": TOOL_VERSION}]}),
    };
    metadata.insert("tools".to_owned(), tools);
    let mut subject = Map::new();
    subject.insert("type".to_owned(), json!("container"));
    subject.insert("bom-ref".to_owned(), json!(SUBJECT));
    subject.insert("name".to_owned(), json!(sbom.image_name));
    if let Some(image) = sbom.image {
        subject.insert("version".to_owned(), json!(image.digest.to_string()));
    }
    metadata.insert("component".to_owned(), Value::Object(subject));
    metadata.insert("properties".to_owned(), Value::Array(properties(&listing.properties, &[])));
    Value::Object(metadata)
}

fn properties(properties: &Properties, files: &[OwnedFile]) -> Vec<Value> {
    let files = files.iter().map(|file| json!({"name": listing::FILE, "value": listing::to_line(file)}));
    properties.iter().map(|(name, value)| json!({"name": name, "value": value})).chain(files).collect()
}

fn system(listing: &Listing) -> Option<Value> {
    let system = listing.system.as_ref()?;
    let mut component = Map::new();
    component.insert("type".to_owned(), json!("operating-system"));
    component.insert("bom-ref".to_owned(), json!(SYSTEM));
    component.insert("name".to_owned(), json!(system.name));
    if let Some(version) = &system.version {
        component.insert("version".to_owned(), json!(version));
    }
    Some(Value::Object(component))
}

/// Properties by which syft and grype know kind, language, place and source package of an entry; by its package URL they know not every kind.
///
/// Source: syft 1.20, what it writes into and reads from CycloneDX.
fn foreign_properties(package: &Package) -> Vec<Value> {
    let (kind, language) = crate::syft_json::syft_words(package.kind);
    let property = |name: String, value: &str| json!({"name": name, "value": value});
    let mut found = vec![property("syft:package:type".to_owned(), kind)];
    if !language.is_empty() {
        found.push(property("syft:package:language".to_owned(), language));
    }
    let plain = package.locations.iter().filter(|location| listing::is_plain(&location.path));
    for (index, location) in plain.take(FOREIGN_LOCATIONS_MAX).enumerate() {
        if let Some(layer) = &location.layer {
            found.push(property(format!("syft:location:{index}:layerID"), &layer.to_string()));
        }
        found.push(property(format!("syft:location:{index}:path"), &location.path));
    }
    // Advisories of distros are about source packages.
    found.extend(syft_source(package).into_iter().map(|(name, value)| property(name.to_owned(), &value)));
    found
}

fn component(listing: &Listing, listed: &ListedPackage, package: &Package) -> Value {
    let mut component = Map::new();
    let mut add = |key: &str, value: Value| component.insert(key.to_owned(), value);
    add("type", json!(if package.kind == PackageKind::Binary { "application" } else { "library" }));
    add("bom-ref", json!(listed.reference));
    if let Some(supplier) = &listed.supplier {
        add("supplier", json!({"name": supplier}));
    }
    add("name", json!(listed.name));
    if let Some(version) = &listed.version {
        add("version", json!(version));
    }
    if let Some(sha1) = listed.sha1.as_ref().filter(|sha1| is_sha1(sha1)) {
        add("hashes", json!([{"alg": "SHA-1", "content": sha1}]));
    }
    if !listed.licenses.is_empty() {
        add("licenses", licenses(&listed.licenses));
    }
    if let Some(cpe) = listed.cpes.iter().find(|cpe| is_cpe(cpe)) {
        add("cpe", json!(cpe));
    }
    if listing::is_locator(&listed.purl) {
        add("purl", json!(listed.purl));
    }
    let mut own = properties(&listed.properties, listing.files_of(package));
    own.extend(foreign_properties(package));
    add("properties", Value::Array(own));
    Value::Object(component)
}

pub(crate) fn is_sha1(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a name has the thirteen parts of the form that schemas allow.
pub(crate) fn is_cpe(text: &str) -> bool {
    let is_fit = |letter: char| letter.is_ascii_graphic();
    let mut parts = 1;
    let mut is_escaped = false;
    for letter in text.chars() {
        parts += usize::from(letter == ':' && !is_escaped);
        is_escaped = letter == '\\' && !is_escaped;
    }
    text.starts_with("cpe:2.3:") && parts == 13 && text.chars().all(is_fit)
}

/// One expression alone, or each licence by its SPDX id or as a name.
fn licenses(licenses: &[String]) -> Value {
    if let [license] = licenses
        && crate::licenses::is_compound(license)
    {
        return json!([{"expression": license}]);
    }
    licenses
        .iter()
        .map(|license| match crate::licenses::is_old_id(license) {
            true => json!({"license": {"id": license}}),
            false => json!({"license": {"name": license}}),
        })
        .collect()
}
