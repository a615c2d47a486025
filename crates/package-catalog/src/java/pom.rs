//! The few values of a Maven project file that say who it is. No entities beyond the five of XML itself, nothing is loaded.

use memchr::memmem;
use serde::{Deserialize, Serialize};

use super::facts::Coordinates;

/// Deeper elements are not looked at.
const DEPTH_MAX: usize = 64;
const LICENSES_MAX: usize = 20;
const VALUE_BYTES_MAX: usize = 4096;

/// What a project file says.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pom {
    pub(super) coordinates: Coordinates,
    pub(super) licenses: Vec<String>,
}

impl Pom {
    /// Reads one; group and version come from the parent where the project has none. `None` where no artifact is named.
    pub(super) fn read(content: &[u8]) -> Option<Self> {
        let mut pom = Self::default();
        let mut parent = Coordinates::default();
        visit_texts(content, |path, text| {
            let value = match path {
                [b"project", b"groupId"] => &mut pom.coordinates.group,
                [b"project", b"artifactId"] => &mut pom.coordinates.artifact,
                [b"project", b"version"] => &mut pom.coordinates.version,
                [b"project", b"parent", b"groupId"] => &mut parent.group,
                [b"project", b"parent", b"version"] => &mut parent.version,
                [b"project", b"licenses", b"license", b"name"] => {
                    if pom.licenses.len() < LICENSES_MAX {
                        pom.licenses.push(text);
                    }
                    return;
                }
                _ => return,
            };
            *value = text;
        });
        let coordinates = &mut pom.coordinates;
        if coordinates.group.is_empty() {
            coordinates.group = parent.group;
        }
        if coordinates.version.is_empty() {
            coordinates.version = parent.version;
        }
        (!pom.coordinates.artifact.is_empty()).then_some(pom)
    }
}

/// Calls back with each text and the names of the elements around it.
fn visit_texts(content: &[u8], mut visit: impl FnMut(&[&[u8]], String)) {
    let mut path: Vec<&[u8]> = Vec::new();
    let mut ignored_depth = 0_usize;
    let mut rest = content;
    while let Some(at) = memchr::memchr(b'<', rest) {
        let text = rest[..at].trim_ascii();
        if !text.is_empty() && text.len() <= VALUE_BYTES_MAX && ignored_depth == 0 {
            visit(&path, unescape(text));
        }
        rest = &rest[at..];
        let (opening, closing): (usize, &[u8]) = match rest {
            [b'<', b'!', b'-', b'-', ..] => (4, b"-->"),
            [b'<', b'!', b'[', ..] => (3, b"]]>"),
            [b'<', b'?', ..] => (2, b"?>"),
            _ => (1, b">"),
        };
        let Some(end) = memmem::find(&rest[opening..], closing) else { return };
        let inside = &rest[opening..opening + end];
        rest = &rest[opening + end + closing.len()..];
        if opening != 1 {
            continue;
        }
        if inside.starts_with(b"/") {
            match ignored_depth.checked_sub(1) {
                Some(depth) => ignored_depth = depth,
                None => drop(path.pop()),
            }
        } else if !inside.ends_with(b"/") && !inside.starts_with(b"!") {
            let is_end = |byte: &u8| byte.is_ascii_whitespace();
            let name = inside.split(is_end).next().unwrap_or_default();
            if path.len() < DEPTH_MAX && ignored_depth == 0 { path.push(name) } else { ignored_depth += 1 }
        }
    }
}

fn unescape(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.into_iter().fold(text.into_owned(), |text, (entity, sign)| text.replace(entity, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_takes_from_its_parent_what_it_does_not_say() {
        let text = br#"<?xml version="1.0"?><!-- <artifactId>no</artifactId> -->
            <project xmlns="x"><parent><groupId>org.example</groupId><artifactId>parent</artifactId>
            <version>3</version></parent><artifactId>a&amp;b</artifactId><empty/>
            <dependencies><dependency><artifactId>other</artifactId></dependency></dependencies>
            <licenses><license><name>MIT</name></license></licenses></project>"#;
        let pom = Pom::read(text).unwrap();
        let coordinates =
            Coordinates { group: "org.example".into(), artifact: "a&b".into(), version: "3".into() };
        assert_eq!(pom, Pom { coordinates, licenses: vec!["MIT".into()] });
    }

    #[test]
    fn what_is_no_project_is_none() {
        let deep = "<a>".repeat(1000);
        for text in
            ["", "<", "<project", "<project><artifactId>", "</project></x>", &deep, "<!--", "<![CDATA["]
        {
            assert_eq!(Pom::read(text.as_bytes()), None, "{text}");
        }
    }
}
