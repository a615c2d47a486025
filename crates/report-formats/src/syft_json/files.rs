//! The files that packages own, as syft's JSON has them: in the metadata of the packages of a system, each kind in its own way.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use model::{OwnedFile, PackageKind};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Value, json};

use super::raw::RawDigest;
use crate::lenient::{Lenient, nothing};
use crate::listing;

/// What apk puts before the SHA-1 of a file, in Base64, and what syft calls that.
const APK_CHECKSUM: &str = "Q1";
const APK_ALGORITHM: &str = "'Q1'+base64(sha1)";
/// Type and permissions of a file in one number.
const TYPE_MASK: u64 = 0o170_000;
const TYPE_FILE: u64 = 0o100_000;
const TYPE_FOLDER: u64 = 0o040_000;
const PERMISSIONS_MASK: u64 = 0o7777;

/// The list in the metadata; `None`: metadata of this kind have none.
pub(super) fn native(kind: PackageKind, files: &[OwnedFile]) -> Option<Value> {
    let to_record = match kind {
        PackageKind::Deb => deb,
        PackageKind::Apk => apk,
        PackageKind::Rpm => rpm,
        _ => return None,
    };
    Some(files.iter().map(|file| exact(to_record(file), file)).collect())
}

/// The files of packages whose metadata have no place for them, in our own words.
pub(super) fn lines(kind: PackageKind, files: &[OwnedFile]) -> Option<Value> {
    let is_native = native(kind, &[]).is_some();
    (!is_native && !files.is_empty())
        .then(|| files.iter().map(|file| json!(listing::to_line(file))).collect())
}

/// The record, and beside it what it would not say when it is read.
fn exact(mut record: Value, file: &OwnedFile) -> Value {
    let read = RawFile::deserialize(&record).ok().and_then(|read| read.0);
    if read.as_ref() != Some(file) {
        record["lazaret"] = json!(listing::to_line(file));
    }
    record
}

fn checksum(file: &OwnedFile) -> Option<(&str, &str)> {
    file.checksum.as_deref()?.split_once(':')
}

fn deb(file: &OwnedFile) -> Value {
    let mut record = json!({"path": file.path, "isConfigFile": file.is_configuration});
    if let Some((algorithm, value)) = checksum(file) {
        record["digest"] = json!({"algorithm": algorithm, "value": value});
    }
    record
}

fn apk(file: &OwnedFile) -> Value {
    let mut record = json!({"path": file.path});
    if let Some(permissions) = file.permissions {
        record["permissions"] = json!(format!("{permissions:o}"));
    }
    let sha1 = checksum(file).filter(|(algorithm, _)| *algorithm == "sha1");
    if let Some(bytes) = sha1.and_then(|(_, value)| HEXLOWER.decode(value.as_bytes()).ok()) {
        let value = format!("{APK_CHECKSUM}{}", BASE64.encode(&bytes));
        record["digest"] = json!({"algorithm": APK_ALGORITHM, "value": value});
    }
    record
}

fn rpm(file: &OwnedFile) -> Value {
    let (algorithm, value) = checksum(file).unwrap_or_default();
    json!({
        "path": file.path,
        "mode": file.permissions.map_or(0, |permissions| TYPE_FILE | u64::from(permissions)),
        "size": file.size_bytes.unwrap_or_default(),
        "digest": {"algorithm": algorithm, "value": value},
        "userName": "",
        "groupName": "",
        "flags": if file.is_configuration { "c" } else { "" },
    })
}

/// Whether syft lists the files of packages of this kind by their paths in the image.
pub(super) fn has_real_paths(kind: PackageKind) -> bool {
    use PackageKind::{Alpm, Apk, Deb, Ebuild, Rpm};
    matches!(kind, Deb | Apk | Rpm | Alpm | Ebuild)
}

/// Files of one package; anything else says nothing.
#[derive(Default)]
pub(super) struct RawFiles(pub(super) Vec<OwnedFile>);

