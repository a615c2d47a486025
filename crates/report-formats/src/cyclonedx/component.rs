//! What both forms of CycloneDX come to: components, sorted into packages, the operating system and what is neither.

use std::collections::BTreeMap;

use crate::listing::{ListedPackage, ListedSystem, Listing, Notes, Sink};
use crate::read_sbom::{ReadSbomError, SbomLimits};

/// How errors call the format.
pub(super) const FORMAT: &str = "CycloneDX";
const KNOWN: &str = "1.0 to 1.7";

/// A component as it is written.
#[derive(Debug, Default)]
pub(super) struct RawComponent {
    pub(super) r#type: String,
    pub(super) listed: ListedPackage,
    pub(super) author: Option<String>,
    pub(super) notes: Notes,
    /// Where it was seen, without layer.
    pub(super) places: Vec<String>,
}

impl RawComponent {
    pub(super) fn hash(&mut self, algorithm: &str, content: &str) {
        if algorithm == "SHA-1" {
            self.listed.sha1 = Some(content.to_owned());
        }
    }
}

/// A document on its way to a list.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) version: Option<String>,
    pub(super) notes: Notes,
    subject: Option<String>,
    system: Option<ListedSystem>,
    sink: Sink,
    others: BTreeMap<String, usize>,
}

impl Reading {
    pub(super) fn new(limits: &SbomLimits) -> Self {
        Self {
            version: None,
            notes: Notes::default(),
            subject: None,
            system: None,
            sink: Sink::new(limits),
            others: BTreeMap::new(),
        }
    }

    /// What the document is about.
    pub(super) fn subject(&mut self, component: RawComponent) {
        if !component.listed.name.is_empty() {
            self.subject = Some(component.listed.name);
        }
    }

    /// One more component.
    pub(super) fn component(&mut self, component: RawComponent) {
        let RawComponent { r#type, mut listed, author, notes, places } = component;
        listed.supplier = listed.supplier.or(author);
        let is_from_trivy = notes.properties.keys().any(|key| key == "aquasecurity:trivy:Type");
        self.sink.fill(notes, &mut listed);
        if r#type == "operating-system" {
            let ListedPackage { name, version, properties, .. } = listed;
            self.system.get_or_insert(ListedSystem { name, version, properties });
            return;
        }
        if !listed.properties.contains_key("syft:location:0:path") {
            for (index, place) in places.into_iter().enumerate() {
                listed.properties.insert(format!("syft:location:{index}:path"), place);
            }
        }
        let has_kind = ["lazaret:type", "syft:package:type", "aquasecurity:trivy:PkgType"]
            .iter()
            .any(|key| listed.properties.contains_key(*key));
        // Files, data and images are listed beside packages, and trivy has one more for each lock file.
        let is_package = match r#type.as_str() {
            "library" | "framework" => true,
            "application" => has_kind || !listed.purl.is_empty() || !is_from_trivy,
            "container" | "file" => has_kind,
            _ => has_kind || !listed.purl.is_empty(),
        };
        if is_package {
            self.sink.push(listed);
        }
    }

    pub(super) fn finish(self) -> Result<Listing, ReadSbomError> {
        let Self { version, notes, subject, system, mut sink, others } = self;
        let version = version.unwrap_or_default();
        let is_known = ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7"].contains(&version.as_str());
        if !is_known {
            return Err(ReadSbomError::version(FORMAT, &version, KNOWN));
        }
        let properties = notes.finish_document(&mut sink);
        let packages = sink.finish(FORMAT)?;
        Ok(Listing { name: subject, properties, system, packages, others, ..Listing::default() })
    }
}
