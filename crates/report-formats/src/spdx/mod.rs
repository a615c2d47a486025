//! SPDX, written in edition 2.3 and read in 2.1 to 2.3 and 3.0.
//!
//! Source: <https://spdx.github.io/spdx-spec/>, editions 2.3 and 3.0.1, read 2026-11.

mod document;
mod graph;
mod json;
mod licenses;
mod reading;
mod tag_value;

pub(crate) use graph::read_graph;
pub(crate) use json::read_json;
pub(crate) use tag_value::read_tag_value;

use crate::read_sbom::ReadSbomError;
use crate::sbom_formats::Meta;
use crate::{Sbom, wire};

/// The packages of an image as SPDX 2.3 in JSON.
pub fn spdx_json(sbom: &Sbom<'_>, meta: &Meta) -> String {
    wire::to_text(&document::document(sbom, meta))
}

/// The packages of an image as SPDX 2.3 in lines of tag and value.
pub fn spdx_tag_value(sbom: &Sbom<'_>, meta: &Meta) -> String {
    tag_value::write(&document::document(sbom, meta))
}

fn check_version(version: &str) -> Result<(), ReadSbomError> {
    match version {
        "SPDX-2.1" | "SPDX-2.2" | "SPDX-2.3" => Ok(()),
        other => Err(ReadSbomError::version(reading::FORMAT, other, "2.1 to 2.3, and 3.0")),
    }
}
