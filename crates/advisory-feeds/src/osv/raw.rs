//! What a record says, word for word. Everything but the identifier may be absent or null.

use serde::Deserialize;
use serde_json::Value;

/// One record.
#[derive(Debug, Deserialize)]
pub(crate) struct RawRecord {
    pub(crate) id: String,
    pub(crate) aliases: Option<Vec<String>>,
    pub(crate) upstream: Option<Vec<String>>,
    pub(crate) related: Option<Vec<String>>,
    pub(crate) summary: Option<String>,
    pub(crate) details: Option<String>,
    pub(crate) severity: Option<Vec<RawSeverity>>,
    pub(crate) published: Option<String>,
    pub(crate) modified: Option<String>,
    pub(crate) withdrawn: Option<String>,
    pub(crate) affected: Option<Vec<RawAffected>>,
    pub(crate) references: Option<Vec<RawReference>>,
    pub(crate) database_specific: Option<Value>,
    pub(crate) ecosystem_specific: Option<Value>,
}

/// A rating: a CVSS vector or, for Ubuntu, a word.
#[derive(Debug, Deserialize)]
pub(crate) struct RawSeverity {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) score: Option<String>,
}

/// A link.
#[derive(Debug, Deserialize)]
pub(crate) struct RawReference {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) url: Option<String>,
}

/// What is affected.
#[derive(Debug, Deserialize)]
pub(crate) struct RawAffected {
    pub(crate) package: Option<RawPackage>,
    pub(crate) ranges: Option<Vec<RawRange>>,
    pub(crate) versions: Option<Vec<String>>,
    pub(crate) severity: Option<Vec<RawSeverity>>,
    pub(crate) database_specific: Option<Value>,
    pub(crate) ecosystem_specific: Option<Value>,
}

/// The affected package.
#[derive(Debug, Deserialize)]
pub(crate) struct RawPackage {
    pub(crate) ecosystem: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) purl: Option<String>,
}

/// A range of versions, written as events.
#[derive(Debug, Deserialize)]
pub(crate) struct RawRange {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) events: Option<Vec<RawEvent>>,
}

/// A version from which something else holds. A `limit` bounds only ranges of commits, so it is not read.
#[derive(Debug, Deserialize)]
pub(crate) struct RawEvent {
    pub(crate) introduced: Option<String>,
    pub(crate) fixed: Option<String>,
    pub(crate) last_affected: Option<String>,
}
