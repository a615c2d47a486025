//! Licences of a Debian package, from its machine-readable copyright file.

use std::collections::BTreeSet;

use crate::parse::{ParseInput, lines, text};

/// Licence names, sorted; none where the file is running text.
///
/// Shape:  paragraphs of `Field: value` lines as in the status file. Only a file whose first field is `Format` (or the older
///         `Format-Specification`) is machine-readable; in it, the first line of every `License` is its short name.
/// Limits: the file is bounded by the reader of the layer.
/// Source: debian.org, "Machine-readable debian/copyright file" 1.0.
pub(crate) fn licenses(input: &ParseInput<'_>, package: &str) -> Vec<String> {
    // The documentation lies beside the database: `var/lib/dpkg/status` → `usr/share/doc`, also in a tree inside the tree.
    let root = input.path.find("var/lib/dpkg/").or_else(|| input.path.find("usr/lib/dpkg/")).unwrap_or(0);
    let path = format!("{}usr/share/doc/{package}/copyright", &input.path[..root]);
    input.read(&path).map(parse).unwrap_or_default()
}

fn parse(bytes: &[u8]) -> Vec<String> {
    let mut names = BTreeSet::new();
    let mut fields =
        lines(bytes).filter(|(_, line)| line.first().is_some_and(|byte| !byte.is_ascii_whitespace()));
    let is_format = |(_, line): (usize, &[u8])| line.len() >= 6 && line[..6].eq_ignore_ascii_case(b"format");
    if !fields.next().is_some_and(is_format) {
        return Vec::new();
    }
    for (_, line) in fields {
        if line.len() > 8 && line[..8].eq_ignore_ascii_case(b"license:") {
            let name = text(&line[8..]);
            if !name.is_empty() {
                names.insert(name);
            }
        }
    }
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn only_machine_readable_files_name_licenses() {
        let readable = b"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\n\
            Copyright: somebody\nLicense: GPL-2+ or MIT\n text\n\nFiles: b\nlicense: Apache-2.0\n\nLicense: GPL-2+ or MIT\n";
        assert_eq!(parse(readable), ["Apache-2.0", "GPL-2+ or MIT"]);
        for text in
            [&b"This is free software.\nLicense: MIT\n"[..], b"", b"\n\n", b"Format: x\nLicense:\n text\n"]
        {
            assert!(parse(text).is_empty());
        }
    }
}
