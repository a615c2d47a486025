//! Plugins of WordPress, by the comment at the top of their main file.
//!
//! Source: the Plugin Handbook of WordPress, header requirements, and `get_file_data`.

#[cfg(test)]
mod tests;

use model::{DiagnosticCode, Package, PackageKind};

use crate::described::{self, Description, DescriptionKind, Extent, Found};
use crate::parse::{ParseInput, Parsed, Problems, text};
use crate::purl::qualified_purl;

/// `wp-content/plugins/akismet/akismet.php`
pub(crate) static PLUGIN: DescriptionKind = DescriptionKind {
    tag: 36,
    kind: PackageKind::WordPress,
    is_description,
    extent: Extent::Head(HEAD_BYTES),
    read,
    complete,
};

/// The comment has to be within as many bytes as WordPress itself reads.
const HEAD_BYTES: usize = 8 * 1024;
const FOLDER: &str = "wp-content/plugins/";

/// A plugin is a file in the folder, or a folder in it with its main file at the top.
fn is_description(path: &str) -> bool {
    path.ends_with(".php") && inner(path).is_some_and(|inner| inner.matches('/').count() <= 1)
}

/// What stands behind the folder of all plugins.
fn inner(path: &str) -> Option<&str> {
    let at = path.rfind(FOLDER)?;
    (at == 0 || path.as_bytes().get(at - 1) == Some(&b'/')).then(|| &path[at + FOLDER.len()..])
}

fn read(content: &[u8], found: &mut Found) -> Result<(), String> {
    let Some((offset, name)) = field(content, "Plugin Name") else { return Ok(()) };
    found.add(Description {
        offset,
        name,
        version: field(content, "Version").map(|(_, value)| value),
        licenses: field(content, "License").into_iter().map(|(_, value)| value).collect(),
        maintainer: field(content, "Author").map(|(_, value)| value),
        ..Description::default()
    });
    Ok(())
}

/// The value of a line ` * Name: value`, whatever signs of a comment stand around it, with the place of the line.
fn field(content: &[u8], name: &str) -> Option<(usize, String)> {
    let mut offset = 0;
    for line in content.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let start = offset;
        offset += line.len() + 1;
        let line = line.strip_prefix(b"<?php").unwrap_or(line);
        let begin = line.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'/' | b'*' | b'#' | b'@'));
        let Some((head, value)) = begin.and_then(|begin| line[begin..].split_at_checked(name.len())) else {
            continue;
        };
        let Some(value) = value.strip_prefix(b":").filter(|_| head.eq_ignore_ascii_case(name.as_bytes()))
        else {
            continue;
        };
        let value = text(value);
        let value =
            value.split("*/").next().and_then(|value| value.split("?>").next()).unwrap_or_default().trim();
        if !value.is_empty() {
            return Some((start, value.to_owned()));
        }
    }
    None
}

/// The world knows a plugin by its folder, of which no two may be the same; what it calls itself is for people.
fn complete(package: &mut Package, it: &Description, input: &ParseInput<'_>, problems: &mut Problems<'_>) {
    let slug = inner(input.path).and_then(|inner| inner.split('/').next());
    match slug.map(|slug| slug.strip_suffix(".php").unwrap_or(slug)).filter(|slug| !slug.is_empty()) {
        Some(slug) => package.name = slug.to_owned(),
        // Another name of the same file, by a link.
        None => problems.add(
            DiagnosticCode::BrokenRecord,
            it.offset,
            "plugin stands outside of a folder of plugins",
        ),
    }
    package.purl = qualified_purl(package, &[]);
}

pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    described::parse(input, &PLUGIN)
}
