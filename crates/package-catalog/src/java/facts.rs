//! What is kept of one archive while it streams by: the form of its section.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::pom::Pom;

/// Longer values are no names or versions.
const VALUE_BYTES_MAX: usize = 4096;

/// Of the main part of a manifest, what tells which package it is.
const MANIFEST_KEYS: [&str; 23] = [
    "Automatic-Module-Name",
    "Bundle-License",
    "Bundle-Name",
    "Bundle-SymbolicName",
    "Bundle-Vendor",
    "Bundle-Version",
    "Extension-Name",
    "Group-Id",
    "Implementation-Title",
    "Implementation-Vendor",
    "Implementation-Vendor-Id",
    "Implementation-Version",
    "Artifact-Id",
    "Long-Name",
    "Main-Class",
    "Name",
    "Plugin-Version",
    "Short-Name",
    "Specification-Title",
    "Specification-Vendor",
    "Specification-Version",
    "Start-Class",
    "Weave-Classes",
];

/// One archive.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ArchiveFacts {
    /// Where it lies in the file, `inner.jar:lib/a.jar`; empty for the file itself.
    pub(super) path: String,
    /// Where all of it was read.
    pub(super) sha1: Option<String>,
    pub(super) manifest: Option<BTreeMap<String, String>>,
    pub(super) properties: Vec<Coordinates>,
    pub(super) poms: Vec<Pom>,
    /// The package in which nearly all of its classes are.
    pub(super) folder: Option<String>,
    pub(super) problems: Vec<Problem>,
}

/// Who an artifact of Maven is, as far as it says so.
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Coordinates {
    pub(super) group: String,
    pub(super) artifact: String,
    pub(super) version: String,
}

/// What could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Problem {
    /// Whether a limit was reached.
    pub(super) is_limit: bool,
    /// Where in the archive.
    pub(super) offset: u64,
    pub(super) message: String,
}

/// What kind of description an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metadata {
    Manifest,
    Properties,
    Pom,
}

impl Metadata {
    /// What the entry of this name is. Applications have their own classes with their descriptions in a folder.
    pub(super) fn of(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("META-INF/MANIFEST.MF") {
            return Some(Self::Manifest);
        }
        let kind = match name.rsplit_once('/')?.1 {
            "pom.properties" => Self::Properties,
            "pom.xml" => Self::Pom,
            _ => return None,
        };
        let is_installed = name.starts_with("META-INF/maven/") || name.contains("/META-INF/maven/");
        is_installed.then_some(kind)
    }

    /// Whether what is there is all that matters.
    pub(super) fn is_complete(self, content: &[u8]) -> bool {
        self == Self::Manifest && main_part_length(content).is_some()
    }
}

/// What is kept of anything takes so many bytes beside its values.
const KEPT_BYTES_MIN: usize = 100;

impl ArchiveFacts {
    /// Adds what a description says. Returns how many bytes that takes.
    pub(super) fn add(&mut self, kind: Metadata, content: &[u8]) -> usize {
        let bytes = |it: &Coordinates| it.group.len() + it.artifact.len() + it.version.len() + KEPT_BYTES_MIN;
        match kind {
            // The first one counts.
            Metadata::Manifest if self.manifest.is_some() => 0,
            Metadata::Manifest => {
                let manifest = self.manifest.insert(read_manifest(content));
                manifest.values().map(|value| value.len() + KEPT_BYTES_MIN).sum()
            }
            Metadata::Properties => {
                let properties = read_properties(content);
                let taken = bytes(&properties);
                self.properties.push(properties);
                taken
            }
            Metadata::Pom => Pom::read(content).map_or(0, |pom| {
                let taken = bytes(&pom.coordinates) + pom.licenses.iter().map(String::len).sum::<usize>();
                self.poms.push(pom);
                taken
            }),
        }
    }
}

