//! `installed.json`: a list of packages, since Composer 2 in an object.
//!
//! What only development needs is listed too: it is installed.

use model::{Package, PackageKind};
use serde_json::Value;

use crate::described::json::{for_each_record, record_of, text, texts};
use crate::described::{Description, DescriptionKind, Extent, Found};
use crate::parse::{ParseInput, Problems};
use crate::purl::qualified_purl;

/// `vendor/composer/installed.json`
pub(crate) static INSTALLED: DescriptionKind = DescriptionKind {
    tag: 31,
    kind: PackageKind::Composer,
    is_description,
    // It holds all packages with their whole descriptions.
    extent: Extent::Whole(8),
    read,
    complete,
};

/// What is read of a record.
const KEYS: [&str; 4] = ["authors", "license", "name", "version"];
const FILE: &str = "composer/installed.json";

/// The folder of packages has any name, Composer's own in it always this one.
fn is_description(path: &str) -> bool {
    path.strip_suffix(FILE).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

fn read(content: &[u8], found: &mut Found) -> Result<(), String> {
    let read =
        for_each_record(content, &["packages"], &mut |offset, record| match record_of(record, &KEYS) {
            Ok(record) => add(offset, &record, found),
            Err(why) => found.tell(offset, why),
        });
    if let Err((offset, why)) = read {
        found.tell(offset, why);
    }
    Ok(())
}

fn add(offset: usize, record: &Value, found: &mut Found) {
    let Some(name) = text(record, "name") else {
        return found.tell(offset, "record of a package has no name");
    };
    let mut licenses = texts(record, "license");
    licenses.dedup();
    found.add(Description {
        offset,
        name,
        version: text(record, "version").map(without_v),
        licenses,
        maintainer: record["authors"].get(0).and_then(|author| text(author, "name")),
        ..Description::default()
    });
}

/// `v1.2.3` is a tag of the version `1.2.3`.
fn without_v(version: String) -> String {
    match version.strip_prefix(['v', 'V']) {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => rest.to_owned(),
        _ => version,
    }
}

fn complete(package: &mut Package, _: &Description, _: &ParseInput<'_>, _: &mut Problems<'_>) {
    package.purl = qualified_purl(package, &[]);
}
