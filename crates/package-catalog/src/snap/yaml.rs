//! As much of YAML as the descriptions of snaps have: a mapping of texts and of lists of texts.

use std::collections::BTreeMap;

use crate::parse::{Problems, lines, text};

/// Keys that are kept; real files have some thirty.
const KEYS_MAX: usize = 200;

/// The outermost mapping of a file.
#[derive(Debug, Default)]
pub(super) struct Document {
    values: BTreeMap<String, String>,
    lists: BTreeMap<String, Vec<String>>,
}

impl Document {
    /// Reads `key: value`, `key: [a, b]`, and `key:` with lines `- value` below it. What is nested deeper is left out.
    pub(super) fn parse(bytes: &[u8], problems: &mut Problems<'_>) -> Self {
        let mut document = Self::default();
        // The key whose list may go on; `None` below anything else.
        let mut open: Option<String> = None;
        for (offset, line) in lines(bytes) {
            let is_inner = line.first().is_some_and(u8::is_ascii_whitespace);
            let line = line.trim_ascii();
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            if let Some(item) = line.strip_prefix(b"- ") {
                if let Some(list) = open.as_ref().and_then(|key| document.lists.get_mut(key)) {
                    list.push(unquote(&problems.value(offset, item)));
                }
                continue;
            }
            if is_inner {
                open = None;
                continue;
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (key, value) = (text(&line[..colon]), problems.value(offset, &line[colon + 1..]));
            if document.values.len() + document.lists.len() >= KEYS_MAX {
                break;
            }
            open = None;
            if let Some(inner) = value.strip_prefix('[').and_then(|value| value.strip_suffix(']')) {
                let items = inner.split(',').map(|item| unquote(item.trim())).filter(|item| !item.is_empty());
                document.lists.insert(key, items.collect());
            } else if value.is_empty() {
                document.lists.insert(key.clone(), Vec::new());
                open = Some(key);
            } else {
                document.values.insert(key, unquote(&value));
            }
        }
        document
    }

    /// The text of a key, when it has one that is not empty.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The texts of a key.
    pub(super) fn list(&self, key: &str) -> &[String] {
        self.lists.get(key).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Without quotes and without a comment behind the value.
fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return rest.split(quote).next().unwrap_or_default().to_owned();
        }
    }
    value.split(" #").next().unwrap_or_default().trim().to_owned()
}
