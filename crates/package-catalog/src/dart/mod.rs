//! Dart: packages in the cache of `pub`, from which programs are built and run.
//!
//! `pubspec.lock` says what a project wants; `package_config.json` only leads to the cache. A program that was compiled says nothing.

#[cfg(test)]
mod tests;

use model::{Package, PackageKind};

use crate::described::{self, Description, DescriptionKind, Extent, Found};
use crate::parse::{ParseInput, Parsed, Problems, lines};
use crate::purl::qualified_purl;

/// `.pub-cache/hosted/pub.dev/args-2.4.2/pubspec.yaml`
pub(crate) static PUBSPEC: DescriptionKind = DescriptionKind {
    tag: 41,
    kind: PackageKind::Pub,
    is_description,
    extent: Extent::Whole(1),
    read,
    complete,
};

const FILE_NAME: &str = "/pubspec.yaml";

fn is_description(path: &str) -> bool {
    let Some(folder) = path.strip_suffix(FILE_NAME) else { return false };
    let mut parts = folder.rsplit('/').skip(1);
    match (parts.next(), parts.next(), parts.next()) {
        (_, Some("hosted"), Some(cache)) => is_cache(cache),
        (Some("git"), Some(cache), _) => is_cache(cache),
        _ => false,
    }
}

fn is_cache(folder: &str) -> bool {
    folder.trim_start_matches('.').eq_ignore_ascii_case("pub-cache")
}

/// `key: value` without an indent; values are plain or in quotes.
fn read(content: &[u8], found: &mut Found) -> Result<(), String> {
    let mut description = Description::default();
    for (offset, line) in lines(content) {
        let line = String::from_utf8_lossy(line);
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        let value = match value.strip_prefix(['"', '\'']) {
            Some(quoted) => quoted.split(['"', '\'']).next().unwrap_or_default(),
            None => value.split(" #").next().unwrap_or_default().trim(),
        };
        match key {
            "name" => (description.offset, description.name) = (offset, value.to_owned()),
            "version" if !value.is_empty() => description.version = Some(value.to_owned()),
            _ => {}
        }
    }
    match description.name.is_empty() {
        true => Err("description of a package has no name".to_owned()),
        false => {
            found.add(description);
            Ok(())
        }
    }
}

fn complete(package: &mut Package, _: &Description, _: &ParseInput<'_>, _: &mut Problems<'_>) {
    package.purl = qualified_purl(package, &[]);
}

pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    described::parse(input, &PUBSPEC)
}
