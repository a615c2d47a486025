//! Julia: the project file of each package that a depot holds unpacked, and of the standard library.
//!
//! `Manifest.toml` says what a project has resolved, which is not what the image holds; it is not read. Parts of the standard library
//! without a version of their own are Julia itself.

#[cfg(test)]
mod tests;

use model::{Package, PackageKind};

use crate::described::{self, Description, DescriptionKind, Extent, Found};
use crate::parse::{ParseInput, Parsed, Problems, lines, text};
use crate::purl::qualified_purl;

/// `.julia/packages/HTTP/1EWL3/Project.toml`
pub(crate) static PROJECT: DescriptionKind = DescriptionKind {
    tag: 40,
    kind: PackageKind::Julia,
    is_description,
    extent: Extent::Whole(1),
    read,
    complete,
};

const FILE_NAMES: [&str; 2] = ["Project.toml", "JuliaProject.toml"];
const UUID: &str = "uuid";

fn is_description(path: &str) -> bool {
    if !path.ends_with("Project.toml") {
        return false;
    }
    let mut parts = path.rsplit('/');
    if !parts.next().is_some_and(|name| FILE_NAMES.contains(&name)) {
        return false;
    }
    let (Some(first), Some(second), Some(third)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    // The folder of one version has a short name made out of a hash.
    let is_hash = (4..=8).contains(&first.len()) && first.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_release =
        second.strip_prefix('v').is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_digit()));
    (third == "packages" && is_hash) || (third == "stdlib" && is_release)
}

/// `key = "value"` up to the first table.
fn read(content: &[u8], found: &mut Found) -> Result<(), String> {
    let mut description = Description::default();
    for (_, line) in lines(content) {
        let line = text(line);
        if line.starts_with('[') {
            break;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let value =
            value.trim().strip_prefix('"').and_then(|value| value.split('"').next()).map(str::to_owned);
        match key.trim() {
            "name" => description.name = value.unwrap_or_default(),
            "version" => description.version = value,
            UUID => description.put(UUID, value),
            _ => {}
        }
    }
    // Only with an identity it is a package.
    if !description.name.is_empty() && description.version.is_some() && description.get(UUID).is_some() {
        found.add(description);
    }
    Ok(())
}

fn complete(package: &mut Package, it: &Description, _: &ParseInput<'_>, _: &mut Problems<'_>) {
    package.purl = qualified_purl(package, &[(UUID, it.get(UUID))]);
}

pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    described::parse(input, &PROJECT)
}
