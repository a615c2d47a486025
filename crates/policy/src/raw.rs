//! A bundle as its document says it, after the request schema and before any meaning.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(crate) struct RawBundle {
    pub(crate) id: String,
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) comment: Option<String>,
    pub(crate) policies: Vec<RawPolicy>,
    #[serde(default)]
    pub(crate) whitelists: Vec<RawWhitelist>,
    pub(crate) mappings: Vec<RawMapping>,
    #[serde(default)]
    pub(crate) whitelisted_images: Vec<RawImageRule>,
    #[serde(default)]
    pub(crate) blacklisted_images: Vec<RawImageRule>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawPolicy {
    pub(crate) id: String,
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) rules: Vec<RawRule>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawRule {
    #[serde(default)]
    pub(crate) id: Option<String>,
    pub(crate) gate: String,
    pub(crate) trigger: String,
    pub(crate) action: RawAction,
    #[serde(default)]
    pub(crate) params: Vec<RawParameter>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum RawAction {
    Go,
    Warn,
    Stop,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawParameter {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawWhitelist {
    pub(crate) id: String,
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) items: Vec<RawWhitelistItem>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawWhitelistItem {
    #[serde(default)]
    pub(crate) id: Option<String>,
    pub(crate) gate: String,
    pub(crate) trigger_id: String,
    #[serde(default)]
    pub(crate) expires_on: Option<String>,
}

/// What mappings and both lists of images have in common.
#[derive(Debug, Deserialize)]
pub(crate) struct RawImageRule {
    pub(crate) name: String,
    pub(crate) registry: String,
    pub(crate) repository: String,
    pub(crate) image: RawImage,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawImage {
    #[serde(rename = "type")]
    pub(crate) kind: RawImageKind,
    pub(crate) value: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawImageKind {
    Tag,
    Digest,
    Id,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RawMapping {
    pub(crate) name: String,
    pub(crate) registry: String,
    pub(crate) repository: String,
    pub(crate) image: RawImage,
    #[serde(default)]
    pub(crate) policy_id: Option<String>,
    #[serde(default)]
    pub(crate) policy_ids: Vec<String>,
    #[serde(default)]
    pub(crate) whitelist_ids: Vec<String>,
}
