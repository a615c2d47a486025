//! The texts of a version resource: nodes in nodes, each with its length, the length of its value, a name and what is in it.
//!
//! Source: Microsoft, Version Information structures (`VS_VERSIONINFO`, `StringFileInfo`, `StringTable`, `String`).

use std::collections::BTreeMap;

/// Name of the outermost node.
pub(super) const NAME: &str = "VS_VERSION_INFO";

const KEYS: [&str; 7] = [
    "CompanyName",
    "FileDescription",
    "FileVersion",
    "InternalName",
    "OriginalFilename",
    "ProductName",
    "ProductVersion",
];
const HEADER_BYTES: usize = 6;
const VALUE_CHARS_MAX: usize = 1024;
const NODES_MAX: usize = 1000;

struct Node<'a> {
    name: String,
    value: &'a [u8],
    inner: &'a [u8],
}

/// The next node and what stands behind it.
fn split_node(bytes: &[u8]) -> Option<(Node<'_>, &[u8])> {
    let number = |at: usize| bytes.get(at..)?.first_chunk().map(|it| usize::from(u16::from_le_bytes(*it)));
    let (length, value_length, is_text) = (number(0)?, number(2)?, number(4)? == 1);
    let node = bytes.get(..length.min(bytes.len()))?;
    let (name, name_bytes) = text(node.get(HEADER_BYTES..)?);
    let value_start = align(HEADER_BYTES + name_bytes);
    // Of a text the length is counted in characters.
    let value_end = (value_start + if is_text { value_length * 2 } else { value_length }).min(node.len());
    let value = node.get(value_start..value_end).unwrap_or_default();
    let inner = node.get(align(value_end)..).unwrap_or_default();
    Some((Node { name, value, inner }, bytes.get(align(length.max(HEADER_BYTES))..).unwrap_or_default()))
}

fn align(at: usize) -> usize {
    at.next_multiple_of(4)
}

/// A text up to its end mark, and its bytes with that.
fn text(bytes: &[u8]) -> (String, usize) {
    let (units, _) = bytes.as_chunks::<2>();
    let all = units.iter().map(|unit| u16::from_le_bytes(*unit));
    let units: Vec<u16> = all.take_while(|unit| *unit != 0).take(VALUE_CHARS_MAX).collect();
    (String::from_utf16_lossy(&units), units.len() * 2 + 2)
}

/// The texts of a whole resource that matter.
pub(super) fn read(resource: &[u8]) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let mut left = NODES_MAX;
    let Some((root, _)) = split_node(resource) else { return values };
    each(root.inner, &mut left, &mut |info, left| {
        if info.name != "StringFileInfo" {
            return;
        }
        each(info.inner, left, &mut |table, left| {
            each(table.inner, left, &mut |entry, _| {
                let value = text(entry.value).0.trim().to_owned();
                if KEYS.contains(&entry.name.as_str()) && !value.is_empty() {
                    values.entry(entry.name.clone()).or_insert(value);
                }
            });
        });
    });
    values
}

fn each(mut bytes: &[u8], left: &mut usize, visit: &mut dyn FnMut(&Node<'_>, &mut usize)) {
    while bytes.len() >= HEADER_BYTES && *left > 0 {
        *left -= 1;
        let Some((node, rest)) = split_node(bytes) else { return };
        visit(&node, left);
        bytes = rest;
    }
}
