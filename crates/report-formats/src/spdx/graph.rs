//! Reads SPDX 3.0 in JSON-LD, in the compact form with a list of elements, one by one.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};

use super::reading::{FORMAT, RawPackage, Reading};
use crate::lenient::{Each, Few, Lenient, Words};
use crate::listing::Listing;
use crate::read_sbom::{ReadSbomError, SbomLimits};

/// Errors: no SPDX of edition 3.0, or more packages than wanted.
pub(crate) fn read_graph(bytes: &[u8], limits: &SbomLimits) -> Result<Listing, ReadSbomError> {
    let malformed = |error: serde_json::Error| ReadSbomError::malformed(FORMAT, error);
    let mut graph = Graph {
        reading: Reading::new(limits),
        version: String::new(),
        people: BTreeMap::new(),
        expressions: BTreeMap::new(),
        licenses: BTreeMap::new(),
    };
    let mut text = serde_json::Deserializer::from_slice(bytes);
    text.deserialize_map(Document { graph: &mut graph }).map_err(malformed)?;
    text.end().map_err(malformed)?;
    match graph.version.split('.').take(2).collect::<Vec<_>>().as_slice() {
        ["3", "0"] => graph.finish(),
        [""] => Err(ReadSbomError::UnknownFormat { what: "this JSON-LD" }),
        _ => Err(ReadSbomError::version(FORMAT, &graph.version, "2.1 to 2.3, and 3.0")),
    }
}

struct Graph {
    reading: Reading,
    version: String,
    /// Names of persons and organizations, by id.
    people: BTreeMap<String, String>,
    /// Licence expressions by id.
    expressions: BTreeMap<String, String>,
    /// Ids of the licence expressions of packages; what is declared wins.
    licenses: BTreeMap<String, (bool, String)>,
}

struct Document<'a> {
    graph: &'a mut Graph,
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an SPDX document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            match key.as_str() {
                "@graph" => {
                    let graph = &mut *self.graph;
                    members.next_value_seed(Each::new(|element: Element| graph.take(element)))?;
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// An element of any kind, as far as something is taken of it.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Element {
    r#type: Lenient,
    spdx_id: Lenient,
    name: Lenient,
    spec_version: Lenient,
    root_element: Words,
    #[serde(rename = "software_packageVersion")]
    version: Lenient,
    #[serde(rename = "software_packageUrl")]
    purl: Lenient,
    #[serde(rename = "software_primaryPurpose")]
    purpose: Lenient,
    #[serde(rename = "software_sourceInfo")]
    source_info: Lenient,
    supplied_by: Lenient,
    originated_by: Words,
    external_identifier: Few<Identifier>,
    verified_using: Few<Hash>,
    from: Lenient,
    to: Words,
    relationship_type: Lenient,
    subject: Lenient,
    statement: Lenient,
    #[serde(rename = "simplelicensing_licenseExpression")]
    expression: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Identifier {
    external_identifier_type: Lenient,
    identifier: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Hash {
    algorithm: Lenient,
    hash_value: Lenient,
}

impl Graph {
    fn take(&mut self, element: Element) {
        let id = element.spdx_id.text().unwrap_or_default().to_owned();
        match element.r#type.text().unwrap_or_default() {
            "CreationInfo" => self.version = element.spec_version.into_text().unwrap_or_default(),
            "SpdxDocument" => {
                self.reading.name = element.name.into_text();
                self.reading.described.extend(element.root_element.0);
            }
            // A bill of materials is about what it has at its root.
            "software_Sbom" | "Bom" | "Bundle" => self.reading.described.extend(element.root_element.0),
            "software_Package" => self.package(id, element),
            "Organization" | "Person" | "Agent" => {
                self.people.extend(element.name.into_text().map(|name| (id, name)));
            }
            "simplelicensing_LicenseExpression" => {
                self.expressions.extend(element.expression.into_text().map(|expression| (id, expression)));
            }
            "Annotation" => {
                if let (Some(subject), Some(statement)) =
                    (element.subject.into_text(), element.statement.text())
                {
                    self.reading.late_lines(subject, statement);
                }
            }
            "Relationship" => self.relationship(element),
            _ => {}
        }
    }

    fn relationship(&mut self, element: Element) {
        let is_declared = match element.relationship_type.text() {
            Some("hasDeclaredLicense") => true,
            Some("hasConcludedLicense") => false,
            Some("describes") => return self.reading.described.extend(element.to.0),
            _ => return,
        };
        if let (Some(from), Some(license)) = (element.from.into_text(), element.to.0.into_iter().next()) {
            let known = self.licenses.entry(from).or_insert_with(|| (is_declared, license.clone()));
            if is_declared && !known.0 {
                *known = (true, license);
            }
        }
    }

    fn package(&mut self, id: String, element: Element) {
        let mut package = RawPackage::default();
        package.listed.reference = id;
        package.listed.name = element.name.into_text().unwrap_or_default();
        package.listed.version = element.version.into_text();
        package.listed.purl = element.purl.into_text().unwrap_or_default();
        package.purpose = match element.purpose.into_text().unwrap_or_default().as_str() {
            "operatingSystem" => "OPERATING-SYSTEM".to_owned(),
            other => other.to_uppercase(),
        };
        package.source_info(element.source_info.text().unwrap_or_default());
        for Identifier { external_identifier_type, identifier } in element.external_identifier.0 {
            let kind = match external_identifier_type.text() {
                Some("packageUrl") => "purl",
                Some("cpe23") => "cpe23Type",
                Some("cpe22") => "cpe22Type",
                _ => continue,
            };
            package.reference(kind, identifier.text().unwrap_or_default());
        }
        for Hash { algorithm, hash_value } in element.verified_using.0 {
            if algorithm.text() == Some("sha1") {
                package.checksum("SHA1", hash_value.text().unwrap_or_default());
            }
        }
        // An id for now: the names may come later.
        package.listed.supplier =
            element.supplied_by.into_text().or_else(|| element.originated_by.0.into_iter().next());
        self.reading.package(package);
    }

    fn finish(self) -> Result<Listing, ReadSbomError> {
        let Self { mut reading, version: _, people, expressions, licenses } = self;
        for (package, (_, license)) in licenses {
            if let Some(expression) = expressions.get(&license) {
                reading.license(package, expression.clone());
            }
        }
        let mut listing = reading.finish()?;
        for listed in &mut listing.packages {
            listed.supplier = listed.supplier.take().and_then(|id| people.get(&id).cloned());
        }
        Ok(listing)
    }
}