/// One of them; `None`: a folder, or nothing that is known.
struct RawFile(Option<OwnedFile>);

/// A record of any kind of package: their members have different names.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Record {
    path: Lenient,
    r#type: Lenient,
    digest: Digests,
    permissions: Lenient,
    mode: Lenient,
    size: Lenient,
    flags: Lenient,
    is_config_file: Lenient,
    lazaret: Lenient,
}

impl Record {
    fn into_file(self) -> Option<OwnedFile> {
        let Self { path, r#type, digest, permissions, mode, size, flags, is_config_file, lazaret } = self;
        if let Some(file) = lazaret.text().and_then(listing::from_line) {
            return Some(file);
        }
        let mode = mode.number().filter(|mode| *mode != 0);
        if mode.is_some_and(|mode| mode & TYPE_MASK == TYPE_FOLDER) || r#type.text() == Some("dir") {
            return None;
        }
        let of_mode = mode.and_then(|mode| u32::try_from(mode & PERMISSIONS_MASK).ok());
        let stated = permissions.text().and_then(|digits| u32::from_str_radix(digits, 8).ok());
        let size_bytes = size.number().or_else(|| size.text()?.parse().ok());
        Some(OwnedFile {
            path: path.into_text()?,
            checksum: digest.0,
            permissions: of_mode.or(stated),
            // Records of rpm always have a number.
            size_bytes: size_bytes.filter(|size| *size != 0 || mode.is_some()),
            is_configuration: matches!(is_config_file, Lenient::Flag(true))
                || flags.text().is_some_and(|flags| flags.contains('c')),
            is_content_changed: None,
        })
    }
}

/// `md5:0f…`: the first usable of one checksum or several.
#[derive(Default)]
struct Digests(Option<String>);

fn to_checksum(digest: &RawDigest) -> Option<String> {
    let (algorithm, value) = (digest.algorithm.text()?, digest.value.text()?);
    if algorithm == APK_ALGORITHM {
        let bytes = BASE64.decode(value.strip_prefix(APK_CHECKSUM)?.as_bytes()).ok()?;
        return Some(format!("sha1:{}", HEXLOWER.encode(&bytes)));
    }
    let is_known = ["md5", "sha1", "sha256"].contains(&algorithm);
    let digits = HEXLOWER_PERMISSIVE.decode(value.as_bytes()).ok().filter(|_| is_known)?;
    Some(format!("{algorithm}:{}", HEXLOWER.encode(&digits)))
}

impl<'de> Deserialize<'de> for Digests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Digests;
            nothing!(
                Digests(None);
                visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str
            );

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a checksum")
            }
            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Digests, A::Error> {
                let digest = RawDigest::deserialize(MapAccessDeserializer::new(members))?;
                Ok(Digests(to_checksum(&digest)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Digests, A::Error> {
                let mut found = None;
                while let Some(Digests(digest)) = elements.next_element()? {
                    found = found.or(digest);
                }
                Ok(Digests(found))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for RawFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = RawFile;
            nothing!(RawFile(None); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a file")
            }
            fn visit_str<E: de::Error>(self, line: &str) -> Result<RawFile, E> {
                Ok(RawFile(listing::from_line(line)))
            }
            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<RawFile, A::Error> {
                Ok(RawFile(Record::deserialize(MapAccessDeserializer::new(members))?.into_file()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<RawFile, A::Error> {
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(RawFile(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for RawFiles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = RawFiles;
            nothing!(
                RawFiles::default();
                visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str
            );

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of files")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<RawFiles, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(RawFiles::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<RawFiles, A::Error> {
                let mut files = Vec::new();
                // One more than are taken, so that it is seen that there are too many.
                while files.len() <= listing::FILES_MAX
                    && let Some(RawFile(file)) = elements.next_element()?
                {
                    files.extend(file);
                }
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(RawFiles(files))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
