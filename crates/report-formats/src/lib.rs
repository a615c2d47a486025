//! Inventories, findings and decisions as tables for people and JSON for programs.
//!
//! The same input gives the same bytes: nothing here reads a clock, draws a random id or depends on a map's order.

mod base;
mod csv;
mod cyclonedx;
mod escape;
mod explanation;
mod format;
mod github;
mod gitlab;
mod grouped;
mod grype_json;
mod html;
mod junit;
mod lenient;
mod licenses;
mod listing;
mod markdown;
mod openvex;
mod policy_description;
mod policy_problems;
mod policy_test;
mod policy_test_json;
mod printable;
mod purl_list;
mod read_sbom;
mod sarif;
mod sbom_formats;
mod sbom_json;
mod sbom_table;
mod scan_json;
mod scan_table;
mod spdx;
mod stable;
mod syft_json;
mod template;
mod wire;

use model::{Decision, ImageFacts, Inventory, MatchReport, NamedBase};

pub use csv::{sbom_csv, scan_csv};
pub use cyclonedx::{cyclonedx_json, cyclonedx_xml};
pub use explanation::{explanation_json, explanation_text};
pub use format::{
    ChooseFormatError, ChosenFormat, FORMATS, Format, Report, WriteError, WriteOptions, formats_help,
};
pub use github::GithubJob;
pub use listing::SbomSubject;
pub use markdown::{sbom_markdown, scan_markdown};
pub use policy_description::{UnknownName, policy_description, select_specification};
pub use policy_problems::{is_valid_bundle, policy_check_json, policy_check_table};
pub use policy_test::{PolicyTest, policy_test_table};
pub use policy_test_json::policy_test_json;
pub use printable::printable;
pub use read_sbom::{ReadSbomError, SbomLimits, read_sbom};
pub use sbom_formats::{CycloneDxVersion, Meta};
pub use sbom_json::sbom_json;
pub use sbom_table::sbom_table;
pub use scan_json::scan_json;
pub use scan_table::{TableOptions, scan_table};
pub use spdx::{spdx_json, spdx_tag_value};
pub use syft_json::{ReadSyftError, read_syft, syft_json};
pub use template::Template;

/// Version of the JSON of each command. A key is never renamed or removed within one number.
pub const SCHEMA_VERSION: &str = "1";

/// The JSON Schema of the JSON of `sbom`.
pub const SBOM_SCHEMA: &str = include_str!("../schemas/sbom.schema.json");
/// The JSON Schema of the JSON of `scan`.
pub const SCAN_SCHEMA: &str = include_str!("../schemas/scan.schema.json");
/// The JSON Schema of the JSON of `why-not` and `scan --explain`.
pub const EXPLANATION_SCHEMA: &str = include_str!("../schemas/explanation.schema.json");
/// The JSON Schema of the JSON of `policy test`.
pub const POLICY_TEST_SCHEMA: &str = include_str!("../schemas/policy-test.schema.json");

/// An image and what is in it.
#[derive(Debug, Clone, Copy)]
pub struct Sbom<'a> {
    /// The image as the user named it.
    pub image_name: &'a str,
    /// What its manifest and configuration say; `None` when the packages come from a list that does not know.
    pub image: Option<&'a ImageFacts>,
    /// Its packages.
    pub inventory: &'a Inventory,
    /// Images that the user named as its base, held against its layers.
    pub bases: &'a [NamedBase],
}

impl<'a> Sbom<'a> {
    /// What manifest and configuration say, where they are known.
    pub(crate) fn facts(&self) -> Option<&'a ImageFacts> {
        self.image
    }
}

/// An image, what is in it and what is known about that.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    /// The image and its packages.
    pub sbom: Sbom<'a>,
    /// Findings and coverage.
    pub report: &'a MatchReport,
    /// The verdict, when a policy was given.
    pub decision: Option<&'a Decision>,
    /// How many findings the user asked not to see: they are not in `report`.
    pub hidden_count: usize,
}
