//! CycloneDX, written in editions 1.4 to 1.7 and read in 1.0 to 1.7, as JSON and as XML.
//!
//! Source: <https://cyclonedx.org/specification/overview/>, schemas of the editions, read 2026-11.

mod component;
mod document;
mod json;
mod vulnerabilities;
mod xml;
mod xml_write;

pub(crate) use document::{is_cpe, is_sha1};
pub(crate) use json::read_json;
use model::MatchReport;
pub(crate) use xml::read_xml;

use crate::sbom_formats::{CycloneDxVersion, Meta};
use crate::{Sbom, wire};

/// The packages of an image, with what is known about them when a report is given, as CycloneDX in JSON.
pub fn cyclonedx_json(
    sbom: &Sbom<'_>,
    report: Option<&MatchReport>,
    version: CycloneDxVersion,
    meta: &Meta,
) -> String {
    wire::to_text(&document::document(sbom, report, version, meta))
}

/// The same in XML.
pub fn cyclonedx_xml(
    sbom: &Sbom<'_>,
    report: Option<&MatchReport>,
    version: CycloneDxVersion,
    meta: &Meta,
) -> String {
    xml_write::write(&document::document(sbom, report, version, meta), version.name())
}
