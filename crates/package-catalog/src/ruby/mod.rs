//! Ruby: the specification that RubyGems leaves of every installed gem, also of those that came with Ruby.

mod specification;
#[cfg(test)]
mod tests;

use model::{Package, PackageKind};

use crate::described::{self, Description, DescriptionKind, Extent, Found};
use crate::parse::{ParseInput, Parsed, Problems};
use crate::purl::qualified_purl;

/// `specifications/rake-13.0.6.gemspec`
pub(crate) static GEMSPEC: DescriptionKind = DescriptionKind {
    tag: 30,
    kind: PackageKind::Gem,
    is_description,
    extent: Extent::Whole(1),
    read,
    complete,
};

const PLATFORM: &str = "platform";
/// The platform of gems that run anywhere.
const ANY_PLATFORM: &str = "ruby";

/// Gemspecs elsewhere belong to sources, not to installed gems.
fn is_description(path: &str) -> bool {
    path.ends_with(".gemspec") && path.split('/').rev().skip(1).any(|folder| folder == "specifications")
}

fn read(content: &[u8], found: &mut Found) -> Result<(), String> {
    let raw = specification::read(content);
    let Some(name) = raw.name else { return Err("specification has no name that is written out".to_owned()) };
    let mut description = Description {
        name,
        version: raw.version,
        licenses: raw.licenses,
        maintainer: raw.authors.into_iter().next(),
        ..Description::default()
    };
    description.put(PLATFORM, raw.platform.filter(|platform| platform != ANY_PLATFORM));
    found.add(description);
    Ok(())
}

fn complete(package: &mut Package, description: &Description, _: &ParseInput<'_>, _: &mut Problems<'_>) {
    package.purl = qualified_purl(package, &[(PLATFORM, description.get(PLATFORM))]);
}

pub(crate) fn parse(input: &ParseInput<'_>) -> Parsed {
    described::parse(input, &GEMSPEC)
}
