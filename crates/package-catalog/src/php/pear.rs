//! The registry of PEAR and PECL: of each package a file with what PHP's `serialize` writes.

use model::{Package, PackageKind};

use super::serialized::Reader;
use crate::described::{Description, DescriptionKind, Extent, Found};
use crate::parse::{ParseInput, Problems};
use crate::purl::language_purl;

/// `php/.registry/.channel.pecl.php.net/redis.reg`
pub(crate) static REGISTRY: DescriptionKind = DescriptionKind {
    tag: 32,
    kind: PackageKind::Pear,
    is_description,
    extent: Extent::Whole(2),
    read,
    complete,
};

const FOLDER: &str = "php/.registry/";
const CHANNEL: &str = "channel";
const CHANNEL_FOLDER: &str = ".channel.";
const DEFAULT_CHANNEL: &str = "pear.php.net";

fn is_description(path: &str) -> bool {
    path.ends_with(".reg")
        && path.find(FOLDER).is_some_and(|at| at == 0 || path.as_bytes().get(at - 1) == Some(&b'/'))
}

fn read(content: &[u8], found: &mut Found) -> Result<(), String> {
    let mut raw = Raw::default();
    let read = Reader::new(content).for_each(&mut |key, reader| raw.take(key, reader));
    // Its name and version are at the top: what follows may be broken.
    if raw.name.is_none() {
        return match read {
            Err(offset) => Err(format!("file is not what PHP serializes: broken at byte {offset}")),
            Ok(()) => Err("record of a package has no name".to_owned()),
        };
    }
    if let Err(offset) = read {
        found.tell(offset, "record ends before its end or is broken");
    }
    let mut description = Description {
        name: raw.name.unwrap_or_default(),
        version: raw.version,
        licenses: raw.license.into_iter().collect(),
        maintainer: raw.lead,
        ..Description::default()
    };
    description.put(CHANNEL, raw.channel);
    found.add(description);
    Ok(())
}

#[derive(Default)]
struct Raw {
    name: Option<String>,
    channel: Option<String>,
    version: Option<String>,
    license: Option<String>,
    lead: Option<String>,
}

impl Raw {
    /// Takes a value of the record. Since the second form of `package.xml` some are lists with the value in them.
    fn take(&mut self, key: &[u8], reader: &mut Reader<'_>) -> Result<(), usize> {
        match key {
            b"name" | b"package" => set(&mut self.name, reader.text()?),
            b"channel" => set(&mut self.channel, reader.text()?),
            b"version" => set(&mut self.version, reader.text_or_in(b"release")?),
            b"license" | b"release_license" => set(&mut self.license, reader.text_or_in(b"_content")?),
            b"lead" => set(&mut self.lead, reader.text_or_in(b"name")?),
            _ => reader.skip()?,
        }
        Ok(())
    }
}

fn set(value: &mut Option<String>, text: Option<String>) {
    if value.is_none() {
        *value = text;
    }
}

/// The channel of old records is only in their path.
fn complete(package: &mut Package, description: &Description, input: &ParseInput<'_>, _: &mut Problems<'_>) {
    let folder = input.path.rsplit('/').nth(1).and_then(|folder| folder.strip_prefix(CHANNEL_FOLDER));
    let channel = description.get(CHANNEL).or(folder).unwrap_or(DEFAULT_CHANNEL);
    let full_name = format!("{channel}/{}", package.name);
    package.purl = language_purl(PackageKind::Pear, &full_name, package.version.as_deref());
}
