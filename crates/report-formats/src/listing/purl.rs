//! Package URLs as they are found, not as they ought to be.
//!
//! Shape:  `pkg:type/namespace/name@version?key=value&key=value#subpath`, percent-encoded.
//! Result: its parts with the case of their letters kept; nothing of it is checked but that there are a type and a name.
//! Source: package-url/purl-spec.

use std::collections::BTreeMap;

use super::text::decode;

/// The parts of a package URL, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Purl {
    /// In lower case.
    pub(crate) r#type: String,
    /// Without slashes at its ends; empty where there is none.
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) qualifiers: BTreeMap<String, String>,
}

impl Purl {
    /// `None`: no package URL, or one without type or name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.trim();
        let rest = rest.strip_prefix("pkg:").or_else(|| rest.strip_prefix("PKG:"))?.trim_start_matches('/');
        let (rest, _subpath) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
        let (r#type, path) = rest.split_once('/')?;
        // The last `@` begins the version, but `@scope/name` written without encoding has none.
        let (path, version) = match path.rsplit_once('@') {
            Some((before, version)) if !before.is_empty() && !version.contains('/') => {
                (before, Some(version))
            }
            _ => (path, None),
        };
        let path = path.trim_matches('/');
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (r#type, name) = (r#type.to_ascii_lowercase(), decode(name));
        if r#type.is_empty() || name.is_empty() {
            return None;
        }
        let namespace: Vec<String> = namespace.split('/').filter(|it| !it.is_empty()).map(decode).collect();
        let qualifiers = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
        Some(Self {
            r#type,
            namespace: namespace.join("/"),
            name,
            version: version.filter(|it| !it.is_empty()).map(decode),
            qualifiers: qualifiers
                .filter(|(_, value)| !value.is_empty())
                .map(|(key, value)| (key.to_ascii_lowercase(), decode(value)))
                .collect(),
        })
    }

    pub(crate) fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.get(key).map(String::as_str)
    }
}