/// Where the main part of a manifest ends: at the first empty line.
fn main_part_length(content: &[u8]) -> Option<usize> {
    let mut start = 0;
    for (at, _) in content.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let line = &content[start..at];
        if start > 0 && (line.is_empty() || line == b"\r") {
            return Some(start);
        }
        start = at + 1;
    }
    None
}

/// Keys and values of the main part; a line that begins with a blank goes on with the value before.
fn read_manifest(content: &[u8]) -> BTreeMap<String, String> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let content = &content[..main_part_length(content).unwrap_or(content.len())];
    let mut values: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut current: Option<&str> = None;
    for line in content.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty()) {
        if let Some(more) = line.strip_prefix(b" ") {
            if let Some(value) = current.and_then(|key| values.get_mut(key)) {
                value.extend_from_slice(more);
            }
            continue;
        }
        current = None;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let is_key = |key: &&&str| key.as_bytes().eq_ignore_ascii_case(line[..colon].trim_ascii());
        if let Some(key) = MANIFEST_KEYS.iter().find(is_key) {
            current = Some(key);
            values.insert((*key).to_owned(), line[colon + 1..].to_vec());
        }
    }
    let text = |value: Vec<u8>| String::from_utf8_lossy(value.trim_ascii()).into_owned();
    let mut values: BTreeMap<String, String> =
        values.into_iter().map(|(key, value)| (key, text(value))).collect();
    // What lists classes is long; that it is there is all that matters.
    values.iter_mut().filter(|(_, value)| value.len() > VALUE_BYTES_MAX).for_each(|(_, value)| value.clear());
    values
}

/// `key=value` and `key: value`. Source: `java.util.Properties`.
fn read_properties(content: &[u8]) -> Coordinates {
    let mut found = Coordinates::default();
    for line in content.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let line = line.trim_ascii();
        if line.starts_with(b"#") || line.starts_with(b"!") || line.len() > VALUE_BYTES_MAX {
            continue;
        }
        let Some(at) = line.iter().position(|byte| matches!(byte, b'=' | b':')) else { continue };
        let value = String::from_utf8_lossy(line[at + 1..].trim_ascii()).replace('\\', "");
        match line[..at].trim_ascii() {
            b"groupId" => found.group = value,
            b"artifactId" => found.artifact = value,
            b"version" => found.version = value,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_read_up_to_their_first_empty_line() {
        let text = b"Manifest-Version: 1.0\r\nBundle-SymbolicName: org.exa\r\n mple.a;singleton:=true\r\n\
            implementation-version:1.2\r\n\r\nName: org/example\r\nImplementation-Version: 9\r\n";
        let manifest = read_manifest(text);
        let expected =
            [("Bundle-SymbolicName", "org.example.a;singleton:=true"), ("Implementation-Version", "1.2")];
        let found: Vec<_> = manifest.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, expected);
        assert!(Metadata::Manifest.is_complete(text) && !Metadata::Manifest.is_complete(&text[..60]));
    }

    #[test]
    fn properties_have_either_separator() {
        let found = read_properties(b"#Created\nversion=1.0\r\ngroupId: org.example\n artifactId = a\n");
        let expected =
            Coordinates { group: "org.example".into(), artifact: "a".into(), version: "1.0".into() };
        assert_eq!(found, expected);
    }

    #[test]
    fn descriptions_are_known_by_their_names() {
        for (name, expected) in [
            ("META-INF/MANIFEST.MF", Some(Metadata::Manifest)),
            ("meta-inf/manifest.mf", Some(Metadata::Manifest)),
            ("a/META-INF/MANIFEST.MF", None),
            ("META-INF/maven/g/a/pom.properties", Some(Metadata::Properties)),
            ("BOOT-INF/classes/META-INF/maven/g/a/pom.xml", Some(Metadata::Pom)),
            ("archetype-resources/pom.xml", None),
            ("pom.properties", None),
        ] {
            assert_eq!(Metadata::of(name), expected, "{name}");
        }
    }
}
