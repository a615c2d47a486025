//! R: the description of each installed package. Only installing adds the field `Built`.
//!
//! Source: Writing R Extensions, the DESCRIPTION file.

#[cfg(test)]
mod tests;

use model::{Package, PackageKind};

use crate::described::{self, Description, DescriptionKind, Extent, Found};
use crate::parse::{ParseInput, Parsed, Problems, lines, text};
use crate::purl::qualified_purl;

/// `usr/lib/R/site-library/digest/DESCRIPTION`
pub(crate) static DESCRIPTION: DescriptionKind = DescriptionKind {
    tag: 37,
    kind: PackageKind::Cran,
    is_description,
    extent: Extent::Whole(1),
    read,
    complete,
};

const FILE_NAME: &str = "DESCRIPTION";
const REPOSITORY: &str = "repository_url";
/// Where packages with its own field come from.
const BIOCONDUCTOR: &str = "https://bioconductor.org";

fn is_description(path: &str) -> bool {
    path.strip_suffix(FILE_NAME).is_some_and(|folder| folder.ends_with('/'))
}

fn read(content: &[u8], found: &mut Found) -> Result<(), String> {
    let mut description = Description::default();
    let mut is_built = false;
    for (_, line) in lines(content) {
        // A line that begins with a blank goes on with the field before it.
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let value = || Some(text(&line[colon + 1..])).filter(|value| !value.is_empty());
        match &line[..colon] {
            b"Package" => description.name = value().unwrap_or_default(),
            b"Version" => description.version = value(),
            b"License" => description.licenses = value().into_iter().collect(),
            b"Maintainer" => description.maintainer = value(),
            b"Built" => is_built = true,
            b"biocViews" => description.put(REPOSITORY, Some(BIOCONDUCTOR.to_owned())),
            _ => {}
        }
    }
    // A file of this name can be anybody's.
    if is_built && !description.name.is_empty() {
        found.add(description);
    }
    Ok(())
}

fn complete(package: &mut Package, it: &Description, _: &ParseInput<'_>, _: &mut Problems<'_>) {
    package.purl = qualified_purl(package, &[(REPOSITORY, it.get(REPOSITORY))]);
}

pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    described::parse(input, &DESCRIPTION)
}
