//! Licences of a Debian package, from its machine-readable copyright file.

use std::collections::BTreeSet;

use crate::parse::{ParseInput, lines, text};

const FIELD: &[u8] = b"license:";
/// Where every Debian system has the texts of common licences.
const FOLDER: &[u8] = b"/usr/share/common-licenses/";
/// The longest real name has 12 bytes.
const NAME_BYTES_MAX: usize = 64;

/// Licence names, sorted.
///
/// Shape:  paragraphs of `Field: value` lines as in the status file. Only a file whose first field is `Format` (or the older
///         `Format-Specification`) is machine-readable; in it, the first line of every `License` is its short name. In running
///         text, a line `License: WORD` names one. In both, so does the path of a text that every system has,
///         `/usr/share/common-licenses/NAME`.
/// Limits: the file is bounded by the reader of the layer.
/// Source: debian.org, "Machine-readable debian/copyright file" 1.0; Debian Policy 12.5.
pub(crate) fn licenses(input: &ParseInput<'_>, package: &str) -> Vec<String> {
    // The documentation lies beside the database: `var/lib/dpkg/status` → `usr/share/doc`, also in a tree inside the tree.
    let root = input.path.find("var/lib/dpkg/").or_else(|| input.path.find("usr/lib/dpkg/")).unwrap_or(0);
    let path = format!("{}usr/share/doc/{package}/copyright", &input.path[..root]);
    input.read(&path).map(parse).unwrap_or_default()
}

fn parse(bytes: &[u8]) -> Vec<String> {
    let mut names = BTreeSet::new();
    let mut fields = lines(bytes)
        .filter(|(_, line)| line.first().is_some_and(|byte| !byte.is_ascii_whitespace()))
        .peekable();
    let is_format = |(_, line): &(usize, &[u8])| line.len() >= 6 && line[..6].eq_ignore_ascii_case(b"format");
    let is_readable = fields.peek().is_some_and(is_format);
    for (_, line) in fields {
        if line.len() > FIELD.len() && line[..FIELD.len()].eq_ignore_ascii_case(FIELD) {
            let name = text(&line[FIELD.len()..]);
            if !name.is_empty() && (is_readable || !name.contains(' ')) {
                names.insert(name);
            }
        }
    }
    names.extend(common_licenses(bytes));
    names.into_iter().collect()
}

/// The names behind every mention of the folder of common licences.
fn common_licenses(bytes: &[u8]) -> BTreeSet<String> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'_');
    let mut names = BTreeSet::new();
    let mut rest = bytes;
    while let Some(start) = find(rest, FOLDER) {
        rest = &rest[start + FOLDER.len()..];
        let end = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        // The end of a sentence is no part of the name.
        let name = text(&rest[..end]);
        let name = name.trim_end_matches(['.', '-', '_']);
        if !name.is_empty() && name.len() <= NAME_BYTES_MAX {
            names.insert(name.to_owned());
        }
    }
    names
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn licenses_are_named_by_fields_and_by_common_texts() {
        let rows: [(&str, &[&str]); 9] = [
            (
                "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\n\
                 Copyright: somebody\nLicense: GPL-2+ or MIT\n text\n\nFiles: b\nlicense: Apache-2.0\n\n\
                 License: GPL-2+ or MIT\n",
                &["Apache-2.0", "GPL-2+ or MIT"],
            ),
            ("Format: x\nLicense: GPL-3+\n see `/usr/share/common-licenses/GPL-3'.\n", &["GPL-3", "GPL-3+"]),
            (
                "in /usr/share/common-licenses/LGPL-2.1. And /usr/share/common-licenses/GPL,",
                &["GPL", "LGPL-2.1"],
            ),
            ("This is free software.\nLicense: MIT\n", &["MIT"]),
            ("This is free software.\nLicense: see below\n", &[]),
            ("in /usr/share/common-licenses/\nand /usr/share/common-licenses", &[]),
            ("", &[]),
            ("\n\n", &[]),
            ("Format: x\nLicense:\n text\n", &[]),
        ];
        for (content, expected) in rows {
            assert_eq!(parse(content.as_bytes()), expected, "{content}");
        }
    }
}
