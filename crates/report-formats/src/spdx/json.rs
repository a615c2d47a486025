//! Reads SPDX 2.2 and 2.3 in JSON, package by package.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};

use super::reading::{FORMAT, RawPackage, Reading};
use crate::lenient::{Each, Few, Lenient};
use crate::listing::Listing;
use crate::read_sbom::{ReadSbomError, SbomLimits};

/// Errors: no SPDX of a known edition, or more packages than wanted.
pub(crate) fn read_json(bytes: &[u8], limits: &SbomLimits) -> Result<Listing, ReadSbomError> {
    let malformed = |error: serde_json::Error| ReadSbomError::malformed(FORMAT, error);
    let mut reading = Reading::new(limits);
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let version = text.deserialize_map(Document { reading: &mut reading }).map_err(malformed)?;
    text.end().map_err(malformed)?;
    super::check_version(&version)?;
    reading.finish()
}

struct Document<'a> {
    reading: &'a mut Reading,
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an SPDX document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<String, A::Error> {
        let reading = self.reading;
        let mut version = String::new();
        while let Some(key) = members.next_key::<String>()? {
            match key.as_str() {
                "spdxVersion" => version = members.next_value::<Lenient>()?.into_text().unwrap_or_default(),
                "name" => reading.name = members.next_value::<Lenient>()?.into_text(),
                "packages" => members.next_value_seed(Each::new(|package: Package| {
                    reading.package(package.into_raw());
                }))?,
                "annotations" => members.next_value_seed(Each::new(|annotation: Annotation| {
                    reading.notes.note_lines(annotation.comment.text().unwrap_or_default());
                }))?,
                "documentDescribes" => members.next_value_seed(Each::new(|id: Lenient| {
                    reading.described.extend(id.into_text());
                }))?,
                "relationships" => members.next_value_seed(Each::new(|relationship: Relationship| {
                    if relationship.relationship_type.text() == Some("DESCRIBES") {
                        reading.described.extend(relationship.related_spdx_element.into_text());
                    }
                }))?,
                "hasExtractedLicensingInfos" => {
                    members.next_value_seed(Each::new(|license: Extracted| {
                        let text = license
                            .extracted_text
                            .into_text()
                            .filter(|text| text != super::licenses::UNKNOWN);
                        let name = license.name.into_text().filter(|name| name != super::licenses::UNKNOWN);
                        // The name, where there is one: the text may be the whole licence.
                        if let (Some(id), Some(text)) = (license.license_id.into_text(), name.or(text)) {
                            reading.named.insert(id, text);
                        }
                    }))?
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(version)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Package {
    #[serde(rename = "SPDXID")]
    id: Lenient,
    name: Lenient,
    version_info: Lenient,
    supplier: Lenient,
    originator: Lenient,
    license_declared: Lenient,
    license_concluded: Lenient,
    primary_package_purpose: Lenient,
    source_info: Lenient,
    checksums: Few<Checksum>,
    external_refs: Few<Reference>,
    annotations: Few<Annotation>,
    attribution_texts: Few<Lenient>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Annotation {
    comment: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Checksum {
    algorithm: Lenient,
    checksum_value: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Reference {
    reference_type: Lenient,
    reference_locator: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Relationship {
    relationship_type: Lenient,
    related_spdx_element: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Extracted {
    license_id: Lenient,
    name: Lenient,
    extracted_text: Lenient,
}

impl Package {
    fn into_raw(self) -> RawPackage {
        let mut raw = RawPackage::default();
        raw.listed.reference = self.id.into_text().unwrap_or_default();
        raw.listed.name = self.name.into_text().unwrap_or_default();
        raw.listed.version = self.version_info.into_text();
        raw.purpose = self.primary_package_purpose.into_text().unwrap_or_default();
        raw.supplier(self.supplier.text().or(self.originator.text()).unwrap_or_default());
        raw.source_info(self.source_info.text().unwrap_or_default());
        let is_stated = |text: &&str| !matches!(*text, super::licenses::UNKNOWN | "NONE");
        let license = self.license_declared.text().filter(is_stated);
        raw.license = license.or(self.license_concluded.text()).unwrap_or_default().to_owned();
        for Checksum { algorithm, checksum_value } in self.checksums.0 {
            raw.checksum(algorithm.text().unwrap_or_default(), checksum_value.text().unwrap_or_default());
        }
        for Reference { reference_type, reference_locator } in self.external_refs.0 {
            raw.reference(
                reference_type.text().unwrap_or_default(),
                reference_locator.text().unwrap_or_default(),
            );
        }
        let comments = self.annotations.0.into_iter().map(|annotation| annotation.comment);
        for remark in comments.chain(self.attribution_texts.0) {
            raw.remark(remark.text().unwrap_or_default());
        }
        raw
    }
}
