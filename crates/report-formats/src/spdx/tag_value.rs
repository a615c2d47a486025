//! SPDX as lines of tag and value: written from the tree of a document, read in editions 2.2 and 2.3.

use std::fmt::Write as _;

use serde_json::Value;

use super::reading::{FORMAT, RawPackage, Reading};
use crate::listing::{Listing, is_special};
use crate::read_sbom::{ReadSbomError, SbomLimits};

/// Members of a package that are one line each, by their tags.
const LINES: [(&str, &str); 9] = [
    ("versionInfo", "PackageVersion"),
    ("supplier", "PackageSupplier"),
    ("downloadLocation", "PackageDownloadLocation"),
    ("primaryPackagePurpose", "PrimaryPackagePurpose"),
    ("filesAnalyzed", "FilesAnalyzed"),
    ("licenseConcluded", "PackageLicenseConcluded"),
    ("licenseDeclared", "PackageLicenseDeclared"),
    ("copyrightText", "PackageCopyrightText"),
    ("sourceInfo", "PackageSourceInfo"),
];

/// Writes a document.
pub(super) fn write(document: &Value) -> String {
    let mut text = String::new();
    line(&mut text, "SPDXVersion", &document["spdxVersion"]);
    line(&mut text, "DataLicense", &document["dataLicense"]);
    line(&mut text, "SPDXID", &document["SPDXID"]);
    line(&mut text, "DocumentName", &document["name"]);
    line(&mut text, "DocumentNamespace", &document["documentNamespace"]);
    for creator in list(&document["creationInfo"]["creators"]) {
        line(&mut text, "Creator", creator);
    }
    line(&mut text, "Created", &document["creationInfo"]["created"]);
    annotations(&mut text, document);
    for package in list(&document["packages"]) {
        text.push('\n');
        line(&mut text, "PackageName", &package["name"]);
        line(&mut text, "SPDXID", &package["SPDXID"]);
        for (member, tag) in LINES {
            if let Some(value) = package.get(member) {
                // Of the words for purposes, JSON has another spelling.
                match member {
                    "primaryPackagePurpose" => {
                        line(&mut text, tag, &Value::String(scalar(value).replace('_', "-")));
                    }
                    _ => line(&mut text, tag, value),
                }
            }
        }
        for checksum in list(&package["checksums"]) {
            let value = format!("{}: {}", scalar(&checksum["algorithm"]), scalar(&checksum["checksumValue"]));
            line(&mut text, "PackageChecksum", &Value::String(value));
        }
        for reference in list(&package["externalRefs"]) {
            let parts = ["referenceCategory", "referenceType", "referenceLocator"];
            let value = parts.map(|part| scalar(&reference[part])).join(" ");
            line(&mut text, "ExternalRef", &Value::String(value));
        }
        annotations(&mut text, package);
    }
    for license in list(&document["hasExtractedLicensingInfos"]) {
        text.push('\n');
        line(&mut text, "LicenseID", &license["licenseId"]);
        block(&mut text, "ExtractedText", &scalar(&license["extractedText"]));
        line(&mut text, "LicenseName", &license["name"]);
    }
    text.push('\n');
    for relationship in list(&document["relationships"]) {
        let parts = ["spdxElementId", "relationshipType", "relatedSpdxElement"];
        let value = parts.map(|part| scalar(&relationship[part])).join(" ");
        line(&mut text, "Relationship", &Value::String(value));
    }
    text
}

fn annotations(text: &mut String, of: &Value) {
    for annotation in list(&of["annotations"]) {
        line(text, "Annotator", &annotation["annotator"]);
        line(text, "AnnotationDate", &annotation["annotationDate"]);
        line(text, "AnnotationType", &annotation["annotationType"]);
        line(text, "SPDXREF", &of["SPDXID"]);
        // Values of properties are percent-encoded: so may be what would end the block.
        block(text, "AnnotationComment", &scalar(&annotation["comment"]).replace("</text>", "%3C/text>"));
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// One line; what would be another one is replaced. Where it matters, the exact text is a property.
fn line(text: &mut String, tag: &str, value: &Value) {
    let value = scalar(value).replace(is_special, "\u{fffd}");
    let value = value.replace("<text>", "(text)");
    writeln!(text, "{tag}: {}", value.trim()).expect("writing to a String cannot fail");
}

fn block(text: &mut String, tag: &str, value: &str) {
    let value = value.replace("</text>", "(/text)");
    let value = value.replace(|letter| is_special(letter) && letter != '\n', "\u{fffd}");
    writeln!(text, "{tag}: <text>{value}</text>").expect("writing to a String cannot fail");
}

/// Errors: no UTF-8, no tags and values, another edition, or more packages than wanted.
pub(crate) fn read_tag_value(bytes: &[u8], limits: &SbomLimits) -> Result<Listing, ReadSbomError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        ReadSbomError::malformed(FORMAT, format_args!("no UTF-8 at byte {}", error.valid_up_to()))
    })?;
    let mut document = Document::new(limits);
    let mut rest = text;
    while !rest.is_empty() {
        let at = text.len() - rest.len();
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (Some((tag, value)), false) = (line.split_once(':'), line.starts_with('<')) else {
            return Err(ReadSbomError::malformed(FORMAT, format_args!("no tag and value at byte {at}")));
        };
        let mut value = value.trim();
        if value.starts_with("<text>") {
            let start = at + text[at..].find("<text>").map_or(0, |offset| offset + "<text>".len());
            let Some(length) = text[start..].find("</text>") else {
                let reason = format_args!("the text that begins at byte {at} has no end");
                return Err(ReadSbomError::malformed(FORMAT, reason));
            };
            value = &text[start..start + length];
            let end = start + length + "</text>".len();
            rest = text[end..].split_once('\n').map_or("", |(_, after)| after);
        }
        document.take(tag.trim(), value);
    }
    document.finish()
}

struct Document {
    reading: Reading,
    version: String,
    package: Option<RawPackage>,
    /// A file or snippet, or an element that is not read, has begun: what follows is its.
    is_elsewhere: bool,
    /// What the annotation is about.
    subject: String,
    license: String,
}

impl Document {
    fn new(limits: &SbomLimits) -> Self {
        Self {
            reading: Reading::new(limits),
            version: String::new(),
            package: None,
            is_elsewhere: false,
            subject: String::new(),
            license: String::new(),
        }
    }

    fn take(&mut self, tag: &str, value: &str) {
        match tag {
            "SPDXVersion" => self.version = value.to_owned(),
            "DocumentName" => self.reading.name = Some(value.to_owned()),
            "PackageName" => {
                self.end_package();
                let mut package = RawPackage::default();
                package.listed.name = value.to_owned();
                self.package = Some(package);
            }
            "FileName" | "SnippetSPDXID" | "LicenseID" => {
                self.end_package();
                self.is_elsewhere = true;
                self.license = if tag == "LicenseID" { value.to_owned() } else { String::new() };
            }
            "LicenseName" | "ExtractedText"
                if !self.license.is_empty() && value != super::licenses::UNKNOWN =>
            {
                // The name, where there is one: the text may be the whole licence.
                let named = &mut self.reading.named;
                if tag == "LicenseName" || !named.contains_key(&self.license) {
                    named.insert(self.license.clone(), value.to_owned());
                }
            }
            "Relationship" => {
                if let [_, "DESCRIBES", described] = value.split_whitespace().collect::<Vec<_>>().as_slice() {
                    self.reading.described.insert((*described).to_owned());
                }
            }
            "SPDXREF" => self.subject = value.to_owned(),
            "AnnotationComment" => self.annotation(value),
            _ => {
                if let Some(package) = &mut self.package {
                    of_package(package, tag, value);
                }
            }
        }
    }

    fn annotation(&mut self, value: &str) {
        let subject = std::mem::take(&mut self.subject);
        match &mut self.package {
            Some(package) if subject == package.listed.reference || subject.is_empty() => {
                package.remark(value)
            }
            _ if subject == "SPDXRef-DOCUMENT" || (subject.is_empty() && !self.is_elsewhere) => {
                self.reading.notes.note_lines(value);
            }
            _ => self.reading.late_lines(subject, value),
        }
    }

    fn end_package(&mut self) {
        if let Some(package) = self.package.take() {
            self.reading.package(package);
        }
        self.is_elsewhere = false;
        self.license.clear();
    }

    fn finish(mut self) -> Result<Listing, ReadSbomError> {
        self.end_package();
        super::check_version(&self.version)?;
        self.reading.finish()
    }
}

fn of_package(package: &mut RawPackage, tag: &str, value: &str) {
    let is_stated = !matches!(value, super::licenses::UNKNOWN | "NONE");
    match tag {
        "SPDXID" => package.listed.reference = value.to_owned(),
        "PackageVersion" => package.listed.version = Some(value.to_owned()),
        "PackageSupplier" => package.supplier(value),
        "PackageOriginator" if package.listed.supplier.is_none() => package.supplier(value),
        "PackageLicenseDeclared" if is_stated => package.license = value.to_owned(),
        "PackageLicenseConcluded" if is_stated && package.license.is_empty() => {
            package.license = value.to_owned()
        }
        "PrimaryPackagePurpose" => package.purpose = value.to_owned(),
        "PackageSourceInfo" => package.source_info(value),
        "PackageAttributionText" => package.remark(value),
        "PackageChecksum" => {
            if let Some((algorithm, digits)) = value.split_once(':') {
                package.checksum(algorithm.trim(), digits.trim());
            }
        }
        "ExternalRef" => {
            if let [_, kind, locator] = value.split_whitespace().collect::<Vec<_>>().as_slice() {
                package.reference(kind, locator);
            }
        }
        _ => {}
    }
}
